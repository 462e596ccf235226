"""Calibrates a trained model on the dev part, chooses thresholds there, and measures it on the test part.

The test part has only speakers and engines outside the training (plus vocoders of the training on new speakers).
Writes metrics.json (what the manifest shows) and calibrated.pt.

usage: python evaluate.py --model best.pt --recipe recipe.yaml --features DIR --facts DIR --out DIR
"""
import argparse
import json
from pathlib import Path

import numpy as np
import torch

from channel import ADDED_CONDITIONS, CONDITIONS
from features import Part
from measures import area_under_curve, bootstrap_interval, equal_error_rate, fit_calibration
from model import WINDOW_HOPS
from novelty import fit, hop_novelties, measure
from train import encode_calls, judge_encoded, loaded_model, read_settings

LENGTHS = {"1s": 2, "2s": 4, "4s": 8}  # hops of speech in the window
PROVISIONAL_MS, HALF_LIFE_MS, DWELL_MS = 1500, 10000, 1000  # the product's decision, see call_probability


def groups_of(results, hops, keep):
    """Scores of full windows by human speaker or synthetic voice: (human, synthetic) dictionaries."""
    human, synthetic = {}, {}
    for call, logits in results:
        scores = logits[hops - 1 :]
        if len(scores) and keep(call):
            key = f"{call['engine']} {call['speaker']}" if call["label"] else call["speaker"]
            (synthetic if call["label"] else human).setdefault(key, []).append(scores)
    return [{key: np.concatenate(lists) for key, lists in table.items()} for table in (human, synthetic)]


def figures(human, synthetic, interval=True):
    joined = [np.concatenate([table[key] for key in sorted(table)]) for table in (human, synthetic)]
    row = {"eer": round(float(equal_error_rate(*joined)), 4), "auc": round(float(area_under_curve(*joined)), 4),
           "windowsHuman": len(joined[0]), "windowsSynthetic": len(joined[1])}
    if interval:
        row["eer95"] = bootstrap_interval(human, synthetic, equal_error_rate)
        row["auc95"] = bootstrap_interval(human, synthetic, area_under_curve)
    return row


def calibrate(model, results):
    """Scale and offset on dev windows of 1, 2 and 4 s; classes, and engines within synthetic, count alike."""
    logits, labels, weights = [], [], []
    for hops, judged in zip(LENGTHS.values(), results):
        human, synthetic = groups_of(judged, hops, lambda call: True)
        engines = {}
        for key, scores in synthetic.items():
            engines.setdefault(key.split()[0], []).append(scores)
        synthetic = {key: np.concatenate(lists) for key, lists in engines.items()}
        for label, table in ((0, human), (1, synthetic)):
            for scores in table.values():
                logits.append(scores)
                labels.append(np.full(len(scores), label, np.float64))
                weights.append(np.full(len(scores), 1.0 / len(table) / len(scores)))
    values = [np.concatenate(lists).astype(np.float64) for lists in (logits, labels, weights)]
    scale, offset = fit_calibration(*values)
    before, after = (cost_of_llr(values[0] * a + b, values[1], values[2]) for a, b in ((1, 0), (scale, offset)))
    model.head.scale.fill_(scale)
    model.head.offset.fill_(offset)
    return {"method": "affine map of the logit, weighted logistic regression on dev windows of 1, 2, 4 s",
            "scale": round(scale, 4), "offset": round(offset, 4), "devCllrBefore": before, "devCllrAfter": after}


def cost_of_llr(llr, labels, weights):
    """Cllr in bits: 0 perfect, 1 as good as saying nothing."""
    sign = np.where(labels == 1, -1, 1)
    cost = np.logaddexp(0, sign * llr) / np.log(2)
    parts = [np.average(cost[labels == label], weights=weights[labels == label]) for label in (0, 1)]
    return round(float(np.mean(parts)), 4)


def call_probability(logits, speech_ms):
    """Probability after every hop as the product accumulates it: forgetting mean, design effect 0.5, capped LLRs.

    A hop of no speech leaves it as it was.
    """
    total = weight = 0.0
    out = []
    for llr, speech in zip(np.clip(logits, -8, 8), speech_ms):
        keep = 0.5 ** (speech / HALF_LIFE_MS)
        total, weight = total * keep + llr * speech, weight * keep + speech
        windows = max(1.0, weight / 4000)
        out.append(1 / (1 + np.exp(-total / max(weight, 1e-9) * windows / (1 + (windows - 1) * 0.5))))
    return np.array(out)


