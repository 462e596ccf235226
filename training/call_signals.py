"""Signals of a whole call that no engine has to be known for, and what each adds to the model: docs/voice-signals.md.

Per call: the background (level and spectrum of the pauses), the pitch and its small movements, and the model's mean
logit. A logistic regression of [logit, signals] is fitted and judged on calls it has not seen, with and without each
group of signals, and with the judged engine left out of the fit. Pause lengths are not looked at: `calls.lay_out` draws
them, alike for both classes.

usage: python call_signals.py extract --packs DIR --run DIR [--left-out DIR] --recipe recipe.yaml --out DIR --part dev
       python call_signals.py judge --out DIR --recipe recipe.yaml [--test]
"""
import argparse
import json
from pathlib import Path

import numpy as np

from channel import mulaw_decode
from features import PACKS, Part
from measures import area_under_curve, equal_error_rate

RATE_HZ, FRAME = 8000, 80
PITCH_STEP_MS = 5.0
CALLS_MAX = {"human": 1500, "engine": 150}  # of the train part
BACKGROUND = ("pauseFloorSpreadDb", "pauseFloorJumpDb", "pauseShapeSpreadDb", "floorStepAtSpeechDb", "silentShare",
              "pauseInnerSpreadDb")
PITCH = ("jitterCents", "pitchBendCents", "flatShare", "pitchSpread", "pitchRange", "slopeSpread", "slopeSkew",
         "voicedRunMs", "voicedShare")
PULSE = ("shimmerDb", "harmonicsDb", "harmonicsSpreadDb")
GROUPS = {"background": BACKGROUND, "pitch": PITCH, "shimmer and harmonics": PULSE}
NAMES = BACKGROUND + PITCH + PULSE


