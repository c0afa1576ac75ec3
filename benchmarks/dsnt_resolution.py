"""Heatmaps, fully connected regression and DSNT at four resolutions of one network: accuracy, and time.

    heatmark render screwdriver --count 1600 --out screwdrivers
    python -m benchmarks.dsnt_resolution --data screwdrivers --minutes 9 [--photographs DATASET]

Run it again until every row is there. Writes a Markdown table, the paper's claims with what was measured of
them, and a plot of accuracy against time. The paper's tables are on MPII (PCKh) after 120 epochs on GPUs;
--mpii, a dataset with the head boxes that PCKh needs, gives those rows, which else say "not measured".
"""

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from . import dsnt_runs as runs
from .rows import machine

STRIDES = (32, 16, 8, 4)
TRAININGS = ("argmax", "fully connected", *runs.DSNT)  # the other readings of heatmaps cost no training


def row(strategy: str, stride: int, seed: int) -> str:
    return f"{strategy}, stride {stride}, seed {seed}"


def timed(strategy: str, stride: int) -> str:
    return f"{strategy}, stride {stride}, time"


def readings(strategy: str) -> Sequence[str]:
    return tuple(runs.HEATMAPS) if strategy == "argmax" else (strategy,)


def measure(budget: runs.Budget, rows: runs.Rows, given: argparse.Namespace) -> None:
    learn, test, skeleton = runs.pictures(budget)
    more = runs.photographs(given.photographs, test) if given.photographs else None
    strides = [int(stride) for stride in given.strides.split(",")]
    plan = itertools.product(range(budget.seeds), strides, TRAININGS)
    for seed, stride, strategy in sorted(plan, key=lambda p: (p[1] == STRIDES[-1], p[0])):  # the dearest last
        if not rows.missing(row(strategy, stride, seed)):
            continue
        net, recipe = runs.fitted(strategy, stride, seed, budget, learn, skeleton)
        held = runs.views(test, 0, net, budget, "test")
        found = {}
        for name in readings(strategy):
            read = runs.reading(name, recipe)
            numbers = runs.numbers(runs.errors(net, read, held, skeleton))
            if more is not None:
                real = runs.views(more, 0, net, budget, given.photographs)
                off = runs.numbers(runs.errors(net, read, real, skeleton))
                numbers |= {f"photographs {k}": v for k, v in off.items()}
            found[row(name, stride, seed)] = numbers
        rows.add(found)
    for stride in STRIDES:
        if rows.missing(timed(runs.STRATEGIES[-1], stride)):
            ways = {}
            for strategy in runs.STRATEGIES:
                recipe = runs.settings(strategy, stride, 0, budget)
                net = runs.network(recipe, skeleton).to(runs.where()).eval()
                ways[timed(strategy, stride)] = (net, runs.reading(strategy, recipe))
            taken = runs.milliseconds(ways, skeleton, budget.size)
            rows.add({name: {"ms": ms} for name, ms in taken.items()})


def table(rows: runs.Rows, budget: runs.Budget, real: bool) -> str:
    heads = ["strategy", "cells", "PCK@0.05", "PCK@0.1", "PCK@0.2", "mean error", "ms"]
    heads += ["photographs PCK@0.1"] if real else []
    lines = [f"| {' | '.join(heads)} |", "|---|---:" + "|---:" * (len(heads) - 2) + "|"]
    for stride in STRIDES:
        cells = budget.size // stride
        for strategy in runs.STRATEGIES:
            name = row(strategy, stride, 0).rpartition(",")[0]
            values = [rows.cell(name, f"PCK@{a:g}", 100) for a in (0.05, 0.1, 0.2)]
            values += [rows.cell(name, "mean error"), _time(rows, strategy, stride)]
            values += [rows.cell(name, "photographs PCK@0.1", 100)] if real else []
            lines.append(f"| {strategy} | {cells} | {' | '.join(values)} |")
    return "\n".join(lines)


def _time(rows: runs.Rows, strategy: str, stride: int) -> str:
    found = rows.rows.get(timed(strategy, stride))
    return f"{found['ms']:.1f}" if found else "not measured"


