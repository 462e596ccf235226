"""Fits and measures how unlike the training's audio a window is (model.py, Novelty).

Gaussians of people and of each engine over the mean embedding of windows of 1, 2 and 4 s of the training part, one
covariance for all, every Gaussian counting alike. 1 is where the familiar ends: what at most one in a hundred windows
of the dev part passes at each length, people and engines counting alike, and at most one in fifty of the people's.
"""
import numpy as np
import torch

from measures import area_under_curve
from model import CENTRES
from train import encode_calls

HISTORIES = {"1s": 1, "2s": 3, "4s": 7}  # hops before the last one
FIT_CALLS = 2500
SHRINK = 0.3  # of the covariance towards its diagonal; of 0.01, 0.05, 0.3 and 1 what left the fewest people out
FAMILIAR, FAMILIAR_PEOPLE = 0.99, 0.98


def pooled(model, encoded, history):
    """Yields (call, mean embeddings [H, E], amounts [H, 1]) of all hops."""
    with torch.no_grad():
        for call, embedding, share in encoded:
            mean, _, amount = model.pool_embeddings(embedding, share, torch.full(share.shape, history))
            yield call, mean, amount


def hop_novelties(model, encoded, history=7):
    """Per call the novelty at each hop."""
    with torch.no_grad():
        return [(call, model.novelty(mean, amount).numpy()) for call, mean, amount in pooled(model, encoded, history)]


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
    each = [1.0 if name == "human" else 1 / (len(groups) - 1) for name in sorted(groups)]
    weights = np.concatenate([np.full(len(list_), weight / len(list_)) for list_, weight in zip(values, each)])
    values = np.concatenate(values)
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, share * total[-1])])


def fit(model, train, dev_encoded):
    """Sets the model's buffers; returns what the manifest says of it."""
    random = np.random.default_rng(1)
    calls = [train.calls[i] for i in random.permutation(len(train.calls))[:FIT_CALLS]]
    encoded = list(encode_calls(model, train, calls))
    groups = {}
    for history in HISTORIES.values():
        for call, mean, _ in pooled(model, encoded, history):
            groups.setdefault(call["engine"], []).append(mean[history::2].numpy().astype(np.float64))
    means = {name: np.concatenate(lists) for name, lists in sorted(groups.items())}
    if len(means) > CENTRES:
        raise SystemExit(f"{len(means)} engines are more than model.py has CENTRES for ({CENTRES})")
    covariance = np.mean([np.cov(rows.T) for rows in means.values()], 0)
    covariance = (1 - SHRINK) * covariance + SHRINK * np.diag(np.diag(covariance))
    variance, axes = np.linalg.eigh(covariance)
    whiten = axes / np.sqrt(np.maximum(variance, 1e-6))
    centres = np.stack([rows.mean(0) for rows in means.values()])
    set_buffers(model, whiten, centres)
    by_length = [novelties(model, dev_encoded, history) for history in HISTORIES.values()]
    people = [[(call, values) for call, values in results if call["label"] == 0] for results in by_length]
    threshold = max(*[quantile(results, FAMILIAR) for results in by_length],
                    *[float(np.quantile(np.concatenate([values for _, values in results]), FAMILIAR_PEOPLE))
                      for results in people])
    set_buffers(model, whiten / threshold, centres)
    return {"method": "Mahalanobis distance of the window's mean embedding to the nearest of Gaussians with one shrunk "
                      "covariance (Lee et al. 2018), times the root of how full the window is, by the threshold",
            "source": f"{len(calls)} calls of the training part", "groups": list(means), "shrink": SHRINK,
            "quantile": FAMILIAR, "quantilePeople": FAMILIAR_PEOPLE, "thresholdFrom": "dev, the strictest of 1, 2, 4 s",
            "distanceAtThreshold": round(threshold, 3)}


def set_buffers(model, whiten, centres):
    """Places that no group takes repeat the first."""
    centres = np.concatenate([centres, np.repeat(centres[:1], CENTRES - len(centres), 0)])
    model.novelty.whiten.copy_(torch.from_numpy(whiten).float())
    model.novelty.centres.copy_(torch.from_numpy(centres @ whiten).float())


def above(results, key):
    groups = {}
    for call, values in results:
        groups.setdefault(call[key], []).append(values)
    return {name: round(float((np.concatenate(lists) > 1).mean()), 4) for name, lists in sorted(groups.items())}


def measure(model, encoded):
    """Share of windows above 1: by length and engine, by condition, by kind of unfamiliar audio.

    `encoded` has dev and test, and unfamiliar where there is such a pack (unfamiliar.py).
    """
    by_length = {part: {name: above(novelties(model, encoded[part], history), "engine")
                        for name, history in HISTORIES.items()} for part in ("dev", "test")}
    test = novelties(model, encoded["test"])
    people = [(call, values) for call, values in test if call["label"] == 0]
    drawn = np.concatenate([values for call, values in people if call["condition"] == "drawn"])
    report = {"shareAbove": by_length, "testPeopleByCondition4s": above(people, "condition"),
              "testAurocAgainstPeople4s": auroc_by(drawn, [pair for pair in test if pair[0]["label"]], "engine")}
    if "unfamiliar" in encoded:
        strange = novelties(model, encoded["unfamiliar"])
        shares, curves = above(strange, "family"), auroc_by(drawn, strange, "family")
        report["unfamiliar4s"] = {kind: {"shareAbove": shares[kind], "auroc": curves[kind]} for kind in shares}
        report["unfamiliarMean4s"] = {key: round(float(np.mean(list(table.values()))), 4)
                                      for key, table in (("shareAbove", shares), ("auroc", curves))}
    return report


def auroc_by(people, results, key):
    groups = {}
    for call, values in results:
        groups.setdefault(call[key], []).append(values)
    return {name: round(float(area_under_curve(people, np.concatenate(lists))), 3)
            for name, lists in sorted(groups.items())}