def runs(mask):
    """Starts and ends of the stretches that are true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return edges[::2], edges[1::2]


def background(samples, speech, bands):
    """Level and spectrum of pauses of 100 ms or more, without the 30 ms at their edges; dB."""
    frames = samples[: len(speech) * FRAME].reshape(-1, FRAME)
    power = (frames**2).mean(1)
    level = 10 * np.log10(power + 1e-8)
    starts, ends = runs(speech == 0)
    pauses = [(a + 3, b - 3) for a, b in zip(starts, ends) if b - a >= 10]
    silent = np.abs(frames).max(1) < 1.5 / 32768 * 8  # the smallest step of mu-law
    if len(pauses) < 2:
        return [np.nan] * len(BACKGROUND)
    floors = np.array([np.median(level[a:b]) for a, b in pauses])
    shapes = np.array([np.median(bands[a:b], 0) for a, b in pauses]) * 4.343
    shapes = shapes - shapes.mean(1, keepdims=True)
    inside = [np.percentile(level[a:b], 5) for a, b in zip(*runs(speech == 1)) if b - a >= 30]
    step = np.median(inside) - np.median(floors) if inside else np.nan
    inner = np.median([level[a:b].std() for a, b in pauses])
    return [floors.std(), np.abs(np.diff(floors)).max(), shapes.std(0).mean(), step,
            np.concatenate([silent[a:b] for a, b in pauses]).mean(), inner]


def pitch_signals(samples):
    import pyworld

    double = samples.astype(np.float64)
    raw, times = pyworld.dio(double, RATE_HZ, f0_floor=65.0, f0_ceil=400.0, frame_period=PITCH_STEP_MS)
    f0 = pyworld.stonemask(double, raw, times, RATE_HZ)
    starts, ends = runs(f0 > 0)
    kept = [(a, b) for a, b in zip(starts, ends) if b - a >= 12]
    if sum(b - a for a, b in kept) < 100:
        return [np.nan] * len(PITCH), []
    cents = [1200 * np.log2(f0[a + 2 : b - 2]) for a, b in kept]
    steps = np.concatenate([np.abs(np.diff(line)) for line in cents])
    bends = np.concatenate([np.abs(np.diff(line, 2)) for line in cents])
    slopes = np.concatenate([line[8:] - line[:-8] for line in cents])
    slopes = slopes[np.abs(slopes) < 600]
    every = np.concatenate(cents)
    low, middle, high = np.percentile(every, [5, 50, 95])
    tails = np.percentile(slopes, [5, 50, 95]) if len(slopes) else np.zeros(3)
    return [np.median(steps), np.median(bends), (steps < 2).mean(), np.abs(every - middle).mean(), high - low,
            slopes.std(), (tails[2] + tails[0] - 2 * tails[1]) / (tails[2] - tails[0] + 1),
            np.median([b - a for a, b in kept]) * PITCH_STEP_MS, (f0 > 0).mean()], kept


def pulse_signals(samples, kept):
    """Shimmer: change of level from 5 ms to 5 ms in voiced stretches, dB; harmonics over noise by autocorrelation, dB."""
    if not kept:
        return [np.nan] * len(PULSE)
    step = int(RATE_HZ * PITCH_STEP_MS / 1000)
    centres = np.concatenate([np.arange(a + 2, b - 2) for a, b in kept]) * step
    centres = centres[(centres > 200) & (centres < len(samples) - 200)]
    centres = centres[np.linspace(0, len(centres) - 1, min(len(centres), 400)).astype(int)]
    window = np.hanning(400)
    frames = np.stack([samples[c - 200 : c + 200] for c in centres])
    spectrum = np.abs(np.fft.rfft((frames - frames.mean(1, keepdims=True)) * window, 1024)) ** 2
    spectrum[:, 180:] = 0  # up to 1.4 kHz
    lags = np.fft.irfft(spectrum)[:, :130]
    shape = np.fft.irfft(np.abs(np.fft.rfft(window, 1024)) ** 2)[:130]
    best = np.clip((lags / (lags[:, :1] + 1e-12) / (shape / shape[0]))[:, 20:125].max(1), 1e-3, 0.999)
    harmonics = 10 * np.log10(best / (1 - best))
    level = 10 * np.log10(np.convolve(samples**2, np.ones(160) / 160, "same")[::step] + 1e-9)
    moves = np.concatenate([np.abs(np.diff(level[a + 2 : b - 2], 2)) for a, b in kept])
    return [np.median(moves), np.median(harmonics), harmonics.std()]


def extract(options):
    import torch

    from train import judge_part, loaded_model, read_settings

    torch.set_num_threads(1)
    settings = read_settings(options.recipe, [])
    part = Part(options.packs, options.packs, options.part)
    random = np.random.default_rng(7)
    calls, taken = [], {}
    for call in [part.calls[i] for i in random.permutation(len(part.calls))]:
        engine = call["engine"]
        limit = CALLS_MAX["human" if call["label"] == 0 else "engine"] if options.part == "train" else 10**9
        if call["condition"] == "drawn" and taken.get(engine, 0) < limit and len(call["hops"]) >= 4:
            taken[engine] = taken.get(engine, 0) + 1
            calls.append(call)
    part.calls = calls
    models = {"shipped": Path(options.run) / "best.pt"}
    if options.left_out and options.part != "train":
        models.update({path.parent.name: path for path in sorted(Path(options.left_out).glob("fold-*/last.pt"))})
    logits = {}
    for name, path in models.items():
        model = loaded_model(settings, path)
        logits[name] = [values[3:].mean() for _, values in judge_part(model, part)[0]]
        print(options.part, name, len(calls), flush=True)
    files = {pack: Path(options.packs) / f"{options.part}-{pack}.ul" for pack in PACKS}
    audio = {pack: np.memmap(path, np.uint8, "r") for pack, path in files.items() if path.exists()}
    places = {clip["id"]: (pack, clip["offset"], clip["bytes"]) for pack in audio for clip in
              json.loads(files[pack].with_suffix(".json").read_text())["clips"]}
    rows = []
    for number, call in enumerate(calls):
        pack, offset, count = places[call["id"]]
        samples = mulaw_decode(np.asarray(audio[pack][offset : offset + count])).astype(np.float64)
        frames = slice(call["first"], call["first"] + count // FRAME)
        pitch, kept = pitch_signals(samples)
        rows.append(background(samples, part.speech[frames], part.bands[frames].astype(np.float32)) + pitch
                    + pulse_signals(samples, kept))
        if number % 200 == 0:
            print(options.part, number, len(calls), flush=True)
    Path(options.out).mkdir(parents=True, exist_ok=True)
    facts = [{key: call[key] for key in ("id", "label", "engine", "family", "speaker", "pair", "pitchHz")} for call in calls]
    np.savez(Path(options.out) / f"{options.part}.npz", signals=np.array(rows, float), facts=json.dumps(facts),
             **{f"logit-{name}": np.array(values) for name, values in logits.items()})


class Calls:
    """The calls of one extracted part."""

    def __init__(self, out, part):
        table = np.load(Path(out) / f"{part}.npz", allow_pickle=False)
        facts = json.loads(str(table["facts"]))
        self.label, self.engine, self.speaker = (np.array([row[key] for row in facts])
                                                 for key in ("label", "engine", "speaker"))
        self.signals = table["signals"]
        self.logits = {name[6:]: table[name] for name in table.files if name.startswith("logit-")}
        self.engines = sorted(set(self.engine[self.label == 1]))

    def inputs(self, names, logit):
        columns = [self.signals[:, [NAMES.index(name) for name in names]]]
        return np.concatenate(columns + ([self.logits[logit][:, None]] if logit else []), 1)


def fitted(inputs, calls, keep):
    """A logistic regression; classes count alike, within them engines and human speakers. Returns inputs -> score."""
    from sklearn.linear_model import LogisticRegression

    middle = np.nanmedian(inputs[keep], 0)
    filled = np.where(np.isnan(inputs), middle, inputs)
    spread = filled[keep].std(0) + 1e-9
    prepare = lambda values: np.clip((np.where(np.isnan(values), middle, values) - middle) / spread, -4, 4)
    groups = np.where(calls.label == 1, calls.engine, calls.speaker)[keep]
    label = calls.label[keep]
    weight = np.zeros(len(groups))
    for wanted in (0, 1):
        names, counts = np.unique(groups[label == wanted], return_counts=True)
        share = {name: count ** -0.5 for name, count in zip(names, counts)}
        values = np.array([share[group] for group in groups[label == wanted]])
        weight[label == wanted] = values / values.sum() * len(label) / 2
    model = LogisticRegression(C=1.0, max_iter=500).fit(prepare(inputs[keep]), label, weight)
    return lambda values: model.decision_function(prepare(values))


def by_engine(calls, scores_of):
    """(EER, AUC) of each engine; scores_of(engine) -> (human scores, synthetic scores)."""
    return {engine: figures(*scores_of(engine)) for engine in calls.engines}


def figures(human, synthetic):
    """EER (equal scores in an order drawn by lot) and AUC."""
    draw = np.random.default_rng(1).normal(0, 1e-9, len(human) + len(synthetic))
    loose = human + draw[: len(human)], synthetic + draw[len(human) :]
    return equal_error_rate(*loose), area_under_curve(human, synthetic)


def from_train(train, judged, names, logit, left_out):
    """Fitted on the train part, judged on another; `left_out`: without the judged engine."""
    inputs, values = train.inputs(names, logit), judged.inputs(names, logit)
    whole = fitted(inputs, train, np.ones(len(train.label), bool))(values)

    def scores_of(engine):
        scores = fitted(inputs, train, train.engine != engine)(values) if left_out and engine in train.engines else whole
        return scores[judged.label == 0], scores[judged.engine == engine]

    return by_engine(judged, scores_of)


def within(calls, names, logit):
    """Fitted on other engines and other people of the same part: half of the speakers at a time."""
    inputs = calls.inputs(names, logit)
    people = sorted(set(calls.speaker[calls.label == 0]))
    half = np.isin(calls.speaker, people[::2])

    def scores_of(engine):
        scores = [fitted(inputs, calls, (calls.engine != engine) & (half == side))(inputs) for side in (True, False)]
        human = np.where(half, scores[1], scores[0])[calls.label == 0]
        return human, ((scores[0] + scores[1]) / 2)[calls.engine == engine]

    return by_engine(calls, scores_of)


def unheard(dev, test, names, folds):
    """Model and regression have not heard the engine: fold models; fitted on dev, judged against the test part's people."""
    rows = {}
    for fold, engines in folds.items():
        inputs = dev.inputs(names, fold)
        score = fitted(inputs, dev, ~np.isin(dev.engine, engines))
        human = score(test.inputs(names, fold)[test.label == 0])
        for engine in engines:
            parts = [score(part.inputs(names, fold)[part.engine == engine]) for part in (dev, test)
                     if (part.engine == engine).any()]
            rows[engine] = figures(human, np.concatenate(parts))
    return rows


