"""Makes a pack of audio that is unlike the training's: what the model's measure of novelty should notice.

Music, singing and sounds of machines out of the packages that are there anyway, made tones and noise, and speech of
the test part's people (faster, slower, backwards, clipped, torn, through codecs that no telephone uses). Calls of
8..14 s through drawn channels like the test part's; no threshold is chosen on them. Where a package is missing, so is
its kind.

usage: python unfamiliar.py --recipe recipe.yaml --packages DIR --bank DIR --out DIR
"""
import argparse
from pathlib import Path

import numpy as np
import yaml

from bank import Bank, to_rate
from calls import HOP_BYTES, RATE_HZ, lay_out, part_of, through_codecs, write_pack
from channel import babble_line, before_codec, draw_channel
from human_speech import read_audio

CALLS = 40  # of each kind
FOUND = {  # kind -> (package, pattern of files, words in the path that rule a file out)
    "hold-music": ("asterisk-moh-opsound-wav", "**/*.wav", ()),
    "game-music": ("hedgewars-data", "**/Music/*.ogg", ()),
    "sound-effects": ("hedgewars-data", "**/Sounds/*.ogg", ()),
    "animals": ("tuxpaint-stamps-default", "**/animals/**/*.ogg", ("_desc",)),
    "singing": ("hedgewars-data", "**/voices/Singer/*.ogg", ()),
    "robot-voice": ("hedgewars-data", "**/voices/Robot/*.ogg", ()),
}
ODD_CODECS = {  # an old one of the web
    "ra-144": (["-c:a", "real_144"], "rm", 8000),
}
CHANGED = {  # kind -> (rate the clips are played at, fixed values of the channel)
    "speech-2x": (32000, {}),
    "speech-half": (8000, {}),
    "speech-backwards": (16000, {}),
    "speech-clipped": (16000, {"drive_db": 36.0}),
    "speech-torn": (16000, {"loss": 0.4, "loss_repeat": False}),
    **{f"speech-{codec}": (16000, {"codec": codec, "noise_db": 40.0}) for codec in ODD_CODECS},
}


def found_line(files, random, seconds):
    """Pieces of files laid end to end with short pauses; of a long file one random stretch."""
    line, wanted = np.zeros(0, np.float32), int(seconds * RATE_HZ)
    while len(line) < wanted:
        samples = to_rate(*read_audio(files[random.integers(len(files))]), RATE_HZ)
        start = int(random.integers(max(1, len(samples) - wanted + 1)))
        piece = samples[start : start + wanted]
        piece = piece / (np.sqrt((piece**2).mean()) + 1e-6) * 0.1 if len(piece) else piece
        line = np.concatenate([line, piece, np.zeros(int(random.uniform(0.1, 0.5) * RATE_HZ), np.float32)])
    return line[: wanted // HOP_BYTES * HOP_BYTES].astype(np.float32)


def rhythm(random, count):
    """Strength over time that comes and goes about as fast as syllables do."""
    knots = random.uniform(0, 1, count * 8 // RATE_HZ + 2) ** 2
    return np.interp(np.arange(count), np.linspace(0, count, len(knots)), knots)


def tones(random, count):
    """One to four sines whose pitch steps or glides, in the rhythm of syllables."""
    line = np.zeros(count)
    for _ in range(int(random.integers(1, 5))):
        knots = random.uniform(200, 3000, count * 3 // RATE_HZ + 2)
        pitch = np.interp(np.arange(count), np.linspace(0, count, len(knots)), knots)
        if random.random() < 0.5:
            pitch = np.repeat(knots, RATE_HZ // 3)[:count]
            pitch = np.pad(pitch, (0, count - len(pitch)), mode="edge")
        line += np.sin(2 * np.pi * np.cumsum(pitch) / RATE_HZ)
    return (line * rhythm(random, count) * 0.1).astype(np.float32)


def noise(random, count):
    return (random.standard_normal(count) * rhythm(random, count) * 0.1).astype(np.float32)


def lines_of_kinds(bank, recipe, packages, random):
    """Yields (kind, samples at 8 kHz, fixed values of the channel)."""
    for kind, (package, pattern, unwanted) in FOUND.items():
        files = sorted(path for path in (packages / package).glob(pattern)
                       if not any(word in str(path) for word in unwanted))
        for _ in range(CALLS if files else 0):
            yield kind, found_line(files, random, random.uniform(8, 14)), {}
    for kind, make in (("tones", tones), ("noise", noise)):
        for _ in range(CALLS):
            yield kind, make(random, int(random.integers(16, 29)) * HOP_BYTES), {}
    speakers = {}
    for clip in bank.clips:
        if clip["label"] == 0 and part_of(clip, recipe) == "test":
            speakers.setdefault(clip["speaker"], []).append(clip)
    for kind, (from_hz, fixed) in CHANGED.items():
        for _ in range(CALLS):
            clips = speakers[sorted(speakers)[random.integers(len(speakers))]]
            picked = [clips[i] for i in random.integers(len(clips), size=24)]
            line = lay_out(bank, picked, random, random.uniform(8, 14), from_hz=from_hz)[0]
            yield kind, line[::-1].copy() if kind == "speech-backwards" else line, fixed


def render(bank, recipe, packages, out):
    random = np.random.default_rng([recipe["seed"], 7])
    people = np.array([clip for clip in bank.clips if clip["label"] == 0 and part_of(clip, recipe) == "test"], object)
    babble = babble_line([to_rate(bank.audio(clip), 16000, RATE_HZ) for clip in random.choice(people, 60)])
    calls = []
    for kind, line, fixed in lines_of_kinds(bank, recipe, packages, random):
        if len(line) < 2 * HOP_BYTES:
            continue
        draw = draw_channel(random, fixed, wide=False)
        facts = {"label": 0, "speaker": kind, "engine": "unfamiliar", "family": kind, "language": "none",
                 "package": kind, "condition": "drawn", "pair": None}
        calls.append((before_codec(line, draw, babble), draw, facts))
    through_codecs(calls)
    through_codecs(calls, ODD_CODECS)
    write_pack(calls, "unfamiliar-main", out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("recipe", "packages", "bank", "out"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()
    settings = yaml.safe_load(Path(options.recipe).read_text())
    render(Bank(options.bank), settings, Path(options.packages), Path(options.out))
