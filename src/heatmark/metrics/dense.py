"""Scores of dense detection, as SKU-110K's own evaluation defines them: AP and AR over 300 boxes a picture.

COCO's box AP with one class, all areas and maxDets 300: AP and AR300 average over the overlaps 0.5 to 0.95,
AP50, AP75 and AR300@0.5 are those of one overlap. They are computed by faster-coco-eval; AP is read from its
precision, since its headline takes 100 boxes; ids count from 1, since an id of 0 is taken for no match.

What counts: a predicted box that is not finite, or has no area, is a false answer, and reported; a score that
is not finite comes last. A labelled box without an area asks for nothing, and is reported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import require
from ..types import Boxes
from .boxes import iou

MOST = 300  # boxes a picture that count
NOWHERE = (-1e6, -1e6, 1.0, 1.0)  # x y w h of a box that overlaps none
OVERLAPS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
LARGEST = 1e10  # square pixels, up to which boxes count
RECALLS = 101  # 0, 0.01 ... 1: where precision is read


@dataclass(frozen=True)
class DenseScores:
    """SKU-110K's five numbers, fractions; NaN where there is nothing to find. And what was counted."""

    ap: float
    ap50: float
    ap75: float
    ar300: float
    ar300_50: float
    pictures: int
    boxes: int  # labelled, with an area
    predicted: int
    nonfinite: int  # predicted boxes that are not finite or have no area
    arealess: int  # labelled boxes that were left out
    beyond: int  # predicted boxes that did not count, as their picture has MOST surer ones
    precision: np.ndarray = field(repr=False, compare=False)  # (OVERLAPS, RECALLS): what AP is the mean of

    def metrics(self) -> dict[str, float | None]:
        """Every number by its name; None where there is none (JSON knows no NaN)."""
        named = {
            "AP": self.ap, "AP50": self.ap50, "AP75": self.ap75, "AR300": self.ar300,
            "AR300@0.5": self.ar300_50,
        }  # fmt: skip
        return {name: float(v) if np.isfinite(v) else None for name, v in named.items()}

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        counts = ("pictures", "boxes", "predicted", "nonfinite", "arealess", "beyond")
        return {"metrics": self.metrics(), "counts": {name: getattr(self, name) for name in counts}}


def dense_scores(
    predicted: Sequence[Boxes], truth: Sequence[Boxes], crowds: Sequence[np.ndarray] | None = None
) -> DenseScores:
    """SKU-110K's numbers of predictions against labels; classes are not looked at.

    Args:
        predicted: one Boxes a picture, with their scores; the best 300 count.
        truth: one Boxes a picture.
        crowds: (N, 4) of each picture, where things are too many to be labelled one by one: an answer that
            lies in one, by the overlap that is asked for, is neither right nor wrong.

    Raises:
        UserError: faster-coco-eval is not installed. ValueError: lists of different lengths.
    """
    require("faster_coco_eval", to="score boxes")
    crowds = [np.empty((0, 4))] * len(truth) if crowds is None else crowds
    if not len(predicted) == len(truth) == len(crowds):
        raise ValueError(f"{len(predicted)} predictions, {len(crowds)} crowds for {len(truth)} pictures")
    whole = [with_area(t.boxes) for t in truth]
    good = [with_area(p.boxes) for p in predicted]
    counts = {
        "pictures": len(truth),
        "boxes": sum(int(w.sum()) for w in whole),
        "predicted": sum(len(p) for p in predicted),
        "nonfinite": sum(int((~g).sum()) for g in good),
        "arealess": sum(int((~w).sum()) for w in whole),
        "beyond": sum(max(len(p) - MOST, 0) for p in predicted),
    }
    asked = [_rows(t.boxes[w], np.ones(w.sum())) for t, w in zip(truth, whole)]
    for rows, boxes in zip(asked, crowds):
        rows += [row | {"iscrowd": 1} for row in _rows(boxes[with_area(boxes)], np.ones(len(boxes)))]
    given = [_rows(*_best(p, g)) for p, g in zip(predicted, good)]
    precision, recall = np.full((len(OVERLAPS), RECALLS), np.nan), np.full(len(OVERLAPS), np.nan)
    if counts["boxes"]:
        precision, recall = _scored(asked, given)
    ap, (half, three_quarters) = precision.mean(1), (OVERLAPS.index(t) for t in (0.5, 0.75))
    numbers = [float(v) for v in (ap.mean(), ap[half], ap[three_quarters], recall.mean(), recall[half])]
    return DenseScores(*numbers, precision=precision, **counts)  # type: ignore[arg-type]


def with_area(boxes: np.ndarray) -> np.ndarray:
    """(N,) bool: finite, and with an area."""
    return np.isfinite(boxes).all(-1) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])


