"""Heatmaps, fully connected regression and DSNT at four resolutions of one network: accuracy, and time.

    heatmark render screwdriver --count 1600 --out screwdrivers
    python -m benchmarks.dsnt_resolution --data screwdrivers --minutes 9 [--photographs DATASET]

Run it again until every row is there. Writes a Markdown table, the paper's claims with what was measured of
them, and a plot of accuracy against time. The paper's tables are on MPII (PCKh) after 120 epochs on GPUs:
with --mpii FOLDER, which holds train.json, valid.json and gt_valid.mat, the same is done with MPII's people.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from heatmark import data
from heatmark.metrics.pckh import BIAS, UNCOUNTED
from heatmark.training.loader import Entry, Samples, entries
from heatmark.training.recipe import skeleton_for
from heatmark.types import Skeleton

from . import dsnt_runs as runs
from .rows import machine

STRIDES, MPII = (32, 16, 8, 4), "MPII, "
TRAININGS = (
    "argmax",
    "DSNT, js",
    "DSNT, none",
    "fully connected",
    "DSNT, variance",
    "DSNT, kl",
)  # the other readings of heatmaps cost no training


def row(strategy: str, stride: int, seed: int, of: str = "") -> str:
    return f"{of}{strategy}, stride {stride}, seed {seed}"


def timed(strategy: str, stride: int) -> str:
    return f"{strategy}, stride {stride}, time"


def readings(strategy: str) -> Sequence[str]:
    return tuple(runs.HEATMAPS) if strategy == "argmax" else (strategy,)


def measure(
    budget: runs.Budget,
    rows: runs.Rows,
    strides: Sequence[int],
    sets: tuple[Samples, Samples, Skeleton],
    of: str = "",
    photographs: str | None = None,
) -> None:
    """Every training's rows, on the samples to test on and on photographs; `of` tells data apart."""
    learn, test, skeleton = sets
    plan = itertools.product(range(budget.seeds), TRAININGS, strides)
    for seed, strategy, stride in sorted(plan, key=lambda p: (p[2] == STRIDES[-1], p[0])):  # the dearest last
        if not rows.missing(row(strategy, stride, seed, of)):
            continue
        net, recipe = runs.fitted(strategy, stride, seed, budget, learn, skeleton, f"{of}learn")
        held, found = runs.views(test, 1, net, budget, f"{of}test"), {}
        for name in readings(strategy):
            read = runs.reading(name, recipe)
            off = runs.errors(net, read, held, skeleton)
            found[row(name, stride, seed, of)] = runs.numbers(off) | by_head(off, test)
            if photographs is not None:
                real = runs.views(runs.photographs(photographs, test), 0, net, budget, photographs)
                off = runs.numbers(runs.errors(net, read, real, skeleton))
                found[row(name, stride, seed, of)] |= {f"photographs {k}": v for k, v in off.items()}
        rows.add(found)


def measure_times(budget: runs.Budget, rows: runs.Rows, skeleton: Skeleton) -> None:
    for stride in STRIDES:
        if rows.missing(timed(runs.STRATEGIES[-1], stride)):
            ways = {}
            for strategy in runs.STRATEGIES:
                recipe = runs.settings(strategy, stride, 0, budget)
                net = runs.network(recipe, skeleton).to(runs.where()).eval()
                ways[timed(strategy, stride)] = (net, runs.reading(strategy, recipe))
            taken = runs.milliseconds(ways, skeleton, budget.size)
            rows.add({name: {"ms": ms} for name, ms in taken.items()})


def mpii(folder: str, budget: runs.Budget) -> tuple[Samples, Samples, Skeleton]:
    """The samples of MPII's own split."""
    base = runs.settings("argmax", 32, 0, budget)
    sets = [data.open_dataset(Path(folder) / name) for name in ("train.json", "valid.json")]
    skeleton = skeleton_for(base, sets[0].skeleton)
    learn, test = (entries(s, skeleton) for s in sets)
    order = np.random.default_rng(0).permutation(len(learn))[: budget.pictures]
    return Samples([learn[i] for i in order], skeleton, base), Samples(test, skeleton, base), skeleton


def by_head(off: np.ndarray, test: Samples) -> dict[str, float]:
    """PCKh@0.5, of errors (N, K) over the box's longer side; nothing where no person's head has a box."""
    counted = [k for k, name in enumerate(test.skeleton.landmarks) if name not in UNCOUNTED]
    shares = np.array([head_size(entry) for entry in test.entries])[:, None]  # of the box's longer side
    fractions = off[:, counted] / shares
    fractions = fractions[~np.isnan(fractions)]
    return {"PCKh@0.5": float((fractions <= 0.5).mean())} if len(fractions) else {}


def head_size(entry: Entry) -> float:
    """0.6 of the diagonal of a person's head box, over the longer side of their own box; NaN without one."""
    for labelled, boxes in zip(entry.record.poses.points, entry.record.instances):
        there = np.isfinite(entry.points).all(-1)
        if "head_box" in boxes and np.array_equal(labelled[there], entry.points[there]):
            x1, y1, x2, y2 = boxes["head_box"]
            side = max(entry.box[2] - entry.box[0], entry.box[3] - entry.box[1])
            return BIAS * float(np.hypot(x2 - x1, y2 - y1)) / float(side)
    return float("nan")


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


