"""Trains the voice model on a feature dump and keeps the checkpoint that is best on the dev part.

Ideas are settings of the recipe (`train:`), each off at 0, and can be set with `--set NAME=VALUE` for one run:
rank       weight of a ranking loss between a copy and its human twin (or any other human call)
oneClass   1: one-class softmax (cosine to one human direction) in place of the logistic loss
masks      share of calls with masked spans of time and bands
boost      share of calls with RawBoost-like disturbances: slow random gains per band, impulses, signal-dependent noise
bandCut    share of calls with the lowest and highest bands cut off
level      1: the frame's level is one more input of the encoder (micro-prosody)
robust     strength of weighting engines and human groups up by their recent loss
matchPitch 1: a synthetic call without its twin meets a human call of about the same pitch
average    decay of an average of the weights over steps, which is what is kept
dropout    share of the encoder's pooled values dropped
distil     weight of what the model of `--teacher` says of the same windows, in place of the labels (Hinton et al. 2015);
           a teacher of the same size is Furlanello et al., Born-Again Neural Networks, 2018

usage: python train.py --recipe recipe.yaml --features DIR --facts DIR --out DIR [--steps 4000] [--teacher best.pt]
                       [--leave-out ENGINE ...]
"""
import argparse
import copy
import json
import time
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

from features import Part
from measures import equal_error_rate
from model import BANDS, HOP_FRAMES, HOP_INPUT_FRAMES, WINDOW_HOPS, VoiceModel


PITCH_EDGES_HZ = (90, 105, 120, 140, 160, 185, 210, 240, 280)


