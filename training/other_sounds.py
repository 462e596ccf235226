"""Makes a pack of sounds that are no speech, for the model to learn what it has nothing to say of (sounds.py).

Music and effects out of the recipe's packages, made signals, and speech of the part's voices with music behind it, which
is speech all the same. Calls of 8..14 s through the channels that speech goes through, a quarter of them undistorted. No
package is in two parts or among what unfamiliar.py measures with. A file is drawn of a package, a package of the kind, so
that a package of many files weighs no more than one of few.

usage: python other_sounds.py --recipe recipe.yaml --packages DIR --bank DIR --out DIR --part train|dev
"""
import argparse
from pathlib import Path

import numpy as np
import soundfile
import yaml

from bank import Bank, to_rate
from calls import HOP_BYTES, RATE_HZ, lay_out, part_of, through_codecs, write_pack
from channel import CONDITIONS, active_rms, babble_line, before_codec, draw_channel

UNDISTORTED, UNDISTORTED_SHARE = {**CONDITIONS["clean"], "noise_db": 60}, 0.25
BEHIND_DB = (10, 28)  # music under speech
LOUD = 0.1  # rms of every piece before the channel


def stretch(path, random, seconds):
    """A random stretch of a file at 8 kHz, its louder channel; empty where it is silent."""
    with soundfile.SoundFile(path) as file:
        wanted = int(seconds * file.samplerate)
        file.seek(int(random.integers(max(1, file.frames - wanted + 1))))
        samples = file.read(wanted, dtype="float32", always_2d=True)
        rate_hz = file.samplerate
    if not len(samples) or np.abs(samples).max() < 1e-3:
        return np.zeros(0, np.float32)
    samples = to_rate(samples[:, int(np.argmax((samples**2).mean(0)))], rate_hz, RATE_HZ)
    return samples / (np.sqrt((samples**2).mean()) + 1e-6) * LOUD


def stretches(files, random, seconds):
    """Pieces of files laid end to end with short pauses."""
    line, wanted = np.zeros(0, np.float32), int(seconds * RATE_HZ) // HOP_BYTES * HOP_BYTES
    while len(line) < wanted:
        piece = stretch(files[random.integers(len(files))], random, seconds)
        if len(piece):
            line = np.concatenate([line, piece, np.zeros(int(random.uniform(0.05, 0.5) * RATE_HZ), np.float32)])
    return line[:wanted].astype(np.float32)


def waves(random, pitch_hz):
    """A sine, a square or a few partials along a line of pitches."""
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    kind = random.integers(3)
    if kind == 0:
        wave = np.sin(phase)
    elif kind == 1:
        wave = 0.6 * np.sign(np.sin(phase))
    else:
        wave = 0.6 * sum(np.sin(number * phase) / number for number in range(1, 6))
    return np.where(pitch_hz > 3600, 0, wave)


def signals(random, count):
    """One to three voices of beeps and melodies: still or gliding, with or without vibrato, ringing on or cut off."""
    line = np.zeros(count)
    for _ in range(int(random.integers(1, 4))):
        at, base, glides = 0, random.uniform(150, 900), random.random() < 0.4
        while at < count:
            seconds = np.arange(min(int(random.uniform(0.06, 0.7) * RATE_HZ), count - at)) / RATE_HZ
            low = base * 2 ** (random.integers(-12, 13) / 12)
            high = low * 2 ** random.uniform(-1, 1) if glides else low
            sway = random.choice([0, 0, 0.02]) * np.sin(2 * np.pi * random.uniform(3, 8) * seconds)
            ramp = np.minimum(1, np.arange(len(seconds)) / 80)
            fade = ramp * ramp[::-1] * np.exp(-seconds * random.choice([0, 2, 8]))
            wave = waves(random, np.linspace(low, high, len(seconds)) * (1 + sway))
            line[at : at + len(seconds)] += wave * fade * random.uniform(0.3, 1)
            at += len(seconds) + int(random.choice([0, 0, 0.05, 0.2, 0.5]) * RATE_HZ)
    return (line * LOUD).astype(np.float32)


