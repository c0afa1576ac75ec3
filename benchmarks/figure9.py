"""Figure 9 of the IHM paper: IHM56 trained on 3D renderings, and on cut-outs pasted on photographs.

    python -m benchmarks.figure9 PHOTOGRAPHS --work WORK --tools screwdriver --short --all
    python -m benchmarks.figure9 PHOTOGRAPHS --work WORK --short --all --cutouts FOLDER
    python -m benchmarks.figure9 PHOTOGRAPHS --short            # only writes the page of what there is

As in the paper the screwdriver is the default. FOLDER holds photographs of the tool with transparency or
outlines; without it ten renderings are cut out, so that only the way of composing differs. Both sets have as
many pictures. The paper's curves have no numbers: only that the rendered ones are clearly higher.
"""

from collections.abc import Sequence
from typing import Any

from heatmark.data.records import write_whole
from heatmark.errors import unknown

from . import runs
from .figure6 import ALPHAS, SHOWN, drawn
from .rows import Row, markdown
from .runs import Budget, Plan
from .scores import Results, half_width, mean
from .table1 import PAPER, arguments, command, intro, opened, planned

RENDERED, PASTED = "3D renderings", "cut and paste"
WITHIN = 10.0


def plans(tool: str, seed: int, budget: Budget, cutouts: str | None) -> dict[str, Plan]:
    """IHM56 of table 1 on either set; a pasted picture has no copy, so there are twice as many."""
    pasted: dict[str, Any] = {"method": "cut-and-paste", "copies": 0, "scenes": 2 * budget.scenes}
    pasted |= {"scene": cutouts} if cutouts else {}
    return {
        RENDERED: planned("IHM56", tool, seed, budget),
        PASTED: planned("IHM56", tool, seed, budget, **pasted),
    }


def rows(results: Results, tool: str) -> list[Row]:
    out = []
    for name in (RENDERED, PASTED):
        scores = results.seeds(name, tool)
        for alpha in SHOWN:
            known = alpha == 0.1 and name == RENDERED
            paper = PAPER["IHM56"][runs.TOOLS.index(tool)] if known else None
            ours = mean(scores, alpha) if scores else None
            out.append(Row(f"{name}, {tool}", f"PCK@{alpha:g}", paper, ours, WITHIN))
    return out


def verdict(results: Results, tool: str) -> str:
    """Whether the paper's finding held, in a sentence."""
    ours, other = results.seeds(RENDERED, tool), results.seeds(PASTED, tool)
    if not (ours and other):
        return f"{tool}: the two were not both measured."
    apart, wide = mean(ours) - mean(other), half_width(ours, other)
    held = "as in the paper" if apart > wide else "the other way round" if apart < -wide else "not told apart"
    return f"{tool}: rendered minus pasted, PCK@0.1: {apart:+.1f} ± {wide:.1f} ({held})."


def main(arguments_given: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__, "docs/figure9.md")
    parser.add_argument("--cutouts", help="a dataset of photographs to cut the tool out of")
    parser.set_defaults(tools="screwdriver", scores=None)
    given = parser.parse_args(arguments_given)
    given.scores = given.scores or given.out.with_suffix(".json")
    for row in given.row:
        if row not in (RENDERED, PASTED):
            raise unknown("row", row, (RENDERED, PASTED))
    results, budget = opened(given)
    tools = given.tools.split(",")
    with runs.minutes(given.minutes):
        for tool in tools if given.all or given.row else ():
            for seed in range(budget.seeds):
                wanted = plans(tool, seed, budget, given.cutouts)
                chosen = {n: p for n, p in wanted.items() if given.all or n in given.row}
                runs.measure(chosen, tool, results, given, budget)
    what = "PCK in per cent of IHM56 (table 1) trained on either set."
    text = intro("Figure 9 of the IHM paper", what, budget)
    for tool in tools:
        scores = {name: results.seeds(name, tool) for name in (RENDERED, PASTED)}
        curves = {n: [mean(s, a) for a in ALPHAS] if s else [] for n, s in scores.items()}
        picture = drawn(curves, tool, given.out.with_name(f"{given.out.stem}_{tool}.png"))
        text += f"![{tool}]({picture.name})\n\n" if picture else ""
    table = [row for tool in tools for row in rows(results, tool)]
    text += markdown(table, command("figure9", given, budget)) + "\n"
    text += "\n".join(verdict(results, tool) for tool in tools) + "\n"
    write_whole(given.out, text.encode())
    print(given.out)


if __name__ == "__main__":
    runs.ended(main)
