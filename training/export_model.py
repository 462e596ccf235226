"""Exports a calibrated model to ONNX, checks it against PyTorch, and writes the manifest and, if asked to, the registry.

usage: python export_model.py --model out/calibrated.pt --metrics out/metrics.json --guards out/guards.json
                              --bank DIR --recipe recipe.yaml --models ../models [--note TEXT] [--activate]
"""
import argparse
import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import yaml

from bank import RATE_HZ, read_index
from calls import part_of
from model import BANDS, CONTEXT_FRAMES, HOP_FRAMES, HOP_INPUT_FRAMES, KEPT, WINDOW_HOPS
from train import loaded_model, read_settings

NAMES = ["features", "speech", "history", "historyWeight", "embedding", "logit", "novelty"]


def example_inputs(batch, seed=0):
    random = torch.Generator().manual_seed(seed)
    return (torch.randn(batch, HOP_INPUT_FRAMES, BANDS, generator=random) * 2 - 6,
            (torch.rand(batch, HOP_FRAMES, generator=random) > 0.4).float(),
            torch.rand(batch, WINDOW_HOPS - 1, KEPT, generator=random) * 2 - 1,
            torch.rand(batch, WINDOW_HOPS - 1, generator=random))


def export(model, path):
    """Opset 17, dynamic batch; the difference to PyTorch is measured at batch 1 and 33."""
    axes = {name: {0: "batch"} for name in NAMES}
    torch.onnx.export(model, example_inputs(2), str(path), opset_version=17, input_names=NAMES[:4],
                      output_names=NAMES[4:], dynamic_axes=axes)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for batch in (1, 33):
        inputs = example_inputs(batch, batch)
        with torch.no_grad():
            expected = [value.numpy() for value in model(*inputs)]
        got = session.run(None, {name: value.numpy() for name, value in zip(NAMES, inputs)})
        worst = max(float(np.abs(a - b).max()) for a, b in zip(expected, got))
        print(f"batch {batch}: largest difference {worst:.2e}", flush=True)
        assert worst < 1e-3 and [value.shape for value in got[1:]] == [(batch,), (batch,)]


def data_rows(bank, recipe):
    """What was learnt from, and what was held out, by source: seconds and speakers before any channel."""
    totals = {}
    for path in sorted(Path(bank).glob("*.jsonl")):
        for clip in read_index(path):
            if clip["source"] in recipe["parts"]["skipSources"]:
                continue
            source = clip["package"] if clip["label"] == 0 else clip["engine"]
            row = totals.setdefault((part_of(clip, recipe), source, clip["label"]), {"seconds": 0.0, "speakers": set(),
                                                                                   "families": set()})
            row["seconds"] += clip["count"] / RATE_HZ
            row["speakers"].add(clip["speaker"])
            row["families"].add(clip["family"])
    parts = {"train": [], "dev": [], "test": []}
    for (part, source, label), row in sorted(totals.items()):
        fact = recipe["sources"].get(source, {"licence": "unknown", "channel": source})
        line = {"source": fact["channel"] if label else f"Debian: {source}", "licence": fact["licence"],
                "kind": "synthetic" if label else "human"}
        if label:
            line.update(engine=source, family=", ".join(sorted(row["families"])))
        parts[part].append({**line, "speakers": len(row["speakers"]), "seconds": round(row["seconds"])})
    return parts


def product_figures(report):
    """Of `evaluate voice`: the test calls through the product itself, by whole call and as it was shipped."""
    figures = lambda row: {key: row[key] for key in ("human", "spoof", "eer", "auc", "cllr", "detectionAt1PerHour")}
    return {"command": "voicefw evaluate voice --manifest list.csv (training/test_list.py makes the list)",
            "sha256": report["sha256"], "thresholds": report["thresholds"], "calls": report["calls"],
            "humanSpeechHours": report["humanSpeechHours"], "overall": figures(report["overall"]),
            "bySystem": {name: figures(row) for name, row in report["bySystem"].items()},
            "bySpeechLength": {name: figures(rows["all"]) for name, rows in report["bySpeechLength"].items() if "all" in rows},
            "falseAlarms": report["falseAlarms"], "callsAtTheirEnd": report["engine"]}


