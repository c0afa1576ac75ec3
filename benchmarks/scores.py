"""Scores on photographs, landmark by landmark: kept in a JSON file beside the table, and compared."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from heatmark.commands.evaluate import Evaluation

from .kept import Kept
from .rows import commit

MISSED = 99.0  # stands for an infinite distance: JSON knows none
NOMINAL = 224  # pixels of the longer side of a photograph as the paper shows it


@dataclass(frozen=True)
class Score:
    """How far every counted landmark of some photographs was from the truth."""

    fractions: np.ndarray  # (N, K) distance over the longer side of the box; MISSED a miss, NaN not counted
    sides: np.ndarray  # (N,) that side, in pixels of a photograph NOMINAL pixels long
    names: tuple[str, ...]  # (N,) picture:instance, so that other runs can be compared object by object

    def only(self, names: Collection[str]) -> "Score":
        """The objects that have these names."""
        which = [i for i, name in enumerate(self.names) if name in names]
        return Score(self.fractions[which], self.sides[which], tuple(self.names[i] for i in which))

    def pck(self, alpha: float = 0.1) -> float:
        """Per cent of the counted landmarks."""
        return float(100 * (self.counted < alpha).mean()) if len(self.counted) else np.nan

    @property
    def counted(self) -> np.ndarray:
        return self.fractions[~np.isnan(self.fractions)]

    def error(self, alpha: float = 0.1) -> float:
        """Mean distance of the correct, per cent of the box's longer side."""
        right = self.fractions < alpha  # NaN is not
        return float(100 * self.fractions[right].mean()) if right.any() else np.nan

    def error_px(self, alpha: float = 0.1) -> float:
        """Mean distance of the correct, pixels of a photograph NOMINAL pixels long."""
        right = self.fractions < alpha
        return float((self.fractions * self.sides[:, None])[right].mean()) if right.any() else np.nan

    def to_json(self) -> dict[str, Any]:
        rows = [[None if np.isnan(v) else round(float(v), 6) for v in row] for row in self.fractions]
        return {"names": self.names, "sides": [round(float(s), 2) for s in self.sides], "fractions": rows}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "Score":
        rows = [[np.nan if v is None else v for v in row] for row in raw["fractions"]]
        return cls(np.array(rows, float), np.array(raw["sides"], float), tuple(raw["names"]))

    @classmethod
    def of(cls, found: Evaluation) -> "Score":
        fractions = np.where(np.isinf(found.result.fractions), MISSED, found.result.fractions)
        where = [found.where(n) for n in range(len(fractions))]
        longest = np.array([max(found.records[picture].size) for picture, _ in where])
        names = tuple(f"{found.records[picture].id}:{instance}" for picture, instance in where)
        return cls(fractions, found.result.sides * NOMINAL / longest, names)


class Results:
    """Scores by row, tool and seed, kept in a file."""

    def __init__(self, file: Path, budget: str):
        self.kept = Kept(file, budget)

    def __getitem__(self, key: tuple[str, str, int]) -> Score | None:
        """The score of (row, tool, seed); None: not measured."""
        found = self.kept.rows.get("/".join(map(str, key)))
        return None if found is None else Score.from_json(found)

    def put(self, key: tuple[str, str, int], score: Score, **more: Any) -> None:
        self.kept.put({"/".join(map(str, key)): score.to_json() | more | {"commit": commit()}})

    def commits(self) -> list[str]:
        return sorted({row["commit"] for row in self.kept.rows.values()})

    def seeds(self, row: str, tool: str) -> list[Score]:
        """One score for each seed that was measured."""
        keys = [key.rsplit("/", 2) for key in self.kept.rows]
        found = (self[r, t, int(s)] for r, t, s in keys if (r, t) == (row, tool))
        return [score for score in found if score is not None]


def mean(scores: Sequence[Score], alpha: float = 0.1) -> float:
    """PCK over several seeds, per cent; NaN where there are none."""
    return float(np.mean([score.pck(alpha) for score in scores])) if scores else np.nan


def common(ours: Sequence[Score], base: Sequence[Score]) -> tuple[list[Score], list[Score]]:
    """Both on the objects that were scored in both: whole photographs are scored only where one is alone."""
    if not (ours and base):
        return [], []
    names = set(ours[0].names) & set(base[0].names)
    return [score.only(names) for score in ours], [score.only(names) for score in base]


def half_width(ours: Sequence[Score], base: Sequence[Score] = (), alpha: float = 0.1) -> float:
    """Half a 95 % interval of `mean(ours)`, or of its difference from `mean(base)` on the same objects, in %.

    The photographed objects are taken as a fair draw, the landmarks of one as a cluster (error of a ratio
    estimator), and a difference is taken object by object. What another seed would have given is in it only
    as far as seeds were averaged.
    """
    if base:
        ours, base = common(ours, base)
    if not ours:
        return np.nan
    n = (~np.isnan(ours[0].fractions)).sum(1)
    right = np.mean([(s.fractions < alpha).sum(1) for s in ours], 0)  # NaN is not below
    if base:
        right = right - np.mean([(s.fractions < alpha).sum(1) for s in base], 0)
    n, right = n[n > 0], right[n > 0]
    if len(n) < 2:
        return np.nan
    residual = right - n * right.sum() / n.sum()
    return float(196 * np.sqrt((residual**2).sum() * len(n) / (len(n) - 1)) / n.sum())


def made(results: Results) -> str:
    """What made a table, in a sentence."""
    told = results.commits() or [commit()]
    plain = ", ".join(sorted({name.split()[0] for name in told}))
    beside = " (and changes beside)" if any(" " in name for name in told) else ""
    return f"Measured at commit {plain}{beside}, {results.kept.machine}."