def _best(found: Boxes, good: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The MOST surest boxes and their scores, as the evaluation would cut them; NaN for the faulty ones."""
    scores = np.where(np.isfinite(found.scores), found.scores, -1e9)
    order = np.argsort(-scores, kind="stable")[:MOST]
    return np.where(good[order, None], found.boxes[order], np.nan), scores[order]


def _rows(boxes: np.ndarray, scores: np.ndarray) -> list[dict]:
    """COCO's annotations or results, without ids."""
    sides = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)
    sides = np.where(np.isfinite(sides), sides, NOWHERE)
    return [  # what is larger than all that counts would be excused
        {"bbox": box, "area": min(box[2] * box[3], LARGEST), "score": score, "iscrowd": 0, "category_id": 1}
        for box, score in zip(sides.tolist(), scores.tolist())
    ]


def _scored(asked: list[list[dict]], given: list[list[dict]]) -> tuple[np.ndarray, np.ndarray]:
    """Precision (OVERLAPS, RECALLS) and recall (OVERLAPS,)."""
    from faster_coco_eval import COCO, COCOeval_faster

    def indexed(pictures: list[list[dict]]) -> Any:
        flat = []
        for i, rows in enumerate(pictures, 1):
            for row in rows:
                row["image_id"], row["id"] = i, len(flat) + 1
                flat.append(row)
        images = [{"id": i + 1} for i in range(len(pictures))]
        return COCO({"images": images, "categories": [{"id": 1}], "annotations": flat})

    run = COCOeval_faster(indexed(asked), indexed(given), "bbox")
    run.params.maxDets = [MOST]
    run.params.areaRng, run.params.areaRngLbl = [[0.0, LARGEST]], ["all"]
    run.evaluate()
    run.accumulate()
    precision, recall = _only(run.eval["precision"], 5), _only(run.eval["recall"], 4)
    return precision.reshape(len(OVERLAPS), RECALLS), recall.reshape(len(OVERLAPS))


def _only(values: Any, axes: int) -> np.ndarray:
    """(T, ..., K, A, M) of one class, one area and one limit; -1, which stands for nothing, is 0 here: there
    is something to find."""
    values = np.asarray(values, np.float64)
    assert values.ndim == axes and values.shape[-3:] == (1, 1, 1)
    return np.maximum(values, 0.0)


def answered(predicted: Boxes, truth: Boxes, overlap: float = 0.5) -> np.ndarray:
    """Which label each predicted box stands for: (N,) int, an index into truth, or -1 for a false one.

    COCO's matching: the surest first, each takes the free label it overlaps most, if by `overlap` or more;
    the best 300 answer.
    """
    labels = np.full(len(predicted), -1)
    if not len(predicted) or not len(truth):
        return labels
    scores = np.where(np.isfinite(predicted.scores), predicted.scores, -np.inf)
    shared = np.nan_to_num(iou(predicted.boxes, truth.boxes))
    for n in np.argsort(-scores, kind="stable")[:MOST]:
        best = int(shared[n].argmax())
        if shared[n, best] >= overlap:
            labels[n] = best
            shared[:, best] = -1.0  # taken
    return labels


def found_at(predicted: Boxes, truth: Boxes, overlap: float = 0.5) -> np.ndarray:
    """Which labelled boxes are found: (M,) bool. For asking what is found where: by density, by how much
    neighbours overlap.
    """
    return np.isin(np.arange(len(truth)), answered(predicted, truth, overlap))


def surest(predicted: Sequence[Boxes], truth: Sequence[Boxes], overlap: float = 0.5) -> float:
    """The score from which on boxes agree best with the labels, by F1: 2 right / (found + labelled).

    >>> row = Boxes(np.array([[0.0, 0, 4, 4], [9, 0, 13, 4]]), np.array([0.8, 0.3]))
    >>> surest([row], [Boxes(np.array([[0.0, 0, 4, 4]]))])
    0.8
    """
    scores = np.concatenate([np.empty(0), *(p.scores for p in predicted)])
    right = np.concatenate([np.empty(0), *(answered(p, t, overlap) >= 0 for p, t in zip(predicted, truth))])
    if not right.any():
        return 1.0
    order = np.argsort(-scores, kind="stable")
    f1 = 2 * np.cumsum(right[order]) / (np.arange(1, len(order) + 1) + sum(map(len, truth)))
    return float(scores[order[f1.argmax()]])


def counting_error(found: Sequence[float], true: Sequence[float]) -> Mapping[str, float]:
    """How far the number of objects is off, over pictures: mean absolute error, root of the mean square, mean
    (above 0: too many are found), and the absolute error as a share of all that there are.

    >>> {k: round(v, 3) for k, v in counting_error([10, 24], [12, 20]).items()}
    {'MAE': 3.0, 'RMSE': 3.162, 'bias': 1.0, 'share': 0.188}
    """
    off = np.asarray(found, np.float64) - np.asarray(true, np.float64)
    if not len(off):
        return dict.fromkeys(("MAE", "RMSE", "bias", "share"), float("nan"))
    return {
        "MAE": float(np.abs(off).mean()),
        "RMSE": float(np.sqrt((off**2).mean())),
        "bias": float(off.mean()),
        "share": float(np.abs(off).sum() / max(np.sum(true), 1)),
    }
