"""Fits and measures how unlike the training's audio a window is (model.py, Novelty).

Gaussians of people and of each engine, one covariance for all, every Gaussian counting alike: over the mean embeddings
of windows of 1, 2 and 4 s of the training part, and over its hops' bands; and what sounds.py learned of sounds that are no
speech. 1 is where the familiar ends. By either distance at each length at most one in a hundred windows of the dev part
passes it, people weighing as much as all engines; by the bands' one in fifty of any engine; by Sounds three in a hundred of
people's of packages it was not shown and one in fifty of dev's engines'; by all together one in fifty of dev's people.
"""
import math

import numpy as np
import torch

from measures import area_under_curve
from model import BANDS, CENTRES
from sounds import NOT_SPEECH, Windows, ends_of_people, heard, learn, settle
from train import encode_calls

HISTORIES = {"1s": 1, "2s": 3, "4s": 7}  # hops before the last one
FIT_CALLS = 2500
SHRINK, SHRINK_BANDS = 0.3, 0.1  # of a covariance towards its diagonal; what did best of a few
FAMILIAR, FAMILIAR_GROUP = 0.99, 0.98
SOUND_CALLS = 9000  # of the training part, against all of its sounds
UNSHOWN = 0.97  # of people's windows; their packages have some sounds among them


def hop_novelties(model, encoded, history=7):
    """Per call the novelty at each hop."""
    with torch.no_grad():
        return [(call, novelty_of(model, history, *rest).numpy()) for call, *rest in encoded]


def novelty_of(model, history, embedding, share, traits):
    marks = model.novelty.mark(traits)[None]
    return model.judge_novelty(embedding, marks, share, torch.full(share.shape, history))[0]


def novelties(model, encoded, history=7):
    """Per call the novelty of its full windows."""
    return [(call, values[history:]) for call, values in hop_novelties(model, encoded, history)
            if len(values) > history]


def quantile(results, share):
    """Of the windows' values, people weighing as much as all engines together, and these alike."""
    groups = {}
    for call, values in results:
        groups.setdefault(call["engine"], []).append(values)
    values = [np.concatenate(lists) for _, lists in sorted(groups.items())]
    each = [1.0 if name == "human" else 1 / max(1, len(groups) - 1) for name in sorted(groups)]
    weights = np.concatenate([np.full(len(list_), weight / len(list_)) for list_, weight in zip(values, each)])
    values = np.concatenate(values)
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, share * total[-1])])


def fit(model, train, dev_encoded, sounds=None):
    """Sets the model's buffers; returns what the manifest says of it. `sounds` is the part of what is no speech."""
    random = np.random.default_rng(1)
    order = random.permutation(len(train.calls))
    calls = [train.calls[i] for i in order[:FIT_CALLS]]
    with torch.no_grad():
        encoded = list(encode_calls(model, train, calls))
        means = gather(encoded, lambda row: [mean_embeddings(model, row, history) for history in HISTORIES.values()])
        bands = gather(encoded, lambda row: [row[3][:, :BANDS]])
    if len(means) > CENTRES:
        raise SystemExit(f"{len(means)} engines are more than model.py has CENTRES for ({CENTRES})")
    whiten, centres, _ = gaussians(means, SHRINK)
    embedding = {"whiten": whiten, "centres": centres}
    whiten, centres, usual = gaussians(bands, SHRINK_BANDS)
    of_bands = {"bands_whiten": whiten, "bands_centres": centres, "bands_usual": usual}
    each = {}
    for name, buffers in (("embedding", embedding), ("bands", of_bands)):
        set_buffers(model, **{**dict.fromkeys((*embedding, *of_bands), 0.0), **buffers})
        results = [novelties(model, dev_encoded, history) for history in HISTORIES.values()]
        each[name] = max(quantile(result, FAMILIAR) for result in results)
        if name == "bands":
            each[name] = max(each[name], *[quantile_by(result, FAMILIAR_GROUP) for result in results])
        buffers.update({key: value / each[name] for key, value in buffers.items()})
    set_buffers(model, **dict.fromkeys((*embedding, *of_bands), 0.0))
    learned = fit_sounds(model, train, order[:SOUND_CALLS], sounds, dev_encoded) if sounds else {}
    set_buffers(model, **embedding, **of_bands)
    people = [row for row in dev_encoded if row[0]["label"] == 0]
    both = max(1.0, *[quantile_by(novelties(model, people, history), FAMILIAR_GROUP) for history in HISTORIES.values()])
    for name in (*embedding, *of_bands):
        getattr(model.novelty, name).div_(both)
    model.novelty.sounds.edge += model.novelty.sounds.STEEPNESS * math.log(both)
    if sounds:
        learned.update(edge=round(float(model.novelty.sounds.edge), 2), slack=round(float(model.novelty.sounds.slack), 2))
    return {"method": "the largest of three: two Mahalanobis distances to the nearest of Gaussians with one shrunk "
                      "covariance (Lee et al. 2018), by their thresholds and the root of how full the window is: of the window's "
                      "mean embedding, and of its hops' mean and deviation of bands; and what a layer over the hops says that "
                      "learned sounds that are no speech (outlier exposure, Hendrycks et al. 2019)",
            "source": f"{len(calls)} calls of the training part", "groups": list(means), "sounds": learned,
            "shrink": {"embedding": SHRINK, "bands": SHRINK_BANDS}, "quantile": FAMILIAR,
            "quantileOfGroup": FAMILIAR_GROUP, "thresholdFrom": "dev, the strictest of 1, 2, 4 s",
            "distancesAtThreshold": {name: round(value * both, 3) for name, value in each.items()}}


