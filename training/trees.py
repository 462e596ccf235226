"""Boosted trees on statistics of 4 s of speech: a second opinion on how much the data allow, and a teacher.

Statistics of the speech frames of eight hops: deviation of each band and of its change in 20 and 80 ms, correlation of
neighbouring bands, modulation of the level. The bands' means are left out: they are the channel.

usage: python trees.py --recipe recipe.yaml --features DIR --facts DIR --out trees.json [--leave-out ENGINE ...]
"""
import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from features import Part
from measures import equal_error_rate
from model import CONTEXT_FRAMES

HOPS = 8


def statistics(values, speech):
    """values [8, 52, 60], speech [8, 50] -> one row."""
    hop = values[:, CONTEXT_FRAMES:]
    own = hop - hop.mean(2, keepdims=True)
    kept = speech > 0
    rows = [own[kept].std(0)]
    for lag in (2, 8):
        change = own[:, lag:] - own[:, :-lag]
        rows.append(change[kept[:, lag:]].std(0))
    level = hop.mean(2)[kept]
    modulation = np.abs(np.fft.rfft(np.pad(level - level.mean(), (0, max(0, 400 - len(level))))[:400]))[1:80]
    rows.append(np.log(modulation + 1e-3))
    neighbours = np.array([np.corrcoef(own[kept][:, band], own[kept][:, band + 1])[0, 1] for band in range(0, 59, 3)])
    return np.concatenate([*rows, np.nan_to_num(neighbours), [level.std(), kept.mean()]])


def table(part, most_per_call, keep=lambda call: True):
    random, rows, facts = np.random.default_rng(1), [], []
    for call in part.calls:
        if len(call["hops"]) < HOPS or not keep(call):
            continue
        starts = range(0, len(call["hops"]) - HOPS + 1, HOPS)
        for start in list(random.permutation(list(starts)))[:most_per_call]:
            rows.append(statistics(*part.hop_tensors(call, call["hops"][start : start + HOPS])))
            facts.append(call)
    return np.stack(rows).astype(np.float32), facts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("recipe", "features", "facts", "out"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--leave-out", nargs="*", default=[])
    options = parser.parse_args()
    train = Part(options.features, options.facts, "train")
    inputs, calls = table(train, 1, lambda call: call["engine"] not in options.leave_out)
    labels = np.array([call["label"] for call in calls])
    weights = np.where(labels == 1, 1 / max(1, labels.sum()), 1 / max(1, (1 - labels).sum())) * len(labels)
    trees = HistGradientBoostingClassifier(max_iter=200, learning_rate=0.08, max_leaf_nodes=24, l2_regularization=1.0)
    trees.fit(inputs, labels, sample_weight=weights)
    dev, dev_calls = table(Part(options.features, options.facts, "dev"), 99)
    scores = trees.decision_function(dev)
    engines = np.array([call["engine"] for call in dev_calls])
    figures = {engine: round(float(equal_error_rate(scores[engines == "human"], scores[engines == engine])), 4)
               for engine in sorted(set(engines) - {"human"})}
    mean = round(float(np.mean(list(figures.values()))), 4)
    report = {"rows": len(labels), "leftOut": options.leave_out, "devEer": mean, **figures}
    Path(options.out).write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report))
