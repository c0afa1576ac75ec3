"""What part of a whole picture a training sample of many persons shows, as PoseAE and HigherHRNet draw it."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import UserError
from ..geometry import Frame, about, flip, rotation


@dataclass(frozen=True)
class Zoom:
    """How the window varies. HigherHRNet's is the default; PoseAE's is ("long", 0.75, 1.25)."""

    side: Literal["short", "long"] = "short"  # of the picture, that the network's input is as long as
    least: float = 0.75  # the window's side, of that side
    most: float = 1.5
    rotate: float = 30.0  # degrees to either way at the most
    translate: float = 0.2  # of the window's side at the most, each way (the authors: 40 of 200)
    flip: float = 0.5  # how often mirrored

    def __post_init__(self):
        if self.side not in ("short", "long"):
            raise UserError(f"zoom.side is short or long, got {self.side!r}")
        if not 0 < self.least <= self.most:
            raise UserError(f"zoom.least and most are positive and in order, got {self.least}, {self.most}")
        if not (0 <= self.rotate <= 180 and 0 <= self.translate <= 1 and 0 <= self.flip <= 1):
            raise UserError(
                "zoom.rotate lies in [0, 180], translate and flip in [0, 1], got "
                f"{self.rotate}, {self.translate}, {self.flip}"
            )


def zoomed(
    picture_size: tuple[int, int], size: tuple[int, int], zoom: Zoom, rng: np.random.Generator
) -> tuple[Frame, bool]:
    """A window on a picture (H, W) for a network's input (H, W), and whether it mirrors."""
    h, w = picture_size
    side = (min if zoom.side == "short" else max)(h, w) * rng.uniform(zoom.least, zoom.most)
    x, y = np.array([w / 2, h / 2]) + rng.uniform(-1, 1, 2) * zoom.translate * side
    turn = rng.uniform(-1, 1) * zoom.rotate
    window = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
    frame = Frame.around(window, size).then(about(rotation(turn), (size[1] / 2, size[0] / 2)))
    flipped = bool(rng.random() < zoom.flip)
    return (frame.then(flip(size[1])) if flipped else frame), flipped