def claims(rows: runs.Rows, value: str, scale: float, unit: str) -> str:
    """The paper's claims, each with the numbers that speak for or against it, where both sides are there.

    Args:
        scale: makes `unit` of a value; negative where less is better.
    """

    def score(strategy: str, stride: int) -> float:
        return scale * mean(rows, strategy, stride, value)

    rivals = {
        "the best heatmap": tuple(runs.HEATMAPS),
        "fully connected": ("fully connected",),
        "none": ("DSNT, none",),
        "the best other": ("DSNT, kl", "DSNT, variance"),
    }
    js = {d: score("DSNT, js", d) for d in STRIDES}
    best = {
        who: {d: float(np.max([score(s, d) for s in names])) for d in STRIDES}
        for who, names in rivals.items()
    }
    gains = {who: {d: js[d] - each[d] for d in STRIDES} for who, each in best.items()}
    twice = {d: js[d] - best["the best heatmap"][finer] for d, finer in zip(STRIDES, STRIDES[1:])}
    over = {d: gain for d, gain in gains["the best heatmap"].items() if np.isfinite(gain)}
    near = all(gain > -1 for gain in twice.values() if np.isfinite(gain))
    lowest = STRIDES[0] in over and over[STRIDES[0]] == max(over.values())
    lines = [
        f"| the paper's claim | DSNT (JS) against the rival, {unit}, by stride | holds where measured |",
        "|---|---|---|",
        _claim("DSNT beats heatmap matching at every resolution", gains["the best heatmap"]),
        _claim("and by most at the lowest", gains["the best heatmap"] if len(over) > 1 else {}, lowest),
        _claim("DSNT beats fully connected regression", gains["fully connected"]),
        _claim("the regulariser matters: JS beats none", gains["none"]),
        _claim("JS is the best regulariser", gains["the best other"]),
        _claim("DSNT matches heatmaps of twice its resolution, within a point", twice, near),
    ]
    return "\n".join(lines)


def people(rows: runs.Rows) -> str:
    gains = {d: 100 * (_pckh(rows, ("DSNT, js",), d) - _pckh(rows, tuple(runs.HEATMAPS), d)) for d in STRIDES}
    return _claim("on MPII DSNT beats heatmap matching (points of PCKh@0.5)", gains)


def _claim(words: str, gains: dict[int, float], holds: bool | None = None) -> str:
    """A row; it holds if every measured gain is positive, where nothing else is said."""
    known = {stride: gain for stride, gain in gains.items() if np.isfinite(gain)}
    if not known:
        return f"| {words} | not measured | - |"
    said = ", ".join(
        f"{stride}: {known[stride]:+.1f}" if stride in known else f"{stride}: not measured"
        for stride in gains
    )
    verdict = all(gain > 0 for gain in known.values()) if holds is None else holds
    return f"| {words} | {said} | {'yes' if verdict else 'no'} |"


def _pckh(rows: runs.Rows, strategies: Sequence[str], stride: int) -> float:
    return float(np.max([mean(rows, f"{MPII}{s}", stride, "PCKh@0.5") for s in strategies]))


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
    axes.set(xlabel="milliseconds a picture", ylabel="PCK@0.1, per cent")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = runs.parser(__doc__, "docs/dsnt/resolution.md")
    parser.add_argument("--photographs", help="labelled photographs of the same object, to test on too")
    parser.add_argument("--strides", default="32,16,8,4", help="pixels per cell, of those to measure")
    parser.add_argument("--mpii", help="MPII's folder")
    given = parser.parse_args()
    budget = runs.budget_of(given)
    rows, strides = runs.Rows(budget), [int(stride) for stride in given.strides.split(",")]
    if budget.data:
        sets = runs.pictures(budget)
        measure(budget, rows, strides, sets, photographs=given.photographs)
        measure_times(budget, rows, sets[2])
    if given.mpii:
        measure(budget, rows, strides, mpii(given.mpii, budget), MPII)
    real = any("photographs PCK@0.1" in r for r in rows.rows.values())
    picture = budget.out.with_suffix(".png")
    plot(rows, picture)
    text = f"""# DSNT, heatmaps and regression at four resolutions

{budget.words}. Per cent, mean over {rows.seeds} ± their standard deviation. Errors are in per cent of the
longer side of the object's box. The held-out renderings are seen through windows that vary as when training;
in exact boxes a tool's ends lie always at the same shares of the frame, where cells of some sizes would hit
them by luck, as they may in the photographs, whose boxes are exact. ms is the time of one picture, pixels to
points, on {machine()}, {budget.threads} thread.

{table(rows, budget, real)}

{claims(rows, "PCK@0.1", 100, "points of PCK@0.1")}
{people(rows)}

{claims(rows, "mean error", -1, "less mean error")}

![accuracy against time]({picture.name})

`python -m benchmarks.dsnt_resolution --data ...`
"""
    budget.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
