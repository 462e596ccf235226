"""The voice model: a small convolutional encoder of one 500 ms hop and a light head over the last hops of speech.

One call of the exported graph judges one hop of every call in the batch: it encodes the hop (with some frames before
it), and pools the hop's embedding with the embeddings of the previous hops of speech, which the caller kept.
"""
import torch
from torch import nn

BANDS, HOP_FRAMES, CONTEXT_FRAMES, WINDOW_HOPS, EMBEDDING = 60, 50, 14, 8, 48
FRAMES_OUT = (CONTEXT_FRAMES + HOP_FRAMES) // 4  # the encoder strides by four in time


def convolution(inputs, outputs, width, stride):
    return nn.Sequential(nn.Conv1d(inputs, outputs, width, stride, width // 2, bias=False), nn.BatchNorm1d(outputs),
                         nn.ReLU())


def weighted_spread(values, mean, weight):
    return torch.sqrt(((values - mean.unsqueeze(1)) ** 2 * weight).sum(1) + 1e-4)


class Statistics(nn.Module):
    """Of the hop's speech frames: mean and spread of each band, and spread of its change in 20 ms. [N, 180]"""

    def __init__(self):
        super().__init__()
        self.level = nn.BatchNorm1d(2 * BANDS)

    def forward(self, shape, speech):
        weight = (speech + 1e-4).unsqueeze(2)
        weight = weight / weight.sum(1, keepdim=True)
        hop = shape[:, CONTEXT_FRAMES:]
        change = hop - shape[:, CONTEXT_FRAMES - 2 : CONTEXT_FRAMES + HOP_FRAMES - 2]
        mean = (hop * weight).sum(1)
        moved = (change * weight).sum(1)
        spreads = [weighted_spread(hop, mean, weight), weighted_spread(change, moved, weight)]
        return self.level(torch.cat(spreads, 1))


class Encoder(nn.Module):
    """features [N, CONTEXT+50, 60], speech [N, 50] -> embedding [N, EMBEDDING] in -1..1.

    With `level` the frame's level, less the hop's mean of speech, is one more input.
    """

    def __init__(self, level=False, dropout=0.0):
        super().__init__()
        self.level, self.dropout = level, nn.Dropout(dropout)
        self.first = convolution(BANDS + level, 48, 5, 2)
        self.second = convolution(48, 64, 3, 2)
        self.third = convolution(64, 96, 3, 1)
        self.fourth = convolution(96, 96, 1, 1)
        self.statistics = Statistics()
        self.mix = nn.Linear(192 + 2 * BANDS, 72)
        self.project = nn.Linear(72, EMBEDDING)

    def forward(self, features, speech):
        shape = (features - features.mean(2, keepdim=True)) * 0.3
        share = (speech + 1e-3).unsqueeze(2)
        shape = shape - ((shape[:, CONTEXT_FRAMES:] * share).sum(1) / share.sum(1)).unsqueeze(1)
        inputs = shape
        if self.level:
            level = features.mean(2, keepdim=True) * 0.3
            level = level - ((level[:, CONTEXT_FRAMES:] * share).sum(1) / share.sum(1)).unsqueeze(1)
            inputs = torch.cat([shape, level], 2)
        middle = self.third(self.second(self.first(inputs.transpose(1, 2))))
        middle = middle + self.fourth(middle)
        weight = nn.functional.pad(speech, (CONTEXT_FRAMES, 0)).reshape(-1, FRAMES_OUT, 4).mean(2) + 1e-3
        weight = (weight / weight.sum(1, keepdim=True)).unsqueeze(1)
        mean = (middle * weight).sum(2)
        spread = torch.sqrt(((middle - mean.unsqueeze(2)) ** 2 * weight).sum(2) + 1e-4)
        pooled = torch.cat([mean, spread, self.statistics(shape, speech)], 1)
        return torch.tanh(self.project(torch.relu(self.mix(self.dropout(pooled)))))


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

    def forward(self, embeddings, weights):
        score = torch.exp(torch.clamp(self.attention(embeddings).squeeze(2), -6, 6)) * weights
        share = (score / (score.sum(1, keepdim=True) + 1e-6)).unsqueeze(2)
        mean = (embeddings * share).sum(1)
        spread = torch.sqrt(((embeddings - mean.unsqueeze(1)) ** 2 * share).sum(1) + 1e-4)
        amount = weights.sum(1, keepdim=True) / WINDOW_HOPS
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


class VoiceModel(nn.Module):
    """The exported interface; inputs and outputs are named in export_model.py."""

    def __init__(self, level=False, one_class=False, dropout=0.0):
        super().__init__()
        self.encoder = Encoder(level, dropout)
        self.head = Head(one_class)

    def forward(self, features, speech, history, history_weight):
        embedding = self.encoder(features, speech)
        embeddings = torch.cat([history, embedding.unsqueeze(1)], 1)
        weights = torch.cat([history_weight, speech.mean(1, keepdim=True)], 1)
        return embedding, self.head(embeddings, weights)

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
        batch, hops = share.shape
        padded = nn.functional.pad(embedding, (0, 0, WINDOW_HOPS - 1, 0))
        padded_share = nn.functional.pad(share, (WINDOW_HOPS - 1, 0))
        windows = padded.unfold(1, WINDOW_HOPS, 1).transpose(2, 3)
        weights = padded_share.unfold(1, WINDOW_HOPS, 1)
        age = torch.arange(WINDOW_HOPS - 1, -1, -1)
        weights = weights * (age[None, None] <= lengths.unsqueeze(2)).float()
        logits = self.head(windows.flatten(0, 1), weights.flatten(0, 1))
        return logits.reshape(batch, hops)