def speech_over(music, bank, clips, random, seconds):
    """Speech of one voice with music behind it."""
    line = lay_out(bank, [clips[i] for i in random.integers(len(clips), size=24)], random, seconds)[0]
    if len(line) < 2 * HOP_BYTES:
        return line
    behind = stretches(music, random, len(line) / RATE_HZ + 0.5)[: len(line)]
    gain = active_rms(line) / LOUD * 10 ** (-random.uniform(*BEHIND_DB) / 20)
    return line + np.pad(behind, (0, len(line) - len(behind))) * gain


def is_sound(path):
    """Some packages have empty files or links that lead elsewhere."""
    try:
        return soundfile.info(path).frames > 0
    except soundfile.LibsndfileError:
        return False


def files_of(recipe, packages, part):
    """Kind -> list of (package, files)."""
    kinds = {}
    for kind in ("music", "effects"):
        for package, pattern in recipe["otherSounds"][part][kind].items():
            files = sorted(path for path in (packages / package).glob(pattern) if is_sound(path))
            if not files:
                raise SystemExit(f"no {pattern} in {packages / package}; run fetch_packages.py")
            kinds.setdefault(kind, []).append((package, files))
    return kinds


def voices_of(bank, recipe, part):
    """(engine, speaker) -> clips, people's and engines' apart."""
    people, engines = {}, {}
    for clip in bank.clips:
        if part_of(clip, recipe) == part and clip["source"] not in recipe["parts"]["skipSources"]:
            voices = people if clip["label"] == 0 else engines
            voices.setdefault((clip["engine"], clip["speaker"]), []).append(clip)
    return people, engines


def drawn(items, random):
    return items[random.integers(len(items))]


def lines_of(bank, recipe, packages, part, random):
    """Yields (kind, package, engine, samples at 8 kHz)."""
    files, voices = files_of(recipe, packages, part), voices_of(bank, recipe, part)
    wanted = recipe["otherSounds"]["calls"][part]
    for kind, share in recipe["otherSounds"]["shares"].items():
        for _ in range(round(wanted * share)):
            seconds = random.uniform(8, 14)
            if kind == "signals":
                yield kind, kind, "other", signals(random, int(seconds * 2) * HOP_BYTES)
            elif kind == "speechOverMusic":
                table = voices[0] if random.random() < 0.6 else voices[1]
                engine, speaker = drawn(sorted(table), random)
                package, music = drawn(files["music"], random)
                yield kind, package, engine, speech_over(music, bank, table[(engine, speaker)], random, seconds)
            else:
                package, found = drawn(files[kind], random)
                yield kind, package, "other", stretches(found, random, seconds)


def render(bank, recipe, packages, part, out):
    random = np.random.default_rng([recipe["seed"], 9, ["train", "dev"].index(part)])
    people = np.array([clip for clip in bank.clips if clip["label"] == 0 and part_of(clip, recipe) == part], object)
    babble = babble_line([to_rate(bank.audio(clip), 16000, RATE_HZ) for clip in random.choice(people, 60)])
    calls = []
    for kind, package, engine, line in lines_of(bank, recipe, packages, part, random):
        if len(line) < 2 * HOP_BYTES:
            continue
        draw = draw_channel(random, UNDISTORTED if random.random() < UNDISTORTED_SHARE else None)
        facts = {"label": 0, "speaker": package, "engine": engine, "family": kind, "language": "none",
                 "package": package, "condition": "drawn", "pair": None}
        calls.append((before_codec(line, draw, babble), draw, facts))
        if len(calls) % 200 == 0:
            print(f"{part}: {len(calls)} calls", flush=True)
    through_codecs(calls)
    write_pack(calls, f"{part}Sounds-main", out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("recipe", "packages", "bank", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--part", choices=["train", "dev"], required=True)
    options = parser.parse_args()
    settings = yaml.safe_load(Path(options.recipe).read_text())
    render(Bank(options.bank), settings, Path(options.packages), options.part, Path(options.out))
