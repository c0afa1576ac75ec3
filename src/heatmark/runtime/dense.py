"""A picture in, boxes out: what `heatmark.load` gives for a model of many things side by side.

Its file suppresses what is found twice, one picture at a time; or, if its card wants Soft-NMS, `softened`
does. A picture larger than the network's input is seen whole, shrunk, or in tiles that overlap, whose boxes
are merged.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..card import Card, Decoding
from ..errors import UserError
from ..geometry import Frame, scaling, translation
from ..metrics.boxes import nms, soft_nms
from ..types import Boxes, Poses
from .detector import Detector, Latency, Picture, SecondLook
from .engines import Engine
from .predictor import decoded
from .windows import network_input

OVERLAP = 0.3  # of a tile that the next shows again: more than the largest thing, one hopes
MARGIN = 3.0  # pixels; a box so near to a tile's inner edge is cut off there


@dataclass(frozen=True)
class Found:
    """Everything that one look at a picture gave."""

    boxes: Boxes  # picture pixels, the surest first
    map: np.ndarray | None  # (h, w) float32 in [0, 1], half as large as the picture, where the file draws it
    full: bool  # as many boxes as may be kept were found: there may be more
    beyond: int  # candidates that passed the threshold, but for whose number did not compete
    latency: Latency

    def limits(self, decoding: Decoding, threshold: float = 0.0) -> list[str]:
        """Which of the card's limits may have cost boxes of at least this score, a line each."""
        if not len(self.boxes) or self.boxes.scores.min() < threshold:
            return []  # what was left out is less sure than the least sure box
        kept = f"a look gave {decoding.kept} boxes, as many as the model keeps: there may be more"
        few = f"only the {decoding.candidates} surest candidates competed, {self.beyond} did not"
        return [line for line, hit in ((kept, self.full), (few, self.beyond > 0)) if hit]


