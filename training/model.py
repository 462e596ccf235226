"""The voice model: a small convolutional encoder of one 500 ms hop and a light head over the last hops of speech.

One call of the exported graph judges one hop of every call in the batch: it encodes the hop (with some frames before
it), and pools the hop's embedding with the embeddings of the previous hops of speech, which the caller kept.
"""
import torch
from torch import nn

BANDS, HOP_FRAMES, CONTEXT_FRAMES, WINDOW_HOPS, EMBEDDING = 60, 50, 2, 8, 48
SOUND_VALUES = 16  # of a hop, for Sounds
KEPT = EMBEDDING + 1 + SOUND_VALUES  # values of a hop that the caller keeps as history
CENTRES = 32  # of Novelty, at most
HOP_INPUT_FRAMES = CONTEXT_FRAMES + HOP_FRAMES
STRIDE = 4  # frames to one step of the encoder's last layers
LAST = 96  # values of a step in the last layer
TRAITS = 3 * BANDS // 2 + 2 * LAST + 2


class Dense(nn.Module):
    """A linear layer over the last axis of [N, T, inputs], normalised over the batch, ReLU.

    The encoder's convolutions are such layers over neighbours laid side by side: one product of matrices for a whole
    batch of hops, which in onnxruntime-web costs half of what as many convolutions of one hop each do (0.16 against 0.29
    ms per second of speech, with everything else alike).
    """

    def __init__(self, inputs, outputs):
        super().__init__()
        self.line, self.norm = nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs)

    def forward(self, values):
        values = self.line(values)
        if self.norm is not None:
            values = self.norm(values.flatten(0, 1)).reshape(values.shape)
        return torch.relu(values)

    def fold(self):
        """Puts the normalisation, as it is in use, into the linear layer: fewer operations in the graph."""
        gain = self.norm.weight / torch.sqrt(self.norm.running_var + self.norm.eps)
        folded = nn.Linear(self.line.in_features, self.line.out_features)
        folded.weight.data = self.line.weight.data * gain.data.unsqueeze(1)
        folded.bias.data = self.norm.bias.data - self.norm.running_mean * gain.data
        self.line, self.norm = folded, None


def before(values):
    """The same one step later, a step of zeros first."""
    return nn.functional.pad(values[:, :-1], (0, 0, 1, 0))


def after(values):
    return nn.functional.pad(values[:, 1:], (0, 0, 0, 1))


