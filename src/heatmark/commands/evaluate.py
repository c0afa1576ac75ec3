"""`heatmark evaluate MODEL DATASET`: how well a model finds labelled landmarks, in numbers and on a page.

Runs without torch on an ONNX model. Landmarks are compared by name, so the dataset may have more of
them, fewer, or another order than the model. Tasks are told apart by the model's card: a model of people in
their boxes, or of everybody at once, is scored by OKS AP too (`topdown`), and with MPII's landmarks by PCKh.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from .. import data, reports
from ..card import Card
from ..data import formats
from ..errors import UserError, unknown
from ..metrics.oks import AveragePrecision
from ..metrics.pck import ALPHAS, PCK, Policy, pck
from ..metrics.pckh import PCKh
from ..metrics.posetrack import PoseTrackAP
from ..runtime import Detector
from ..runtime.dense import DensePredictor
from ..runtime.detector import SecondLook
from ..types import ABSENT, HIDDEN, SEEN, Poses, Skeleton
from . import crowd, dense, progress, topdown
from .dense import DenseEvaluation
from .looks import looks
from .seen import predicted

BEST = "best.safetensors"  # a run's model


@dataclass(frozen=True)
class Evaluation:
    """What came out, and everything the report shows of it. The lists have one entry a scored picture."""

    task: str
    dataset: str
    model: str
    result: PCK
    counts: Mapping[str, int]
    card: Card
    records: tuple[data.Record, ...]
    truth: tuple[Poses, ...]  # over the landmarks that model and dataset share
    found: tuple[Poses, ...]  # instance n answers instance n of the truth; NaN where there was no answer
    notes: tuple[str, ...] = ()  # what was left out and why, in sentences
    settings: Mapping[str, Any] | None = None
    out: Path | None = None  # the folder of the report, where one was asked for
    answers: tuple[Poses, ...] = ()  # top_down: everything found, rescored and thinned out, in any number
    oks: AveragePrecision | None = None  # top_down: of the answers
    pckh: PCKh | None = None  # top_down, with MPII's landmarks
    posetrack: PoseTrackAP | None = None  # crowd, in frames of PoseTrack

    @property
    def metrics(self) -> dict[str, float | None]:
        """Every number by its name: fractions, pixels where the name says so, None where there is none."""
        people = (one.metrics() for one in (self.oks, self.pckh, self.posetrack) if one is not None)
        return {name: value for one in people for name, value in one.items()} | self.result.metrics()

    @property
    def tables(self) -> dict[str, list[list[str]]]:
        """What the report shows of the numbers: heading -> rows, the head first."""
        found = {} if self.oks is None else reports.people_tables(self.oks, self.pckh, self.posetrack)
        return found | {"Every landmark": reports.rows(self.result)}

    @property
    def per_landmark(self) -> dict[str, dict[str, float | None]]:
        each = self.result.to_dict()["per_landmark"]
        if self.oks is None:
            return each
        return {name: self.oks.to_dict()["per_landmark"][name] | numbers for name, numbers in each.items()}

    def where(self, n: int) -> tuple[int, int]:
        """The picture and the instance in it of instance n of all."""
        starts = np.cumsum([0, *map(len, self.truth)])
        picture = int(np.searchsorted(starts, n, side="right")) - 1
        return picture, n - int(starts[picture])

    def predictions(self) -> list[dict[str, Any]]:
        """COCO keypoint results: everything found; of a single object the answer to each labelled one."""
        return topdown.results(self.answers or self.found, self.records)

    def to_dict(self) -> dict[str, Any]:
        """The `--json` form."""
        return {
            "task": self.task,
            "dataset": self.dataset,
            "model": self.model,
            "metrics": self.metrics,
            "per_landmark": self.per_landmark,
            "counts": dict(self.counts),
        }


def evaluate(
    model: "str | Path | Detector",
    dataset: str | Path | data.Dataset,
    *,
    boxes: str | Path = "truth",
    second_look: SecondLook = False,
    engine: str = "auto",
    out: str | Path | None = None,
    alphas: Sequence[float] = ALPHAS,
    hidden: Policy = "count",
    category: str | None = None,
    skip_bad: bool = False,
    threads: int | None = None,
    flip: bool | None = None,
    nms: topdown.Suppression = "hard",
    scales: Sequence[float] | None = None,
    protocol: str | None = None,
) -> "Evaluation | DenseEvaluation":
    """Score a model on labelled pictures.

    Args:
        model: a model file, a run's folder, the name of a shipped one, or a loaded predictor.
        dataset: a folder or annotation file in any format we read, or an opened one.
        boxes: where to look. "truth": in each labelled instance's box, enlarged as the model's card says (a
            quarter). "whole": in the whole picture; only pictures with exactly one instance and nothing
            unlabelled beside it are scored. A path: in the boxes of a COCO annotation or result file; each
            labelled instance gets the box that overlaps it best (IoU of 0.3 or more), else it is missed.
            "detector", or "detector:FILE" with its weights: in the boxes of torchvision's person detector. A
            model of everybody at once looks at whole pictures, whatever is said here.
        second_look: look again until an answer can be believed (`runtime.second_look`).
        out: a folder for report.html, metrics.json, table.md, table.csv and predictions.json.
        alphas: the thresholds of the curve, fractions of the box's longer side.
        hidden: what to do with hidden landmarks: "count", "ignore" or "separate".
        category: which category, where the dataset has several; the model's own when None.
        skip_bad: leave out pictures that cannot be read, and say how many; else they are an error.
        threads: how many the engine uses.
        flip: the flip test; None: as the model's card says.
        nms: people only: of answers of the same person the best stays ("hard"), the others lose score
            ("soft"), or all stay ("none").
        scales, protocol: everybody at once: look at several scales, as in (2, 1, 0.5), and fit pictures and
            make persons as a published program does ("higherhrnet", "pose_ae"; see `runtime.views`).

    Raises:
        UserError: no such model, dataset or category, no landmark in common, or nothing to score.
        DataError: a damaged model, dataset or picture; every unreadable picture is named.
    """
    pck([], [], alphas=tuple(alphas), hidden=hidden)  # which judges its arguments before all the work
    if nms not in (known := get_args(topdown.Suppression)):
        raise unknown("suppression", nms, known)
    predictor = _predictor(model, engine, threads, flip, scales, protocol)
    if isinstance(predictor, DensePredictor):
        opened_ = opened(dataset, category, predictor.card)
        names = _name(dataset), _name(model)
        return dense.evaluated(predictor, opened_, names, None if out is None else Path(out), skip_bad)
    whole, crowds = opened(dataset, category, predictor.card), predictor.card.task == "crowd"
    people = crowds or predictor.card.task == "top_down"
    if crowds:
        boxes, nms = "everybody", "none"
    skeleton, notes = in_common(predictor.card.skeleton_of(), whole.skeleton)
    records, more = _scored(whole.records, str(boxes), every=people and str(boxes) != "truth")
    if out is not None:
        Path(out).mkdir(parents=True, exist_ok=True)  # now, not after all the work
    where, remarks = looks("whole" if crowds else str(boxes), records, predictor.card)
    start = time.perf_counter()
    seen = predicted(predictor, records, skeleton, where, str(boxes), second_look, skip_bad, nms)
    seconds = time.perf_counter() - start
    if not seen.records or not any(map(len, seen.truth)):
        raise UserError(
            f"{_name(dataset)}: there is nothing to score" + "".join(f"; {n}" for n in notes + more)
        )
    result = pck(seen.found, seen.truth, alphas=tuple(alphas), hidden=hidden)
    scores: dict[str, Any] = {}
    if people:
        scores["answers"] = tuple(seen.answers)
        scores["oks"] = topdown.oks_of(seen.answers, seen.truth, seen.records)
        scores["pckh"], headless = topdown.pckh_of(seen.found, seen.truth, seen.records)
        remarks += headless
        scores["posetrack"] = crowd.posetrack_of(seen.answers, seen.truth, seen.records) if crowds else None
    notes += more + remarks + seen.bad + _remarks(result, seen.records)
    for text in notes:
        progress.note(text)
    again = {False: "no", "live": "live", True: "yes"}[second_look]
    settings = {"boxes": str(boxes), "second look": again}
    settings |= {"hidden landmarks": hidden, "flip test": "yes" if predictor.card.decoding.flip else "no"}
    if scales is not None or protocol is not None:
        settings |= {"scales": list(scales or (1.0,)), "protocol": protocol or "heatmark"}
    evaluation = Evaluation(
        predictor.card.task, _name(dataset), _name(model), result,
        _counts(seen.records, seen.truth, result, len(seen.bad)),
        predictor.card, tuple(seen.records), tuple(seen.truth), tuple(seen.found), tuple(notes),
        settings | ({"OKS-NMS": nms} if people else {}) | {"seconds": seconds},
        Path(out) if out is not None else None, **scores,
    )  # fmt: skip
    if out is not None:
        from . import scoresheet

        scoresheet.write(evaluation, Path(out))
    return evaluation


def in_common(model: Skeleton, dataset: Skeleton) -> tuple[Skeleton, list[str]]:
    """The landmarks that both know, in the dataset's order, and a sentence on each side's others.

    Bones, mirror pairs, groups, parts and tolerances are the dataset's; the model's where it has none.
    Raises UserError where no name is in common.
    """
    names = tuple(n for n in dataset.landmarks if n in model.landmarks)
    if not names:
        raise UserError(
            f"model and dataset share no landmark: the dataset lacks {', '.join(model.landmarks)};"
            f" it has {', '.join(dataset.landmarks)}"
        )
    fields: dict[str, Any] = {}
    for name in ("bones", "mirror", "interchangeable"):
        groups = getattr(dataset, name) or getattr(model, name)
        groups = [tuple(n for n in g if n in names) for g in groups]
        fields[name] = tuple(g for g in groups if len(g) >= 2)
    fields["sigmas"] = {n: s for n, s in (dataset.sigmas or model.sigmas).items() if n in names}
    parts = {part: [n for n in of if n in names] for part, of in (dataset.parts or model.parts).items()}
    fields["parts"] = {part: of for part, of in parts.items() if of}
    notes = []
    if unknown := [n for n in dataset.landmarks if n not in names]:
        notes.append(f"not scored, because the model does not know them: {', '.join(unknown)}")
    if missing := [n for n in model.landmarks if n not in names]:
        notes.append(f"not scored, because the dataset has no labels of them: {', '.join(missing)}")
    return Skeleton(dataset.name, names, **fields), notes


def _predictor(
    model: "str | Path | Detector",
    engine: str,
    threads: int | None,
    flip: bool | None,
    scales: Sequence[float] | None = None,
    protocol: str | None = None,
) -> Detector:
    if isinstance(model, (str, Path)):
        from ..runtime import load

        if (Path(model) / BEST).is_file():  # a run's folder
            model = Path(model) / BEST
        return load(model, engine, threads, flip, scales, protocol)
    return model


def opened(dataset: str | Path | data.Dataset, category: str | None, card: Card) -> data.Dataset:
    """A dataset, of several categories the model's own."""
    if isinstance(dataset, data.Dataset):
        return dataset
    form = formats.guess(dataset)
    try:
        return formats.read(dataset, form, category)
    except UserError as error:
        if category is not None:
            raise
        try:  # of several categories, the model's own
            return formats.read(dataset, form, card.skeleton_of().name)
        except UserError:
            raise error from None


