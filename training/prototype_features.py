"""A numpy stand-in for the product's feature dump: same files, same definition of the bands, a simple speech gate.

Only for work on the training while the product cannot be built; the shipped model is trained on the dump of the
product's own kernels (`node dist/src/training/dump-voice-features.js`), see README.md.

usage: python prototype_features.py --pack train.ul --index train.json --out DIR
"""
import argparse
import json
from pathlib import Path

import numpy as np

from channel import mulaw_decode

RATE_HZ, WINDOW, HOP, BANDS, LOW_HZ, HIGH_HZ, FLOOR = 8000, 256, 80, 60, 80, 3880, 1e-6


def band_matrix():
    edges = np.linspace(LOW_HZ, HIGH_HZ, BANDS + 2)
    bins = np.arange(WINDOW // 2 + 1) * RATE_HZ / WINDOW
    rise = (bins[:, None] - edges[:-2]) / (edges[1:-1] - edges[:-2])
    fall = (edges[2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    return np.maximum(0, np.minimum(rise, fall)).astype(np.float32)


def log_bands(samples, matrix):
    """Frame t ends at sample (t + 1) * 80; zeros before the start."""
    count = len(samples) // HOP
    padded = np.concatenate([np.zeros(WINDOW - HOP, np.float32), samples])
    stride = padded.strides[0]
    frames = np.lib.stride_tricks.as_strided(padded, (count, WINDOW), (stride * HOP, stride))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    power = np.abs(np.fft.rfft(frames * window.astype(np.float32), axis=1)) ** 2
    return np.log(power.astype(np.float32) @ matrix + FLOOR)


def speech_gate(bands):
    """Frames well above the quiet tenth and within 30 dB of the loud frames, kept for 50 ms."""
    level_db = 4.343 * bands.mean(1)
    loud = level_db > max(np.percentile(level_db, 10) + 6, np.percentile(level_db, 95) - 25)
    return (np.convolve(loud, np.ones(5), "same") > 1).astype(np.uint8)


def dump(pack_path, index_path, out):
    out.mkdir(parents=True, exist_ok=True)
    pack = np.memmap(pack_path, np.uint8, "r")
    matrix, clips, offset = band_matrix(), [], 0
    with open(out / "features.f32", "wb") as features, open(out / "speech.u8", "wb") as speech:
        for clip in json.loads(Path(index_path).read_text())["clips"]:
            frames = clip["bytes"] // 4000 * 50
            octets = pack[clip["offset"] : clip["offset"] + frames * HOP]
            bands = log_bands(mulaw_decode(octets), matrix)
            features.write(bands.astype("<f4").tobytes())
            speech.write(speech_gate(bands).tobytes())
            clips.append({"id": clip["id"], "frameOffset": offset, "frames": frames})
            offset += frames
    (out / "features.json").write_text(json.dumps({"clips": clips, "spec": {"source": "prototype"}}))
    print(f"{offset} frames of {len(clips)} calls", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", required=True)
    parser.add_argument("--index", required=True)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    dump(options.pack, options.index, Path(options.out))
