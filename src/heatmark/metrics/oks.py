"""OKS, the similarity of two poses in [0, 1], and AP and AR over it as COCO defines them.

A landmark at distance d of the truth counts exp(-d^2 / (2 area (2 sigma)^2)), where sigma is the skeleton's
tolerance for it, and OKS is the mean over the labelled ones. AP and AR average over OKS thresholds from 0.5
to 0.95; they are computed by faster-coco-eval.

What counts: a predicted landmark that is not finite is a miss of that landmark, and reported. An instance
without a labelled landmark, or a crowd, neither asks for an answer nor blames one that lies in it. A score
that is not finite comes last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import require
from ..geometry import boxes_around
from ..types import ABSENT, Poses, Skeleton

FAR = 1e10  # pixels; where a landmark that was not found is taken to be
MOST = 20  # answers a picture that count, COCO's for landmarks
AREAS = {"all": (0.0, 1e10), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}  # square pixels


def oks(found: np.ndarray, true: np.ndarray, areas: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """Similarity of every prediction to every truth.

    Args:
        found: (N, K, 2). A point that is not finite counts 0.
        true: (M, K, 2), NaN where not labelled.
        areas: (M,) of the objects, square pixels.
        sigmas: (K,), Skeleton.tolerances.

    Returns:
        (N, M) in [0, 1]; NaN where nothing is labelled.

    >>> true = np.array([[[0.0, 0.0], [10.0, 0.0]]])
    >>> found = np.array([[[0.0, 0.0], [10.0, 2.0]]])  # the second is off by sqrt(area) * 2 sigma
    >>> oks(found, true, np.array([100.0]), np.array([0.1, 0.1])).round(4).tolist()  # (1 + exp(-1/2)) / 2
    [[0.8033]]
    """
    labelled = np.asarray(np.isfinite(true).all(-1))  # (M, K)
    there = np.asarray(np.isfinite(found).all(-1))  # (N, K)
    with np.errstate(invalid="ignore", over="ignore"):
        squares = ((found[:, None] - true[None]) ** 2).sum(-1)  # (N, M, K)
        exponents = squares / (2 * sigmas) ** 2 / (areas[:, None] + np.spacing(1)) / 2
    near = np.where(there[:, None] & labelled, np.exp(-np.nan_to_num(exponents)), 0.0)
    return near.sum(-1) / np.where(labelled.any(-1), labelled.sum(-1), np.nan)


@dataclass(frozen=True)
class AveragePrecision:
    """COCO's ten numbers for landmarks, fractions; NaN where there is nothing to find."""

    ap: float
    ap50: float
    ap75: float
    ap_medium: float
    ap_large: float
    ar: float
    ar50: float
    ar75: float
    ar_medium: float
    ar_large: float
    instances: int = 0  # with a labelled landmark
    nonfinite: int = 0  # predicted landmarks that were misses because they were not finite
    per_landmark: Mapping[str, float] = field(default_factory=dict)  # AP of each alone

    def metrics(self) -> dict[str, float | None]:
        """Every number by COCO's name; None where there is none (JSON knows no NaN)."""
        named = {
            "AP": self.ap, "AP50": self.ap50, "AP75": self.ap75, "APM": self.ap_medium, "APL": self.ap_large,
            "AR": self.ar, "AR50": self.ar50, "AR75": self.ar75, "ARM": self.ar_medium, "ARL": self.ar_large,
        }  # fmt: skip
        return {name: float(v) if np.isfinite(v) else None for name, v in named.items()}

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        each = {n: {"AP": float(v) if np.isfinite(v) else None} for n, v in self.per_landmark.items()}
        counts = {"instances": self.instances, "nonfinite": self.nonfinite}
        return {"metrics": self.metrics(), "per_landmark": each, "counts": counts}


