"""Makes telephone calls out of the banks' clips and writes packs per part (train, dev, test).

A call is 8..14 s: pieces of one speaker's clips (lengths drawn alike for both classes) with pauses between them, one
channel draw for all of it. A copy's call has a human twin of the same pieces through the same draw. Synthetic clips
get a floor shaped like the room noise of a randomly chosen human clip, so that a silent background tells nothing.
Writes PART-PACK.ul (mu-law of all calls), .json (what the feature dump reads) and .facts.jsonl.

A part comes in three packs, each from random numbers of its own. `own` has the copies by the vocoders trained here, so
that `main` can be used before those are there. `added` has what is newer than the fixed test part: the engines of
`parts.addedEngines` and, in the test part, the conditions of `channel.ADDED_CONDITIONS` for every engine and speaker;
so the calls of the other two stay what they are.

usage: python calls.py --recipe recipe.yaml --bank DIR --out DIR --part train --pack main|own|added
"""
import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import yaml

from bank import Bank, to_rate
from channel import (ADDED_CONDITIONS, CODECS, CONDITIONS, after_codec, babble_line, before_codec, codec_round_trip,
                     draw_channel, mulaw_decode)
from pitch import median_pitch

RATE_HZ = 8000
PACKS = ("main", "own", "added")
HOP_BYTES = 4000
SPEEDS = [14000, 14800, 15200, 16800, 17600, 18400]  # rates that share factors with 8000, for short resampling filters


def part_of(clip, recipe):
    """train, dev or test (or None) of a clip: by speaker, for synthetic engines by voice."""
    speaker, engine = clip["speaker"], clip["engine"]
    parts = recipe["parts"]
    if engine in parts["testEngines"]:
        return "test"
    if clip["label"] == 0 or "pair" in clip:
        for part in ("test", "dev"):
            if any(speaker.startswith(name) for name in parts[f"{part}Speakers"]):
                return part
        return "train"
    if any(name in speaker for name in parts["devVoices"]):
        return "dev"
    if speaker in parts["singleVoices"]:  # an engine of one voice: other sentences go to dev
        return "dev" if int(clip["id"].split("/")[-1]) % 8 == 0 else "train"
    return "train"


