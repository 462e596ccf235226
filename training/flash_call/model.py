"""The flash-call model: a small network over the features of one window of one key.

What the features need before they are added up is part of the graph: logarithms of what has no upper end, marks for
what was not known (-1), one input a kind of key and window. So the product hands over the features as they are.
"""
import torch
from torch import nn

# No upper end: their logarithm is used.
GROWING = ["talkMeanS", "gapMeanS", "blinkTimesUsual", "ringMeanS", "gapVariation"]
# May be unknown: -1.
MAYBE = ["talkMeanS", "ringMeanS", "ringSdS", "gapMeanS", "gapVariation", "talkVariation", "blinkRingMeanS",
         "blinkRingSdS", "blinkFreshShare", "blinkTimesUsual"]
KINDS = [1.0, 2.0, 3.0, 5.0, 6.0]  # of `keyKinds`: three ranges, route and destination, route
LEVELS = [1.0, 2.0, 3.0]  # 10 min, 1 h, 24 h


class FlashCallModel(nn.Module):
    """features [N, F] -> probability [N]; `logit` is what it is trained on, before calibration."""

    def __init__(self, names, left_out, hidden):
        super().__init__()
        plain = [name for name in names if name not in ("keyKind", "windowLevel") and name not in left_out]
        index = {name: at for at, name in enumerate(names)}
        self.register_buffer("plain", torch.tensor([index[name] for name in plain]))
        self.register_buffer("growing", torch.tensor([1.0 if name in GROWING else 0.0 for name in plain]))
        self.register_buffer("maybe", torch.tensor([index[name] for name in MAYBE if name not in left_out]))
        self.register_buffer("kinds", torch.tensor([KINDS]))
        self.register_buffer("levels", torch.tensor([LEVELS]))
        self.kind, self.level = index["keyKind"], index["windowLevel"]
        self.register_buffer("mean", torch.zeros(len(plain)))
        self.register_buffer("spread", torch.ones(len(plain)))
        self.register_buffer("scale", torch.ones(1))
        self.register_buffer("offset", torch.zeros(1))
        sizes = [len(plain) + len(self.maybe) + len(KINDS) + len(LEVELS), *hidden]
        layers = [part for i in range(len(hidden)) for part in (nn.Linear(sizes[i], sizes[i + 1]), nn.ReLU())]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], 1))

    def values(self, features):
        """The plain features with logarithms taken, not yet brought to one scale."""
        plain = features[:, self.plain]
        return plain * (1 - self.growing) + torch.log(1 + torch.relu(plain)) * self.growing

    def fit_scale(self, features):
        values = self.values(features)
        self.mean.copy_(values.mean(0))
        self.spread.copy_(values.std(0).clamp(min=1e-3))

    def inputs(self, features):
        values = torch.clamp((self.values(features) - self.mean) / self.spread, -4, 4)
        unknown = (features[:, self.maybe] < 0).float()
        kind = (features[:, self.kind : self.kind + 1] == self.kinds).float()
        level = (features[:, self.level : self.level + 1] == self.levels).float()
        return torch.cat([values, unknown, kind, level], 1)

    def logit(self, features):
        return self.layers(self.inputs(features)).squeeze(1)

    def forward(self, features):
        return torch.sigmoid(self.logit(features) * self.scale + self.offset)
