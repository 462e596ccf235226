"""Trains the flash-call model on the windows that `voicefw train flash-call` has written, calibrates it, chooses its
threshold and exports it.

usage: python train.py --recipe recipe.yaml --work DIR

reads   DIR/runs.json and the *.f32 it names      writes   DIR/model.onnx, DIR/report.json
"""
import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import yaml
from torch import nn

from model import KINDS, FlashCallModel

CLEAN, CAMPAIGN = 0, 1
# Shares of windows that carry a campaign, for which the calibration is told.
PREVALENCES = [0.001, 0.01, 0.05]


class Looks:
    """All windows of one part: features, labels, the subject each belongs to (one number over all runs), weights."""

    def __init__(self, facts, part, work):
        width = len(facts["features"]) + len(facts["columns"])
        column = {name: len(facts["features"]) + at for at, name in enumerate(facts["columns"])}
        rows, subjects, first = [], [], 0
        self.days = 0.0
        self.calls = 0
        for run in (run for run in facts["runs"] if run["part"] == part):
            table = np.fromfile(Path(work) / Path(run["file"]).name, np.float32).reshape(-1, width)
            numbers = table[:, column["subject"]].astype(np.int64)
            rows.append(table)
            subjects.append(numbers + first)
            first += int(numbers.max(initial=-1)) + 1
            self.days += run["days"]
            self.calls += run["calls"]
        table = np.concatenate(rows) if rows else np.zeros((0, width), np.float32)
        subjects = subjects or [np.zeros(0, np.int64)]
        self.features = np.ascontiguousarray(table[:, : len(facts["features"])])
        self.label = table[:, column["label"]].astype(np.int64)
        self.subject = np.concatenate(subjects)
        # A range that is looked at a thousand times tells little more than one that is looked at ten times.
        looks = np.bincount(self.subject)[self.subject] if len(self.subject) else np.zeros(0)
        self.weight = (1 / np.sqrt(np.maximum(1, looks))).astype(np.float32)
        self.known = self.label <= CAMPAIGN

    def counts(self):
        return {"looks": len(self.label), "campaign": int((self.label == CAMPAIGN).sum()),
                "clean": int((self.label == CLEAN).sum()), "grey": int((~self.known).sum()),
                "subjects": int(self.subject.max(initial=-1)) + 1, "calls": self.calls, "days": round(self.days, 2)}


def average_precision(label, score, weight):
    order = np.argsort(-score, kind="stable")
    label, weight = label[order], weight[order]
    hits = np.cumsum(weight * label)
    precision = hits / np.cumsum(weight)
    return float((precision * weight * label).sum() / hits[-1])


def auc(label, score, weight):
    order = np.argsort(score, kind="stable")
    label, weight = label[order], weight[order]
    below = np.cumsum(weight * (1 - label))
    return float((below * weight * label).sum() / (below[-1] * (weight * label).sum()))


def taught(labelled):
    """Windows with a person's verdict: four in five are learnt from, by subject; the others tell what that did."""
    return labelled.subject % 5 != 0


def train(looks, labelled, settings, left_out, names):
    torch.manual_seed(settings["seed"])
    torch.set_num_threads(1)
    model = FlashCallModel(names, left_out, settings["hidden"])
    features = torch.from_numpy(looks.features[looks.known])
    target = torch.from_numpy((looks.label[looks.known] == CAMPAIGN).astype(np.float32))
    weight = torch.from_numpy(looks.weight[looks.known])
    # Campaigns and clean windows weigh alike.
    for value in (0.0, 1.0):
        weight[target == value] *= 0.5 / weight[target == value].sum()
    weight *= len(weight)
    model.fit_scale(features)
    if len(labelled.label):
        # All verdicts together weigh as a fixed share of the simulated windows, however few they are.
        chosen = taught(labelled)
        mine = torch.from_numpy(labelled.weight[chosen])
        mine *= settings["labelledShare"] * len(weight) / mine.sum()
        features = torch.cat([features, torch.from_numpy(labelled.features[chosen])])
        target = torch.cat([target, torch.from_numpy((labelled.label[chosen] == CAMPAIGN).astype(np.float32))])
        weight = torch.cat([weight, mine])
    with torch.no_grad():
        inputs = model.inputs(features)
    optimiser = torch.optim.AdamW(model.layers.parameters(), lr=settings["rate"], weight_decay=settings["weightDecay"])
    steps = settings["epochs"] * (len(inputs) // settings["batch"] + 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings["rate"], total_steps=steps)
    loss_of = nn.BCEWithLogitsLoss(reduction="none")
    for epoch in range(settings["epochs"]):
        total = 0.0
        for rows in torch.randperm(len(inputs)).split(settings["batch"]):
            batch = inputs[rows] + settings["noise"] * torch.randn(len(rows), inputs.shape[1])
            goal = target[rows] * (1 - 2 * settings["smoothing"]) + settings["smoothing"]
            loss = (loss_of(model.layers(batch).squeeze(1), goal) * weight[rows]).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss) * len(rows)
        print(f"epoch {epoch + 1} of {settings['epochs']}: loss {total / len(inputs):.4f}", flush=True)
    return model


