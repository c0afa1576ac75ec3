"""Models of many things side by side: SKU-110K's scores of a dataset, and whether a new file finds the same
boxes as the model it was made of.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import data
from ..card import Card
from ..data.records import write_whole
from ..errors import DataError, UserError
from ..imaging import encode_jpeg
from ..metrics.boxes import overlaps
from ..metrics.dense import DenseScores, counting_error, dense_scores
from ..runtime.dense import DensePredictor, Found
from ..runtime.draw import boxed, contact_sheet
from ..types import Boxes
from . import progress

EDGE = 0.02  # a score as near as this to the threshold may fall on either side
SURE = 0.3  # score from which a box is counted as a thing
SHOWN = 12  # pictures on the sheet


@dataclass(frozen=True)
class DenseEvaluation:
    """What came out, and how."""

    dataset: str
    model: str
    scores: DenseScores
    counting: Mapping[str, Mapping[str, float]]
    seconds: float
    card: Card
    notes: tuple[str, ...] = ()
    task: str = "dense"

    def __str__(self) -> str:
        said = ", ".join(
            f"{n} {'-' if v is None else format(v, '.3f')}" for n, v in self.scores.metrics().items()
        )
        counted = "; ".join(f"counting by {by}: off by {e['MAE']:.1f}" for by, e in self.counting.items())
        s = self.scores
        return (
            f"{self.dataset}: {said}; {counted}; {s.pictures} pictures, {s.boxes} boxes, {self.seconds:.1f} s"
        )

    @property
    def tables(self) -> dict[str, list[list[str]]]:
        """Heading -> rows, the head first."""
        named = self.scores.metrics()
        return {"Boxes": [list(named), ["-" if v is None else f"{v:.3f}" for v in named.values()]]}

    def to_dict(self) -> dict[str, Any]:
        """The `--json` form."""
        said = self.scores.to_dict()
        counting = {
            by: {k: float(v) if np.isfinite(v) else None for k, v in e.items()}
            for by, e in self.counting.items()
        }
        head = {"task": "dense", "dataset": self.dataset, "model": self.model}
        return head | said | {"counting": counting, "notes": list(self.notes)}


def evaluated(
    predictor: DensePredictor,
    dataset: data.Dataset,
    names: tuple[str, str],
    out: Path | None = None,
    skip_bad: bool = False,
) -> DenseEvaluation:
    """SKU-110K's scores of a model on a dataset.

    Args:
        names: of dataset and model.
        out: a folder for scores.json and a sheet of what was found.
        skip_bad: pictures that cannot be read are passed over, and said.

    Raises:
        DataError: a picture cannot be read. UserError: nothing to score, or faster-coco-eval is missing.
    """
    answers: list[Boxes] = []
    truth: list[Boxes] = []
    peaks, sheet, milliseconds, notes, full = [], [], 0.0, list(dataset.info.get("left_out", ())), 0
    for record in progress.track(dataset, total=len(dataset), label="evaluating"):
        try:
            sample = data.sample(record)
        except DataError as error:
            if not skip_bad:
                raise
            notes.append(str(error))
            continue
        found = predictor.look(sample)
        milliseconds, full = milliseconds + found.latency.network, full + found.full
        answers.append(found.boxes)
        truth.append(Boxes(sample.poses.boxes))
        if found.map is not None:
            peaks.append(peaks_of(found.map))
        if out is not None and len(sheet) < SHOWN:
            sheet.append(boxed(sample.picture, predictor.poses(_sure(found)), found.map))
    if not truth:
        raise UserError(f"{names[0]}: there is nothing to score")
    if full:
        notes.append(f"{full} pictures gave as many boxes as the model keeps: there may be more")
    counts = [len(t) for t in truth]
    counting = {
        f"boxes above {SURE}": counting_error([int((a.scores > SURE).sum()) for a in answers], counts)
    }
    if peaks:
        counting["peaks of the map"] = counting_error(peaks, counts)
    scores = dense_scores(answers, truth)
    for line in notes:
        progress.note(line)
    made = DenseEvaluation(*names, scores, counting, milliseconds / 1e3, predictor.card, tuple(notes))
    if out is not None:
        write_whole(out / "scores.json", (json.dumps(made.to_dict(), indent=1) + "\n").encode())
        write_whole(out / "sheet.jpg", encode_jpeg(contact_sheet(sheet)))
    return made


def _sure(found: Found) -> Boxes:
    return found.boxes[found.boxes.scores > SURE]


def peaks_of(map: np.ndarray, threshold: float = SURE) -> int:
    """How many things a map (h, w) shows: cells above the threshold that no neighbour surpasses, after a
    3 x 3 mean; of equal neighbours one.
    """
    import cv2

    smooth = cv2.blur(map, (3, 3))
    top = (smooth >= cv2.dilate(smooth, np.ones((3, 3), np.uint8))) & (smooth > threshold)
    return int(cv2.connectedComponents(top.astype(np.uint8))[0] - 1)


def moves(before: dict[str, np.ndarray], after: dict[str, np.ndarray], threshold: float) -> np.ndarray:
    """(M, 1) how far the boxes of one file's answer moved to another's, network pixels: of their sides the
    farthest. Boxes are taken for each other that overlap most; a lone one has moved infinitely far, unless
    its score is within EDGE of the threshold.
    """
    if not len(before["boxes"]) or not len(after["boxes"]):
        lone = np.concatenate([before["scores"], after["scores"]])
        return np.where(lone[:, None] > threshold + EDGE, np.inf, 0.0)
    rows = []
    for one, other in ((before, after), (after, before)):
        nearest = overlaps(one["boxes"].astype(float), other["boxes"].astype(float)).argmax(1)
        away = np.abs(one["boxes"] - other["boxes"][nearest]).max(1)
        apart = overlaps(one["boxes"].astype(float), other["boxes"].astype(float)).max(1) < 0.5
        lost = np.where(one["scores"] > threshold + EDGE, np.inf, 0.0)
        rows.append(np.where(apart, lost, away))
    return np.concatenate(rows)[:, None]
