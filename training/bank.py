"""A bank keeps the clean speech of one source: 16 kHz, 16 bit, one file of samples and one file of facts.

`<dir>/<source>.i16` holds all clips' samples one after another, `<dir>/<source>.jsonl` one line per clip (offset and
count in samples, label, speaker, language, engine, family, pair). A source is complete when `<source>.done` exists,
so every step can be stopped and started again: an incomplete source is appended to, a complete one is skipped.
"""
import json
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

RATE_HZ = 16000


def to_rate(samples, from_hz, to_hz=RATE_HZ):
    """Resamples with a polyphase filter; returns float32 in -1..1."""
    if from_hz == to_hz:
        return np.asarray(samples, np.float32)
    common = int(np.gcd(int(from_hz), int(to_hz)))
    return resample_poly(samples, to_hz // common, from_hz // common).astype(np.float32)


def active_span(samples, rate_hz=RATE_HZ, below_peak_db=40.0, margin_s=0.08):
    """Cuts leading and trailing parts that are far below the loud frames of the clip."""
    hop = rate_hz // 100
    count = len(samples) // hop
    if count < 5:
        return samples[:0]
    energy = (samples[: count * hop].reshape(count, hop) ** 2).mean(1) + 1e-12
    level_db = 10 * np.log10(energy)
    loud = np.flatnonzero(level_db > np.percentile(level_db, 95) - below_peak_db)
    margin = int(margin_s * rate_hz)
    return samples[max(0, loud[0] * hop - margin) : (loud[-1] + 1) * hop + margin]


class BankWriter:
    """Appends clips of one source; knows which clip ids are there already."""

    def __init__(self, directory, source):
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.source = source
        self.done_path = self.directory / f"{source}.done"
        self.index_path = self.directory / f"{source}.jsonl"
        self.samples_path = self.directory / f"{source}.i16"
        self.clips = read_index(self.index_path)
        self.ids = {clip["id"] for clip in self.clips}
        self.count = self.clips[-1]["offset"] + self.clips[-1]["count"] if self.clips else 0
        if self.samples_path.exists():
            with open(self.samples_path, "r+b") as file:
                file.truncate(self.count * 2)
        self.samples_file = open(self.samples_path, "ab")
        self.index_file = open(self.index_path, "a")

    @property
    def complete(self):
        return self.done_path.exists()

    @property
    def seconds(self):
        return self.count / RATE_HZ

    def add(self, clip_id, samples, rate_hz, **facts):
        """Normalises to a peak of 0.9 (levels are drawn later, by the channel) and appends."""
        samples = active_span(to_rate(samples, rate_hz))
        peak = float(np.abs(samples).max()) if len(samples) else 0.0
        if len(samples) < RATE_HZ * 0.3 or not peak >= 1e-4 or clip_id in self.ids:  # neither silent nor NaN
            return False
        samples = samples * (0.9 / peak)
        self.samples_file.write((samples * 32767).astype("<i2").tobytes())
        row = {"id": clip_id, "offset": self.count, "count": len(samples), "source": self.source, **facts}
        self.index_file.write(json.dumps(row) + "\n")
        self.samples_file.flush()
        self.index_file.flush()
        self.ids.add(clip_id)
        self.count += len(samples)
        return True

    def finish(self):
        self.done_path.write_text("complete\n")
        print(f"{self.source}: {len(self.ids)} clips, {self.seconds:.0f} s", flush=True)


def read_index(path):
    path = Path(path)
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


class Bank:
    """Reads all sources of a directory."""

    def __init__(self, directory):
        self.directory = Path(directory)
        self.clips = []
        self.samples = {}
        for path in sorted(self.directory.glob("*.jsonl")):
            clips = read_index(path)
            if clips:
                self.clips += clips
                self.samples[path.stem] = np.memmap(path.with_suffix(".i16"), "<i2", "r")

    def audio(self, clip):
        start = clip["offset"]
        return self.samples[clip["source"]][start : start + clip["count"]].astype(np.float32) / 32768.0