class DensePredictor(Detector):
    """Finds many things by their boxes: Poses with boxes and scores, and no points. It takes no boxes and no
    second look.
    """

    def __init__(self, engine: Engine, card: Card, name: str = ""):
        super().__init__(card, name)
        self.engine = engine

    def __call__(
        self,
        source: Picture,
        boxes: np.ndarray | None = None,
        second_look: SecondLook = False,
        tiles: bool = False,
    ) -> Poses:
        if boxes is not None or second_look:
            raise UserError(f"{self.name} finds boxes itself: it takes none, and no second look")
        return self.poses(self.look(source, tiles).boxes)

    def many(
        self, sources: Sequence[Picture], boxes: Sequence[np.ndarray | None] | None = None,
        second_look: SecondLook = False,
    ) -> list[Poses]:  # fmt: skip
        given = [None] * len(sources) if boxes is None else boxes
        return [self(source, box, second_look) for source, box in zip(sources, given)]

    def poses(self, boxes: Boxes) -> Poses:
        """Boxes as instances without points."""
        nothing = np.full((len(boxes), len(self.skeleton), 2), np.nan)
        return Poses(self.skeleton, nothing, boxes=boxes.boxes, score=np.clip(boxes.scores, 0, 1))

    def look(self, source: Picture, tiles: bool = False) -> Found:
        """Boxes and, where the file draws it, the map.

        Args:
            tiles: see the picture at its own resolution, part by part, and as a whole too; parts are as large
                as the network's input.
        """
        start = time.perf_counter()
        picture, d = decoded(source), self.card.decoding
        ready, network = time.perf_counter(), 0.0
        size = (picture.shape[0], picture.shape[1])
        drawn = np.zeros((max(size[0] // 2, 1), max(size[1] // 2, 1)), np.float32) if d.map else None
        parts, scores, full, beyond = [np.empty((0, 4))], [np.empty(0)], False, 0
        every = list(looks(size, self.card, tiles))
        for frame, corners in every:
            before = time.perf_counter()
            answer = self.engine(network_input(picture, frame)[None])
            network += time.perf_counter() - before
            found, sure = answer["boxes"].astype(np.float64), answer["scores"].astype(np.float64)
            there = np.isfinite(found).all(-1) & np.isfinite(sure)
            corner_pairs = frame.back(found[there].reshape(-1, 2, 2))
            back = np.clip(corner_pairs.reshape(-1, 4), 0, [size[1], size[0], size[1], size[0]])
            whole = (back[:, 2:] > back[:, :2]).all(-1) & ~cut_off(back, corners, size)
            shrunk = len(every) > 1 and frame is every[0][0]
            if shrunk:
                whole &= ~fits_tiles(back, self.card.size)
            parts.append(back[whole])
            scores.append(sure[there][whole])
            full |= len(found) >= d.kept and not d.soft
            beyond += max(int(answer["candidates"]) - d.candidates, 0)
            if drawn is not None and not shrunk:
                where = heart(corners, size)
                seen = carried(answer["map"], frame, drawn.shape)[where]
                np.maximum(drawn[where], seen, out=drawn[where])
        boxes, sure = np.concatenate(parts), np.concatenate(scores)
        if d.soft:
            left, most = softened(boxes, sure, d), d.kept * len(every)
            answers, full = left[:most], len(left) >= most
        else:
            order = nms(boxes, sure, d.overlap) if len(every) > 1 else np.arange(len(boxes))
            answers = Boxes(boxes[order], sure[order])
        self.latency = Latency.since(start, ready, network)
        return Found(answers, drawn, full, beyond, self.latency)


def softened(boxes: np.ndarray, scores: np.ndarray, decoding: Decoding) -> Boxes:
    """Soft-NMS of candidates (N, 4), (N,), as a card with `soft` wants it: those still above its threshold,
    the surest first.
    """
    assert decoding.soft
    order, scores = soft_nms(boxes, scores, decoding.soft, decoding.threshold)
    return Boxes(boxes[order], scores)


def whole(size: tuple[int, int], card: Card) -> Frame:
    """A whole picture (H, W) as the network learnt to see it: fitted into its input, or, where it learnt from
    pictures of some size (`card.resize`), that large and in the top left, if the input holds it.
    """
    if card.resize is None:
        return Frame.whole(size, card.size)
    short, long = card.resize
    scale = min(short / min(size), long / max(size), *np.divide(card.size, size).tolist())
    return Frame(scaling(scale, scale), card.size)


def looks(size: tuple[int, int], card: Card, tiles: bool) -> Iterator[tuple[Frame, np.ndarray]]:
    """Frames through which a network looks at a picture (H, W), and the part (4,) of the picture that each
    shows: all of it, and tiles where it is larger than the input.
    """
    seen = card.size
    yield whole(size, card), np.array([0.0, 0, size[1], size[0]])
    if not tiles or (size[0] <= seen[0] and size[1] <= seen[1]):
        return
    for top in starts(size[0], seen[0]):
        for left in starts(size[1], seen[1]):
            part = np.array([left, top, left + seen[1], top + seen[0]], float)
            yield Frame(translation(-left, -top), seen), part


def starts(length: int, tile: int) -> list[int]:
    """Where tiles begin along a side, so that neighbours overlap and the last ends with it.

    >>> starts(1000, 400), starts(300, 400)
    ([0, 200, 400, 600], [0])
    """
    if length <= tile:
        return [0]
    count = int(np.ceil((length - tile) / (tile * (1 - OVERLAP)))) + 1
    return [round(v) for v in np.linspace(0, length - tile, count)]


def cut_off(boxes: np.ndarray, part: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(N,) which boxes end at an edge of a tile that is no edge of the picture: another tile shows them."""
    inner = np.array([part[0] > 0, part[1] > 0, part[2] < size[1], part[3] < size[0]])
    return np.asarray(((np.abs(boxes - part) < MARGIN) & inner).any(-1))


def fits_tiles(boxes: np.ndarray, tile: tuple[int, int]) -> np.ndarray:
    """(N,) which boxes are so small that one of the tiles (H, W) shows them whole, and larger than a look at
    the shrunk picture does.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    return np.asarray((sides < OVERLAP * np.array([tile[1], tile[0]])).all(-1))


def heart(part: np.ndarray, size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the map, half as large as the picture (H, W), in which a tile's map is believed:
    not at its inner edges, where half a thing has a bump of its own, and where another tile sees all of it.

    >>> heart(np.array([0.0, 0, 100, 60]), (60, 170))
    (slice(0, 30, None), slice(0, 44, None))
    """
    band = 0.4 * OVERLAP * (part[2:] - part[:2])  # below a half: hearts meet
    x1, y1 = np.where(part[:2] > 0, part[:2] + band, 0) // 2
    x2, y2 = -(-np.where(part[2:] < size[::-1], part[2:] - band, size[::-1]) // 2)
    return slice(int(y1), int(y2)), slice(int(x1), int(x2))


def carried(map: np.ndarray, frame: Frame, size: tuple[int, int]) -> np.ndarray:
    """A map (h, w) of half the network's size on half the picture (H, W)."""
    half = np.diag([0.5, 0.5, 1.0])
    # cells' middles lie at 0.5, OpenCV's at 0
    shift = translation(-0.5, -0.5)
    back = shift @ half @ np.linalg.inv(frame.matrix) @ np.linalg.inv(half) @ np.linalg.inv(shift)
    return cv2.warpPerspective(map.astype(np.float32), back, size[::-1], flags=cv2.INTER_LINEAR)