def mean(rows: runs.Rows, strategy: str, stride: int, value: str = "PCK@0.1") -> float:
    found = rows.over_seeds(row(strategy, stride, 0).rpartition(",")[0], value)
    return float(found.mean()) if len(found) else np.nan


def claims(rows: runs.Rows) -> str:
    """The paper's claims, each with the numbers that speak for or against it."""
    lines = ["| the paper's claim | measured here (points of PCK@0.1) | holds here |", "|---|---|---|"]
    best = [max(mean(rows, s, d) for s in runs.HEATMAPS) for d in STRIDES]
    js = [mean(rows, "DSNT, js", d) for d in STRIDES]
    plain = [mean(rows, "DSNT, none", d) for d in STRIDES]
    connected = [mean(rows, "fully connected", d) for d in STRIDES]

    def line(claim: str, gains: list[float], holds: bool | None = None) -> str:
        known = not np.isnan(gains).any()
        said = ", ".join(f"{100 * g:+.1f}" for g in gains) if known else "not measured"
        verdict = (all(g > 0 for g in gains) if holds is None else holds) if known else None
        return f"| {claim} | {said} | {'-' if verdict is None else 'yes' if verdict else 'no'} |"

    over = [a - b for a, b in zip(js, best)]
    lines.append(line("DSNT (JS) beats the best heatmap matching at every resolution, coarse to fine", over))
    falls = bool(over[0] == max(over))
    lines.append(line("and by most at the lowest resolution", over, falls))
    lines.append(line("DSNT (JS) beats fully connected", [a - b for a, b in zip(js, connected)]))
    lines.append(line("JS beats DSNT without a regulariser", [a - b for a, b in zip(js, plain)]))
    others = [max(mean(rows, s, d) for s in ("DSNT, kl", "DSNT, variance")) for d in STRIDES]
    lines.append(line("JS is the best regulariser", [a - b for a, b in zip(js, others)]))
    coarse = [js[d] - best[d + 1] for d in range(len(STRIDES) - 1)]
    lines.append(
        line(
            "DSNT (JS) matches heatmaps of twice its resolution (within a point)",
            coarse,
            all(c > -0.01 for c in coarse),
        )
    )
    lines.append("| MPII: DSNT beats heatmap matching for all networks (PCKh) | not measured | - |")
    return "\n".join(lines)


def plot(rows: runs.Rows, path: Path) -> None:
    """Accuracy against time, a line a strategy, a point a resolution."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for strategy in runs.STRATEGIES:
        points = [
            (rows.rows[timed(strategy, d)]["ms"], 100 * mean(rows, strategy, d))
            for d in STRIDES
            if timed(strategy, d) in rows.rows
        ]
        if points:
            style = "--" if strategy in runs.HEATMAPS else ":" if strategy == "fully connected" else "-"
            axes.plot(*zip(*points), style, marker="o", ms=4, label=strategy)
    axes.set(xscale="log", xlabel="milliseconds a picture", ylabel="PCK@0.1, per cent")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = runs.parser(__doc__, "docs/dsnt/resolution.md")
    parser.add_argument("--photographs", help="labelled photographs of the same object, to test on too")
    parser.add_argument("--strides", default="32,16,8,4", help="pixels per cell, of those to measure")
    parser.add_argument("--mpii", help="MPII as a dataset with head boxes")
    given = parser.parse_args()
    budget = runs.budget_of(given)
    rows = runs.Rows(budget)
    if budget.data:
        measure(budget, rows, given)
    real = any("photographs PCK@0.1" in r for r in rows.rows.values())
    picture = budget.out.with_suffix(".png")
    plot(rows, picture)
    text = f"""# DSNT, heatmaps and regression at four resolutions

{budget.words}. Per cent, mean over {rows.seeds} ± their standard deviation. Errors are in per cent of the
longer side of the object's box; ms is one picture from pixels to points on {machine()},
{budget.threads} thread.

{table(rows, budget, real)}

{claims(rows)}

![accuracy against time]({picture.name})

`python -m benchmarks.dsnt_resolution --data ...`
"""
    budget.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
