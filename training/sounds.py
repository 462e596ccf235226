"""Learns Sounds (model.py): which windows are no speech, from speech of the training part and the packs of other_sounds.py.

The encoder stays as it is; a small layer over the hops' traits learns. Windows of 1..8 hops are drawn, half of them
speech; of the speech half are people's; engines, and packages of sounds, by the square root of their windows. Hops that the
product flags as music or tone are not in it, as it never judges them.

Where speech ends is measured on people of packages that were left out: two more layers learn without every other
package of people each. On the people it learned from, and on five packages of dev alone, the edge would be far too near.
"""
import numpy as np
import torch

from model import WINDOW_HOPS, Sounds

STEPS, BATCH, RATE, DECAY, DROPOUT = 9000, 256, 3e-3, 1e-2, 0.2
NOT_SPEECH = "other"  # engine of the calls that are no speech


def heard(encoded):
    """The encoded calls without the hops that the product does not judge."""
    for call, embedding, share, traits in encoded:
        keep = ~call["masked"]
        if keep.any():
            yield call, embedding[:, keep], share[:, keep], traits[keep]


class Windows:
    """All hops laid end to end, and for each where its call begins."""

    def __init__(self, encoded):
        inputs, shares, first, groups, labels, packages = [], [], [], [], [], []
        at = 0
        for call, _, share, traits in encoded:
            count = len(traits)
            inputs.append(traits)
            shares.append(share[0])
            first.append(np.full(count, at))
            is_sound = call["engine"] == NOT_SPEECH
            groups += [f"{call['family']} {call['package']}" if is_sound else call["engine"]] * count
            labels += [float(is_sound)] * count
            packages += [call["package"] if call["engine"] == "human" else ""] * count
            at += count
        self.inputs, self.shares = torch.cat(inputs), torch.cat(shares)
        self.first, self.groups, self.labels = np.concatenate(first), np.array(groups), np.array(labels, np.float32)
        self.people = np.array(packages)  # package of a person's hop, else empty
        middle, scale = self.inputs.mean(0), self.inputs.std(0) + 1e-3
        self.inputs, self.middle, self.scale = (self.inputs - middle) / scale, middle, scale

    def weights(self):
        """How often a hop is drawn as the last of a window."""
        names, index, counts = np.unique(self.groups, return_inverse=True, return_counts=True)
        weight = np.sqrt(counts.astype(float))
        sound = np.array([self.labels[index == number][0] > 0 for number in range(len(names))])
        people = names == "human"
        weight[people] *= weight[~sound & ~people].sum() / weight[people].sum()
        weight[sound] *= weight[~sound].sum() / weight[sound].sum()
        return (weight / weight.sum() / counts)[index]

    def batch(self, last, lengths):
        """inputs [N, W, C], weights [N, W], labels [N] of windows by their last hops."""
        where = last[:, None] + np.arange(1 - WINDOW_HOPS, 1)[None]
        inside = (where >= self.first[last][:, None]) & (np.arange(WINDOW_HOPS, 0, -1)[None] <= lengths[:, None])
        where = np.maximum(where, 0)
        return self.inputs[where], self.shares[where] * torch.from_numpy(inside), torch.from_numpy(self.labels[last])


def learn(sounds, windows, without=()):
    """Fits the layers of `sounds` to normalised inputs; `without` are packages of people that are not shown."""
    random = np.random.default_rng(2)
    share = windows.weights() * ~np.isin(windows.people, without)
    torch.manual_seed(2)
    for layer in (sounds.hidden, sounds.values, sounds.output):
        layer.reset_parameters()
    drop = torch.nn.Dropout(DROPOUT)
    optimiser = torch.optim.AdamW(sounds.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS)
    chosen = random.choice(len(share), (STEPS, BATCH), p=share / share.sum())
    mean_loss = 0.0
    for step, last in enumerate(chosen):
        inputs, weights, labels = windows.batch(last, random.integers(1, WINDOW_HOPS + 1, BATCH))
        values = sounds.values(drop(torch.relu(sounds.hidden(drop(inputs)))))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(sounds.logit(values, weights), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        mean_loss += (float(loss) - mean_loss) * 0.01
        if (step + 1) % 1500 == 0:
            print(f"sounds: step {step + 1} of {STEPS}, loss {mean_loss:.3f}", flush=True)


def ends_of_people(windows, lengths, share):
    """For windows of each number of hops: how empty they are, and the logit that this share of people left out is under."""
    packages = sorted(set(windows.people) - {""})
    found = {length: [] for length in lengths}
    for fold in (packages[::2], packages[1::2]):
        sounds = Sounds()
        learn(sounds, windows, fold)
        last = np.flatnonzero(np.isin(windows.people, fold))
        for length in lengths:
            full = last[last - windows.first[last] >= length - 1]
            found[length] += [judge(sounds, windows, some, length) for some in np.array_split(full, len(full) // 4096 + 1)]
    ends = {}
    for length, rows in found.items():
        empty, logits = np.concatenate(rows, 1)
        ends[length] = (float(empty.mean()), float(np.quantile(logits, share)))
        print(f"sounds: windows of {length} hops of people left out end at {ends[length][1]:.2f}", flush=True)
    return ends


def judge(sounds, windows, last, length):
    """[2, N]: how empty, and logits of windows by their last hops; inputs are normalised."""
    with torch.no_grad():
        inputs, weights, _ = windows.batch(last, np.full(len(last), length))
        values = sounds.values(torch.relu(sounds.hidden(inputs)))
        return np.stack([1 - weights.numpy().sum(1) / WINDOW_HOPS, sounds.logit(values, weights).numpy()])


def settle(sounds, windows):
    """Puts the scale of the inputs into the first layer."""
    with torch.no_grad():
        sounds.hidden.weight /= windows.scale
        sounds.hidden.bias -= sounds.hidden.weight @ windows.middle
