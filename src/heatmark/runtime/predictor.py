"""A picture in, points out: what `heatmark.load` gives.

The network sees a window of its own size: the whole picture letterboxed, or a given box enlarged by the
card's factor. A second look takes two new windows, around the points of the first and about the surest
of them, and keeps the best answer.
A card that says msra gets the windows of HRNet's authors, to the bit.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import zoo
from ..card import Card
from ..errors import UserError, unknown
from ..geometry import Frame, boxes_around, enlarged, translation
from ..imaging import decode, msra
from ..imaging.transforms import crop, within
from ..types import ABSENT, HIDDEN, SEEN, Poses, Sample
from .detector import Detector, Latency, Picture
from .engines import Engine, opened
from .sources import read

# Visibility guessed from a score, the height of the map's maximum: a landmark in sight draws a bump near 1, a
# hidden one a low and wide bump, an absent one hardly any.
SEEN_FROM, HIDDEN_FROM = 0.4, 0.1
BATCH = 8  # windows shown to the network at once

Window = Frame | msra.Window  # both have `size` and `back`


@dataclass(frozen=True)
class _Window:
    """One thing to look at: which picture, through which frame, and the box it was given as."""

    picture: int
    frame: Window
    box: np.ndarray  # (4,), NaN for the whole picture


class Predictor(Detector):
    """Finds one object's landmarks in pictures, or in boxes of them."""

    def __init__(self, engine: Engine, card: Card, name: str = ""):
        super().__init__(card, name)
        self.engine = engine

    def __call__(self, source: Picture, boxes: np.ndarray | None = None, second_look: bool = False) -> Poses:
        return self.many([source], None if boxes is None else [boxes], second_look)[0]

    def many(
        self,
        sources: Sequence[Picture],
        boxes: Sequence[np.ndarray | None] | None = None,
        second_look: bool = False,
    ) -> list[Poses]:
        """The Poses of several pictures, shown to the network BATCH windows at a time."""
        if boxes is not None and len(boxes) != len(sources):
            raise UserError(f"wanted boxes for each of {len(sources)} pictures, got {len(boxes)}")
        start = time.perf_counter()
        pictures = [decoded(source) for source in sources]
        ready = time.perf_counter()
        windows = self._windows(pictures, boxes)
        points, scores, network = self._look(pictures, windows)
        if second_look and windows:
            looks = list(zip(windows, points, scores))
            closer = [self._closer(*look) for look in looks] + [self._about(*look) for look in looks]
            again, again_scores, more = self._look(pictures, closer)
            for part in np.split(np.arange(len(closer)), 2):
                better = again_scores[part].mean(-1) > scores.mean(-1)
                points[better], scores[better] = again[part][better], again_scores[part][better]
            network += more
        answers = [self._poses(i, windows, points, scores) for i in range(len(pictures))]
        self.latency = Latency.since(start, ready, network)
        return answers

    def _windows(
        self, pictures: list[np.ndarray], boxes: Sequence[np.ndarray | None] | None
    ) -> list[_Window]:
        windows = []
        for i, picture in enumerate(pictures):
            given = None if boxes is None else boxes[i]
            if given is None:
                h, w = picture.shape[:2]
                frame = window(np.array([0.0, 0.0, w, h]), self.card, enlarge=1.0)
                windows.append(_Window(i, frame, np.full(4, np.nan)))
                continue
            for box in _checked(given):
                windows.append(_Window(i, window(box, self.card), box))
        return windows

    def _look(
        self, pictures: list[np.ndarray], windows: list[_Window]
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """Points (M, K, 2) in picture pixels and scores (M, K) of M windows; seconds the network took.

        What is not finite counts as not found: the point NaN, its score 0.
        """
        k = len(self.skeleton)
        points, scores, seconds = np.full((len(windows), k, 2), np.nan), np.zeros((len(windows), k)), 0.0
        for at in range(0, len(windows), BATCH):
            start = time.perf_counter()
            some = windows[at : at + BATCH]
            inputs = [network_input(pictures[w.picture], w.frame, shown_part(w.box, self.card)) for w in some]
            answers = self.engine(np.stack(inputs))
            seconds += time.perf_counter() - start
            for j, window in enumerate(some):
                found = answers["points"][j].astype(np.float64)
                there = np.isfinite(found).all(-1, keepdims=True)
                points[at + j] = window.frame.back(np.where(there, found, np.nan))
                scores[at + j] = answers["scores"][j]
        return points, np.where(np.isfinite(scores), scores, 0.0), seconds

    def _closer(self, look: _Window, points: np.ndarray, scores: np.ndarray) -> _Window:
        """A square window around the points the first look trusts; under two of them: the first window."""
        trusted = points[np.isfinite(points).all(-1) & (scores >= min(HIDDEN_FROM, float(scores.max()) / 2))]
        if len(trusted) < 2:
            return look
        x1, y1, x2, y2 = boxes_around(trusted)
        widest = _widest(look)
        side = float(np.clip(max(x2 - x1, y2 - y1) * self.card.second_look, 0.1 * widest, widest))
        return self._square(look, np.array([x1 + x2, y1 + y2]) / 2, side)

    def _about(self, look: _Window, points: np.ndarray, scores: np.ndarray) -> _Window:
        """Half of what was seen, about the surest point: of a small object only one end may have been
        found. A given box was not too large.
        """
        surest = points[int(np.argmax(scores))]
        if np.isfinite(look.box).all() or not np.isfinite(surest).all():
            return look
        return self._square(look, surest, _widest(look) / 2)

    def _square(self, look: _Window, middle: np.ndarray, side: float) -> _Window:
        square = np.concatenate([middle - side / 2, middle + side / 2])
        return _Window(look.picture, window(square, self.card, enlarge=1.0), look.box)

    def _poses(self, picture: int, windows: list[_Window], points: np.ndarray, scores: np.ndarray) -> Poses:
        mine = [j for j, window in enumerate(windows) if window.picture == picture]
        boxes = np.array([windows[j].box for j in mine]).reshape(-1, 4)
        return Poses(
            self.skeleton, points[mine], np.clip(scores[mine], 0, 1), visibility(points, scores)[mine], boxes
        )


def _widest(look: _Window) -> float:
    """The shorter side of what a window shows, picture pixels."""
    corners = look.frame.back(np.array([[0.0, 0.0], [look.frame.size[1], look.frame.size[0]]]))
    return float((corners[1] - corners[0]).min())


def load(
    name: str | Path,
    engine: str = "auto",
    threads: int | None = None,
    flip: bool | None = None,
    scales: Sequence[float] | None = None,
    protocol: str | None = None,
) -> Detector:
    """A shipped detector by name ("hammer"), or a model file.

    Args:
        name: a key of zoo.DETECTORS, or a path to an .onnx, OpenVINO .xml or .safetensors file.
        engine: "auto", or a key of ENGINES.
        threads: how many the engine uses; None takes every core this process may use.
        flip: the flip test, on or off; None: as the model's card says. Where maps are read inside the file
            (.onnx, .xml) it is what it is.
        scales, protocol: of everybody at once: look at each picture at several scales, and as a published
            program does ("higherhrnet", "pose_ae"); for .safetensors models (see `views.in_views`).

    Raises:
        UserError: neither a shipped detector nor a file, or an engine that does not read it.
        DataError: the file is not a model that heatmark wrote.
    """
    path = Path(name)
    if str(name) in zoo.DETECTORS and not path.is_file():
        path = zoo.detector(str(name))
    elif not path.suffix and not path.exists():
        raise unknown("shipped detector or model file", str(name), zoo.DETECTORS)
    if scales is not None or protocol is not None:
        from .views import in_views

        return in_views(path, scales, flip, protocol, threads)
    run, card = opened(path, engine, threads, flip)
    if card.task == "crowd":
        from .crowd import CrowdPredictor, letterboxed  # which build on this file

        return CrowdPredictor(letterboxed(run, card), card, name=str(name))
    if card.task == "dense":
        from .dense import DensePredictor

        return DensePredictor(run, card, name=str(name))
    return Predictor(run, card, name=str(name))


def window(box: np.ndarray, card: Card, enlarge: float | None = None) -> Window:
    """Where a network looks for an object in a box x1 y1 x2 y2, enlarged by the card's factor if None."""
    enlarge = card.enlarge if enlarge is None else enlarge
    if card.decoding.method == "msra":
        return msra.Window.around(box, card.size, enlarge, card.stride)
    return Frame.around(box, card.size, enlarge)


def seen(picture: np.ndarray, frame: Window, box: np.ndarray | None = None) -> np.ndarray:
    """What a window shows of a picture (H, W, 3) uint8: (h, w, 3) uint8, outside black.

    Args:
        box: (4,) only this part is shown, and its mean colour around it.
    """
    if isinstance(frame, msra.Window):
        return frame.cut(picture)
    if box is None:
        return crop(picture, frame)
    part, corner = within(picture, box)
    colour = part.mean((0, 1)).tolist()
    return crop(part, Frame(frame.matrix @ translation(*corner), frame.size), value=colour)


def network_input(picture: np.ndarray, frame: Window, box: np.ndarray | None = None) -> np.ndarray:
    """What the network sees of a picture (H, W, 3) uint8: (3, *frame.size) float32 in [0, 1]. `box` as in
    `seen`.
    """
    return seen(picture, frame, box).transpose(2, 0, 1).astype(np.float32) / 255


def shown_part(box: np.ndarray, card: Card) -> np.ndarray | None:
    """The only part that the network sees of a picture when it is given a box; None: all of it."""
    return None if card.context or not np.isfinite(box).all() else enlarged(box, card.enlarge)


def visibility(points: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """A guess from scores (..., K): 2 seen, 1 hidden, 0 absent, which an unfound (NaN) point always is."""
    guess = np.where(scores >= SEEN_FROM, SEEN, np.where(scores >= HIDDEN_FROM, HIDDEN, ABSENT))
    return np.where(np.isfinite(points).all(-1), guess, ABSENT).astype(np.uint8)


def decoded(source: Picture) -> np.ndarray:
    """Any kind of source as (H, W, 3) uint8 RGB. Raises UserError or DataError."""
    if isinstance(source, Sample):
        return source.picture
    if isinstance(source, bytes):
        return decode(source, "bytes")
    if isinstance(source, (str, Path)):
        return read(Path(source))
    if not isinstance(source, np.ndarray):
        raise UserError(f"wanted a path, bytes, an array or a Sample, got {type(source).__name__}")
    if source.ndim != 3 or source.shape[2] != 3 or source.dtype != np.uint8 or not source.size:
        raise UserError(f"a picture must be (H, W, 3) uint8 RGB, got {source.shape} {source.dtype}")
    return source


def _checked(boxes: np.ndarray) -> np.ndarray:
    """Boxes as (N, 4) floats. Raises UserError for one that is not finite or has no area."""
    boxes = np.asarray(boxes, np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        if boxes.size:
            raise UserError(f"boxes must be (N, 4) x1 y1 x2 y2, got {boxes.shape}")
        return np.empty((0, 4))
    for i, (x1, y1, x2, y2) in enumerate(boxes):
        if not (np.isfinite(boxes[i]).all() and x2 > x1 and y2 > y1):
            raise UserError(f"box {i} must be finite with x1 < x2 and y1 < y2, got {boxes[i].tolist()}")
    return boxes