def limits(report, unheard):
    """Plain sentences; the figures in them are the measured ones."""
    table = report["metrics"]["test"]["bySpeechLength"]["4s"]
    shipped = report["metrics"]["atShippedThresholds"][0]
    sentences = []
    for engine, row in table.items():
        quality = f"{100 * row['eer']:.0f} % EER"
        if row["eer95"][1] > 0.45:
            quality += " (taken for human)" if row["eer95"][0] > 0.55 else " (no better than chance)"
        labels = shipped["labelsByEngine"].get(engine)
        shown = ""
        if labels is not None:
            shown = (f"; at the shipped thresholds {100 * labels['synthetic']:.0f} % of its calls are called synthetic "
                     f"and {100 * labels['human']:.0f} % human")
        name = f"{'Engine never heard' if engine in unheard else 'Known vocoder on new speakers'}: {engine}"
        sentences.append(f"{'Whole test part' if engine == 'all' else name}: {quality} on 4 s of speech{shown}.")
    novelty = report["metrics"].get("novelty")
    if novelty and "unfamiliar4s" in novelty:
        noticed = ", ".join(f"{kind} {100 * row['shareAbove']:.0f} %" for kind, row in novelty["unfamiliar4s"].items())
        sentences.append(f"Audio unlike the training is left out where novelty notices it: of windows that pass the music "
                         f"and tone flags, of {noticed}; and "
                         f"{100 * novelty['shareAbove']['test']['4s']['human']:.1f} % of people's speech.")
    return [*sentences,
            f"About {shipped['falseAlarmsPerHour']:.0f} false alarms an hour of speech of people it never heard, "
            f"measured on {shipped['humanSpeechHours']:.1f} hours cut into calls of about ten seconds, through "
            "strongly varied channels.",
            "No speech of commercial or large cloning systems was available: take it to be at chance on those.",
            "Human speech in training is prompts, games and read or acted sentences in a dozen languages, not "
            "telephone conversation; other rooms, languages and microphones raise false alarms.",
            "Rhythm (how speech and pauses alternate) differs between the classes in this material; "
            "see metrics.guards.",
            "likely_human says only that nothing synthetic was noticed.",
            "Voice changers and replayed recordings of people were not studied; a lone singer is often taken for speech."]


def manifest_of(report, guards, recipe, bank, onnx_path, parameters, note):
    parts = data_rows(bank, recipe)
    code = subprocess.run(["git", "log", "-1", "--format=%h", "--", "."], capture_output=True, text=True).stdout.strip()
    return {
        "name": "voice", "version": recipe["version"], "kind": "voice", "file": onnx_path.name,
        "sha256": hashlib.sha256(onnx_path.read_bytes()).hexdigest(), "parameters": parameters, "sampleRateHz": 8000,
        "features": {"kind": "log-bands", "scale": "linear", "windowSamples": 256, "hopSamples": 80, "fftSize": 256,
                     "bands": BANDS, "lowHz": 80, "highHz": 3880, "floor": 1e-6},
        "hop": {"ms": 500, "frames": HOP_FRAMES, "contextFrames": CONTEXT_FRAMES},
        "window": {"hops": WINDOW_HOPS}, "embedding": {"size": KEPT}, "thresholds": report["thresholds"],
        "calibration": {**report["calibration"], "thresholdsFrom": "dev: at most one false alarm an hour of human speech, "
                        "at most 5 % of synthetic calls of known engines end as human"},
        **({"abstain": {"novelty": {"threshold": 1, **report["novelty"]}}} if report.get("novelty") else {}),
        "training": {"recipe": "training/recipe.yaml", "seed": recipe["train"]["seed"], "code": f"training/ at {code}",
                     "note": note, "data": parts["train"], "calibrationData": parts["dev"], "heldOut": parts["test"]},
        "metrics": {**report["metrics"], "guards": guards, "cost": report.get("cost", {})},
        "limits": limits(report, recipe["parts"]["testEngines"]),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("model", "metrics", "bank", "recipe", "models"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--guards", help="guards.json; without it the manifest says that they were not run")
    parser.add_argument("--cost", help="what measure-cost.mjs printed, as JSON")
    parser.add_argument("--left-out", help="left_out.json: engines measured by models that never heard them")
    parser.add_argument("--product", help="what `voicefw evaluate voice --json` printed for the calls of test_list.py")
    parser.add_argument("--activate", action="store_true", help="make the version the active one of the registry")
    parser.add_argument("--note", default="features from the product's own kernels")
    options = parser.parse_args()
    settings = yaml.safe_load(Path(options.recipe).read_text())
    voice = loaded_model(read_settings(options.recipe, []), options.model)
    voice.eval()
    count = sum(value.numel() for value in voice.parameters())
    voice.encoder.fold()
    folder = Path(options.models) / "voice" / settings["version"]
    folder.mkdir(parents=True, exist_ok=True)
    export(voice, folder / "model.onnx")
    measured = json.loads(Path(options.metrics).read_text())
    if options.cost:
        measured["cost"] = json.loads(Path(options.cost).read_text())
    if options.left_out:
        measured["metrics"]["leftOut4s"] = json.loads(Path(options.left_out).read_text())
    if options.product:
        measured["metrics"]["product"] = product_figures(json.loads(Path(options.product).read_text()))
    guarded = json.loads(Path(options.guards).read_text()) if options.guards else {"state": "not run"}
    manifest = manifest_of(measured, guarded, settings, options.bank, folder / "model.onnx", count, options.note)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
    if options.activate:
        path = Path(options.models) / "registry.json"
        registry = json.loads(path.read_text()) if path.exists() else {}
        before = registry.get("voice", {}).get("active")
        registry["voice"] = {"active": settings["version"],
                             "previous": before if before != settings["version"] else registry["voice"]["previous"]}
        path.write_text(json.dumps(registry, indent=1) + "\n")
