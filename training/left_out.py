"""Leave-one-family-out: for each fold trains without its families and measures them as engines never heard.

A fold (recipe: `train.folds`) leaves out up to three families at once, which is stricter than one and saves work, and is
a training from nothing. Families of the test part are in no training, so the fold `shipped` (the shipped model) measures
them. Human windows are the test part's speakers through drawn channels. A family's windows are its calls of dev and
test through drawn channels and, of engines with voices of their own, up to 150 of the train part; copies of the
training's people are left out: the model has heard these people as human, so they would be on both sides.
"1 FA/h": the threshold that at most one non-overlapping 4 s window in an hour of human speech passes; intervals are of
speakers drawn with replacement.

usage: python left_out.py --recipe recipe.yaml --features DIR --facts DIR --out DIR --fold NAME --shipped run/best.pt
       python left_out.py --out DIR      gathers the folds into left_out.json and prints the table
"""
import argparse
import json
from pathlib import Path

import numpy as np

from evaluate import groups_of
from features import Part
from measures import bootstrap_interval, equal_error_rate
from model import WINDOW_HOPS
from train import Batches, judge_part, loaded_model, read_settings, train

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
            apart_from_people = lambda call: name != "train" or call["pair"] is None
            keep = lambda call: call["engine"] == engine and call["condition"] == "drawn" and apart_from_people(call)
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


def run(settings, name, parts, out, shipped):
    if name == "shipped":
        engines = settings["testEngines"]
        model = loaded_model(settings, shipped)
    else:
        fold = settings["folds"][name]
        engines = fold["leaveOut"]
        folder = out / f"fold-{name}"
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / "last.pt").exists():  # written at the last step: only measured again
            model = loaded_model(settings, folder / "last.pt")
        else:
            batches = Batches(parts["train"], settings, settings["seed"], set(engines))
            model = train({**settings, "stepsPerCheck": 10**9}, batches, None, folder, fold["steps"], None)
    everyone = choose(parts["test"], lambda call: call["label"] == 0 and call["condition"] == "drawn")
    human = judge_calls(model, parts["test"], everyone)
    (out / f"fold-{name}.json").write_text(json.dumps(measure(model, parts, engines, human), indent=1) + "\n")


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
    parser.add_argument("--out", required=True)
    for option in ("recipe", "features", "facts"):
        parser.add_argument(f"--{option}")
    parser.add_argument("--fold", help="a name in the recipe's `train.folds`, or `shipped`")
    parser.add_argument("--shipped", help="checkpoint of the model that is shipped: measures the test part's engines")
    parser.add_argument("--set", nargs="*", default=[])
    options = parser.parse_args()
    destination = Path(options.out)
    destination.mkdir(parents=True, exist_ok=True)
    if options.fold:
        loaded = {name: Part(options.features, options.facts, name) for name in ("train", "dev", "test")}
        run(read_settings(options.recipe, options.set), options.fold, loaded, destination, options.shipped)
    else:
        table(destination)
