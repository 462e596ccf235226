"""Reads a feature dump with the facts of its calls and cuts it into the hops of speech that the model sees."""
import json
from pathlib import Path

import numpy as np

from calls import PACKS
from model import BANDS, CONTEXT_FRAMES, HOP_FRAMES

MASKED = 2 | 4 | 8  # music, tone, dtmf of `hopFlag` (src/features/hop.ts): hops that the product does not judge
MIN_SPEECH_FRAMES = 10  # a hop with fewer speech frames is no hop of speech: not judged, not kept as history


class Part:
    """One part (train, dev, test): all frames in memory as 16 bit floats and, per call, the hops of speech."""

    def __init__(self, features, facts, name):
        folders = [(Path(features) / f"{name}-{pack}", Path(facts) / f"{name}-{pack}.facts.jsonl") for pack in PACKS]
        folders = [pair for pair in folders if (pair[0] / "features.json").exists()]
        bands, speech, self.calls = [], [], []
        for folder, facts_path in folders:
            before = sum(map(len, speech))
            frames = np.memmap(folder / "features.f32", "<f4", "r").reshape(-1, BANDS)
            bands.append(np.empty(frames.shape, np.float16))
            for start in range(0, len(frames), 1 << 20):
                bands[-1][start : start + (1 << 20)] = frames[start : start + (1 << 20)]
            speech.append(np.fromfile(folder / "speech.u8", np.uint8))
            self.parameters = self.add_calls(folder, facts_path, speech[-1], before)
        self.bands, self.speech = np.concatenate(bands), np.concatenate(speech)

    def add_calls(self, folder, facts_path, speech, before):
        index = json.loads((folder / "features.json").read_text())
        facts = {row["id"]: row for row in map(json.loads, facts_path.read_text().splitlines())}
        flags = np.fromfile(folder / "flags.u16", "<u2")
        for clip in index["clips"]:
            first, hops = clip["frameOffset"], clip["frames"] // HOP_FRAMES
            counts = speech[first : first + hops * HOP_FRAMES].reshape(hops, HOP_FRAMES).sum(1)
            kept = np.flatnonzero(counts >= MIN_SPEECH_FRAMES)
            if len(kept):
                masked = (flags[first // HOP_FRAMES + kept] & MASKED) > 0
                self.calls.append({**facts[clip["id"]], "first": first + before, "hops": kept, "masked": masked})
        return index.get("spec", {})

    def hop_tensors(self, call, hops):
        """features [len(hops), CONTEXT+50, 60] and speech [len(hops), 50]; the floor stands before a call's start."""
        first = call["first"]
        where = first + hops[:, None] * HOP_FRAMES + np.arange(-CONTEXT_FRAMES, HOP_FRAMES)[None]
        values = self.bands[np.maximum(where, first)].astype(np.float32)
        values[where < first] = np.log(1e-6)
        speech = self.speech[where[:, CONTEXT_FRAMES:]].astype(np.float32)
        return values, speech
