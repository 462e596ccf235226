"""Guards against shortcuts: models that see no speech must be near chance.

Three boosted-tree classifiers per call, trained on the train part, measured on dev and test: on the non-speech frames
only (band means, deviations), on levels only (no band shapes), and on the share and rhythm of speech only. An AUC far
from 0.5 says that recordings of the two classes differ in something that is not the voice.

usage: python guards.py --features DIR --facts DIR --out guards.json
"""
import argparse
import json
from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from features import Part
from measures import area_under_curve


def views(part, call):
    last = call["first"] + (call["hops"][-1] + 1) * 50
    bands = part.bands[call["first"] : last].astype(np.float32)
    speech = part.speech[call["first"] : last] > 0
    level = bands.mean(1)
    pauses = bands[~speech] if (~speech).sum() >= 10 else np.full((10, bands.shape[1]), np.nan, np.float32)
    shape = pauses - pauses.mean(1, keepdims=True)
    edges = np.flatnonzero(np.diff(speech.astype(int)))
    lengths = np.diff(edges) if len(edges) > 2 else np.zeros(2)
    return {"nonSpeechFrames": np.concatenate([shape.mean(0), shape.std(0)]),
            "levelOnly": np.concatenate([np.percentile(level, [1, 5, 25, 50, 75, 95, 99]), [level.std()]]),
            "rhythmOnly": np.array([speech.mean(), len(edges) / len(speech), lengths.mean(), lengths.std()])}


def table(part, keep=lambda call: True):
    calls = [call for call in part.calls if keep(call)]
    rows = [views(part, call) for call in calls]
    columns = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    return columns, np.array([call["label"] for call in calls])


def measure(parts):
    train, labels = table(parts["train"])
    others = {"dev": table(parts["dev"]), "test": table(parts["test"], lambda call: call["condition"] == "drawn")}
    report = {}
    for name, values in train.items():
        model = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=15, random_state=1).fit(values, labels)
        report[name] = {}
        for part, (columns, truth) in others.items():
            score = model.predict_proba(columns[name])[:, 1]
            report[name][f"{part}Auc"] = round(float(area_under_curve(score[truth == 0], score[truth == 1])), 3)
    return report


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", required=True)
    parser.add_argument("--facts", required=True)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    loaded = {name: Part(options.features, options.facts, name)
              for name in ("train", "dev", "test")}
    result = measure(loaded)
    Path(options.out).write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))
