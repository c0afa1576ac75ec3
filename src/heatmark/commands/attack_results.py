"""The words of an attack: what is hidden of what, and how well a network did then."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import data
from .evaluate import BEST


@dataclass(frozen=True)
class Hit:
    """One attack: what is hidden, and how."""

    target: str  # a landmark or a part
    how: str  # a key of HOWS
    radius: float = 0.0  # of a landmark's disc, network pixels; 0 for a part

    @property
    def part(self) -> bool:
        return not self.radius

    def __str__(self) -> str:
        return f"{self.how} {self.target}" + ("" if self.part else f" {self.radius:g} px")


@dataclass(frozen=True)
class Score:
    """How well a network does under one attack, fractions; NaN where there is nothing to score."""

    total: float
    each: Mapping[str, float]  # landmark -> its own


@dataclass(frozen=True)
class Result:
    """One network under all attacks."""

    model: str
    clean: Score
    hits: Mapping[Hit, Score]

    @property
    def name(self) -> str:
        """What tables call it: the file's name, of a run its folder's."""
        file = Path(self.model)
        return file.parent.name if file.name == BEST and file.parent.name else file.name

    def loss(self, hit: Hit, landmark: str | None = None) -> float:
        """Of the metric, in points of 100; negative where the network does better."""
        before, after = self.clean, self.hits[hit]
        if landmark is None:
            return 100 * (before.total - after.total)
        return 100 * (before.each[landmark] - after.each[landmark])

    def mean_loss(self, how: str, part: bool, radius: float = 0.0) -> float:
        """Over all landmarks at a radius, or over all parts; NaN where none was attacked."""
        mine = [h for h in self.hits if (h.how, h.part) == (how, part) and (part or h.radius == radius)]
        losses = [self.loss(h) for h in mine if np.isfinite(self.loss(h))]
        return float(np.mean(losses)) if losses else float("nan")

    def sufferers(self, hit: Hit, most: int = 5) -> list[tuple[str, float]]:
        """The landmarks that lose most by an attack, the worst first."""
        losses = [(name, self.loss(hit, name)) for name in self.clean.each]
        return sorted((x for x in losses if np.isfinite(x[1])), key=lambda x: -x[1])[:most]


@dataclass(frozen=True)
class Subject:
    """One object that is looked at."""

    record: data.Record
    instance: int
    box: np.ndarray  # (4,)
