"""Models of many things side by side: SKU-110K's scores of a dataset, and whether a new file finds the same
boxes as the model it was made of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import data
from ..card import Card
from ..data.boxed import corners_of
from ..errors import DataError, UserError, require
from ..metrics.boxes import iou
from ..metrics.dense import DenseScores, counting_error, dense_scores, surest, with_area
from ..runtime.dense import DensePredictor, softened
from ..types import Boxes
from . import progress

EDGE = 0.02  # a score as near as this to the threshold may fall on either side
SURE = 0.3  # score from which a box is counted as a thing


@dataclass(frozen=True)
class DenseEvaluation:
    """What came out, and how. The lists have one entry a scored picture."""

    dataset: str
    model: str
    scores: DenseScores
    counted: Mapping[str, list[int]]  # by what -> how many things there are
    records: tuple[data.Record, ...]
    truth: tuple[Boxes, ...]
    found: tuple[Boxes, ...]
    sure: float  # the score at which found and labelled boxes agree best
    seconds: float
    card: Card
    notes: tuple[str, ...] = ()
    out: Path | None = None  # the folder of the report, where one was asked for
    task: str = "dense"

    @property
    def metrics(self) -> dict[str, float | None]:
        """Every score by its name: fractions, None where there is none."""
        return self.scores.metrics()

    @property
    def counting(self) -> dict[str, Mapping[str, float]]:
        """By what was counted -> how far it is off."""
        return {
            by: counting_error(numbers, [len(t) for t in self.truth]) for by, numbers in self.counted.items()
        }

    def __str__(self) -> str:
        said = ", ".join(f"{n} {'-' if v is None else format(v, '.3f')}" for n, v in self.metrics.items())
        counted = "; ".join(f"counting by {by}: off by {e['MAE']:.1f}" for by, e in self.counting.items())
        s = self.scores
        return (
            f"{self.dataset}: {said}; {counted}; {s.pictures} pictures, {s.boxes} boxes, {self.seconds:.1f} s"
        )

    @property
    def tables(self) -> dict[str, list[list[str]]]:
        """Heading -> rows, the head first."""
        named = self.metrics
        head = ["counted by", "off by, mean", "root of mean square", "bias", "share of all"]
        rows = [
            [by, f"{e['MAE']:.1f}", f"{e['RMSE']:.1f}", f"{e['bias']:+.1f}", f"{e['share']:.3f}"]
            for by, e in self.counting.items()
        ]
        numbers = ["-" if v is None else f"{v:.3f}" for v in named.values()]
        return {
            "Boxes": [["data", *named], [Path(self.dataset).name, *numbers]],
            "Counting": [head, *rows],
        }

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
        out: a folder for the page, the tables and the answers (see dense_page).
        skip_bad: pictures that cannot be read are passed over, and said.

    Raises:
        DataError: a picture cannot be read. UserError: nothing to score, or faster-coco-eval is missing.
    """
    require("faster_coco_eval", to="score boxes")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)  # now, not after all the work
    records, truth, found, crowds = [], [], [], []
    notes = list(dataset.info.get("left_out", ()))
    peaks, milliseconds, full, beyond = [], 0.0, 0, 0
    for record in progress.track(dataset, total=len(dataset), label="evaluating"):
        try:
            sample = data.sample(record)
        except DataError as error:
            if not skip_bad:
                raise
            notes.append(str(error))
            continue
        seen = predictor.look(sample)
        milliseconds, full = milliseconds + seen.latency.network, full + seen.full
        beyond += seen.beyond > 0
        records.append(record)
        truth.append(Boxes(sample.poses.boxes))
        crowds.append(np.array([corners_of(region) for region in record.crowd]).reshape(-1, 4))
        found.append(seen.boxes)
        if seen.map is not None:
            peaks.append(peaks_of(seen.map))
    if not any(with_area(labels.boxes).any() for labels in truth):
        raise UserError(f"{names[0]}: there is nothing to score: no box in {len(truth)} pictures")
    scores = dense_scores(found, truth, crowds)
    truth = [labels[with_area(labels.boxes)] for labels in truth]
    if scores.arealess:
        notes.append(f"{scores.arealess} labels have no box with an area: they ask for nothing")
    if any(map(len, crowds)):
        notes.append(f"{sum(map(len, crowds))} crowds: what is found in them is neither right nor wrong")
    if full:
        kept = predictor.card.decoding.kept
        notes.append(f"{full} pictures gave {kept} boxes, as many as the model keeps: there may be more")
    if beyond:
        most = predictor.card.decoding.candidates
        notes.append(f"in {beyond} pictures only the {most} surest candidates competed: there may be more")
    for line in notes:
        progress.note(line)
    counted = {f"boxes above {SURE}": [int((f.scores > SURE).sum()) for f in found]}
    if peaks:
        counted["peaks of the map"] = peaks
    made = DenseEvaluation(
        *names, scores, counted, tuple(records), tuple(truth), tuple(found),
        surest(found, truth), milliseconds / 1e3, predictor.card, tuple(notes), out,
    )  # fmt: skip
    if out is not None:
        from . import dense_page

        dense_page.write(made, out)
    return made


def peaks_of(map: np.ndarray, threshold: float = SURE) -> int:
    """How many things a map (h, w) shows: cells above the threshold that no neighbour surpasses, after a
    3 x 3 mean; of equal neighbours one.
    """
    import cv2

    smooth = cv2.blur(map, (3, 3))
    top = (smooth >= cv2.dilate(smooth, np.ones((3, 3), np.uint8))) & (smooth > threshold)
    return int(cv2.connectedComponents(top.astype(np.uint8))[0] - 1)


def settled(answer: Mapping[str, np.ndarray], card: Card) -> Mapping[str, np.ndarray]:
    """A file's answer of one picture, after Soft-NMS where its card wants that."""
    if not card.decoding.soft:
        return answer
    found = softened(answer["boxes"].astype(float), answer["scores"], card.decoding)[: card.decoding.kept]
    return {"boxes": found.boxes, "scores": found.scores}


def moves(before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray], threshold: float) -> np.ndarray:
    """(M, 1) how far the boxes of one file's answer moved to another's, network pixels: of their sides the
    farthest. Boxes are taken for each other that overlap most; a lone one has moved infinitely far, unless
    its score is within EDGE of the threshold.
    """
    if not len(before["boxes"]) or not len(after["boxes"]):
        lone = np.concatenate([before["scores"], after["scores"]])
        return np.where(lone[:, None] > threshold + EDGE, np.inf, 0.0)
    rows = []
    for one, other in ((before, after), (after, before)):
        nearest = iou(one["boxes"].astype(float), other["boxes"].astype(float)).argmax(1)
        away = np.abs(one["boxes"] - other["boxes"][nearest]).max(1)
        apart = iou(one["boxes"].astype(float), other["boxes"].astype(float)).max(1) < 0.5
        lost = np.where(one["scores"] > threshold + EDGE, np.inf, 0.0)
        rows.append(np.where(apart, lost, away))
    return np.concatenate(rows)[:, None]


def change_of(
    answers: Sequence[tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]], truth: Sequence[np.ndarray]
) -> float:
    """AP50 of the second file's answers less that of the first one's, in points of 100.

    Args:
        answers: (first, second) of each picture. truth: (N, 4) labels of each, network pixels.
    """
    labels = [Boxes(boxes) for boxes in truth]
    scores = [
        dense_scores([Boxes(pair[which]["boxes"], pair[which]["scores"]) for pair in answers], labels).ap50
        for which in (0, 1)
    ]
    return 100 * (scores[1] - scores[0])
