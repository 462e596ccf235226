"""Makes calls to judge repeated phrases by, and sums up what the product said of them: docs/voice-signals.md.

`make` writes calls as mu-law: of synthetic voices, seven sentences and then the first three of them again, the same
samples at another level and offset; of people, up to sixteen clips, none twice. Both through line noise, a codec and
loss. `sum` reads what `voicefw score *.ul --json` printed in that folder.

usage: python repeated_phrases.py make --bank DIR --out DIR;  python repeated_phrases.py sum --scores FILE --out DIR
"""
import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from bank import Bank, to_rate
from channel import codec_round_trip, mulaw_encode

RATE_HZ = 8000
CONDITIONS = {  # codec, noise under the speech in dB, share of lost messages
    "G.711, 30 dB": ("none", 30, 0.0), "G.711, 20 dB, 3 % loss": ("none", 20, 0.03),
    "G.711, 12 dB, 3 % loss": ("none", 12, 0.03), "GSM, 25 dB, 3 % loss": ("gsm", 25, 0.03),
    "AMR 12.2, 25 dB, 1 % loss": ("amr-high", 25, 0.01), "AMR 5.9, 25 dB, 1 % loss": ("amr-low", 25, 0.01),
    "Opus 8 kbit/s, 25 dB, 1 % loss": ("opus-low", 25, 0.01)}
ENGINES = ("kokoro", "hibari", "piper", "espeak", "flite")
CALLS_AGAIN, SENTENCES, AGAIN, CLIPS = 40, 7, 3, 16
HUMAN_CONDITIONS = ("G.711, 30 dB", "G.711, 30 dB", "G.711, 20 dB, 3 % loss", "AMR 12.2, 25 dB, 1 % loss")


def line(parts, noise_db, random):
    """Phrases at levels of their own with pauses, at offsets that are no multiple of a frame."""
    pieces = [np.zeros(int(random.uniform(0.4, 0.9) * RATE_HZ))]
    for part in parts:
        level = 0.07 * 10 ** (random.uniform(-2, 2) / 20)
        pause = np.zeros(int(random.uniform(0.35, 0.9) * RATE_HZ) + int(random.integers(80)))
        pieces += [part / (np.sqrt((part**2).mean()) + 1e-9) * level, pause]
    whole = np.concatenate([*pieces, np.zeros(RATE_HZ)])
    return whole + random.standard_normal(len(whole)) * 0.07 * 10 ** (-noise_db / 20)


def through(lines, codec, loss, random):
    """Codec and lost messages of 20 ms; mu-law bytes of each."""
    if codec != "none":
        with tempfile.TemporaryDirectory() as folder:
            joined = codec_round_trip(np.concatenate(lines).astype(np.float32), codec, folder)
        ends = np.cumsum([len(each) for each in lines])
        lines = [joined[end - len(each) : end] for each, end in zip(lines, ends)]
    for each in lines:
        lost = np.repeat(random.random(len(each) // 160 + 1) < loss, 160)[: len(each)]
        yield mulaw_encode(np.where(lost, 0, each).astype(np.float32))


def voices(bank, keep, seconds_min, seconds_max):
    """(engine, speaker) -> clips at 8 kHz, in an order drawn by lot."""
    random, table = np.random.default_rng(1), {}
    for i in random.permutation(len(bank.clips)):
        clip = bank.clips[i]
        if keep(clip) and seconds_min <= clip["count"] / 16000 <= seconds_max:
            clips = table.setdefault((clip["engine"], clip["speaker"]), [])
            if len(clips) < 64:
                clips.append(to_rate(bank.audio(clip), 16000, RATE_HZ))
    return table


def make(bank, out):
    out.mkdir(parents=True, exist_ok=True)
    random, facts = np.random.default_rng(11), []

    def write(lines, name, kind):
        codec, _, loss = CONDITIONS[name]
        for octets in through(lines, codec, loss, random):
            file = f"{len(facts):04d}.ul"
            (out / file).write_bytes(octets.tobytes())
            facts.append({"file": file, "kind": kind, "condition": name})

    synthetic = {key: clips for key, clips in voices(bank, lambda clip: clip["engine"] in ENGINES, 1.2, 4).items()
                 if len(clips) > SENTENCES}
    keys = sorted(synthetic)
    for name, (_, noise_db, _) in CONDITIONS.items():
        lines = []
        for _ in range(CALLS_AGAIN):
            clips = synthetic[keys[int(random.integers(len(keys)))]]
            said = [clips[i] for i in random.permutation(len(clips))[:SENTENCES]]
            lines.append(line(said + said[:AGAIN], noise_db, random))
        write(lines, name, "again")
    for clips in voices(bank, lambda clip: clip["label"] == 0, 0.9, 5).values():
        for number, first in enumerate(range(0, len(clips) - 7, CLIPS)):
            name = HUMAN_CONDITIONS[number % len(HUMAN_CONDITIONS)]
            write([line(clips[first : first + CLIPS], CONDITIONS[name][1], random)], name, "once")
    (out / "facts.json").write_text(json.dumps(facts))
    print(f"{len(facts)} calls in {out}")


def sum_up(scores, out):
    facts = {row["file"]: row for row in json.loads((out / "facts.json").read_text())}
    table = {}
    for text in scores.read_text().splitlines():
        row = json.loads(text)
        fact = facts[Path(row["file"]).name]
        table.setdefault((fact["kind"], fact["condition"]), []).append(row)
    print("| calls | condition | hours | phrases compared | told as repeated | calls with one |\n|---|---|---|---|---|---|")
    for (kind, name), rows in sorted(table.items()):
        told = [row["signals"]["repeatedPhrases"] for row in rows]
        compared = sum(row["signals"]["comparedPhrases"] for row in rows)
        hours = sum(row["audioMs"] for row in rows) / 3.6e6
        print(f"| {kind} | {name} | {hours:.1f} | {compared} | {sum(told)} | {sum(map(bool, told))} of {len(rows)} |")
        for row in rows if kind == "once" else []:
            if row["signals"]["repeatedPhrases"]:
                print(row["file"], row["signals"]["phraseLikenessMax"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["make", "sum"])
    parser.add_argument("--bank")
    parser.add_argument("--scores", help="what `voicefw score *.ul --json` printed")
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    if options.step == "make":
        make(Bank(options.bank), Path(options.out))
    else:
        sum_up(Path(options.scores), Path(options.out))