class Batches(IterableDataset):
    """Random batches: half human, half synthetic; synthetic families in turn, then engines' voices; twins together."""

    def __init__(self, part, settings, seed, leave_out):
        self.part, self.settings = part, settings
        self.random = np.random.default_rng(seed)
        calls = [call for call in part.calls if len(call["hops"]) >= 4 and call["engine"] not in leave_out]
        self.human, self.synthetic, self.twins = {}, {}, {}
        for call in calls:
            table = self.synthetic if call["label"] else self.human
            group = call["engine"] if call["label"] else call["speaker"]
            table.setdefault(group, []).append(call)
            if call.get("pair"):
                self.twins.setdefault(call["pair"], {})[call["label"]] = call
        self.by_pitch = self.people_by_pitch() if settings["matchPitch"] else {}
        weights = settings["groupWeights"]
        names = [*sorted(self.synthetic), *sorted(self.human)]
        self.group_numbers = {name: number for number, name in enumerate(names)}
        self.group_odds = {id(table): self.odds(table, weights) for table in (self.human, self.synthetic)}

    def odds(self, table, weights):
        size = np.array([len(table[name]) ** 0.5 * weights.get(name, 1.0) for name in sorted(table)])
        return size / size.sum()

    def pick(self, table):
        names = sorted(table)
        group = table[names[self.random.choice(len(names), p=self.group_odds[id(table)])]]
        return group[self.random.integers(len(group))]

    def people_by_pitch(self):
        """Band of pitch -> speaker -> calls."""
        table = {}
        for speaker, calls in self.human.items():
            for call in calls:
                if call["pitchHz"] is not None:
                    table.setdefault(self.pitch_band(call), {}).setdefault(speaker, []).append(call)
        self.group_odds_of_band = {band: self.odds(people, {}) for band, people in table.items()}
        return table

    def pitch_band(self, call):
        return None if call["pitchHz"] is None else int(np.searchsorted(PITCH_EDGES_HZ, call["pitchHz"]))

    def person_like(self, synthetic):
        """A human call of about the same pitch, where there is one."""
        people = self.by_pitch.get(self.pitch_band(synthetic)) if self.by_pitch else None
        if people is None:
            return self.pick(self.human)
        names, odds = sorted(people), self.group_odds_of_band[self.pitch_band(synthetic)]
        calls = people[names[self.random.choice(len(names), p=odds)]]
        return calls[self.random.integers(len(calls))]

    def lines(self):
        """Calls of one batch: each synthetic copy brings its human twin, else a human call is drawn."""
        for _ in range(self.settings["callsPerBatch"] // 2):
            synthetic = self.pick(self.synthetic)
            twin = self.twins.get(synthetic.get("pair"), {}).get(0)
            yield synthetic
            yield twin if twin is not None and self.random.random() < 0.7 else self.person_like(synthetic)

    def augment(self, features):
        """A smooth random gain over the bands, a random floor, and what the settings ask; the same for a whole call."""
        random, bands, wanted = self.random, features.shape[2], self.settings
        if random.random() < 0.5:
            knots = random.normal(0, 0.5, 6)
            features = features + np.interp(np.linspace(0, 5, bands), np.arange(6), knots).astype(np.float32)
        if random.random() < 0.15:
            floor = np.percentile(features.mean(2), 90) - random.uniform(3, 9) + random.normal(0, 0.5, bands)
            features = np.logaddexp(features, (floor + random.normal(0, 1.0, features.shape)).astype(np.float32))
        if random.random() < 0.2:
            start, width = random.integers(bands - 12), random.integers(3, 12)
            features[:, :, start : start + width] = features.mean(2, keepdims=True)
        if random.random() < wanted["masks"]:
            start, width = random.integers(bands - 8), random.integers(2, 8)
            features[:, :, start : start + width] = features.mean(2, keepdims=True)
            first, count = random.integers(HOP_INPUT_FRAMES - 8), random.integers(2, 9)
            features[:, first : first + count] = features.mean(1, keepdims=True)
        if random.random() < wanted["boost"]:
            features = self.disturbed(features)
        if random.random() < wanted["bandCut"]:
            low, high = random.integers(0, 5), random.integers(40, bands + 1)
            bottom = features.min()
            features[:, :, :low] = bottom
            features[:, :, high:] = bottom + random.normal(0, 0.3, features[:, :, high:].shape)
        return features.astype(np.float32, copy=False)

    def disturbed(self, features):
        random, shape = self.random, features.shape
        slow = random.normal(0, random.uniform(0.1, 0.5), (shape[0], 8, 6))
        grid = np.repeat(np.repeat(slow, 8, 1), 10, 2)[:, : shape[1], : shape[2]]
        features = features + grid + random.normal(0, random.uniform(0.05, 0.4), shape)
        hit = random.random(shape[:2]) < 0.02
        loud = np.percentile(features, 98)
        features[hit] = np.logaddexp(features[hit], loud - random.uniform(0, 2))
        return features

    def batch(self):
        hops = self.settings["hopsPerCall"]
        shape = (self.settings["callsPerBatch"], hops)
        features = np.zeros((*shape, HOP_INPUT_FRAMES, BANDS), np.float32)
        speech = np.zeros((*shape, HOP_FRAMES), np.float32)
        labels, valid = np.zeros(shape[0], np.float32), np.zeros(shape, np.float32)
        groups = np.zeros(shape[0], np.int64)
        for row, call in enumerate(self.lines()):
            start = self.random.integers(max(1, len(call["hops"]) - hops + 1))
            chosen = call["hops"][start : start + hops]
            values, gate = self.part.hop_tensors(call, chosen)
            features[row, : len(chosen)] = self.augment(values)
            speech[row, : len(chosen)] = gate
            labels[row], valid[row, : len(chosen)] = call["label"], 1
            groups[row] = self.group_numbers[call["engine"] if call["label"] else call["speaker"]]
        lengths = np.maximum(*self.random.integers(0, WINDOW_HOPS, (2, *shape)))
        return [torch.from_numpy(np.asarray(value)) for value in (features, speech, lengths, labels, valid, groups)]

    def __iter__(self):
        while True:
            yield self.batch()


def encode_calls(model, part, calls):
    """Yields of the calls' hops of speech (call, embeddings [1, H, E], share of speech frames [1, H], traits [H, TRAITS])."""
    model.eval()
    with torch.no_grad():
        for call in calls:
            values, gate = part.hop_tensors(call, call["hops"])
            gate = torch.from_numpy(gate)
            embedding, traits = model.encoder.describe(torch.from_numpy(values), gate)
            yield call, embedding[None], gate.mean(1)[None], traits


def judge_encoded(model, encoded, histories=(WINDOW_HOPS - 1,)):
    """Per call the logits of all hops of speech, for each number of hops of history: a list of results."""
    results = [[] for _ in histories]
    with torch.no_grad():
        for call, embedding, share, _ in encoded:
            for number, history in enumerate(histories):
                logits = model.judge_embeddings(embedding, share, torch.full(share.shape, history))
                results[number].append((call, logits[0].numpy()))
    return results


def judge_part(model, part, histories=(WINDOW_HOPS - 1,)):
    return judge_encoded(model, encode_calls(model, part, part.calls), histories)


def dev_figure(model, part):
    """Mean over engines of the EER of full windows against all dev humans."""
    results = judge_part(model, part)[0]
    human = np.concatenate([logits[3:] for call, logits in results if call["label"] == 0])
    figures = {}
    for engine in sorted({call["engine"] for call, _ in results if call["label"] == 1}):
        scores = np.concatenate([logits[3:] for call, logits in results if call["engine"] == engine])
        figures[engine] = round(float(equal_error_rate(human, scores)), 4)
    return float(np.mean(list(figures.values()))), figures


class Weighting:
    """Weights of the groups (engines, speakers): one each, or by their recent loss to the power of `strength`."""

    def __init__(self, count, strength):
        self.recent, self.strength = torch.full((count,), 0.5), strength

    def of(self, groups, losses):
        if not self.strength:
            return torch.ones(len(groups))
        for group, loss in zip(groups.tolist(), losses.tolist()):
            self.recent[group] = 0.95 * self.recent[group] + 0.05 * loss
        weight = self.recent[groups] ** self.strength
        return weight / weight.mean()


def call_losses(model, logits, labels, valid, settings, taught=None):
    """Loss of every call [B]; `taught` are a teacher's logits."""
    if settings["oneClass"]:
        nearness = model.head.nearness(logits)
        sign = labels[:, None] * 2 - 1
        margin = torch.where(labels[:, None] > 0, nearness - 0.2, 0.9 - nearness)
        losses = nn.functional.softplus(20 * margin) / 10 * torch.ones_like(sign)
    else:
        smoothing = settings["smoothing"]
        target = labels[:, None].expand_as(logits) * (1 - 2 * smoothing) + smoothing
        losses = nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if taught is not None:
        copied = nn.functional.binary_cross_entropy_with_logits(logits, torch.sigmoid(taught), reduction="none")
        losses = (1 - settings["distil"]) * losses + settings["distil"] * copied
    return (losses * valid).sum(1) / valid.sum(1).clamp(min=1)


def rank_loss(logits, valid):
    """Rows are synthetic, human, synthetic, human...: the first of each two should be higher."""
    mean = (logits * valid).sum(1) / valid.sum(1).clamp(min=1)
    return nn.functional.softplus(2 * (mean[1::2] - mean[::2])).mean()


def averaged(average, model, decay, step):
    """Moves the average of the weights towards the model."""
    keep = min(decay, (step + 1) / (step + 10))
    for kept, current in zip(average.state_dict().values(), model.state_dict().values()):
        kept.copy_(kept * keep + current * (1 - keep) if kept.dtype.is_floating_point else current)


def train(settings, batches, dev, out, steps, start, teacher=None):
    torch.manual_seed(settings["seed"])
    torch.set_num_threads(settings["threads"])
    model = loaded_model(settings, start) if start else new_model(settings)
    average = copy.deepcopy(model)
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings["rate"], weight_decay=settings["decay"])
    weighting = Weighting(len(batches.group_numbers), settings["robust"])
    began, best, running = time.time(), 1.0, []
    log = open(out / "log.jsonl", "a")
    prepared = iter(DataLoader(batches, batch_size=None, num_workers=1, prefetch_factor=4))
    for step in range(1, steps + 1):
        for group in optimiser.param_groups:
            group["lr"] = settings["rate"] * min(1, step / 100) * (0.5 + 0.5 * np.cos(np.pi * step / steps)) + 1e-5
        features, speech, lengths, labels, valid, groups = next(prepared)
        model.train()
        _, logits = model.judge_lines(features, speech, lengths)
        with torch.no_grad():
            taught = teacher.judge_lines(features, speech, lengths)[1] if teacher else None
        losses = call_losses(model, logits, labels, valid, settings, taught)
        loss = (losses * weighting.of(groups, losses.detach())).mean()
        if settings["rank"]:
            loss = loss + settings["rank"] * rank_loss(logits, valid)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimiser.step()
        if settings["average"]:
            averaged(average, model, settings["average"], step)
        running.append(float(losses.mean()))
        if step % settings["stepsPerCheck"] == 0 or step == steps:
            kept = average if settings["average"] else model
            minutes = (time.time() - began) / 60
            figure, figures = dev_figure(kept, dev) if dev else (1.0, {})
            row = {"step": step, "minutes": round(minutes, 1), "minutesLeft": round(minutes / step * (steps - step), 1),
                   "loss": round(np.mean(running), 4), "devEer": round(figure, 4), **figures}
            if settings["average"] and dev:
                row["devEerNotAveraged"], row["notAveraged"] = dev_figure(model, dev)
            running = []
            print(json.dumps(row), flush=True)
            log.write(json.dumps(row) + "\n")
            log.flush()
            torch.save(kept.state_dict(), out / "last.pt")
            if figure < best:
                best = figure
                torch.save(kept.state_dict(), out / "best.pt")
    return kept