def pairs(values):
    """[N, T, C] -> [N, T/2, 2C]"""
    return values.reshape(-1, values.shape[1] // 2, 2 * values.shape[2])


def two_together(values):
    """[N, C] -> [N, C / 2]: the means of neighbours."""
    return values.reshape(-1, values.shape[1] // 2, 2).mean(2)


def spread(values, weight):
    """Mean and deviation over time of values [N, T, C]; weight [N, 1, T] adds up to 1. Two of [N, C]."""
    mean = weight @ values
    variance = weight @ (values * values) - mean * mean
    return mean.squeeze(1), torch.sqrt(torch.relu(variance).squeeze(1) + 1e-4)


class Encoder(nn.Module):
    """features [N, 52, 60], speech [N, 50] -> embedding [N, EMBEDDING] in -1..1.

        52 frames -> 26 pairs -> 13 steps of 4 frames (and the pair before) -> 3 steps wide -> residual layer
        -> mean and deviation over the speech, and of the hop's speech frames themselves: deviation of each band and of
           its change in 20 ms -> embedding

    With `level` the frame's level, less the hop's mean of speech, is one more input.
    """

    def __init__(self, level=False, dropout=0.0):
        super().__init__()
        self.level, self.dropout = level, nn.Dropout(dropout)
        self.first = Dense(2 * (BANDS + level), 48)
        self.second = Dense(3 * 48, 64)
        self.third = Dense(3 * 64, LAST)
        self.fourth = Dense(LAST, LAST)
        self.spreads = nn.BatchNorm1d(2 * BANDS)
        self.mix = nn.Linear(2 * LAST + 2 * BANDS, 72)
        self.project = nn.Linear(72, EMBEDDING)

    def fold(self):
        for layer in (self.first, self.second, self.third, self.fourth):
            layer.fold()

    def forward(self, features, speech):
        return self.describe(features, speech)[0]

    def describe(self, features, speech):
        """The embedding, and the hop's traits [N, TRAITS], over its speech frames: of neighbouring bands together mean, and
        logarithms of the deviation and of the deviation of the change in 20 ms; mean and deviation of the last layer;
        the two logarithms of the level."""
        share = (speech + 1e-3) / (speech + 1e-3).sum(1, keepdim=True)
        share = share.unsqueeze(1)
        level = features.mean(2, keepdim=True)
        shape = (features - level) * 0.3
        height = share @ shape[:, CONTEXT_FRAMES:]
        shape = shape - height
        inputs = shape
        if self.level:
            inputs = torch.cat([shape, 0.3 * (level - share @ level[:, CONTEXT_FRAMES:])], 2)
        two = self.first(pairs(inputs))
        four = pairs(two)
        steps = self.second(torch.cat([before(four[:, :, two.shape[2] :]), four], 2))
        steps = self.third(torch.cat([before(steps), steps, after(steps)], 2))
        steps = steps + self.fourth(steps)
        weight = nn.functional.pad(speech, (CONTEXT_FRAMES, 0)).reshape(-1, HOP_INPUT_FRAMES // STRIDE, STRIDE).mean(2) + 1e-3
        pooled = spread(steps, (weight / weight.sum(1, keepdim=True)).unsqueeze(1))
        hop = shape[:, CONTEXT_FRAMES:]
        change = hop - shape[:, CONTEXT_FRAMES - 2 : CONTEXT_FRAMES + HOP_FRAMES - 2]
        spreads = torch.cat([spread(hop, share)[1], spread(change, share)[1]], 1)
        hidden = torch.relu(self.mix(self.dropout(torch.cat([*pooled, self.spreads(spreads)], 1))))
        loud = 0.3 * level[:, CONTEXT_FRAMES:]
        swell = loud - 0.3 * level[:, CONTEXT_FRAMES - 2 : CONTEXT_FRAMES + HOP_FRAMES - 2]
        levels = torch.cat([spread(loud, share)[1], spread(swell, share)[1]], 1)
        traits = [two_together(height.squeeze(1)), torch.log(two_together(spreads)), *pooled, torch.log(levels)]
        return torch.tanh(self.project(hidden)), torch.cat(traits, 1)


class Head(nn.Module):
    """Attentive mean and spread over the window's hops, then a small layer; the calibration is inside.

    With `one_class` the logit is a line of the cosine between the hidden values and one direction, that of
    human speech.
    """

    def __init__(self, one_class=False):
        super().__init__()
        self.one_class = one_class
        self.attention = nn.Linear(EMBEDDING, 1)
        self.hidden = nn.Linear(2 * EMBEDDING + 1, 32)
        self.dropout = nn.Dropout(0.2)
        self.output = nn.Linear(32, 1)
        self.register_buffer("scale", torch.ones(1))
        self.register_buffer("offset", torch.zeros(1))

    def pool(self, embeddings, weights):
        """Attentive mean and spread of the embeddings [N, E], and how full the window is [N, 1]."""
        score = torch.exp(torch.clamp(self.attention(embeddings).squeeze(2), -6, 6)) * weights
        share = (score / (score.sum(1, keepdim=True) + 1e-6)).unsqueeze(2)
        mean = (embeddings * share).sum(1)
        spread = torch.sqrt(((embeddings - mean.unsqueeze(1)) ** 2 * share).sum(1) + 1e-4)
        return mean, spread, weights.sum(1, keepdim=True) / WINDOW_HOPS

    def forward(self, mean, spread, amount):
        hidden = torch.relu(self.hidden(torch.cat([mean, spread, amount], 1)))
        if self.one_class:
            hidden = nn.functional.normalize(self.hidden(torch.cat([mean, spread, amount], 1)), dim=1)
            direction = nn.functional.normalize(self.output.weight, dim=1)
            return 10 * (0.55 - (hidden * direction).sum(1)) * self.scale + self.offset
        return self.output(self.dropout(hidden)).squeeze(1) * self.scale + self.offset

    @staticmethod
    def nearness(logits):
        """The cosine behind an uncalibrated one-class logit."""
        return 0.55 - logits / 10


class Sounds(nn.Module):
    """How sure it is that a window is no speech at all but music, an effect, a signal. Fitted by sounds.py.

    Sounds that are surely no speech teach what is unlike speech better than speech alone does (outlier exposure, Hendrycks
    et al., arXiv:1812.04606). A hop's traits give some values, their mean and deviation over the window one number;
    1 is at `edge`, beyond which nearly no window of speech comes; it is `slack` higher for an empty window than for one of
    nothing but speech.
    """

    STEEPNESS = 4.0

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(TRAITS, 64)
        self.values = nn.Linear(64, SOUND_VALUES)
        self.output = nn.Linear(2 * SOUND_VALUES, 1)
        self.register_buffer("edge", torch.full((1,), torch.inf))  # until it is fitted nothing is
        self.register_buffer("slack", torch.zeros(1))

    def hear(self, traits):
        """[N, SOUND_VALUES] of hops."""
        return self.values(torch.relu(self.hidden(traits)))

    def logit(self, values, weights):
        share = (weights / (weights.sum(1, keepdim=True) + 1e-6)).unsqueeze(1)
        mean, deviation = spread(values, share)
        return self.output(torch.cat([mean, deviation], 1)).squeeze(1)

    def forward(self, values, weights):
        empty = 1 - weights.sum(1) / WINDOW_HOPS
        return torch.exp((self.logit(values, weights) - self.edge - self.slack * empty) / self.STEEPNESS)


class Novelty(nn.Module):
    """How unlike the training's audio a window is; above 1 the model has nothing to say of it. Fitted by novelty.py.

    The largest of three: Sounds, and two Mahalanobis distances to the nearest of Gaussians with one covariance (Lee et
    al., arXiv:1807.03888), the people's and one of each engine, both smaller the emptier the window, as means of fewer hops
    stray farther. One is of the window's mean embedding: it sees what the encoder does, which learned to look away from
    much. The other is of the hops' bands, how high they stand and how much they move, averaged over the window.
    """

    def __init__(self):
        super().__init__()
        self.sounds = Sounds()
        self.register_buffer("whiten", torch.zeros(EMBEDDING, EMBEDDING))
        self.register_buffer("centres", torch.zeros(CENTRES, EMBEDDING))  # whitened
        self.register_buffer("bands_whiten", torch.zeros(BANDS, BANDS))
        self.register_buffer("bands_centres", torch.zeros(CENTRES, BANDS))
        self.register_buffer("bands_usual", torch.zeros(1))  # distance of the training's hops

    def mark(self, traits):
        """[N, 1 + SOUND_VALUES]: how much farther than usual a hop's bands are from the training's; what Sounds hears."""
        from_bands = distance(traits[:, :BANDS] @ self.bands_whiten, self.bands_centres).unsqueeze(1)
        return torch.cat([from_bands - self.bands_usual, self.sounds.hear(traits)], 1)

    def forward(self, mean, amount, marks, weights):
        bands = (marks[:, :, 0] * weights).sum(1) / (weights.sum(1) + 1e-6)
        strays = torch.maximum(distance(mean @ self.whiten, self.centres), bands) * torch.sqrt(amount.squeeze(1))
        return torch.maximum(strays, self.sounds(marks[:, :, 1:], weights))


def distance(values, centres):
    """[N] from the nearest centre."""
    squared = (values * values).sum(1, keepdim=True) - 2 * (values @ centres.T) + (centres * centres).sum(1)
    return torch.sqrt(torch.relu(torch.amin(squared, 1)))


class VoiceModel(nn.Module):
    """The exported interface; inputs and outputs are named in export_model.py.

    An embedding that is kept as history has more values than the encoder gives: the hop's marks (Novelty).
    """

    def __init__(self, level=False, one_class=False, dropout=0.0):
        super().__init__()
        self.encoder = Encoder(level, dropout)
        self.head = Head(one_class)
        self.novelty = Novelty()

    def forward(self, features, speech, history, history_weight):
        embedding, traits = self.encoder.describe(features, speech)
        kept = torch.cat([embedding, self.novelty.mark(traits)], 1)
        hops = torch.cat([history, kept.unsqueeze(1)], 1)
        weights = torch.cat([history_weight, speech.mean(1, keepdim=True)], 1)
        mean, spread, amount = self.head.pool(hops[:, :, :EMBEDDING], weights)
        return kept, self.head(mean, spread, amount), self.novelty(mean, amount, hops[:, :, EMBEDDING:], weights)

    def judge_lines(self, features, speech, lengths):
        """All hops of a batch of calls at once, for training.

        features [B, H, CONTEXT+50, 60] and speech [B, H, 50] are the hops of speech in order; lengths [B, H] says how
        many hops of history each judgement may use. Returns embeddings [B, H, E] and logits [B, H].
        """
        batch, hops = speech.shape[:2]
        embedding = self.encoder(features.flatten(0, 1), speech.flatten(0, 1)).reshape(batch, hops, -1)
        return embedding, self.judge_embeddings(embedding, speech.mean(2), lengths)

    def judge_embeddings(self, embedding, share, lengths):
        """Logits [B, H] of hops that are encoded already; share [B, H] is their share of speech frames."""
        return self.head(*self.pool_embeddings(embedding, share, lengths)).reshape(share.shape)

    def pool_embeddings(self, embedding, share, lengths):
        """What the head pools of the same: mean and spread [B * H, E], amount [B * H, 1]."""
        return self.head.pool(*windows_of(embedding, share, lengths))

    def judge_novelty(self, embedding, marks, share, lengths):
        """Novelty [B, H] of the same; marks [B, H, 1 + SOUND_VALUES] are of the hops."""
        mean, _, amount = self.pool_embeddings(embedding, share, lengths)
        return self.novelty(mean, amount, *windows_of(marks, share, lengths)).reshape(share.shape)


def windows_of(values, share, lengths):
    """For each hop the last WINDOW_HOPS of values [B, H, C] and their weights: [B * H, W, C], [B * H, W]."""
    padded = nn.functional.pad(values, (0, 0, WINDOW_HOPS - 1, 0))
    padded_share = nn.functional.pad(share, (WINDOW_HOPS - 1, 0))
    windows = padded.unfold(1, WINDOW_HOPS, 1).transpose(2, 3)
    weights = padded_share.unfold(1, WINDOW_HOPS, 1)
    age = torch.arange(WINDOW_HOPS - 1, -1, -1)
    weights = weights * (age[None, None] <= lengths.unsqueeze(2)).float()
    return windows.flatten(0, 1), weights.flatten(0, 1)