def unfamiliar_share(speech_ms, unfamiliar):
    """After every hop: how much of the recent speech was left out as unfamiliar, forgotten as the evidence is."""
    left_out = heard = 0.0
    out = []
    for speech, strange in zip(speech_ms, unfamiliar):
        keep = 0.5 ** (speech / HALF_LIFE_MS)
        left_out, heard = left_out * keep + speech * strange, heard * keep + speech
        out.append(left_out / heard)
    return np.array(out)


def decide(results, part, synthetic, human, novelty=None):
    """Per call: net speech seconds, ever an alarm (held for the dwell), label at the end.

    Hops that are unfamiliar (`novelty`: call id -> values, above 1) bring no evidence; no label but inconclusive comes
    of a call that mostly was so of late.
    """
    rows = []
    for call, logits in results:
        first = call["first"] + call["hops"] * 50
        speech_ms = np.array([part.speech[start : start + 50].sum() * 10 for start in first], np.float64)
        strange = novelty[call["id"]] > 1 if novelty else np.zeros(len(speech_ms), bool)
        mostly = unfamiliar_share(speech_ms, strange) > 0.5
        speech_ms = np.where(strange, 0, speech_ms)
        probability = np.where(mostly, 0.5, call_probability(logits, speech_ms))
        heard = np.cumsum(speech_ms)
        past = (probability >= synthetic) & (heard >= PROVISIONAL_MS)
        held = past[1:] & past[:-1] & (speech_ms[1:] + speech_ms[:-1] >= DWELL_MS * 0.6)
        last = probability[-1]
        label = "synthetic" if last >= synthetic else "human" if last <= human else "inconclusive"
        rows.append({"call": call, "seconds": heard[-1] / 1000, "alarm": bool(held.any()), "label": label,
                     "probability": float(last)})
    return rows


def choose_thresholds(results, part, novelty):
    """On dev: the lowest with at most one false alarm an hour; at most 5 % of synthetic calls end as human."""
    for synthetic in (0.7, 0.75, 0.78, 0.8, 0.82, 0.84, 0.86, 0.88, 0.9, 0.92, 0.94, 0.96, 0.98, 0.99, 0.995):
        rows = [row for row in decide(results, part, synthetic, 0.0, novelty) if row["call"]["label"] == 0]
        if alarms_per_hour(rows) <= 1:
            break
    ends = np.array([row["probability"] for row in decide(results, part, 1, 0, novelty) if row["call"]["label"] == 1])
    human = float(np.clip(np.percentile(ends, 5), 0.02, 0.2))
    return {"synthetic": synthetic, "human": round(human, 3)}


def alarms_per_hour(rows):
    return round(sum(row["alarm"] for row in rows) / (sum(row["seconds"] for row in rows) / 3600), 2)


def alarms_by(rows, key):
    """Per group: false alarms an hour, and on how many minutes."""
    groups = {}
    for row in rows:
        groups.setdefault(row["call"][key], []).append(row)
    return {name: {"perHour": alarms_per_hour(chosen), "minutes": round(sum(r["seconds"] for r in chosen) / 60, 1)}
            for name, chosen in sorted(groups.items())}


def at_thresholds(results, part, thresholds, name, novelty):
    rows = decide(results, part, **thresholds, novelty=novelty)
    human = [row for row in rows if row["call"]["label"] == 0]
    hours = sum(row["seconds"] for row in human) / 3600
    shares = lambda chosen: {label: round(float(np.mean([row["label"] == label for row in chosen])), 3)
                             for label in ("synthetic", "inconclusive", "human")}
    engines = sorted({row["call"]["engine"] for row in rows if row["call"]["label"] == 1})
    return {"part": name, "humanSpeechHours": round(hours, 3), "humanCalls": len(human),
            "falseAlarmsPerHour": alarms_per_hour(human),
            **{f"falseAlarmsBy{key.capitalize()}": alarms_by(human, key) for key in ("speaker", "language", "package")},
            "labelsHuman": shares(human),
            "labelsByEngine": {engine: shares([row for row in rows if row["call"]["engine"] == engine])
                               for engine in engines}}