def fit_sounds(model, train, order, part, dev_encoded):
    """Learns from sounds and speech and puts the edge where speech ends; the distances are nought meanwhile."""
    sounds = model.novelty.sounds
    with torch.no_grad():
        windows = Windows(heard([*encode_calls(model, train, [train.calls[i] for i in order]),
                                 *encode_calls(model, part, part.calls)]))
    ends = ends_of_people(windows, [history + 1 for history in HISTORIES.values()], UNSHOWN)
    learn(sounds, windows)
    settle(sounds, windows)
    (shortest, high), *_, (longest, low) = ends.values()
    slack = max(0.0, (high - low) / (shortest - longest))
    edge = max(end - slack * empty for empty, end in ends.values())
    sounds.slack.fill_(slack)
    sounds.edge.fill_(edge)
    engines = [row for row in dev_encoded if row[0]["label"] == 1]
    highest = max(quantile(novelties(model, engines, history), FAMILIAR_GROUP) for history in HISTORIES.values())
    edge += sounds.STEEPNESS * max(0.0, math.log(highest))
    sounds.edge.fill_(edge)
    packages = sorted({call["package"] for call in part.calls if call["engine"] == NOT_SPEECH})
    return {"licences": "free by Debian's guidelines, in each package's copyright file",
            "calls": len(order) + len(part.calls), "windows": len(windows.labels),
            "ofSounds": int(windows.labels.sum()), "packages": packages}


def mean_embeddings(model, row, history):
    _, embedding, share, _ = row
    return model.pool_embeddings(embedding, share, torch.full(share.shape, history))[0][history::2]


def gather(encoded, rows_of):
    """Engine -> rows."""
    groups = {}
    for row in encoded:
        groups.setdefault(row[0]["engine"], []).extend(values.numpy().astype(np.float64) for values in rows_of(row))
    return {name: np.concatenate(lists) for name, lists in sorted(groups.items())}


def gaussians(groups, shrink):
    """Whitening, whitened centres, and the usual distance from the nearest."""
    covariance = np.mean([np.cov(rows.T) for rows in groups.values()], 0)
    covariance = (1 - shrink) * covariance + shrink * np.diag(np.diag(covariance))
    variance, axes = np.linalg.eigh(covariance)
    whiten = axes / np.sqrt(np.maximum(variance, 1e-6))
    centres = np.stack([rows.mean(0) for rows in groups.values()]) @ whiten
    rest = np.repeat(centres[:1], CENTRES - len(centres), 0)  # places that no group takes repeat the first
    usual = np.mean([np.sqrt(((rows @ whiten - centre) ** 2).sum(1)).mean()
                     for rows, centre in zip(groups.values(), centres)])
    return whiten, np.concatenate([centres, rest]), usual


def quantile_by(results, share):
    """The highest of the quantiles of each engine, people one of them."""
    groups = {}
    for call, values in results:
        groups.setdefault(call["engine"], []).append(values)
    return max(float(np.quantile(np.concatenate(lists), share)) for lists in groups.values())


def set_buffers(model, **values):
    for name, value in values.items():
        getattr(model.novelty, name).copy_(torch.as_tensor(value, dtype=torch.float32))


def above(results, key):
    groups = {}
    for call, values in results:
        groups.setdefault(call[key], []).append(values)
    return {name: round(float((np.concatenate(lists) > 1).mean()), 4) for name, lists in sorted(groups.items())}


def measure(model, encoded):
    """Share of windows above 1: by length and engine, by condition, by kind of unfamiliar audio.

    `encoded` has dev and test, and where there are such packs unfamiliar (unfamiliar.py) and devSounds
    (other_sounds.py). Of these two, windows that the product flags as music or tone are not counted.
    """
    by_length = {part: {name: above(novelties(model, encoded[part], history), "engine")
                        for name, history in HISTORIES.items()} for part in ("dev", "test")}
    test = novelties(model, encoded["test"])
    people = [(call, values) for call, values in test if call["label"] == 0]
    drawn = np.concatenate([values for call, values in people if call["condition"] == "drawn"])
    report = {"shareAbove": by_length, "testPeopleByCondition4s": above(people, "condition"),
              "testAurocAgainstPeople4s": auroc_by(drawn, [pair for pair in test if pair[0]["label"]], "engine")}
    if "unfamiliar" in encoded:
        strange = novelties(model, heard(encoded["unfamiliar"]))
        shares, curves = above(strange, "family"), auroc_by(drawn, strange, "family")
        report["unfamiliar4s"] = {kind: {"shareAbove": shares[kind], "auroc": curves[kind]} for kind in shares}
        report["unfamiliarMean4s"] = {key: round(float(np.mean(list(table.values()))), 4)
                                      for key, table in (("shareAbove", shares), ("auroc", curves))}
    if "devSounds" in encoded:
        report["devSounds4s"] = above(novelties(model, heard(encoded["devSounds"])), "family")
    return report


def auroc_by(people, results, key):
    groups = {}
    for call, values in results:
        groups.setdefault(call[key], []).append(values)
    return {name: round(float(area_under_curve(people, np.concatenate(lists))), 3)
            for name, lists in sorted(groups.items())}