def logits(model, features):
    with torch.no_grad():
        return np.concatenate([model.logit(torch.from_numpy(part)).numpy()
                               for part in np.array_split(features, len(features) // 65536 + 1)])


def calibrate(model, dev):
    """An affine map of the logit by weighted logistic regression on dev (Newton's method)."""
    score = logits(model, dev.features[dev.known]).astype(np.float64)
    label, weight = (dev.label[dev.known] == CAMPAIGN).astype(np.float64), dev.weight[dev.known].astype(np.float64)
    inputs = np.stack([score, np.ones_like(score)], 1)
    factors = np.array([1.0, 0.0])
    for _ in range(30):
        probability = 1 / (1 + np.exp(-np.clip(inputs @ factors, -40, 40)))
        slope = inputs.T @ (weight * (probability - label))
        curve = (inputs * (weight * probability * (1 - probability))[:, None]).T @ inputs + 1e-6 * np.eye(2)
        factors -= np.linalg.solve(curve, slope)
    model.scale.fill_(float(factors[0]))
    model.offset.fill_(float(factors[1]))
    return {"method": "affine map of the logit, weighted logistic regression on dev windows",
            "scale": round(float(factors[0]), 4), "offset": round(float(factors[1]), 4)}


def probabilities(model, features):
    with torch.no_grad():
        return np.concatenate([model(torch.from_numpy(part)).numpy()
                               for part in np.array_split(features, len(features) // 65536 + 1)])


def reliability(label, probability, weight):
    """How often it is true what it says, by what it says."""
    rows = []
    for low, high in [(0, 0.1), (0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 0.99), (0.99, 1.001)]:
        here = (probability >= low) & (probability < high)
        if weight[here].sum() > 0:
            rows.append({"from": low, "to": min(high, 1), "looks": int(here.sum()),
                         "said": round(float(np.average(probability[here], weights=weight[here])), 4),
                         "true": round(float(np.average(label[here], weights=weight[here])), 4)})
    return rows


def at_prevalence(dev, probability, share, threshold):
    """What the probabilities mean where so many of the windows carry a campaign: the odds are moved by the change of
    the prior, the clean windows weighted up. `threshold` is that of the probabilities as the model gives them."""
    label, said = (dev.label[dev.known] == CAMPAIGN).astype(np.float64), probability[dev.known].astype(np.float64)
    weight = dev.weight[dev.known].astype(np.float64)
    here = weight[label == 1].sum() / weight.sum()
    weight = np.where(label == 1, weight * share / here, weight * (1 - share) / (1 - here))
    shift = np.log(share / (1 - share)) - np.log(here / (1 - here))
    said = np.clip(said, 1e-7, 1 - 1e-7)
    moved = 1 / (1 + np.exp(-(np.log(said / (1 - said)) + shift)))
    over = said >= threshold
    bins = np.clip((moved * 10).astype(int), 0, 9)
    error = sum(abs((weight[bins == at] * (moved[bins == at] - label[bins == at])).sum()) for at in range(10))
    return {"prevalence": share, "oddsShift": round(float(shift), 3), "calibrationError": round(error / weight.sum(), 5),
            "brier": round(float((weight * (moved - label) ** 2).sum() / weight.sum()), 6),
            "precisionAtThreshold": round(float((weight * label)[over].sum() / weight[over].sum()), 4),
            "recallAtThreshold": round(float((weight * label)[over].sum() / (weight * label).sum()), 4),
            "reliability": reliability(label, moved, weight)}


def reference(looks, kinds):
    """What a clean window of each kind of key is like: medians. To say which features moved a probability."""
    column = looks.features[:, -2]
    rows = {}
    for kind in kinds:
        chosen = looks.features[(looks.label == CLEAN) & (column == kind)]
        if len(chosen) >= 20:
            rows[str(int(kind))] = [round(float(value), 4) for value in np.median(chosen, axis=0)]
    return rows


def choose_threshold(dev, probability, wanted):
    """The least threshold that so many clean subjects a day reach at most, and what campaigns reach it."""
    clean = dev.label == CLEAN
    worst = np.zeros(int(dev.subject.max()) + 1)
    np.maximum.at(worst, dev.subject[clean], probability[clean])
    allowed = int(wanted["falseSubjectsPerDay"] * dev.days)
    ranked = np.sort(worst)[::-1]
    threshold = max(wanted["least"], float(np.nextafter(np.float32(ranked[allowed]), np.float32(2))))
    threshold = min(0.9999, float(np.ceil(threshold * 1e4) / 1e4))
    campaign = np.zeros(len(worst), bool)
    campaign[dev.subject[dev.label == CAMPAIGN]] = True
    found = np.zeros(len(worst), bool)
    found[dev.subject[(dev.label == CAMPAIGN) & (probability >= threshold)]] = True
    return threshold, {"from": f"dev: the least at which {wanted['falseSubjectsPerDay']} clean subjects a day reach it",
                       "cleanSubjectsReached": int((worst >= threshold).sum()), "days": round(dev.days, 2),
                       "campaignSubjects": int(campaign.sum()), "campaignSubjectsFound": int(found.sum())}


def figures(dev, probability):
    def of(chosen):
        chosen = chosen & dev.known
        label = (dev.label[chosen] == CAMPAIGN).astype(np.float64)
        if label.sum() == 0 or label.sum() == len(label):
            return None
        weight = dev.weight[chosen].astype(np.float64)
        return {"prAuc": round(average_precision(label, probability[chosen], weight), 4),
                "rocAuc": round(auc(label, probability[chosen], weight), 4), "looks": int(chosen.sum())}

    kind, level = dev.features[:, -2], dev.features[:, -1]
    names = {1: "range3", 2: "range4", 3: "range5", 5: "route_destination", 6: "route"}
    return {"all": of(np.ones(len(kind), bool)), **{name: of(kind == value) for value, name in names.items()},
            **{name: of(level == value) for value, name in {1: "10min", 2: "1h", 3: "24h"}.items()}}


def export(model, width, path):
    torch.onnx.export(model, torch.zeros(2, width), str(path), opset_version=13, input_names=["features"],
                      output_names=["probability"], dynamic_axes={"features": {0: "batch"}, "probability": {0: "batch"}})


def check_export(model, path, features):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for rows in (1, 33, 256):
        got = session.run(None, {"features": features[:rows]})[0]
        worst = float(np.abs(got - probabilities(model, features[:rows])).max())
        assert got.shape == (rows,) and worst < 1e-4, (got.shape, worst)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--work", required=True)
    options = parser.parse_args()
    recipe = yaml.safe_load(Path(options.recipe).read_text())
    work = Path(options.work)
    facts = json.loads((work / "runs.json").read_text())
    parts = {name: Looks(facts, name, work) for name in ("train", "dev", "labelled")}
    for name, looks in parts.items():
        print(name, looks.counts(), flush=True)
    dev = parts["dev"]
    model = train(parts["train"], parts["labelled"], recipe["train"], recipe["leftOut"], facts["features"])
    calibration = calibrate(model, dev)
    model.eval()
    score = probabilities(model, dev.features)
    threshold, chosen = choose_threshold(dev, score, recipe["threshold"])
    export(model, len(facts["features"]), work / "model.onnx")
    check_export(model, work / "model.onnx", dev.features)
    known = dev.known
    report = {
        "sha256": hashlib.sha256((work / "model.onnx").read_bytes()).hexdigest(),
        "parameters": sum(each.numel() for each in model.layers.parameters()),
        "threshold": threshold,
        "calibration": {**calibration, "threshold": chosen,
                        "dev": reliability((dev.label[known] == CAMPAIGN).astype(float), score[known], dev.weight[known]),
                        "prevalences": [at_prevalence(dev, score, share, threshold) for share in PREVALENCES]},
        "reference": reference(parts["train"], KINDS),
        "data": {name: looks.counts() for name, looks in parts.items() if len(looks.label)},
        "dev": figures(dev, score),
    }
    labelled = parts["labelled"]
    if len(labelled.label):
        said = probabilities(model, labelled.features) >= threshold
        right = said == (labelled.label == CAMPAIGN)
        held = ~taught(labelled)
        report["labelled"] = {"learntFrom": int((~held).sum()), "rightOfThem": int(right[~held].sum()),
                              "heldBack": int(held.sum()), "rightOfHeldBack": int(right[held].sum())}
    (work / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps({key: report[key] for key in ("threshold", "calibration", "dev")}, indent=1), flush=True)
