"""Everybody in a picture at once: what `heatmark.load` gives for a model whose card says crowd.

The model file searches the peaks and their tags; persons are made of them here, by `grouping`, without torch.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..card import Card
from ..errors import UserError
from ..geometry import Frame
from ..grouping import Candidates, Groups, Rules, assembled
from ..types import Poses
from .detector import Detector, Latency, Picture, SecondLook
from .engines import Engine
from .predictor import BATCH, decoded, visibility
from .windows import network_input

# Pictures (H, W, 3) uint8 RGB -> the persons in each, in picture pixels, and the seconds the network took.
Look = Callable[[Sequence[np.ndarray]], tuple[list[Groups], float]]


class CrowdPredictor(Detector):
    """Finds everybody's landmarks in whole pictures, any number of persons, the highest score first.

    `look` is how pictures become persons: `letterboxed`, or at several scales (`views`). A landmark that a
    person lacks is NaN. Boxes and a second look are refused: such a model looks at whole pictures, once.
    """

    def __init__(self, look: Look, card: Card, name: str = ""):
        super().__init__(card, name)
        self.look = look

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
        if second_look or (boxes is not None and any(b is not None for b in boxes)):
            raise UserError(f"{self.name} finds everybody in the whole picture: no boxes and no second look")
        start = time.perf_counter()
        pictures = [decoded(source) for source in sources]
        ready = time.perf_counter()
        found, network = self.look(pictures)
        people = [self._poses(groups) for groups in found]
        self.latency = Latency.since(start, ready, network)
        return people

    def _poses(self, groups: Groups) -> Poses:
        values, score = np.clip(groups.values, 0, 1), np.clip(groups.score, 0, 1)
        poses = Poses(self.skeleton, groups.points, values, visibility(groups.points, values), score=score)
        return poses[np.argsort(-score, kind="stable")]


def letterboxed(engine: Engine, card: Card) -> Look:
    """Each picture once, fitted into the network's size, BATCH pictures at a time."""

    def look(pictures: Sequence[np.ndarray]) -> tuple[list[Groups], float]:
        frames = [Frame.whole((p.shape[0], p.shape[1]), card.size) for p in pictures]
        found, seconds = [], 0.0
        for at in range(0, len(pictures), BATCH):
            began = time.perf_counter()
            pairs = list(zip(pictures, frames))[at : at + BATCH]
            answers = engine(np.stack([network_input(picture, frame) for picture, frame in pairs]))
            seconds += time.perf_counter() - began
            for n, (picture, frame) in enumerate(pairs):
                groups = groups_of(answers, n, card, shown(picture, frame, card.stride / 2))
                found.append(replace(groups, points=frame.back(groups.points)))
        return found, seconds

    return look


def shown(picture: np.ndarray, frame: Frame, margin: float = 0.0) -> np.ndarray:
    """Where in the network's input a picture (H, W, 3) lies, and `margin` around it: (2, 2), its first and
    its last corner, network pixels. Farther out is nothing, and nobody."""
    return frame.into(np.array([[0, 0], picture.shape[1::-1]], np.float64)) + [[-margin], [margin]]


def groups_of(answers: dict[str, np.ndarray], n: int, card: Card, within: np.ndarray | None = None) -> Groups:
    """The persons of picture n of a batch that a model file answered, in network pixels; `within` two corners
    (2, 2), if they are given."""
    values, places, tags = (np.asarray(answers[name][n], np.float64) for name in ("values", "places", "tags"))
    if within is not None:
        outside = ((places < within[0]) | (places > within[1])).any(-1)  # NaN, where there is no peak, is not
        values = np.where(outside, 0.0, values)
    groups = assembled(Candidates(values, places, tags), rules_of(card))
    kept = groups.score >= card.decoding.person
    arrays = {name: getattr(groups, name)[kept] for name in ("points", "values", "tags", "members", "score")}
    return Groups(**arrays, nonfinite=groups.nonfinite)


def rules_of(card: Card) -> Rules:
    """How the card says that persons are made."""
    d = card.decoding
    return Rules(peaks=d.peaks, threshold=d.threshold, floor=d.floor, reach=d.reach)