def noise_floors(bank, clips, random, count=400):
    """Room noise of human clips: (magnitude spectrum of the quietest tenth of frames, relative to active level)."""
    floors = []
    for clip in random.choice(np.array(clips, object), count):
        samples = to_rate(bank.audio(clip), 16000, RATE_HZ)
        frames = samples[: len(samples) // 256 * 256].reshape(-1, 256)
        if len(frames) < 10:
            continue
        energy = (frames**2).mean(1)
        quiet = frames[np.argsort(energy)[: max(2, len(frames) // 10)]]
        spectrum = np.sqrt((np.abs(np.fft.rfft(quiet * np.hanning(256))) ** 2).mean(0) / (0.375 * 256))
        loud = np.sqrt(energy[energy > np.percentile(energy, 95) * 1e-3].mean())
        floors.append(spectrum / (loud + 1e-9))
    return floors


def shaped_noise(random, count, floor):
    white = np.fft.rfft(random.standard_normal(count))
    shape = np.interp(np.linspace(0, 1, len(white)), np.linspace(0, 1, len(floor)), floor)
    return np.fft.irfft(white * shape, count).astype(np.float32)


def cut_piece(samples, random):
    """A piece of 0.8..5 s, cut where the clip is quiet; the distribution is the same for both classes."""
    want = int(random.uniform(0.8, 5.0) * RATE_HZ)
    if len(samples) <= want * 1.2:
        return samples
    start = int(random.integers(len(samples) - want))
    running = np.concatenate([np.zeros(201), np.cumsum(samples.astype(np.float64) ** 2)])
    energy = np.append(running[400:], np.full(199, running[-1])) - running[: len(samples)]

    def quietest(near):
        low = max(0, near - 1600)
        return low + int(np.argmin(energy[low : near + 1600]))

    piece = samples[quietest(start) : quietest(start + want)]
    return piece if len(piece) > 4000 else samples[start : start + want]


def lay_out(bank, clips, random, seconds, twin_of=None, floor=None, from_hz=16000):
    """Pieces of the clips with pauses. With `twin_of` (id -> human clip) also the same from the human originals.

    `floor` is a room's noise that comes and goes with each piece, as it does in human recordings laid end to end.
    `from_hz` other than 16000 plays the clips faster or slower.
    """
    total = int(seconds * RATE_HZ)
    lines = [np.zeros(0, np.float32), np.zeros(0, np.float32)]
    for clip in clips:
        seed = int(random.integers(1 << 31))
        pause = np.zeros(int(random.uniform(0.15, 0.9) * RATE_HZ), np.float32)
        sources = [clip] if twin_of is None else [clip, twin_of[clip["pair"]]]
        for number, source in enumerate(sources):
            piece = cut_piece(to_rate(bank.audio(source), from_hz, RATE_HZ), np.random.default_rng(seed))
            piece = piece / (np.sqrt((piece**2).mean()) + 1e-6) * 0.1
            if floor is not None:
                piece = piece + shaped_noise(random, len(piece), floor) * 0.1
            ramp = np.minimum(1, np.arange(len(piece)) / 80)
            piece = piece * ramp * ramp[::-1]
            lines[number] = np.concatenate([lines[number], pause, piece.astype(np.float32)])
        if min(len(line) for line in lines[: len(sources)]) >= total:
            break
    lines = [line[:total] for line in lines[: 1 if twin_of is None else 2]]
    return [line[: len(line) // HOP_BYTES * HOP_BYTES] for line in lines]


def pack_of(engine, recipe):
    if engine in recipe["parts"]["addedEngines"]:
        return "added"
    return "own" if engine in recipe["vocoders"] else "main"


def conditions_of(engine, recipe, part, pack):
    """Name -> fixed values of the channel, or None for drawn ones, of an engine's calls in a pack."""
    conditions = {}
    if pack_of(engine, recipe) == pack:
        conditions.update(CONDITIONS if part == "test" else {"drawn": None})
    if part == "test" and pack == "added":
        conditions.update(ADDED_CONDITIONS)
    return conditions


def plan_calls(bank, recipe, part, pack, random):
    """Yields (clips, twin table or None, channel draw, condition) for every call of a part."""
    human = {clip["id"]: clip for clip in bank.clips if clip["label"] == 0}
    groups = {}
    for clip in bank.clips:
        if not conditions_of(clip["engine"], recipe, part, pack):
            continue
        if part_of(clip, recipe) == part and clip["source"] not in recipe["parts"]["skipSources"]:
            groups.setdefault((clip["engine"], clip["speaker"], clip["label"]), []).append(clip)
    for (engine, speaker, label), clips in sorted(groups.items()):
        available = sum(clip["count"] for clip in clips) / 16000
        for condition, fixed in conditions_of(engine, recipe, part, pack).items():
            passes = recipe["passes"][part]["human" if label == 0 else "synthetic"]
            limit = recipe["secondsPerSpeaker"][part] if condition == "drawn" else recipe["secondsPerCondition"]
            made = 0.0
            while made < min(available * passes, limit):
                seconds = random.uniform(8, 14)
                picked = [clips[i] for i in random.integers(len(clips), size=24)]
                twin = human if "pair" in clips[0] and part == "train" else None
                yield picked, twin, draw_channel(random, fixed, wide=part != "test"), condition, seconds
                made += seconds


def render(bank, recipe, part, pack, out):
    random = np.random.default_rng([recipe["seed"], ["train", "dev", "test"].index(part), PACKS.index(pack)])
    humans = [clip for clip in bank.clips if clip["label"] == 0 and part_of(clip, recipe) == part]
    floors = noise_floors(bank, humans, random)
    babble = babble_line([to_rate(bank.audio(clip), 16000, RATE_HZ) for clip in random.choice(np.array(humans, object), 60)])
    calls = []
    for picked, twin, draw, condition, seconds in plan_calls(bank, recipe, part, pack, random):
        added = picked[0]["label"] == 1 and "pair" not in picked[0]
        floor = floors[int(random.integers(len(floors)))] * random.uniform(0.5, 1.5) if added else None
        fast = part == "train" and random.random() < recipe["speedShare"]
        from_hz = int(random.choice(SPEEDS)) if fast else 16000
        lines = lay_out(bank, picked, random, seconds, twin, floor, from_hz)
        for number, line in enumerate(lines):
            first = picked[0] if number == 0 else twin[picked[0]["pair"]]
            if len(line) < 2 * HOP_BYTES:
                continue
            facts = {key: first[key] for key in ("label", "speaker", "engine", "family", "language", "package")}
            pair = f"{part}-{pack}-{len(calls) - number}" if len(lines) == 2 else None
            calls.append((before_codec(line, draw, babble), draw, {**facts, "condition": condition, "pair": pair}))
        if len(calls) % 200 < len(lines):
            print(f"{part}: {len(calls)} calls", flush=True)
    through_codecs(calls)
    write_pack(calls, f"{part}-{pack}", Path(out))


def through_codecs(calls, table=CODECS):
    with tempfile.TemporaryDirectory() as folder:
        for codec in table:
            chosen = [number for number, call in enumerate(calls) if call[1]["codec"] == codec]
            if not chosen:
                continue
            joined = codec_round_trip(np.concatenate([calls[number][0] for number in chosen]), codec, folder, table)
            start = 0
            for number in chosen:
                samples, draw, facts = calls[number]
                calls[number] = (joined[start : start + len(samples)], draw, facts)
                start += len(samples)
            print(f"codec {codec}: {len(chosen)} calls", flush=True)


def write_pack(calls, name, out):
    out.mkdir(parents=True, exist_ok=True)
    index, offset = [], 0
    with open(out / f"{name}.ul", "wb") as pack, open(out / f"{name}.facts.jsonl", "w") as facts_file:
        for number, (samples, draw, facts) in enumerate(calls):
            octets = after_codec(samples, draw).tobytes()
            pack.write(octets)
            index.append({"id": f"{name}-{number}", "offset": offset, "bytes": len(octets)})
            offset += len(octets)
            channel = {key: draw[key] for key in ("codec", "noise_db", "noise_kind", "loss", "room_ms", "level_db")}
            channel["pitchHz"] = median_pitch(mulaw_decode(np.frombuffer(octets, np.uint8)))
            facts_file.write(json.dumps({"id": f"{name}-{number}", **facts, **channel}) + "\n")
    (out / f"{name}.json").write_text(json.dumps({"clips": index}))
    print(f"{name}: {len(index)} calls, {offset / 8000:.0f} s", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--bank", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--part", choices=["train", "dev", "test"], required=True)
    parser.add_argument("--pack", choices=PACKS, required=True)
    options = parser.parse_args()
    recipe = yaml.safe_load(Path(options.recipe).read_text())
    render(Bank(options.bank), recipe, options.part, options.pack, options.out)
