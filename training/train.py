"""Trains the voice model on a feature dump and keeps the checkpoint that is best on the dev part.

usage: python train.py --recipe recipe.yaml --features DIR --facts DIR --out DIR [--hours 0.5] [--leave-out ENGINE]
"""
import argparse
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
from model import WINDOW_HOPS, VoiceModel


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
        weights = settings["groupWeights"]
        self.group_odds = {id(table): self.odds(table, weights) for table in (self.human, self.synthetic)}

    def odds(self, table, weights):
        size = np.array([len(table[name]) ** 0.5 * weights.get(name, 1.0) for name in sorted(table)])
        return size / size.sum()

    def pick(self, table):
        names = sorted(table)
        group = table[names[self.random.choice(len(names), p=self.group_odds[id(table)])]]
        return group[self.random.integers(len(group))]

    def lines(self):
        """Calls of one batch: each synthetic copy brings its human twin, else a human call is drawn."""
        for _ in range(self.settings["callsPerBatch"] // 2):
            synthetic = self.pick(self.synthetic)
            twin = self.twins.get(synthetic.get("pair"), {}).get(0)
            yield synthetic
            yield twin if twin is not None and self.random.random() < 0.7 else self.pick(self.human)

    def augment(self, features):
        """A smooth random gain over the bands, a random floor, one masked band range; the same for a whole call."""
        random, bands = self.random, features.shape[2]
        if random.random() < 0.5:
            knots = random.normal(0, 0.5, 6)
            features = features + np.interp(np.linspace(0, 5, bands), np.arange(6), knots).astype(np.float32)
        if random.random() < 0.15:
            floor = np.percentile(features.mean(2), 90) - random.uniform(3, 9) + random.normal(0, 0.5, bands)
            features = np.logaddexp(features, (floor + random.normal(0, 1.0, features.shape)).astype(np.float32))
        if random.random() < 0.2:
            start, width = random.integers(bands - 12), random.integers(3, 12)
            features[:, :, start : start + width] = features.mean(2, keepdims=True)
        return features

    def batch(self):
        hops = self.settings["hopsPerCall"]
        shape = (self.settings["callsPerBatch"], hops)
        features = np.zeros((*shape, 64, 60), np.float32)
        speech = np.zeros((*shape, 50), np.float32)
        labels, valid = np.zeros(shape[0], np.float32), np.zeros(shape, np.float32)
        for row, call in enumerate(self.lines()):
            start = self.random.integers(max(1, len(call["hops"]) - hops + 1))
            chosen = call["hops"][start : start + hops]
            values, gate = self.part.hop_tensors(call, chosen)
            features[row, : len(chosen)] = self.augment(values)
            speech[row, : len(chosen)] = gate
            labels[row], valid[row, : len(chosen)] = call["label"], 1
        lengths = np.maximum(*self.random.integers(0, WINDOW_HOPS, (2, *shape)))
        return [torch.from_numpy(np.asarray(value)) for value in (features, speech, lengths, labels, valid)]

    def __iter__(self):
        while True:
            yield self.batch()


def judge_part(model, part, histories=(WINDOW_HOPS - 1,)):
    """Per call the logits of all hops of speech, for each number of hops of history: a list of results."""
    model.eval()
    results = [[] for _ in histories]
    with torch.no_grad():
        for call in part.calls:
            values, gate = part.hop_tensors(call, call["hops"])
            gate = torch.from_numpy(gate)
            embedding = model.encoder(torch.from_numpy(values), gate)[None]
            for number, history in enumerate(histories):
                lengths = torch.full((1, len(gate)), history)
                logits = model.judge_embeddings(embedding, gate.mean(1)[None], lengths)
                results[number].append((call, logits[0].numpy()))
    return results


def dev_figure(model, part):
    """Mean over engines of the EER of full windows against all dev humans."""
    results = judge_part(model, part)[0]
    human = np.concatenate([logits[3:] for call, logits in results if call["label"] == 0])
    figures = {}
    for engine in sorted({call["engine"] for call, _ in results if call["label"] == 1}):
        scores = np.concatenate([logits[3:] for call, logits in results if call["engine"] == engine])
        figures[engine] = round(float(equal_error_rate(human, scores)), 4)
    return float(np.mean(list(figures.values()))), figures


def train(settings, batches, dev, out, hours, start):
    torch.manual_seed(settings["seed"])
    torch.set_num_threads(settings["threads"])
    model = VoiceModel()
    if start:
        model.load_state_dict(torch.load(start))
    optimiser = torch.optim.AdamW(model.parameters(), lr=settings["rate"], weight_decay=1e-3)
    loss_of = nn.BCEWithLogitsLoss(reduction="none")
    began, step, best, running = time.time(), 0, 1.0, []
    log = open(out / "log.jsonl", "a")
    prepared = iter(DataLoader(batches, batch_size=None, num_workers=1, prefetch_factor=4))
    while time.time() - began < hours * 3600:
        done = (time.time() - began) / (hours * 3600)
        for group in optimiser.param_groups:
            group["lr"] = settings["rate"] * min(1, (step + 1) / 200) * (0.5 + 0.5 * np.cos(np.pi * min(1, done)))
        features, speech, lengths, labels, valid = next(prepared)
        model.train()
        _, logits = model.judge_lines(features, speech, lengths)
        target = labels[:, None].expand_as(logits) * (1 - 2 * settings["smoothing"]) + settings["smoothing"]
        loss = (loss_of(logits, target) * valid).sum() / valid.sum()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        optimiser.step()
        running.append(float(loss))
        step += 1
        if step % settings["stepsPerCheck"] == 0:
            figure, figures = dev_figure(model, dev)
            row = {"step": step, "minutes": round((time.time() - began) / 60, 1), "loss": round(np.mean(running), 4),
                   "devEer": round(figure, 4), **figures}
            running = []
            print(json.dumps(row), flush=True)
            log.write(json.dumps(row) + "\n")
            log.flush()
            torch.save(model.state_dict(), out / "last.pt")
            if figure < best:
                best = figure
                torch.save(model.state_dict(), out / "best.pt")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--features", required=True, help="has train/ and dev/ with the dumps")
    parser.add_argument("--facts", required=True, help="has train.facts.jsonl and dev.facts.jsonl")
    parser.add_argument("--out", required=True)
    parser.add_argument("--hours", type=float, default=0.5)
    parser.add_argument("--start", help="a checkpoint to go on from")
    parser.add_argument("--leave-out", nargs="*", default=[], help="engines left out of the training")
    options = parser.parse_args()
    recipe = yaml.safe_load(Path(options.recipe).read_text())["train"]
    destination = Path(options.out)
    destination.mkdir(parents=True, exist_ok=True)
    parts = {name: Part(Path(options.features) / name, Path(options.facts) / f"{name}.facts.jsonl")
             for name in ("train", "dev")}
    print({name: len(part.calls) for name, part in parts.items()}, flush=True)
    source = Batches(parts["train"], recipe, recipe["seed"], set(options.leave_out))
    train(recipe, source, parts["dev"], destination, options.hours, options.start)
