"""The gap from render to photograph: what changes when one thing changes, on photographs never trained on.

    python -m benchmarks.gap PHOTOGRAPHS --work WORK --row draws-5 --row copies-0 --minutes 9.5
    python -m benchmarks.gap PHOTOGRAPHS --work WORK --all       # every row that is missing
    python -m benchmarks.gap PHOTOGRAPHS --work WORK             # only writes the table of what there is
    python -m benchmarks.gap PHOTOGRAPHS --part pictures --out docs/gap_pictures.md    # the rows that render

PHOTOGRAPHS holds a labelled dataset for each tool, in folders of their names. A row of gap.yaml is the base
with one thing changed: another set is rendered, or another network trained, or the same one asked otherwise;
what rows have in common is made once. After --minutes the command stops (exit code 130) and the same one goes
on. Scores lie beside the table, in JSON; a row nobody ran says "not measured".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from heatmark.errors import unknown
from heatmark.synth.settings import merged

from . import runs
from .runs import Budget, Plan
from .scores import Results, Score, common, half_width, made, mean

BASE, RECIPE = "base", "ihm56_lite0"
PARTS = {  # of the rows: what a page of them alone is called
    "all": "The gap from render to photograph",
    "pictures": "The gap from render to photograph: which pictures",
    "networks": "The gap from render to photograph: which network",
}
FROZEN = {"options": {"trainable_from": None}, "backbone_lr": 1.0}
SHEET = Path(__file__).with_suffix(".yaml")
HEAD = """# {title}

Each row is the base with one thing changed: pictures rendered otherwise, a network trained otherwise, or the
same one asked otherwise. All are scored on photographs that no training saw: PCK@0.1 in per cent, inside the
labelled boxes enlarged by a quarter. Every training has the same number of steps. The difference is against
the base, mean over the tools measured in both, on the photographed objects scored in both, with a 95 %
interval over them. It does not hold what another seed would have given, which at this budget may well be as
much: a row counts here as a difference only where the interval leaves out zero, and even then a small one may
be chance. Rows of the shipped detectors, trained at a larger budget, are compared with `shipped`. Rows that
render other pictures stand in [gap_pictures.md](gap_pictures.md), those of networks in [gap.md](gap.md).

