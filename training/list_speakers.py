"""Prints the human speakers of the training part, or of the other parts, comma separated (for vocoder_copies.py).

usage: python list_speakers.py --recipe recipe.yaml --bank DIR --part Train|Held
"""
import argparse
from pathlib import Path

import yaml

from bank import Bank
from calls import part_of

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--bank", required=True)
    parser.add_argument("--part", choices=["Train", "Held"], required=True)
    options = parser.parse_args()
    recipe = yaml.safe_load(Path(options.recipe).read_text())
    humans = [clip for clip in Bank(options.bank).clips if clip["label"] == 0 and clip["package"] != "hedgewars-data"]
    print(",".join(sorted({clip["speaker"] for clip in humans
                           if (part_of(clip, recipe) == "train") == (options.part == "Train")})))
