"""The gate of an export: the new file beside the model it was made of, on real pictures.

All distances are in network pixels, the unit in which the network answers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .. import zoo
from ..card import Card
from ..data import open_dataset
from ..data.records import read_bytes
from ..errors import DataError, GateError, UserError
from ..geometry import Frame
from ..imaging import decode
from ..metrics.pck import apart, matching, pck
from ..runtime.dense import whole
from ..runtime.engines import Engine
from ..runtime.sources import pictures_in
from ..runtime.windows import network_input, shown_part
from ..types import Poses
from . import crowd, dense
from .progress import track

MOST = 200  # views the gate looks at; of more, evenly spread ones
BATCH = 8


@dataclass(frozen=True)
class View:
    """One picture, or one labelled object of it, as the network sees it."""

    name: str
    pixels: np.ndarray  # (3, H, W) float32 in [0, 1]
    frame: Frame
    truth: Poses | None = None  # one instance, or of a whole picture all of them; picture pixels


@dataclass(frozen=True)
class Compared:
    """How far a new file is from the model it was made of."""

    shifts: np.ndarray  # (M, K) network px, for M views
    worst: str  # which landmark in which picture moved farthest
    change: float | None  # of the metric: the file's minus the model's, points of 100; None without labels
    metric: str = "PCK@0.1"
    things: str = "landmarks"

    @property
    def shift(self) -> float:
        """The farthest any landmark moved."""
        return float(self.shifts.max(initial=0.0))


def check(name: str, compared: Compared, gate_px: float, gate_pck: float) -> None:
    """Raise a GateError if either is more than allowed, or not a number."""
    if not compared.shift <= gate_px:
        lost = not np.isfinite(compared.shift)
        far = "is found by one and not by the other" if lost else f"moves {compared.shift:.2f} network px"
        many = int((~(compared.shifts <= gate_px)).sum())
        moved = f"{many} of {compared.shifts.size} {compared.things} move more"
        raise GateError(
            f"{name} not written: {compared.worst} {far}; the gate allows {gate_px:g} px, {moved}"
        )
    change = compared.change
    if change is not None and not abs(change) <= gate_pck:
        raise GateError(
            f"{name} not written: {compared.metric} changes by {change:+.2f} points,"
            f" the gate allows {gate_pck:g}"
        )
    if change is None and np.isinf(gate_px):
        raise UserError(
            "without labels nothing but gate_px judges a file: give a number, or labelled pictures"
        )


def compared(reference: Engine, candidate: Engine, views: list[View], card: Card) -> Compared:
    """The candidate's answers beside the reference's, by what the model finds."""
    alike = {"crowd": _persons, "dense": _boxes}.get(card.task, _landmarks)
    return alike(reference, candidate, views, card)


def shown(pictures: str | Path | None, card: Card) -> list[View]:
    """What the gate looks at, at most MOST: labelled boxes of a dataset, or whole pictures."""
    if pictures is None:
        kind = card.skeleton_of().name
        return [_whole(path, card) for path in zoo.photographs(kind if kind in zoo.DETECTORS else None)]
    path = Path(pictures)
    if path.suffix == ".json" or (path / "annotations.json").is_file():
        if card.task not in ("crowd", "dense"):
            return _labelled(path, card)
        records = _spread(list(open_dataset(path)))
        if not records:
            raise DataError(f"{path}: no picture in this dataset")
        return [replace(_whole(record.path, card), truth=record.poses) for record in records]
    if path.is_file():
        return [_whole(path, card)]
    if not path.is_dir():
        raise UserError(f"{path}: no such dataset, folder or picture")
    found = _spread(pictures_in(path))
    if not found:
        raise DataError(f"{path}: neither annotations.json nor a picture in this folder")
    return [_whole(picture, card) for picture in found]


def _whole(path: Path, card: Card) -> View:
    picture = decode(read_bytes(path), str(path))
    size = (picture.shape[0], picture.shape[1])
    frame = whole(size, card) if card.task == "dense" else Frame.whole(size, card.size)
    return View(path.name, network_input(picture, frame), frame)


def _labelled(path: Path, card: Card) -> list[View]:
    dataset, wanted = open_dataset(path), card.skeleton_of().landmarks
    if dataset.skeleton.landmarks != wanted:
        came = ", ".join(dataset.skeleton.landmarks)
        raise UserError(f"{path}: labels {came}; the model finds {', '.join(wanted)}")
    with_box = [
        (record, n)
        for record in dataset
        for n in range(len(record.poses))
        if np.isfinite(record.poses.boxes[n]).all()
        and (record.poses.boxes[n][2:] > record.poses.boxes[n][:2]).all()
    ]
    if not with_box:
        raise DataError(f"{path}: no labelled object has a box")
    views = []
    for record, n in _spread(with_box):
        frame = Frame.around(record.poses.boxes[n], card.size, enlarge=card.enlarge)
        picture = decode(read_bytes(record.path), str(record.path))
        part = shown_part(record.poses.boxes[n], card)
        views.append(View(record.name, network_input(picture, frame, part), frame, record.poses[n]))
    return views


def _spread(items: list) -> list:
    """At most MOST of them, evenly spread."""
    return [items[round(i)] for i in np.linspace(0, len(items) - 1, min(len(items), MOST))]


def _persons(reference: Engine, candidate: Engine, views: list[View], card: Card) -> Compared:
    """The persons that both find, beside each other; one whom only one finds has moved infinitely far."""
    before, after = (list(_answers(e, views, n)) for e, n in ((reference, "model"), (candidate, "new file")))
    away, pictures = crowd.shifts(before, after, card)
    said = crowd.worst(away, pictures, [view.name for view in views], card.skeleton_of())
    return Compared(away, said, None)


def _boxes(reference: Engine, candidate: Engine, views: list[View], card: Card) -> Compared:
    """The boxes of both beside each other (see dense.moves), and against the labels where all have some."""
    rows, answers = [], []
    for view in track(views, len(views), "comparing", "pictures"):
        before, after = (dense.settled(run(view.pixels[None]), card) for run in (reference, candidate))
        rows.append(dense.moves(before, after, card.decoding.threshold))
        answers.append((before, after))
    away = np.concatenate([np.zeros((0, 1)), *rows])
    names = np.repeat([view.name for view in views], [len(row) for row in rows])
    worst = f"a box in {names[int(away.argmax())]}" if len(away) else "no box in any picture"
    labelled = [(v.frame, v.truth.boxes.reshape(-1, 2, 2)) for v in views if v.truth is not None]
    truth = [frame.into(corners).reshape(-1, 4) for frame, corners in labelled]
    change = dense.change_of(answers, truth) if len(truth) == len(views) else np.nan
    return Compared(away, worst, _known(change), "AP50", "boxes")


def _landmarks(reference: Engine, candidate: Engine, views: list[View], card: Card) -> Compared:
    """The landmarks of both beside each other; what only one of them finds has moved infinitely far."""
    skeleton = card.skeleton_of()
    before, after = _points(reference, views, "model"), _points(candidate, views, "new file")  # (M, K, 2)
    order = matching(after, before, skeleton.groups)
    shifts = apart(np.take_along_axis(after, order[..., None], 1), before)  # (M, K)
    unfound = [~np.isfinite(p).all(-1) for p in (before, np.take_along_axis(after, order[..., None], 1))]
    shifts = np.where(unfound[0] & unfound[1], 0.0, shifts)
    m, k = np.unravel_index(shifts.argmax(), shifts.shape)
    worst = f"{skeleton.landmarks[k]} in {views[m].name}"
    labelled = [(i, v, v.truth) for i, v in enumerate(views) if v.truth is not None]
    if not labelled:
        return Compared(shifts, worst, None)
    truth = [Poses(skeleton, t.points, visibility=t.visibility, boxes=t.boxes) for _, _, t in labelled]
    at = [
        pck([Poses(skeleton, v.frame.back(points[i])[None]) for i, v, _ in labelled], truth).at(0.1)
        for points in (before, after)
    ]
    return Compared(shifts, worst, _known(100 * (at[1] - at[0])))


def _known(change: float) -> float | None:
    """A score's change; None where the labels ask for nothing."""
    return None if np.isnan(change) else change


def _points(engine: Engine, views: list[View], label: str) -> np.ndarray:
    """(M, K, 2) network pixels."""
    return np.concatenate([answer["points"] for answer in _answers(engine, views, label)]).astype(np.float64)


def _answers(engine: Engine, views: list[View], label: str) -> Iterator[dict[str, np.ndarray]]:
    """What an engine says of the views, BATCH at a time."""
    starts = range(0, len(views), BATCH)
    batches = (np.stack([v.pixels for v in views[at : at + BATCH]]) for at in starts)
    yield from track(map(engine, batches), len(starts), f"comparing: {label}", "batches")