def measure_test(model, encoded):
    """EER and AUC by speech length and engine (drawn channels), and by condition (4 s)."""
    engines = sorted({call["engine"] for call, *_ in encoded if call["label"] == 1})
    drawn = lambda call: call["condition"] == "drawn"
    by_length, results = {}, None
    judged = judge_encoded(model, encoded, [hops - 1 for hops in LENGTHS.values()])
    for (name, hops), results in zip(LENGTHS.items(), judged):
        by_length[name] = {"all": figures(*groups_of(results, hops, drawn))}
        for engine in engines:
            chosen = groups_of(results, hops, lambda c: drawn(c) and c["engine"] in ("human", engine))
            by_length[name][engine] = figures(*chosen)
    by_condition = {}
    for condition in {**CONDITIONS, **ADDED_CONDITIONS}:
        matching = lambda call: call["condition"] == condition
        chosen = {"all": groups_of(results, WINDOW_HOPS, matching)}
        for engine in engines:
            chosen[engine] = groups_of(results, WINDOW_HOPS, lambda c: matching(c) and c["engine"] in ("human", engine))
        by_condition[condition] = {name: figures(*tables, interval=name == "all")
                                   for name, tables in chosen.items() if all(tables)}  # not all engines are in each
    return by_length, by_condition, [(call, logits) for call, logits in results if drawn(call)]


def evaluate(model, parts, shipped=None):
    """Calibrates, chooses thresholds and measures; `shipped` (a manifest) keeps the model's own ones."""
    encoded = {name: list(encode_calls(model, part, part.calls)) for name, part in parts.items()
               if name not in ("train", "trainSounds")}
    if shipped:
        calibration, thresholds, familiar = shipped["calibration"], shipped["thresholds"], None
        model.head.scale.fill_(calibration["scale"])
        model.head.offset.fill_(calibration["offset"])
    else:
        familiar = fit(model, parts["train"], encoded["dev"], parts.get("trainSounds"))
        calibration = calibrate(model, judge_encoded(model, encoded["dev"], [hops - 1 for hops in LENGTHS.values()]))
    novelty = {name: {call["id"]: values for call, values in hop_novelties(model, encoded[name])}
               for name in ("dev", "test")}
    dev_results = judge_encoded(model, encoded["dev"])[0]
    if not shipped:
        thresholds = choose_thresholds(dev_results, parts["dev"], novelty["dev"])
    by_length, by_condition, drawn_results = measure_test(model, encoded["test"])
    dev_human, dev_synthetic = groups_of(dev_results, WINDOW_HOPS, lambda call: True)
    known = {}
    for key in sorted({name.split()[0] for name in dev_synthetic}):
        chosen = {name: scores for name, scores in dev_synthetic.items() if name.split()[0] == key}
        known[key] = figures(dev_human, chosen, interval=False)
    metrics = {"test": {"bySpeechLength": by_length, "byCondition4s": by_condition},
               "dev4sKnownEnginesNewVoices": known,
               "atShippedThresholds": [at_thresholds(drawn_results, parts["test"], thresholds, "test", novelty["test"]),
                                       at_thresholds(dev_results, parts["dev"], thresholds, "dev", novelty["dev"])]}
    if model.novelty.whiten.any():
        metrics["novelty"] = measure(model, encoded)
    return {"calibration": calibration, "thresholds": thresholds, "novelty": familiar, "metrics": metrics}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--set", nargs="*", default=[])
    parser.add_argument("--shipped", help="manifest of an older version: measures that as it was shipped")
    parser.add_argument("--features", required=True)
    parser.add_argument("--facts", required=True)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    voice = loaded_model(read_settings(options.recipe, options.set), options.model)
    names = ["dev", "test"] + ([] if options.shipped else ["train"])
    others = ["unfamiliar", "devSounds"] + ([] if options.shipped else ["trainSounds"])
    names += [name for name in others if (Path(options.features) / f"{name}-main" / "features.json").exists()]
    loaded = {name: Part(options.features, options.facts, name) for name in names}
    voice.eval()
    report = evaluate(voice, loaded, json.loads(Path(options.shipped).read_text()) if options.shipped else None)
    report["featureParameters"] = loaded["test"].parameters
    Path(options.out).mkdir(parents=True, exist_ok=True)
    torch.save(voice.state_dict(), Path(options.out) / "calibrated.pt")
    (Path(options.out) / "metrics.json").write_text(json.dumps(report, indent=1) + "\n")
    tables = report["metrics"]
    print(json.dumps({"thresholds": report["thresholds"], "calibration": report["calibration"],
                      "eer4s": {key: row["eer"] for key, row in tables["test"]["bySpeechLength"]["4s"].items()},
                      "known": {key: row["eer"] for key, row in tables["dev4sKnownEnginesNewVoices"].items()},
                      "falseAlarmsPerHour": tables["atShippedThresholds"][0]["falseAlarmsPerHour"],
                      "novelty": tables.get("novelty", {})}, indent=1))
