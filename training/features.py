"""Reads a feature dump with the facts of its calls and cuts it into the hops of speech that the model sees."""
import json
from pathlib import Path

import numpy as np

from model import BANDS, CONTEXT_FRAMES, HOP_FRAMES

MIN_SPEECH_FRAMES = 10  # a hop with fewer speech frames is no hop of speech: not judged, not kept as history


class Part:
    """One part (train, dev, test): all frames in memory as 16 bit floats and, per call, the hops of speech."""

    def __init__(self, folder, facts_path):
        folder = Path(folder)
        index = json.loads((folder / "features.json").read_text())
        self.parameters = index.get("spec", {})
        frames = np.memmap(folder / "features.f32", "<f4", "r").reshape(-1, BANDS)
        self.bands = np.empty(frames.shape, np.float16)
        for start in range(0, len(frames), 1 << 20):
            self.bands[start : start + (1 << 20)] = frames[start : start + (1 << 20)]
        self.speech = np.fromfile(folder / "speech.u8", np.uint8)
        facts = {row["id"]: row for row in map(json.loads, Path(facts_path).read_text().splitlines())}
        self.calls = []
        for clip in index["clips"]:
            first, hops = clip["frameOffset"], clip["frames"] // HOP_FRAMES
            counts = self.speech[first : first + hops * HOP_FRAMES].reshape(hops, HOP_FRAMES).sum(1)
            kept = np.flatnonzero(counts >= MIN_SPEECH_FRAMES)
            if len(kept):
                self.calls.append({**facts[clip["id"]], "first": first, "hops": kept})

    def hop_tensors(self, call, hops):
        """features [len(hops), CONTEXT+50, 60] and speech [len(hops), 50]; the floor stands before a call's start."""
        first = call["first"]
        where = first + hops[:, None] * HOP_FRAMES + np.arange(-CONTEXT_FRAMES, HOP_FRAMES)[None]
        values = self.bands[np.maximum(where, first)].astype(np.float32)
        values[where < first] = np.log(1e-6)
        speech = self.speech[where[:, CONTEXT_FRAMES:]].astype(np.float32)
        return values, speech