The base is `{recipe}` with all of its EfficientNet-lite0 frozen, on {budget}.
"""


@dataclass(frozen=True)
class Change:
    """One row: what is changed against the base."""

    name: str
    group: str
    what: str
    scene: Mapping[str, Any] = field(default_factory=dict)  # fields of the scene, nested as there
    recipe: Mapping[str, Any] = field(default_factory=dict)  # fields of the recipe, nested as there
    scenes: int | None = None
    copies: int = 1
    method: str = "render"
    boxes: str = "truth"
    second_look: bool = False
    only: Sequence[str] = runs.TOOLS  # the tools to which it applies
    shipped: bool = False  # asks the shipped detector, not one trained for this page
    against: str = BASE  # the row with which it is compared
    needs: str = ""  # an option of the command without which the row is the base

    @property
    def part(self) -> str:
        """A key of PARTS: which pictures are learnt from, or what is done with them."""
        rendered = self.scene or self.scenes or self.copies != 1 or self.method != "render"
        return "pictures" if rendered else "networks"


def changes() -> dict[str, Change]:
    """The rows of gap.yaml by name, in its order."""
    sheet = yaml.safe_load(SHEET.read_text(encoding="utf-8"))
    return {n: Change(name=n, group=group, **row) for group, rows in sheet.items() for n, row in rows.items()}


def planned(change: Change | None, tool: str, seed: int, budget: Budget) -> Plan:
    """The base, or the base with the change; of as many steps."""
    one = change or Change(BASE, "", "")
    pasted = one.method != "render"
    scenes = (one.scenes or budget.scenes) * (2 if pasted else 1)  # what is pasted has no copy
    copies = 0 if pasted else one.copies
    epochs = max(1, round(budget.epochs * 2 * budget.scenes / (scenes * (1 + copies))))
    recipe = merged(merged(FROZEN | {"epochs": epochs}, dict(budget.settings)), dict(one.recipe))
    return Plan(
        scene=tool,
        settings=merged(runs.scenery(budget), dict(one.scene)),
        scenes=scenes,
        copies=copies,
        method=one.method,
        recipe=RECIPE,
        changes=runs.weighted(recipe, RECIPE, budget),
        boxes=one.boxes,
        second_look=one.second_look,
        seed=seed,
        shipped=one.shipped,
    )


def applies(change: Change, tool: str, budget: Budget) -> bool:
    """Whether the row is anything but the base."""
    same = change.scenes == budget.scenes or (change.needs and not getattr(budget, change.needs))
    return tool in change.only and not same


@dataclass(frozen=True)
class Line:
    """A row of the table, measured as far as it was."""

    change: Change | None  # None: the base
    found: Mapping[str, Sequence[Score]]  # by tool, a score for each seed
    base: Mapping[str, Sequence[Score]]

    @property
    def both(self) -> list[str]:
        return [tool for tool in self.found if self.found[tool] and self.base[tool]]

    @property
    def compared(self) -> bool:
        """Whether the row is compared with another."""
        return self.change is not None and self.change.against != self.change.name

    @property
    def difference(self) -> float:
        """Against the base, mean over the tools measured in both, per cent; NaN where there is none."""
        pairs = [common(self.found[tool], self.base[tool]) for tool in self.both]
        return float(np.mean([mean(a) - mean(b) for a, b in pairs])) if pairs else np.nan

    @property
    def half_width(self) -> float:
        widths = [half_width(self.found[t], self.base[t]) for t in self.both]
        return float(np.sqrt(np.sum(np.square(widths))) / len(widths)) if widths else np.nan

    @property
    def matters(self) -> bool:
        return self.compared and abs(self.difference) > self.half_width  # NaN is not above

    def cells(self, budget: Budget) -> list[str]:
        """One for each tool; PCK@0.05 and the error of the correct over all of them; the difference."""
        cells = []
        for tool, scores in self.found.items():
            there = self.change is None or applies(self.change, tool, budget)
            empty = "not measured" if there else "-"
            cells.append(f"{mean(scores):.1f}" if scores else empty)
        measured = [scores for scores in self.found.values() if scores]
        fine = np.mean([mean(s, 0.05) for s in measured]) if measured else np.nan
        error = np.mean([np.mean([s.error() for s in scores]) for scores in measured]) if measured else np.nan
        cells += [f"{v:.1f}" if np.isfinite(v) else "" for v in (fine, error)]
        told = f"{self.difference:+.1f} ± {self.half_width:.1f}" if np.isfinite(self.difference) else ""
        return [*cells, "" if not self.compared else f"**{told}**" if self.matters else told]


def lines(results: Results, tools: Sequence[str], part: str = "all") -> list[Line]:
    """The base and the rows of a part."""
    rows = {n: {tool: results.seeds(n, tool) for tool in tools} for n in (BASE, *changes())}
    wanted = {name: change for name, change in changes().items() if part in ("all", change.part)}
    others = [Line(change, rows[name], rows[change.against]) for name, change in wanted.items()]
    return [Line(None, rows[BASE], rows[BASE]), *others]


def table(all_lines: Sequence[Line], tools: Sequence[str], budget: Budget) -> str:
    """Markdown, a line for each row, groups in bold."""
    head = [
        "row",
        "what is changed",
        *(t.replace("_", " ") for t in tools),
        "PCK@0.05",
        "error",
        "difference",
    ]
    text = [f"| {' | '.join(head)} |", f"|---|---|{'---:|' * (len(head) - 2)}"]
    group = ""
    for line in all_lines:
        change = line.change
        if change and not any(applies(change, tool, budget) for tool in tools):
            continue
        if change and change.group != group:
            group = change.group
            text.append(f"| **{group}** |{' |' * (len(head) - 1)}")
        name, what = (f"`{change.name}`", change.what) if change else (f"`{BASE}`", "nothing")
        text.append(f"| {name} | {what} | {' | '.join(line.cells(budget))} |")
    return "\n".join(text)


def verdict(all_lines: Sequence[Line]) -> str:
    """Which rows mattered, in sentences."""
    told = [line for line in all_lines if line.compared and line.both]
    order = sorted((line for line in told if line.matters), key=lambda line: line.difference)

    def named(some: Sequence[Line]) -> str:
        each = [f"`{line.change.name}` ({line.difference:+.1f})" for line in some if line.change]
        return ", ".join(each) or "none"

    worse, better = [s for s in order if s.difference < 0], [s for s in order[::-1] if s.difference > 0]
    rest = [line for line in told if not line.matters]
    return (
        f"Of {len(told)} rows measured, worse than what they are compared with: {named(worse)}. "
        f"Better: {named(better)}. Not told apart from it: {named(rest)}."
    )


def document(results: Results, tools: Sequence[str], budget: Budget, part: str = "all") -> str:
    found = lines(results, tools, part)
    folders = [n for n in ("environments", "backgrounds") if getattr(budget, n)]
    options = "".join(f" --{n} {n.upper()}" for n in folders) + " --reuse TOOL=SET" * len(budget.reuse)
    command = f"python -m benchmarks.gap PHOTOGRAPHS --work WORK --tools {','.join(tools)}{options}"
    apart = "" if part == "all" else f" --part {part}"
    command += f" --scenes {budget.scenes} --epochs {budget.epochs}{apart} --row ROW"
    return "\n".join(
        [
            HEAD.format(title=PARTS[part], recipe=RECIPE, budget=budget.words),
            f"    {command}\n",
            f"makes a row; what it changes, field by field, stands in `benchmarks/gap.yaml`. {made(results)}"
            "\n",
            "## What mattered\n",
            verdict(found) + "\n",
            "## Rows\n",
            "PCK@0.1 for each tool; PCK@0.05 and the mean error of the correct landmarks (per cent of the\n"
            "box's longer side) over the tools measured.\n",
            table(found, tools, budget) + "\n",
        ]
    )


def main() -> None:
    parser = runs.arguments(__doc__, "docs/gap.md")
    parser.add_argument(
        "--part", choices=tuple(PARTS), default="all", help="of the rows, for --all and the page"
    )
    given = parser.parse_args()
    budget, tools, known = runs.budget_of(given), given.tools.split(","), changes()
    for name in given.row:
        if name not in (BASE, *known):
            raise unknown("row", name, (BASE, *known))
    for tool in tools:
        if tool not in runs.TOOLS:
            raise unknown("tool", tool, runs.TOOLS)
    results = Results(given.out.with_suffix(".json"), budget.words)
    part = [name for name, change in known.items() if given.part in ("all", change.part)]
    wanted = (BASE, *part) if given.all else given.row
    with runs.minutes(given.minutes):
        for name in wanted:
            for tool in tools:
                change = known.get(name)
                if change and not applies(change, tool, budget):
                    continue
                for seed in range(budget.seeds):
                    runs.measure({name: planned(change, tool, seed, budget)}, tool, results, given, budget)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(document(results, tools, budget, given.part), encoding="utf-8")
    print(given.out)


if __name__ == "__main__":
    runs.ended(main)
