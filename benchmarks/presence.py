"""Does a detector's score tell its own tool from others? The scores inside the boxes of both, on photographs.

    python -m benchmarks.presence MODEL PHOTOGRAPHS OTHERS [OTHERS ...]

MODEL is a shipped detector's name or a model file, PHOTOGRAPHS a labelled dataset of its tool, OTHERS
datasets of other tools. Ranked: how often the box of its tool has a higher score than the box of another, 0.5
by chance. Networks that learn with `negatives` in their recipe rank better.
"""

import argparse

import numpy as np

import heatmark as hm
from heatmark.data import open_dataset, sample
from heatmark.runtime import Detector

from .dsnt_confidence import ranked
from .runs import ended


def scores(detector: Detector, folder: str) -> np.ndarray:
    """The mean score of the points in each labelled box of a dataset, (N,)."""
    found = []
    for record in open_dataset(folder):
        shown = sample(record)
        boxes = shown.poses.boxes[np.isfinite(shown.poses.boxes).all(-1)]
        if len(boxes):
            found.append(detector(shown.picture, boxes).scores.mean(-1))
    return np.concatenate(found)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("photographs")
    parser.add_argument("others", nargs="+")
    given = parser.parse_args()
    detector = hm.load(given.model)
    own = scores(detector, given.photographs)
    other = np.concatenate([scores(detector, folder) for folder in given.others])
    right = np.arange(len(own) + len(other)) < len(own)
    rank = ranked(np.concatenate([own, other]), right)
    print(f"| model | boxes | median | of others | median | ranked |\n|---|{'--:|' * 5}")
    cells = (f"{len(found)} | {np.median(found):.2f}" for found in (own, other))
    print(f"| {given.model} | {' | '.join(cells)} | {rank:.3f} |")


if __name__ == "__main__":
    ended(main)
