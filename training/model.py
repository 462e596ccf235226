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


class Encoder(nn.Module):
    """features [N, CONTEXT+50, 60], speech [N, 50] -> embedding [N, EMBEDDING] in -1..1."""

    def __init__(self):
        super().__init__()
        self.first = convolution(BANDS, 48, 5, 2)
        self.second = convolution(48, 64, 3, 2)
        self.third = convolution(64, 96, 3, 1)
        self.fourth = convolution(96, 96, 1, 1)
        self.project = nn.Linear(192, EMBEDDING)

    def forward(self, features, speech):
        shape = (features - features.mean(2, keepdim=True)) * 0.3
        middle = self.third(self.second(self.first(shape.transpose(1, 2))))
        middle = middle + self.fourth(middle)
        weight = nn.functional.pad(speech, (CONTEXT_FRAMES, 0)).reshape(-1, FRAMES_OUT, 4).mean(2) + 1e-3
        weight = (weight / weight.sum(1, keepdim=True)).unsqueeze(1)
        mean = (middle * weight).sum(2)
        spread = torch.sqrt(((middle - mean.unsqueeze(2)) ** 2 * weight).sum(2) + 1e-4)
        return torch.tanh(self.project(torch.cat([mean, spread], 1)))


class Head(nn.Module):
    """Attentive mean and spread over the window's hops, then a small layer; the calibration is inside."""

    def __init__(self):
        super().__init__()
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
        return self.output(self.dropout(hidden)).squeeze(1) * self.scale + self.offset


class VoiceModel(nn.Module):
    """The exported interface; inputs and outputs are named in export_model.py."""

    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.head = Head()

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
        share = speech.mean(2)
        padded = nn.functional.pad(embedding, (0, 0, WINDOW_HOPS - 1, 0))
        padded_share = nn.functional.pad(share, (WINDOW_HOPS - 1, 0))
        windows = padded.unfold(1, WINDOW_HOPS, 1).transpose(2, 3)
        weights = padded_share.unfold(1, WINDOW_HOPS, 1)
        age = torch.arange(WINDOW_HOPS - 1, -1, -1)
        weights = weights * (age[None, None] <= lengths.unsqueeze(2)).float()
        logits = self.head(windows.flatten(0, 1), weights.flatten(0, 1))
        return embedding, logits.reshape(batch, hops)
