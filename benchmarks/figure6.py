"""Figure 6 of the IHM paper: PCK of the five networks for every alpha from 0 to 0.2, over the tools.

    python -m benchmarks.figure6 PHOTOGRAPHS --short            # draws what benchmarks.table1 has measured
    python -m benchmarks.figure6 PHOTOGRAPHS --short --all      # and measures what is missing, as it does

Writes a table and a picture beside it. The paper prints its curves without numbers; of them only those at 0.1
are known, from its table 1, so only there is a difference.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from heatmark.data.records import write_whole

from . import runs
from .rows import Row, markdown
from .scores import Results, Score
from .table1 import PAPER, SHIPPED, WITHIN, arguments, command, intro, measure, opened, over, over_tools

ALPHAS = tuple(round(0.01 * i, 2) for i in range(1, 21))
SHOWN = (0.02, 0.05, 0.1, 0.15, 0.2)  # in the table


def _pck(score: Score, alpha: float) -> float:
    return score.pck(alpha)


def curve(results: Results, row: str) -> list[float]:
    """PCK at each of ALPHAS, mean over the tools that were measured; empty where none was."""
    found = [over_tools(results, row, partial(_pck, alpha=alpha)) for alpha in ALPHAS]
    return [value[0] for value in found if value]


def rows(results: Results) -> list[Row]:
    """PCK at SHOWN; the paper's number at 0.1 is the mean of its table over the tools that we measured."""
    out = []
    for row in (*PAPER, SHIPPED):
        there = [bool(results.seeds(row, tool)) for tool in runs.TOOLS]
        paper = (
            float(np.mean([p for p, t in zip(PAPER[row], there) if t or not any(there)]))
            if row in PAPER
            else None
        )
        for alpha in SHOWN:
            ours = over_tools(results, row, partial(_pck, alpha=alpha))
            known = paper if alpha == 0.1 else None
            out.append(Row(over(results, row), f"PCK@{alpha:g}", known, ours[0] if ours else None, WITHIN))
    return out


def drawn(curves: Mapping[str, Sequence[float]], title: str, path: Path) -> Path | None:
    """The curves over ALPHAS as a picture; None, and no file, where there is none."""
    measured = {name: values for name, values in curves.items() if values}
    if not measured:
        return None
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=110, layout="constrained")
    axes = figure.add_subplot(
        xlabel="alpha", ylabel="PCK, per cent", title=title, xlim=(0, 0.2), ylim=(0, 100)
    )
    for name, values in measured.items():
        axes.plot((0, *ALPHAS), (0, *values), label=name)
    axes.axvline(0.1, color="0.7", linewidth=0.8, linestyle=":")
    axes.legend(loc="best", fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def main(arguments_given: Sequence[str] | None = None) -> None:
    given = arguments(__doc__, "docs/figure6.md").parse_args(arguments_given)
    results, budget = opened(given)
    measure(given, results, budget)
    curves = {over(results, row): curve(results, row) for row in (*PAPER, SHIPPED)}
    picture = drawn(curves, "PCK over alpha, mean over the tools measured", given.out.with_suffix(".png"))
    text = intro(
        "Figure 6 of the IHM paper", "PCK in per cent for several alphas, mean over the tools.", budget
    )
    text += f"![PCK over alpha]({picture.name})\n\n" if picture else ""
    write_whole(given.out, (text + markdown(rows(results), command("figure6", given, budget))).encode())
    print(given.out)


if __name__ == "__main__":
    runs.ended(main)
