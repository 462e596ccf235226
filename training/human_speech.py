"""Collects the human recordings out of unpacked Debian packages into banks (see bank.py).

usage: python human_speech.py --packages DIR --bank DIR
"""
import argparse
import re
from pathlib import Path

import numpy as np
import soundfile

from bank import BankWriter
from game_archives import amazon_queen, steel_sky

TUX_LANGUAGES = "ro ru es bg fr be el ca da lt nl ml de".split()


def read_audio(path):
    """Decodes a file; of a stereo file the louder channel (some packages leave one digitally silent)."""
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    if not len(samples):
        return samples[:, 0], rate_hz
    loudest = int(np.argmax((samples**2).mean(0)))
    return samples[:, loudest], rate_hz


def asterisk(root, language):
    for path in sorted(root.rglob("*.wav")):
        if "silence" in path.parts or "silence" in path.name or "beep" in path.name or "tone" in path.name:
            continue
        yield path, *read_audio(path), f"asterisk-{language}", language


def tuxpaint(root, language):
    for path in sorted(root.rglob(f"*_desc_{language}.ogg")):
        yield path, *read_audio(path), f"tuxpaint-{language}", language


def fillets(root, language):
    """The dialogues' file names carry the speaking character as their second part: `vit-m-hlava.ogg`."""
    for path in sorted(root.rglob("*.ogg")):
        if language not in path.parts:
            continue
        parts = path.stem.split("-")
        character = parts[1] if len(parts) > 2 else "other"
        character = character if character in ("m", "v") else "other"
        yield path, *read_audio(path), f"fillets-{language}-{character}", language


def drascula(root, language):
    """Unsigned 8 bit at 11,025 Hz without a header."""
    for path in sorted(path for path in root.rglob("*.ALS") if path.exists()):
        samples = (np.frombuffer(path.read_bytes(), np.uint8).astype(np.float32) - 128) / 128
        if len(samples) > 11025 * 0.5:
            yield path, samples - samples.mean(), 11025, f"drascula-{language}", language


def festvox_ru(root, language):
    for path in sorted(root.rglob("*.wav")):
        yield path, *read_audio(path), "festvox-ru", language


def hedgewars(root, language):
    for path in sorted(root.rglob("*.ogg")):
        match = re.search(r"/voices/([A-Za-z_]+)/", str(path))
        if match and not re.search("Robot|Singer|British_ru", match.group(1)):
            yield path, *read_audio(path), f"hedgewars-{match.group(1)}", language


def klettres(root, language):
    """Letters and syllables, one person a language; those that an editor gated hard are left out."""
    for path in sorted(root.rglob("*.ogg")):
        code = path.parts[-3]
        if code not in KLETTRES_GATED:
            yield path, *read_audio(path), f"klettres-{code}", code


def ktuberling(root, language):
    """Single words; the Serbian folders are one; a few sound synthetic and are left out."""
    for path in sorted(root.rglob("*.ogg")):
        code = path.parent.name.split("@")[0]
        if code not in KTUBERLING_DOUBTFUL:
            yield path, *read_audio(path), f"ktuberling-{code}", code


def gcin(root, language):
    """Mandarin syllables: 3.ogg and 5.ogg of every folder are two speakers."""
    for path in sorted(root.rglob("*.ogg")):
        yield path, *read_audio(path), f"gcin-{path.stem}", language


KLETTRES_GATED = {"de", "nds", "uk", "en_GB", "pt_BR", "da"}
KTUBERLING_DOUBTFUL = {"fr", "nn", "ga", "wa"}
SOURCES = [
    *[(f"asterisk-core-sounds-{code}-wav", asterisk, code) for code in ("en", "es", "fr", "it", "ru")],
    *[("tuxpaint-stamps-default", tuxpaint, code) for code in TUX_LANGUAGES],
    ("fillets-ng-data-cs", fillets, "cs"),
    ("fillets-ng-data-nl", fillets, "nl"),
    ("drascula", drascula, "en"),
    ("drascula-spanish", drascula, "es"),
    ("festvox-ru", festvox_ru, "ru"),
    ("hedgewars-data", hedgewars, "en"),
    ("klettres-data", klettres, "mixed"),
    ("ktuberling-data", ktuberling, "mixed"),
    ("gcin-voice", gcin, "zh"),
    ("beneath-a-steel-sky", steel_sky, "en"),
    ("flight-of-the-amazon-queen", amazon_queen, "en"),
]


def collect(packages, bank):
    for package, reader, language in SOURCES:
        writer = BankWriter(bank, f"human-{package}-{language}")
        if writer.complete:
            continue
        for path, samples, rate_hz, speaker, code in reader(Path(packages) / package, language):
            clip_id = f"{package}/{path.relative_to(Path(packages) / package)}"
            facts = dict(label=0, package=package, speaker=speaker, language=code, engine="human", family="human")
            writer.add(clip_id, samples, rate_hz, **facts)
        writer.finish()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", required=True)
    parser.add_argument("--bank", required=True)
    options = parser.parse_args()
    collect(options.packages, options.bank)