def average_precision(
    predicted: Sequence[Poses],
    truth: Sequence[Poses],
    areas: Sequence[np.ndarray] | None = None,
    crowds: Sequence[Sequence[Mapping[str, Any]]] | None = None,
    per_landmark: bool = False,
    legacy: bool = False,
) -> AveragePrecision:
    """OKS AP and AR of predictions against labels.

    Args:
        predicted: one Poses a picture, any number of instances, with their scores; the best 20 count.
        truth: one Poses a picture, with visibility, and boxes.
        areas: (N,) of each picture's instances, square pixels (COCO: of the outline); None: of their boxes.
        crowds: each picture's crowds, with `bbox` [x, y, w, h] and `area`, as a COCO file has them.
        per_landmark: also score each landmark alone, over the instances in which it is labelled.
        legacy: score each landmark alone as the occlusion study's code did: where it is not labelled but
            others are, it is asked for all the same.

    Raises:
        UserError: faster-coco-eval is not installed. ValueError: lists or landmarks that do not line up.
    """
    require("faster_coco_eval", to="score by OKS")
    skeleton = _aligned(predicted, truth, areas, crowds)
    if skeleton is None or not any(_labelled(t).any() for t in truth):
        return AveragePrecision(*([np.nan] * 10), instances=0, nonfinite=0)
    sizes, packs = areas or [None] * len(truth), crowds or [()] * len(truth)
    asked = [_asked(*picture) for picture in zip(truth, sizes, packs)]
    given = [_given(poses) for poses in predicted]
    each = {}
    for k, name in enumerate(skeleton.landmarks if per_landmark else ()):
        alone = _others_zeroed if legacy else _alone
        sigmas = skeleton.tolerances if legacy else skeleton.tolerances[k : k + 1]
        truths, answers = ([[alone(a, k) for a in picture] for picture in all_] for all_ in (asked, given))
        each[name] = _scored(truths, answers, sigmas)[0]
    labelled = sum(int(_labelled(t).any(-1).sum()) for t in truth)
    nonfinite = sum(int((~np.isfinite(p.points).all(-1)).sum()) for p in predicted)
    numbers = _scored(asked, given, skeleton.tolerances)
    return AveragePrecision(*numbers, instances=labelled, nonfinite=nonfinite, per_landmark=each)


def _labelled(poses: Poses) -> np.ndarray:
    """(N, K) bool."""
    return np.asarray(np.isfinite(poses.points).all(-1) & (poses.visibility != ABSENT))


def _rows(poses: Poses, there: np.ndarray, otherwise: float) -> np.ndarray:
    """(N, K, 3) x y v as COCO counts, from the first pixel's middle; `otherwise` where not `there`."""
    at = np.clip(np.where(there[..., None], poses.points - 0.5, otherwise), -FAR, FAR)
    return np.concatenate([at, 2.0 * there[..., None]], -1)


def _asked(poses: Poses, areas: np.ndarray | None, crowds: Sequence[Mapping[str, Any]]) -> list[dict]:
    """The instances of a picture as COCO's annotations, without ids."""
    labelled = _labelled(poses)
    rows = _rows(poses, labelled, 0.0)
    boxes = np.where(np.isfinite(poses.boxes).all(-1, keepdims=True), poses.boxes, boxes_around(poses.points))
    boxes = np.nan_to_num(boxes)
    sides = boxes[:, 2:] - boxes[:, :2]
    sizes = sides.prod(-1) if areas is None else areas
    found = [
        {
            "keypoints": rows[n].reshape(-1).tolist(),
            "num_keypoints": int(labelled[n].sum()),
            "bbox": [*boxes[n, :2].tolist(), *sides[n].tolist()],
            "area": float(sizes[n]),
            "iscrowd": 0,
        }
        for n in range(len(poses))
    ]
    nothing = [0.0] * (3 * len(poses.skeleton))
    for crowd in crowds:
        box = [float(b) for b in crowd["bbox"]]
        area = box[2] * box[3] if crowd.get("area") is None else float(crowd["area"])
        facts = {"keypoints": nothing, "num_keypoints": 0, "bbox": box, "iscrowd": 1}
        found.append(facts | {"area": area})
    return found


def _given(poses: Poses) -> list[dict]:
    """The predictions of a picture as COCO's results, without ids."""
    rows = _rows(poses, np.asarray(np.isfinite(poses.points).all(-1)), FAR)
    # Of what was found only: COCO's own, over all, would be huge here, and so excuse a wrong answer.
    boxes = np.nan_to_num(boxes_around(poses.points))
    sides = boxes[:, 2:] - boxes[:, :2]
    scores = np.where(np.isfinite(poses.score), poses.score, -1e9)
    return [
        {
            "keypoints": rows[n].reshape(-1).tolist(),
            "bbox": [*boxes[n, :2].tolist(), *sides[n].tolist()],
            "area": min(float(sides[n].prod()), AREAS["all"][1]),  # a larger one would be excused, too
            "score": float(scores[n]),
        }
        for n in range(len(poses))
    ]


def _alone(annotation: dict, k: int) -> dict:
    """The same annotation or result of landmark k alone."""
    row = annotation["keypoints"][3 * k : 3 * k + 3]
    return annotation | {"keypoints": row, "num_keypoints": int(row[2] > 0)}


