"""`heatmark detect`: pictures, a video or a camera in; points out, one JSON line a picture, and overlays."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, UserError
from ..runtime import Detector, Latency, Shot, boxed, load, overlay, people, shots
from ..runtime.dense import DensePredictor
from ..runtime.detector import SecondLook
from ..runtime.sources import Source
from ..skeletons import PRODUCT
from ..types import ABSENT, Poses
from . import person_detector
from .boxfile import Boxfile
from .overlays import Overlays, folder_for
from .progress import note


@dataclass(frozen=True)
class Detection:
    """What was found in one picture or frame."""

    source: str
    frame: int
    size: tuple[int, int]  # (H, W) of the picture
    model: str
    poses: Poses  # NaN where a point scored below the threshold
    latency: Latency

    def to_dict(self) -> dict[str, Any]:
        """The stable form for scripts: no NaN, null instead."""
        instances = [
            {
                "score": _number(self.poses.score[i]),
                "box": [_number(v) for v in box] if np.isfinite(box).all() else None,
                "points": self._points(i),
            }
            for i, box in enumerate(self.poses.boxes)
        ]
        return {
            "source": self.source,
            "frame": self.frame,
            "size": list(self.size),
            "model": self.model,
            "instances": instances,
            "latency_ms": self.latency.to_dict(),
        }

    def _points(self, i: int) -> dict[str, dict[str, float | int | None]]:
        return {
            name: {
                "x": _number(self.poses.points[i, k, 0]),
                "y": _number(self.poses.points[i, k, 1]),
                "score": _number(self.poses.scores[i, k]),
                "visibility": int(self.poses.visibility[i, k]),
            }
            for k, name in enumerate(self.poses.skeleton.landmarks)
        }

    def __str__(self) -> str:
        place = f"{self.source} frame {self.frame}" if self.frame else self.source
        # a model of boxes has no points, whatever its things are called
        boxes = len(self.poses) and self.poses.skeleton.landmarks == PRODUCT.landmarks
        words = (_words(self.poses, i) for i in range(len(self.poses)))
        found = f"{len(self.poses)} boxes" if boxes else "; ".join(words) or "nothing found"
        ms = self.latency
        return f"{place}: {found}  ({ms.decode:.1f} + {ms.network:.1f} + {ms.points:.1f} ms)"


def detect(
    source: Source | int,
    model: str | Path | Detector,
    *,
    boxes: str | Path | None = None,
    second_look: bool = False,
    engine: str = "auto",
    out: str | Path | None = None,
    limit: int | None = None,
    threshold: float = 0.0,
    tiles: bool = False,
) -> Iterator[Detection]:
    """Find the points in every picture of a source, one Detection at a time, as they come.

    Args:
        source: a picture or several, a folder, a video, a camera's number, "-" (standard input), or a
            picture's bytes.
        model: a shipped detector's name, a model file, or what load() gave.
        boxes: COCO annotations or results; look only inside these boxes, enlarged by the card's quarter, one
            instance each, in the file's order. A picture the file has no box for gives no instance.
            "detector", or "detector:FILE" with its weights: inside the boxes of torchvision's person
            detector.
        second_look: look again until an answer can be believed; closer only in frames of a video or camera.
        out: a folder for overlays: NAME.jpg for a picture, NAME.mp4 for a video or camera.
        limit: stop after so many pictures or frames.
        threshold: points that score less are left out (NaN, in JSON null); of a model of boxes: boxes.
        tiles: of a model of boxes: look at large pictures part by part, too.

    Raises:
        UserError, DataError: a model, source or box file that cannot be used. Of many pictures one that
            cannot be read is passed over; after the last one a DataError names those that were.
    """
    if isinstance(source, int):  # a camera's number
        source = str(source)
    if not isinstance(source, (str, Path, bytes, list, tuple)):
        wanted = "a path or several, a camera's number or a picture's bytes"
        raise UserError(f"wanted {wanted}, got {type(source).__name__}; what load() gives takes arrays")
    if not 0 <= threshold <= 1 or (limit is not None and limit < 1):
        raise UserError(f"wanted a threshold in [0, 1] and a limit >= 1, got {threshold} and {limit}")
    predictor = load(model, engine) if isinstance(model, (str, Path)) else model
    if tiles and not isinstance(predictor, DensePredictor):
        raise UserError(f"{predictor.name}: tiles are for models of boxes; this one finds points")
    given = None if boxes is None else _looks(str(boxes), source)
    faults: list[DataError] = []

    def report(error: DataError) -> None:
        faults.append(error)
        note(str(error), fault=True)

    incoming = shots(source, report)
    overlays = None if out is None else Overlays(folder_for(Path(out), source))
    look = _looking(predictor, given, second_look, tiles, threshold)
    return _detections(incoming, look, predictor, overlays, limit, faults)


Found = tuple[Poses, Callable[[], np.ndarray]]  # what is in a picture, and how it is drawn on it


def _looking(
    predictor: Detector,
    given: Callable[[Shot], np.ndarray] | None,
    second_look: bool,
    tiles: bool,
    threshold: float,
) -> Callable[[Shot], Found]:
    """How this predictor looks at a picture."""
    draw = people if predictor.card.task == "crowd" else overlay

    def points(shot: Shot) -> Found:
        again: SecondLook = "live" if second_look and shot.fps is not None else second_look
        poses = predictor(shot.picture, None if given is None else given(shot), again)
        poses = above(poses, threshold, predictor)
        return poses, partial(draw, shot.picture, poses)

    if not isinstance(predictor, DensePredictor) or given is not None or second_look:
        return points  # where a model of boxes says that it takes neither boxes nor a second look
    dense = predictor

    def boxes(shot: Shot) -> Found:
        found = dense.look(shot.picture, tiles)
        for line in found.limits(dense.card.decoding, threshold):
            note(f"{shot.name}: {line}")
        poses = above(dense.poses(found.boxes), threshold, dense)
        return poses, partial(boxed, shot.picture, poses, found.map)

    return boxes


def _detections(
    incoming: Iterator[Shot],
    look: Callable[[Shot], Found],
    predictor: Detector,
    overlays: Overlays | None,
    limit: int | None,
    faults: list[DataError],
) -> Iterator[Detection]:
    pictures = 0
    try:
        for shot in incoming:
            poses, draw = look(shot)
            latency = replace(predictor.latency, decode=shot.decode_ms)
            if overlays:
                overlays.add(shot, draw())
            size = (shot.picture.shape[0], shot.picture.shape[1])
            pictures += 1
            yield Detection(shot.name, shot.frame, size, predictor.name, poses, latency)
            if limit is not None and pictures >= limit:
                break
    finally:
        if overlays:
            overlays.close()
    if faults:
        many = f", and {len(faults) - 1} more" if faults[1:] else ""  # each has had its line already
        raise DataError(
            f"{len(faults)} of {pictures + len(faults)} pictures could not be read: {faults[0]}{many}"
        )


def _looks(boxes: str, source: Source) -> Callable[[Shot], np.ndarray]:
    """A picture -> the boxes (N, 4) to look into."""
    if person_detector.wanted(boxes):
        detector = person_detector.opened(boxes)
        return lambda shot: detector([shot.picture])[0].boxes
    file = Boxfile(Path(boxes), source)
    return lambda shot: file.of(shot.name)


def above(poses: Poses, threshold: float, predictor: Detector) -> Poses:
    """Without the points that score less (NaN, and absent); of a model of boxes, without the boxes."""
    if threshold <= 0:
        return poses
    if isinstance(predictor, DensePredictor):
        return poses[poses.score >= threshold]
    low = poses.scores < threshold
    points = np.where(low[..., None], np.nan, poses.points)
    return replace(poses, points=points, visibility=np.where(low, ABSENT, poses.visibility))


def _number(value: Any) -> float | None:
    """For JSON: 4 decimals, None for what is not finite."""
    return round(float(value), 4) if np.isfinite(value) else None


def _words(poses: Poses, i: int) -> str:
    """One instance in words.

    >>> from heatmark.types import Skeleton
    >>> tool = Skeleton("tool", ("tip", "end"))
    >>> _words(Poses(tool, np.array([[[3.14, 2.0], [np.nan, np.nan]]])), 0)
    'tip 3.1,2.0 (1.00), end not found'
    """
    words = []
    for k, name in enumerate(poses.skeleton.landmarks):
        (x, y), score = poses.points[i, k], poses.scores[i, k]
        words.append(f"{name} {x:.1f},{y:.1f} ({score:.2f})" if np.isfinite(x + y) else f"{name} not found")
    return ", ".join(words)
