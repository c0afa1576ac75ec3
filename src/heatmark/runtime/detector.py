"""What every detector is, whatever it finds: a card, a name, and the time that its last call took."""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

import numpy as np

from ..card import Card
from ..types import Poses, Sample, Skeleton

SecondLook = bool | Literal["live"]
Picture = str | Path | bytes | np.ndarray | Sample  # an array is (H, W, 3) uint8 RGB


@dataclass(frozen=True)
class Latency:
    """Where the time of one call went, in milliseconds."""

    decode: float = 0.0  # file to RGB
    network: float = 0.0  # window cut out, network, maps to points: that step is part of the file's graph
    points: float = 0.0  # back into the picture, the better look kept, Poses made

    @property
    def total(self) -> float:
        return self.decode + self.network + self.points

    @classmethod
    def since(cls, start: float, ready: float, network: float) -> "Latency":
        """Of a call that ends now: it began at `start`, had its pictures decoded at `ready` (both
        time.perf_counter), and spent `network` seconds in the network.
        """
        rest = time.perf_counter() - ready - network
        return cls((ready - start) * 1e3, network * 1e3, max(rest, 0.0) * 1e3)

    @classmethod
    def median(cls, many: "Sequence[Latency]") -> "Latency":
        """The median of each part."""
        return cls(**{f.name: float(np.median([getattr(one, f.name) for one in many])) for f in fields(cls)})

    def to_dict(self) -> dict[str, float]:
        """The parts by name, to the microsecond."""
        return {f.name: round(getattr(self, f.name), 3) for f in fields(self)}


class Detector(ABC):
    """Pictures in, Poses out, in picture pixels: what `heatmark.load` gives.

    Abstract: Predictor finds one object, CrowdPredictor everybody (bottom-up), DensePredictor boxes. `card`
    says what the model knows of itself, `latency` where the time of the last call went.
    """

    def __init__(self, card: Card, name: str = ""):
        self.card, self.name = card, name or card.name
        self.skeleton: Skeleton = card.skeleton_of()
        self.latency = Latency()

    @abstractmethod
    def __call__(
        self, source: Picture, boxes: np.ndarray | None = None, second_look: SecondLook = False
    ) -> Poses:
        """One picture's Poses.

        Args:
            source: a path, a picture file's bytes, an array (H, W, 3) uint8 RGB, or a Sample.
            boxes: (N, 4) x1 y1 x2 y2 to look into, one instance each, in order. None: the whole picture.
            second_look: look again, closer, where the first look found the points, and everywhere in a
                picture until an answer holds when it is seen alone: 2 to 23 looks. "live": closer only, 3.

        Raises:
            UserError: no such file, boxes that are none, or boxes or a second look that this kind of model
                does not take. DataError: the picture cannot be read.
        """

    @abstractmethod
    def many(
        self,
        sources: Sequence[Picture],
        boxes: Sequence[np.ndarray | None] | None = None,
        second_look: SecondLook = False,
    ) -> list[Poses]:
        """The Poses of several pictures; arguments as for one."""