def new_model(settings):
    return VoiceModel(level=bool(settings["level"]), one_class=bool(settings["oneClass"]), dropout=settings["dropout"])


def loaded_model(settings, path):
    """The model of a checkpoint; one written before there was a measure of novelty gets an empty one."""
    model, saved = new_model(settings), torch.load(path)
    empty = {name: value for name, value in model.state_dict().items() if name.startswith("novelty.")}
    model.load_state_dict({**empty, **saved})
    return model


def read_settings(recipe, changes):
    whole = yaml.safe_load(Path(recipe).read_text())
    settings = {**whole["train"], "testEngines": whole["parts"]["testEngines"]}
    for change in changes:
        name, value = change.split("=")
        if name not in settings:
            raise SystemExit(f"the recipe has no setting {name}")
        settings[name] = yaml.safe_load(value)
    return settings


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--features", required=True, help="has train/ and dev/ with the dumps")
    parser.add_argument("--facts", required=True, help="has train.facts.jsonl and dev.facts.jsonl")
    parser.add_argument("--out", required=True)
    parser.add_argument("--steps", type=int, help="in place of the recipe's")
    parser.add_argument("--start", help="a checkpoint to go on from")
    parser.add_argument("--teacher", help="a checkpoint whose judgements are learnt as well, see `distil`")
    parser.add_argument("--leave-out", nargs="*", default=[], help="engines left out of the training")
    parser.add_argument("--set", nargs="*", default=[], help="settings of the recipe for this run")
    options = parser.parse_args()
    chosen = read_settings(options.recipe, options.set)
    destination = Path(options.out)
    destination.mkdir(parents=True, exist_ok=True)
    parts = {name: Part(options.features, options.facts, name)
             for name in ("train", "dev")}
    print({name: len(part.calls) for name, part in parts.items()}, flush=True)
    source = Batches(parts["train"], chosen, chosen["seed"], set(options.leave_out))
    guide = loaded_model(chosen, options.teacher).eval() if options.teacher else None
    train(chosen, source, parts["dev"], destination, options.steps or chosen["steps"], options.start, guide)