def transferred(dev, test, names, logit):
    """Fitted on dev, judged on test."""
    score = fitted(dev.inputs(names, logit), dev, np.ones(len(dev.label), bool))
    scores = score(test.inputs(names, logit))
    return by_engine(test, lambda engine: (scores[test.label == 0], scores[test.engine == engine]))


def cell(rows, base=None, engines=None):
    chosen = [rows[engine] for engine in (engines or rows)]
    eer, auc = np.mean(chosen, 0)
    text = f"{100 * eer:.1f} % / {auc:.3f}"
    if base is not None:
        moved = np.array([rows[engine][0] - base[engine][0] for engine in (engines or rows)]) * 100
        error = moved.std(ddof=1) / len(moved) ** 0.5
        text += f" ({moved.mean():+.1f} ± {1.96 * error:.1f}; {(moved < -0.05).sum()} of {len(moved)} better)"
    return text


def judge(options):
    import yaml

    train, dev = Calls(options.out, "train"), Calls(options.out, "dev")
    print("| signal alone | dev, engine left out: EER / AUC |\n|---|---|")
    for name in NAMES:
        print(f"| `{name}` | {cell(from_train(train, dev, [name], None, True))} |", flush=True)
    sets = {"model alone": (), **GROUPS, "pitch, shimmer and harmonics": PITCH + PULSE, "all": NAMES}
    print("\n| signals | fitted on train | engine left out | fitted on other engines and people of dev |\n|---|---|---|---|")
    for name, chosen in {**{f"{key}, without the model": GROUPS[key] for key in GROUPS}, **sets}.items():
        logit = None if "without" in name else "shipped"
        ways = {"train": lambda names, logit: from_train(train, dev, names, logit, False),
                "left": lambda names, logit: from_train(train, dev, names, logit, True),
                "within": lambda names, logit: within(dev, names, logit)}
        cells = [cell(way(chosen, logit), way((), logit) if chosen and logit else None) for way in ways.values()]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    if not options.test:
        return
    test = Calls(options.out, "test")
    listed = yaml.safe_load(Path(options.recipe).read_text())
    folds = {f"fold-{key}": fold["leaveOut"] for key, fold in listed["train"]["folds"].items()}
    folds["fold-a"], folds["fold-b"] = ["flite"], ["espeak"]  # kokoro and hifigan have longer folds of their own
    groups = {"engines in no training": listed["parts"]["testEngines"]}
    groups["vocoders known, people new"] = [name for name in test.engines if name not in groups["engines in no training"]]
    print(f"\n| signals | test: {' | test: '.join(groups)} | families left out of model and fit |\n|---|---|---|---|")
    base, away = transferred(dev, test, (), "shipped"), unheard(dev, test, (), folds)
    for name, chosen in sets.items():
        rows, unknown = transferred(dev, test, chosen, "shipped"), unheard(dev, test, chosen, folds)
        cells = [cell(rows, base if chosen else None, engines) for engines in groups.values()]
        cells.append(cell(unknown, away if chosen else None))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["extract", "judge"])
    for option in ("packs", "run", "left-out", "recipe", "part"):
        parser.add_argument(f"--{option}")
    parser.add_argument("--out", required=True)
    parser.add_argument("--test", action="store_true", help="look at the test part, too: once, at the end")
    chosen = parser.parse_args()
    extract(chosen) if chosen.step == "extract" else judge(chosen)
