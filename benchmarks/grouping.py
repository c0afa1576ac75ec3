"""How long it takes to make persons of peaks and tags, on one core, for 1 to 200 persons of 17 landmarks.

    python -m benchmarks.grouping [--repeat 9] [--out docs/grouping_speed.md]

Expectation: 30 persons in under 15 ms, and a growth no worse than that of the assignments themselves (16 of
persons by candidates, which are timed alone beside it).
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks.rows import commit, machine
from heatmark.grouping import COCO_ORDER, Rules, candidates, grouped, people

PERSONS = (1, 10, 30, 100, 200)
LANDMARKS, CELLS = 17, 128
HEAD = """# Speed of grouping

Maps of 128 x 128 cells with soft bumps on noise, 17 landmarks a person, a tenth of them missing, tags a
little apart for each landmark and farther for each person; a peak is the highest of 5 x 5 cells; one core,
medians of {repeat}, milliseconds.
"All": from the maps (peaks searched, assigned, completed, moved to the sub-cell). "Grouping": from the peaks,
as after a model file, whose graph holds the search. "Assignments": nothing but scipy's 16 assignments of
as many candidates to as many persons.

    python -m benchmarks.grouping --out docs/grouping_speed.md

"""


def drawn(persons: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Maps (K, H, W) and tags (K, H, W) of a crowd, each landmark in a cell neighbourhood of its own."""
    heat = rng.uniform(0, 0.05, (LANDMARKS, CELLS, CELLS)).astype(np.float32)
    tags = rng.normal(0, 0.1, heat.shape).astype(np.float32)
    side = 8  # cells; so that 200 bumps fit on a map
    y, x = np.mgrid[:side, :side]
    for k in range(LANDMARKS):
        blocks = rng.permutation((CELLS // side) ** 2)[:persons]
        for person, block in enumerate(blocks):
            if rng.random() < 0.1:
                continue
            top, left = (side * b for b in divmod(int(block), CELLS // side))
            py, px = rng.uniform(2, side - 3, 2)
            bump = rng.uniform(0.3, 1) * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 2)
            here = np.s_[k, top : top + side, left : left + side]
            heat[here], tags[here] = np.maximum(heat[here], bump), 2 * person + rng.normal(0, 0.1)
    return heat, tags


def milliseconds(work: Callable[[], object], repeat: int) -> float:
    """The median of `repeat` runs."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times) * 1e3)


def rows(repeat: int) -> list[str]:
    """The table's lines."""
    lines = ["| persons | found | all | grouping | assignments |", "|--:|--:|--:|--:|--:|"]
    for persons in PERSONS:
        heat, tags = drawn(persons, np.random.default_rng(persons))
        rules = Rules(peaks=max(30, persons), order=COCO_ORDER)
        peaks = candidates(heat, tags, rules.peaks, rules.window, rules.floor)
        square = np.random.default_rng(0).random((persons, persons))
        times = [
            milliseconds(lambda h=heat, t=tags, r=rules: people(h, t, r), repeat),
            milliseconds(lambda p=peaks, r=rules: grouped(p, r), repeat),
            milliseconds(lambda s=square: [linear_sum_assignment(s) for _ in range(LANDMARKS - 1)], repeat),
        ]
        found = len(people(heat, tags, rules))
        lines.append(f"| {persons} | {found} | " + " | ".join(f"{t:.2f}" for t in times) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    text = "\n".join([*rows(given.repeat), "", f"Commit {commit()}, one of {machine()}."]) + "\n"
    print(text)
    if given.out:
        given.out.write_text(HEAD.format(repeat=given.repeat) + text, encoding="utf-8")


if __name__ == "__main__":
    main()
