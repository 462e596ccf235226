"""Writes the ledger of all clips: part, speaker, package, licence, engine and family of every clip of the banks.

usage: python ledger.py --recipe recipe.yaml --bank DIR --out ledger.csv
"""
import argparse
import csv
from collections import Counter
from pathlib import Path

import yaml

from bank import RATE_HZ, Bank
from calls import part_of

COLUMNS = ["id", "part", "label", "speaker", "language", "package", "licence", "engine", "family", "pair", "seconds"]


def write_ledger(bank, recipe, out):
    seconds = Counter()
    with open(out, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for clip in Bank(bank).clips:
            if clip["source"] in recipe["parts"]["skipSources"]:
                continue
            source = clip["engine"] if clip["label"] else clip["package"]
            part, length = part_of(clip, recipe), clip["count"] / RATE_HZ
            rows.writerow([f"{clip['source']}/{clip['id']}", part, "spoof" if clip["label"] else "bonafide",
                           clip["speaker"], clip["language"], clip["package"], recipe["sources"][source]["licence"],
                           clip["engine"], clip["family"], clip.get("pair", ""), round(length, 2)])
            seconds[part, clip["label"]] += length
    for (part, label), total in sorted(seconds.items()):
        print(f"{part} {'synthetic' if label else 'human'}: {total / 3600:.2f} h", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option in ("recipe", "bank", "out"):
        parser.add_argument(f"--{option}", required=True)
    options = parser.parse_args()
    write_ledger(options.bank, yaml.safe_load(Path(options.recipe).read_text()), options.out)
