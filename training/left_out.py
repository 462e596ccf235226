"""Leave-one-family-out: for each fold trains without its families and measures them as engines never heard.

A fold (recipe: `folds`) leaves out up to three families at once, which is stricter than one and saves work, and is a
short training: from nothing for families that version 1 had heard, else from the weights of version 1. Families of
the test part are in no training, so the fold `none` (the shipped model) measures them. Human windows are the test
part's speakers through drawn channels; a family's windows are all its calls of dev and test through drawn channels,
and up to 150 of the train part.
"1 FA/h": the threshold that at most one non-overlapping 4 s window in an hour of human speech passes; intervals are of
speakers drawn with replacement.

usage: python left_out.py --recipe recipe.yaml --features DIR --facts DIR --out DIR [--shipped run/best.pt]
"""
import argparse
import json
from pathlib import Path

import numpy as np
import torch

from evaluate import groups_of
from features import Part
from measures import bootstrap_interval, equal_error_rate
from model import WINDOW_HOPS
from train import Batches, judge_part, new_model, read_settings, train

WINDOWS_PER_HOUR = 900


def apart(results, keep):
    """Scores of non-overlapping 4 s windows by speaker."""
    taken = [(call, logits[WINDOW_HOPS - 1 :: WINDOW_HOPS]) for call, logits in results]
    human, synthetic = groups_of([(call, np.repeat(scores, 1)) for call, scores in taken], 1, keep)
    return human, synthetic


def detection(human, synthetic):
    """Share of synthetic windows above the threshold that one human window in an hour passes."""
    allowed = len(human) / WINDOWS_PER_HOUR
    threshold = np.sort(human)[::-1][min(len(human) - 1, int(allowed))]
    return float((synthetic > threshold).mean())


def choose(part, keep, limit=None):
    """A copy of the part's list of calls, cut down."""
    calls = [call for call in part.calls if keep(call)]
    if limit:
        calls = [calls[i] for i in np.random.default_rng(1).permutation(len(calls))[:limit]]
    return calls


def judge_calls(model, part, calls):
    kept, part.calls = part.calls, calls
    results = judge_part(model, part)[0]
    part.calls = kept
    return results


def measure(model, parts, engines, human):
    """One row per engine."""
    rows = {}
    for engine in engines:
        results = []
        for name, part in parts.items():
            keep = lambda call: call["engine"] == engine and call["condition"] == "drawn"
            results += judge_calls(model, part, choose(part, keep, 150 if name == "train" else None))
        everyone, own = apart(human + results, lambda call: True)
        joined = [np.concatenate(list(table.values())) for table in (everyone, own)]
        rows[engine] = {
            "family": results[0][0]["family"], "windowsHuman": len(joined[0]), "windowsSynthetic": len(joined[1]),
            "eer": round(float(equal_error_rate(*joined)), 4),
            "eer95": bootstrap_interval(everyone, own, equal_error_rate),
            "detectionAt1PerHour": round(detection(*joined), 4),
            "detection95": bootstrap_interval(everyone, own, detection)}
        print(engine, json.dumps(rows[engine]), flush=True)
    return rows


def run(settings, parts, out, shipped):
    everyone = choose(parts["test"], lambda call: call["label"] == 0 and call["condition"] == "drawn")
    folds = {"none": {"leaveOut": settings["testEngines"]}} if shipped else {}
    folds.update({str(number): fold for number, fold in enumerate(settings["folds"])})
    for name, fold in folds.items():
        engines = fold["leaveOut"]
        path = out / f"fold-{name}.json"
        if path.exists():
            continue
        if name == "none":
            model = new_model(settings)
            model.load_state_dict(torch.load(shipped))
        else:
            print(f"fold {name} without {engines}", flush=True)
            folder = out / f"fold-{name}"
            folder.mkdir(exist_ok=True)
            batches = Batches(parts["train"], settings, settings["seed"], set(engines))
            quick = {**settings, "stepsPerCheck": 10**9, "rate": fold["rate"]}
            start = fold.get("start") and Path(__file__).parent / fold["start"]
            model = train(quick, batches, None, folder, fold["steps"], start)
        human = judge_calls(model, parts["test"], everyone)
        path.write_text(json.dumps(measure(model, parts, engines, human), indent=1) + "\n")


def table(out):
    rows = {}
    for path in sorted(out.glob("fold-*.json")):
        rows.update(json.loads(path.read_text()))
    print("| engine | family | EER (95 %) | detection at 1 FA/h (95 %) | windows |\n|---|---|---|---|---|")
    for engine, row in sorted(rows.items(), key=lambda pair: pair[1]["family"]):
        percent = lambda value: f"{100 * value:.0f}"
        print(f"| {engine} | {row['family']} | {percent(row['eer'])} % ({percent(row['eer95'][0])}-"
              f"{percent(row['eer95'][1])}) | {percent(row['detectionAt1PerHour'])} % "
              f"({percent(row['detection95'][0])}-{percent(row['detection95'][1])}) | {row['windowsSynthetic']} |")
    neural = [row["eer"] for row in rows.values() if row["family"].startswith("neural")]
    print(f"\nMean EER over {len(neural)} neural families: {100 * np.mean(neural):.1f} %, "
          f"worst {100 * max(neural):.1f} %")
    (out / "left_out.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("recipe", "features", "facts", "out"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--shipped", help="checkpoint of the model that is shipped: measures the test part's engines")
    parser.add_argument("--set", nargs="*", default=[])
    options = parser.parse_args()
    destination = Path(options.out)
    destination.mkdir(parents=True, exist_ok=True)
    loaded = {name: Part(options.features, options.facts, name) for name in ("train", "dev", "test")}
    run(read_settings(options.recipe, options.set), loaded, destination, options.shipped)
    table(destination)