def _others_zeroed(annotation: dict, k: int) -> dict:
    """The same with all other landmarks set to 0, though still counted."""
    row = annotation["keypoints"]
    return annotation | {"keypoints": [v if i // 3 == k else 0.0 for i, v in enumerate(row)]}


def _scored(asked: list[list[dict]], given: list[list[dict]], sigmas: np.ndarray) -> list[float]:
    """COCO's ten numbers, NaN where there are none."""
    from faster_coco_eval import COCO, COCOeval_faster

    def indexed(pictures: list[list[dict]]) -> Any:
        flat = [a | {"image_id": i + 1} for i, picture in enumerate(pictures) for a in picture]
        ids = ({"id": n + 1, "category_id": 1} for n in range(len(flat)))  # an id of 0 is taken for no match
        annotations = [a | more for a, more in zip(flat, ids)]
        images = [{"id": i + 1} for i in range(len(pictures))]
        return COCO({"images": images, "categories": [{"id": 1}], "annotations": annotations})

    run = COCOeval_faster(indexed(asked), indexed(given), "keypoints", kpt_oks_sigmas=sigmas.tolist())
    run.params.kpt_oks_sigmas = np.asarray(sigmas)
    run.params.maxDets = [MOST]
    run.params.areaRng, run.params.areaRngLbl = [list(r) for r in AREAS.values()], list(AREAS)
    run.evaluate()
    run.accumulate()
    run.summarize()
    return [float(v) if v > -1 else np.nan for v in run.stats[:10]]


def _aligned(
    predicted: Sequence[Poses], truth: Sequence[Poses], areas: Sequence | None, crowds: Sequence | None
) -> Skeleton | None:
    for name, lists in (("predictions", predicted), ("areas", areas), ("crowds", crowds)):
        if lists is not None and len(lists) != len(truth):
            raise ValueError(
                f"{name} are wanted for every picture: got {len(lists)} for {len(truth)} pictures"
            )
    for i, (found, true) in enumerate(zip(predicted, truth)):
        if found.skeleton.landmarks != true.skeleton.landmarks or true.skeleton != truth[0].skeleton:
            wanted, came = (", ".join(poses.skeleton.landmarks) for poses in (truth[0], found))
            raise ValueError(
                f"picture {i}: landmarks must be the same everywhere, wanted {wanted}, got {came}"
            )
        if areas is not None and len(areas[i]) != len(true):
            raise ValueError(f"picture {i}: {len(areas[i])} areas for {len(true)} instances")
    return truth[0].skeleton if len(truth) else None


def oks_nms(
    points: np.ndarray,
    scores: np.ndarray,
    areas: np.ndarray,
    sigmas: np.ndarray,
    threshold: float = 0.9,
    soft: bool = False,
    most: int = MOST,
) -> tuple[np.ndarray, np.ndarray]:
    """Non-maximum suppression by OKS, as HRNet has it: of predictions of the same object the best only, or,
    `soft`, the others lose score.

    Args:
        points: (N, K, 2), all landmarks found.
        scores: (N,); areas: (N,) square pixels (of HRNet: of the enlarged boxes); sigmas: (K,).
        threshold: those more similar than this go; soft: scores are multiplied by exp(-oks^2 / threshold).
        most: how many soft keeps.

    Returns:
        Indices of those kept, the best first, and their scores.
    """
    left, scores = list(np.argsort(-scores, kind="stable")), np.array(scores, np.float64)
    kept: list[int] = []
    while left and (not soft or len(kept) < most):
        best = max(left, key=lambda n: scores[n]) if soft else left[0]
        left.remove(best)
        kept.append(best)
        alike = np.array([_alike(points, areas, sigmas, best, n) for n in left])
        if soft:
            scores[left] *= np.exp(-(alike**2) / threshold)
        else:
            left = [n for n, similarity in zip(left, alike) if similarity <= threshold]
    return np.array(kept, np.int64), scores[kept]


def _alike(points: np.ndarray, areas: np.ndarray, sigmas: np.ndarray, a: int, b: int) -> float:
    """OKS of two predictions over the mean of their areas."""
    area = (areas[a : a + 1] + areas[b : b + 1]) / 2
    return float(oks(points[b : b + 1], points[a : a + 1], area, sigmas)[0, 0])


def rescored(scores: np.ndarray, box_scores: np.ndarray, least: float = 0.2) -> np.ndarray:
    """An instance's score as HRNet gives it: its box's, times the mean of its landmarks' above `least`.

    >>> rescored(np.array([[0.9, 0.5, 0.1]]), np.array([0.5])).tolist()
    [0.35]
    >>> rescored(np.array([[0.1, 0.0, 0.1]]), np.array([0.5])).tolist()
    [0.0]
    """
    counts = scores > least  # (N, K)
    return np.where(counts, scores, 0.0).sum(-1) / np.maximum(counts.sum(-1), 1) * box_scores
