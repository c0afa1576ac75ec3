"""Rows that carry their expectation, and the Markdown table: paper, ours, difference, commit, machine.

    TABLE = [Row("ihm56 on hammers", "PCK@0.1", paper=76.3, ours=None, within=2.0)]
    write(TABLE, "python -m benchmarks.tools", Path("docs/tools.md"))

A number that nobody measured stays `ours=None` and prints as "not measured".
"""

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One number of a paper beside ours.

    >>> Row("hrnet_w32", "AP", paper=74.4, ours=74.1, within=0.5).verdict
    'yes'
    """

    recipe: str  # what was run
    metric: str
    paper: float | None  # None where the paper gives none
    ours: float | None  # None: not measured
    # how far ours may be from the paper's and still count as reproduced, in the metric's unit; None: ours is
    # another thing, that stands beside it
    within: float | None

    @property
    def difference(self) -> float | None:
        """Ours minus the paper's."""
        return None if self.paper is None or self.ours is None else self.ours - self.paper

    @property
    def verdict(self) -> str:
        """Whether it was reproduced: "yes", "no", or "-" where nothing can be compared."""
        if self.difference is None or self.within is None:
            return "-"
        return "yes" if isfinite(self.difference) and abs(self.difference) <= self.within else "no"


def markdown(rows: Sequence[Row], command: str, digits: int = 1) -> str:
    """The table, and below it what made it.

    >>> print(markdown([Row("ihm56", "PCK", 76.3, None, 2.0)], "python -m x").splitlines()[2])
    | ihm56 | PCK | 76.3 | not measured |  | 2.0 | - |
    """

    def number(value: float | None, none: str, sign: str = "") -> str:
        return none if value is None else f"{value:{sign}.{digits}f}" if isfinite(value) else "not finite"

    head = "| recipe | metric | paper | ours | difference | within | reproduced |"
    lines = [head, "|---|---|---:|---:|---:|---:|---|"]
    for row in rows:
        numbers = [number(row.paper, "-"), number(row.ours, "not measured"), number(row.difference, "", "+")]
        within = "-" if row.within is None else row.within
        lines.append(f"| {row.recipe} | {row.metric} | {' | '.join(numbers)} | {within} | {row.verdict} |")
    return "\n".join([*lines, "", f"`{command}`, commit {commit()}, {machine()}."]) + "\n"


def write(rows: Sequence[Row], command: str, path: Path, digits: int = 1) -> Path:
    """Write the table to a file, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(markdown(rows, command, digits), encoding="utf-8")
    return path


def commit() -> str:
    """The repository's commit, "+ changes" where the working tree differs; "unknown" outside one."""
    here = Path(__file__).parent
    try:
        name = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(["git", "diff", "--quiet", "HEAD"], cwd=here, capture_output=True).returncode
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{name} + changes" if changed else name


def machine() -> str:
    """The processor, how many cores of it this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores of {_processor()}, Python {platform.python_version()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
