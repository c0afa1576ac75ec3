"""Table 2 of the IHM paper: keypoints of PASCAL3D+, learnt from its photographs, a network for each class.

    python -m benchmarks.table2 ROOT --work WORK --row IHM56 --classes car,bus --weights resnet50_v1=FILE
    python -m benchmarks.table2 ROOT --work WORK --all        # the paper's budget
    python -m benchmarks.table2 ROOT                          # only writes the table of what there is

ROOT is PASCAL3D+_release1.1. Learnt from: all of ImageNet's pictures of the class and PASCAL's train list.
Scored on: PASCAL's val list, the objects that are neither truncated, nor occluded, nor difficult, in their
boxes, visible keypoints, PCK strictly below 0.1 of the box's longer side. The mean is over all keypoints of
all classes (micro), as the numbers are that the paper compares itself with; on which objects it scored its
own the paper is silent. After --minutes the command stops and the same one goes on.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from heatmark.commands.train import train
from heatmark.data import Dataset, coco, pascal3d
from heatmark.data.records import Record, write_whole
from heatmark.errors import UserError, unknown

from . import runs
from .rows import Row, markdown
from .runs import Budget
from .scores import Results, Score
from .table1 import SHEET

CLASSES = (
    "aeroplane", "bicycle", "boat", "bottle", "bus", "car",
    "chair", "diningtable", "motorbike", "sofa", "train", "tvmonitor",
)  # fmt: skip
PAPER = {"IHM56": 74.2, "HM": 76.7, "SB": 42.7}  # SB: the paper's own run of SimpleBaseline
QUOTED = {"Pavlakos 2017": 82.5, "Zhou 2018": 78.6, "Tulsiani 2014": 68.8, "Long 2014": 48.5}
WITHIN = 3.0
BOXED: dict[str, Any] = {"whole": 0.0}  # a picture has several objects


def learnt_from(root: Path, kind: str, most: int | None) -> Dataset:
    """ImageNet's train and val lists and PASCAL's train list; at most so many pictures, evenly spread."""
    parts = [("train", "imagenet"), ("val", "imagenet"), ("train", "pascal")]
    found: list[Record] = []
    skeleton = None
    for split, source in parts:
        part = pascal3d.read_split(root, kind, split, [source])
        skeleton = skeleton or part.skeleton
        if part.skeleton != skeleton:
            raise UserError(f"{root}: {kind}: the anchors of {source} {split} are not those of {parts[0]}")
        found += part.records
    assert skeleton is not None
    chosen = np.unique(np.linspace(0, len(found) - 1, most or len(found)).round().astype(int))
    return Dataset(root, skeleton, tuple(found[i] for i in chosen))


def scored_on(root: Path, kind: str) -> Dataset:
    """PASCAL's val list, without what is truncated, occluded or difficult."""
    return pascal3d.clean(pascal3d.read_split(root, kind, "val", ["pascal"]))


def written(dataset: Dataset, folder: Path) -> Path:
    """A dataset in COCO form whose pictures stay where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "images").exists():
        (folder / "images").symlink_to((dataset.folder / "Images").resolve(), target_is_directory=True)
    numbered = [Record(r.path, r.size, r.poses, n) for n, r in enumerate(dataset, 1)]
    coco.write(folder, dataset.skeleton, numbered)
    return folder


def measured(root: Path, kind: str, row: str, given: argparse.Namespace, budget: Budget) -> Score:
    """One class: a network learns its keypoints, and is scored."""
    changes = BOXED | {"epochs": budget.epochs} | dict(budget.settings)
    changes = runs.weighted(changes, f"{SHEET}/{row}", budget)
    work: Path = given.work / "pascal3d" / f"{kind}-{given.pictures or 'all'}"
    run = given.work / "pascal3d" / f"{row}-{work.name}-{runs.digest(changes)}"
    if not (run / "ended").exists():
        if not (work / "annotations.json").exists():
            written(learnt_from(root, kind, given.pictures), work)
        train(f"{SHEET}/{row}", data=work, out=run, resume=run.exists(), settings=changes)
        (run / "ended").touch()
    return Score.of(runs.evaluated(run, scored_on(root, kind), hidden="ignore"))


def micro(results: Results, row: str) -> tuple[float, list[str]] | None:
    """PCK@0.1 over all keypoints of the classes that were measured, and which they are."""
    found = {kind: score for kind in CLASSES if (score := results[row, kind, 0]) is not None}
    if not found:
        return None
    counted = np.concatenate([score.counted for score in found.values()])
    return float(100 * (counted < 0.1).mean()), list(found)


def rows(results: Results) -> list[Row]:
    """Each network's mean and classes; the others' numbers as the paper quotes them."""
    out = []
    for row, paper in PAPER.items():
        mean = micro(results, row)
        whole = mean is not None and len(mean[1]) == len(CLASSES)
        named = row if whole or mean is None else f"{row}, of {len(mean[1])} classes"
        known = paper if whole or mean is None else None  # the paper's is over all of them
        out.append(Row(named, "PCK@0.1, mean", known, mean[0] if mean else None, WITHIN))
        for kind in CLASSES:
            score = results[row, kind, 0]
            if score is not None:
                out.append(Row(f"{row}, {kind}", "PCK@0.1", None, score.pck(), WITHIN))
    return out + [Row(name, "PCK@0.1, mean", paper, None, WITHIN) for name, paper in QUOTED.items()]


def main(arguments_given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("root", type=Path, help="the folder of the release")
    parser.add_argument("--work", type=Path, default=Path(".cache/table2"), help="datasets and runs lie here")
    parser.add_argument("--classes", default=",".join(CLASSES))
    parser.add_argument("--row", action="append", default=[], help=f"of {', '.join(PAPER)}")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--pictures", type=int, help="to learn from, at most, of each class")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--weights", action="append", default=[], metavar="BACKBONE=FILE")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="of every recipe")
    parser.add_argument("--minutes", type=float, default=9.5)
    parser.add_argument("--out", type=Path, default=Path("docs/table2.md"))
    given = parser.parse_args(arguments_given)
    budget = runs.trained_budget(given)
    shown = f"{given.pictures or 'all'} pictures of each class, {given.epochs} epochs"
    results = Results(given.out.with_suffix(".json"), shown + runs.settings_words(budget))
    if given.pictures is not None and given.pictures < 1:
        raise UserError(f"--pictures must be 1 or more, got {given.pictures}")
    for row in given.row:
        if row not in PAPER:
            raise unknown("row", row, PAPER)
    with runs.minutes(given.minutes):
        for row in PAPER if given.all else given.row:
            for kind in given.classes.split(","):
                if kind not in CLASSES:
                    raise unknown("class of PASCAL3D+", kind, CLASSES)
                if results[row, kind, 0] is None:
                    results.put((row, kind, 0), measured(given.root, kind, row, given, budget))
    command = f"python -m benchmarks.table2 ROOT --epochs {given.epochs}"
    command += f" --pictures {given.pictures}" if given.pictures else ""
    measured_as = f"Keypoints of PASCAL3D+, PCK@0.1 in per cent; {results.kept.budget}."
    text = f"# Table 2 of the IHM paper\n\n{measured_as}\n"
    text += "From what was learnt, and on what scored: see `benchmarks/table2.py`.\n\n"
    write_whole(given.out, (text + markdown(rows(results), command)).encode())
    print(given.out)


if __name__ == "__main__":
    runs.ended(main)
