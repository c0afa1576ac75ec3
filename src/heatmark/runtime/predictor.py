"""A picture in, points out: what `heatmark.load` gives.

The network sees a window of its own size: the whole picture letterboxed, or a given box enlarged by the
card's factor; with a second look, more of them (`second_look`).
A card that says msra gets the windows of HRNet's authors, to the bit.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .. import zoo
from ..card import Card
from ..errors import UserError, unknown
from ..imaging import decode
from ..types import ABSENT, HIDDEN, SEEN, Poses, Sample
from .detector import Detector, Latency, Picture, SecondLook
from .engines import Engine, opened
from .second_look import Look, Place, second_looks
from .sources import read
from .windows import network_input, shown_part, window

# Visibility guessed from a score, the height of the map's maximum: a landmark in sight draws a bump near 1, a
# hidden one a low and wide bump, an absent one hardly any.
SEEN_FROM, HIDDEN_FROM = 0.4, 0.1
BATCH = 8  # windows shown to the network at once


class Predictor(Detector):
    """Finds one object's landmarks in pictures, or in boxes of them."""

    def __init__(self, engine: Engine, card: Card, name: str = ""):
        super().__init__(card, name)
        self.engine = engine

    def __call__(
        self, source: Picture, boxes: np.ndarray | None = None, second_look: SecondLook = False
    ) -> Poses:
        return self.many([source], None if boxes is None else [boxes], second_look)[0]

    def many(
        self,
        sources: Sequence[Picture],
        boxes: Sequence[np.ndarray | None] | None = None,
        second_look: SecondLook = False,
    ) -> list[Poses]:
        """The Poses of several pictures, shown to the network BATCH windows at a time."""
        if boxes is not None and len(boxes) != len(sources):
            raise UserError(f"wanted boxes for each of {len(sources)} pictures, got {len(boxes)}")
        start = time.perf_counter()
        pictures = [decoded(source) for source in sources]
        ready = time.perf_counter()
        network: list[float] = []  # seconds of each call

        def show(places: list[Place]) -> list[Look]:
            return self._looks(pictures, places, network)

        looks = show(self._places(pictures, boxes))
        if second_look:
            looks = second_looks(looks, show, self.skeleton, self.card, live=second_look == "live")
        answers = [
            self._poses([look for look in looks if look.place.picture == i]) for i in range(len(pictures))
        ]
        self.latency = Latency.since(start, ready, sum(network))
        return answers

    def _places(self, pictures: list[np.ndarray], boxes: Sequence[np.ndarray | None] | None) -> list[Place]:
        places = []
        for i, picture in enumerate(pictures):
            given = None if boxes is None else boxes[i]
            if given is None:
                h, w = picture.shape[:2]
                whole = np.array([0.0, 0.0, w, h])
                places.append(Place(i, window(whole, self.card, enlarge=1.0), whole, given=False))
                continue
            places += [Place(i, window(box, self.card), box, given=True) for box in _checked(given)]
        return places

    def _looks(self, pictures: list[np.ndarray], places: list[Place], network: list[float]) -> list[Look]:
        """What is found at each place. What is not finite counts as not found: the point NaN, its score 0."""
        looks = []
        for at in range(0, len(places), BATCH):
            start = time.perf_counter()
            some = places[at : at + BATCH]
            inputs = [
                network_input(pictures[p.picture], p.window, shown_part(p.box, self.card)) for p in some
            ]
            answers = self.engine(np.stack(inputs))
            network.append(time.perf_counter() - start)
            for place, points, scores in zip(some, answers["points"], answers["scores"]):
                there = np.isfinite(points).all(-1, keepdims=True)
                points = place.window.back(np.where(there, points, np.nan).astype(np.float64))
                looks.append(Look(place, points, np.where(np.isfinite(scores), scores, 0.0)))
        return looks

    def _poses(self, looks: list[Look]) -> Poses:
        if not looks:
            return Poses.empty(self.skeleton)
        points, scores = np.stack([a.points for a in looks]), np.stack([a.scores for a in looks])
        boxes = np.stack([a.place.box for a in looks])
        return Poses(self.skeleton, points, np.clip(scores, 0, 1), visibility(points, scores), boxes)


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
        if engine not in ("auto", "torch"):
            raise UserError(f"{path}: other scales and protocols need the engine torch, got {engine!r}")
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
