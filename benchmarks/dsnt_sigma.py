"""How much regulariser, and how wide a bump it asks for: a sweep of JS's lambda and sigma.

    python -m benchmarks.dsnt_sigma --data screwdrivers --minutes 9

The paper finds lambda 1 and sigma 1 cell best (of lambda 0.2 to 10 and sigma 0.5 to 4).
"""

import itertools
from typing import Any

import numpy as np

from . import dsnt_runs as runs
from .dsnt_strategies import Budget, reading
from .dsnt_views import pictures, views
from .runs import ended

STRIDE = 16
LAMBDAS, SIGMAS = (0.1, 1.0, 10.0), (0.5, 1.0, 2.0, 4.0)
NONE = "lambda 0"


def name_of(weight: float, sigma: float) -> str:
    return f"lambda {weight:g}, sigma {sigma:g}"


def measure(budget: Budget, rows: runs.Rows) -> None:
    learn, test, skeleton = pictures(budget)
    settings: dict[str, tuple[str, dict[str, Any]]] = {NONE: ("DSNT, none", {})} | {
        name_of(w, s): ("DSNT, js", {"reg_weight": w, "reg_sigma": s})
        for w, s in itertools.product(LAMBDAS, SIGMAS)
    }
    for seed, (name, (strategy, changes)) in itertools.product(range(budget.seeds), settings.items()):
        if rows.missing(f"{name}, seed {seed}"):
            net, recipe = runs.fitted(strategy, STRIDE, seed, budget, learn, skeleton, **changes)
            held = views(test, runs.SHOWN, net, budget, "test")
            off = runs.errors(net, reading(strategy, recipe), held, skeleton)
            rows.add({f"{name}, seed {seed}": runs.numbers(off)})


def table(rows: runs.Rows, value: str, scale: float) -> str:
    heads = " | ".join(f"sigma {s:g}" for s in SIGMAS)
    lines = [f"| {value} | {heads} |", "|---" + "|---:" * len(SIGMAS) + "|"]
    for weight in LAMBDAS:
        cells = [rows.cell(name_of(weight, sigma), value, scale) for sigma in SIGMAS]
        lines.append(f"| lambda {weight:g} | {' | '.join(cells)} |")
    last = f"| no regulariser | {rows.cell(NONE, value, scale)} |" + " |" * (len(SIGMAS) - 1)
    return "\n".join([*lines, last])


def claims(rows: runs.Rows) -> str:
    found = {pair: rows.mean(name_of(*pair), "PCK@0.1") for pair in itertools.product(LAMBDAS, SIGMAS)}
    plain = rows.mean(NONE, "PCK@0.1")
    head = "| the paper's claim | measured here (PCK@0.1) | holds here |\n|---|---|---|\n| "
    first, second = "lambda 1, sigma 1 is best", "the regulariser matters (more than 2 points)"
    if not np.isfinite([plain, *found.values()]).all():
        return f"{head}{first} | not measured | - |\n| {second} | not measured | - |"
    best = max(found, key=lambda key: found[key])
    papers = f"{100 * found[1.0, 1.0]:.1f}; best is {name_of(*best)} with {100 * found[best]:.1f}"
    gains = 100 * (np.array(list(found.values())) - plain)
    spread = f"from {gains.min():+.1f} to {gains.max():+.1f} points over none"
    verdicts = ["yes" if holds else "no" for holds in (best == (1.0, 1.0), gains.max() > 2)]
    return f"{head}{first} | {papers} | {verdicts[0]} |\n| {second} | {spread} | {verdicts[1]} |"


def page(budget: Budget, rows: runs.Rows) -> str:
    cells = budget.size // STRIDE
    return f"""# How much regulariser, and how wide a bump

JS, {cells} x {cells} cells; {budget.words}. Mean over {rows.seeds} ± their standard deviation;
sigma in cells, per cent.

{table(rows, "PCK@0.1", 100)}

{table(rows, "PCK@0.05", 100)}

{table(rows, "mean error", 1)}

{claims(rows)}

`python -m benchmarks.dsnt_sigma --data ...`
"""


if __name__ == "__main__":
    ended(lambda: runs.command(__doc__, "docs/dsnt/sigma.md", measure, page))