def _scored(
    records: Sequence[data.Record], boxes: str, every: bool = False
) -> tuple[list[data.Record], list[str]]:
    """The records to score, and a sentence on the others.

    With `every` those without an instance too: what is found in them is wrong.
    """
    if every and boxes != "whole":
        return list(records), []
    labelled = [r for r in records if len(r.poses)]
    notes = [f"{n} pictures have no instance" for n in [len(records) - len(labelled)] if n]
    if boxes != "whole":
        return labelled, notes
    alone = [r for r in labelled if len(r.poses) == 1 and r.extra.get("all_annotated", True) and not r.crowd]
    if left := len(labelled) - len(alone):
        notes.append(f"{left} pictures hold more than one instance, so they cannot be scored as a whole")
    return alone, notes


def _counts(records: Sequence[data.Record], truth: Sequence[Poses], result: PCK, bad: int) -> dict[str, int]:
    states = Counter(int(v) for poses in truth for v in poses.visibility.flat)
    return {
        "pictures": len(records),
        "instances": sum(map(len, truth)),
        "landmarks": result.counted + (result.hidden.counted if result.hidden else 0),
        "seen": states[SEEN],
        "hidden": states[HIDDEN],
        "absent": states[ABSENT],
        "nonfinite": result.nonfinite + (result.hidden.nonfinite if result.hidden else 0),
        "without_box": len(result.boxless),
        "unreadable": bad,
    }


def _remarks(result: PCK, records: Sequence[data.Record]) -> list[str]:
    """What the scorer left out or counted as a miss, in sentences."""
    notes = []
    if result.nonfinite:
        notes.append(
            f"{result.nonfinite} landmarks were not found at all, or not finite, and count as misses"
        )
    for what, which in (
        ("have no box with an area", result.boxless),
        ("are labelled but no points", result.unlabelled),
    ):
        if which:
            named = ", ".join(" ".join([records[w[0]].name, *map(str, w[2:])]) for w in which[:5])
            more = f" and {len(which) - 5} more" if len(which) > 5 else ""
            notes.append(f"not scored, because they {what}: {named}{more}")
    return notes


def _name(thing: object) -> str:
    if isinstance(thing, data.Dataset):
        return str(thing.folder)
    return (
        str(thing)
        if isinstance(thing, (str, Path))
        else str(getattr(getattr(thing, "card", None), "name", thing))
    )
