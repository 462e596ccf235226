"""Writes the calls of the test part (drawn channels) as files, with the list that `voicefw evaluate voice` reads.

Each file is a WAVE of 8 kHz mu-law, the very octets that the figures of the manifest were measured on; so the product,
with its decoding, gate, features, windows and decisions, can be held against them.

usage: python test_list.py --facts PACKS --out DIR      writes DIR/list.csv and DIR/calls/*.wav
"""
import argparse
import csv
import json
import struct
from pathlib import Path

import numpy as np

from calls import PACKS

RATE_HZ, MU_LAW = 8000, 7
COLUMNS = ["path", "label", "speaker", "system", "language", "package"]


def wave_file(octets):
    """RIFF with a format chunk of mu-law (WAVE_FORMAT_MULAW of RFC 2361), one channel."""
    fmt = struct.pack("<HHIIHHH", MU_LAW, 1, RATE_HZ, RATE_HZ, 1, 8, 0)
    fact = struct.pack("<I", len(octets))
    data = octets + b"\0" * (len(octets) % 2)
    chunks = [(b"fmt ", fmt, len(fmt)), (b"fact", fact, len(fact)), (b"data", data, len(octets))]
    body = b"".join(name + struct.pack("<I", size) + content for name, content, size in chunks)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


def write_list(facts_folder, out):
    (out / "calls").mkdir(parents=True, exist_ok=True)
    count = 0
    with open(out / "list.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for pack in PACKS:
            name = f"test-{pack}"
            octets = np.memmap(facts_folder / f"{name}.ul", np.uint8, "r")
            clips = json.loads((facts_folder / f"{name}.json").read_text())["clips"]
            facts = map(json.loads, (facts_folder / f"{name}.facts.jsonl").read_text().splitlines())
            for clip, call in zip(clips, facts):
                assert clip["id"] == call["id"]
                if call["condition"] != "drawn":
                    continue
                path = f"calls/{clip['id']}.wav"
                start = clip["offset"]
                (out / path).write_bytes(wave_file(octets[start : start + clip["bytes"]].tobytes()))
                rows.writerow([path, "spoof" if call["label"] else "bonafide", call["speaker"],
                               call["engine"] if call["label"] else "", call["language"], call["package"]])
                count += 1
    print(f"{count} calls in {out / 'list.csv'}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", required=True)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    write_list(Path(options.facts), Path(options.out))
