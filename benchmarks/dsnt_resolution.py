"""Heatmaps, fully connected regression and DSNT at four resolutions of one network: accuracy, and time.

    heatmark render screwdriver --count 2800 --out screwdrivers
    python -m benchmarks.dsnt_resolution --data screwdrivers --minutes 9 [--photographs DATASET]

Run it again until every row is there. Writes a Markdown table, the paper's claims with what was measured of
them, and a plot of accuracy against time. The paper's tables are on MPII (PCKh) after 120 epochs on GPUs:
with --mpii FOLDER, which holds train.json, valid.json and gt_valid.mat, the same is done with MPII's people.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from heatmark import data
from heatmark.metrics.pckh import BIAS, UNCOUNTED
from heatmark.training.loader import Entry, Samples, entries
from heatmark.training.recipe import skeleton_for
from heatmark.types import Skeleton

from . import dsnt_runs as runs
from .dsnt_strategies import (
    CONNECTED,
    HEATMAPS,
    STRATEGIES,
    TRAININGS,
    Budget,
    budget_of,
    network,
    parser,
    reading,
    settings,
)
from .dsnt_views import photographs, pictures, views, where
from .runs import ended

STRIDES = (32, 16, 8, 4)
MPII, REAL = "MPII, ", "photographs "  # begin the names of rows, and of values
PCKH = "PCKh@0.5"


def row(strategy: str, stride: int, of: str = "") -> str:
    """A row's name without its seed; `of` tells data apart."""
    return f"{of}{strategy}, stride {stride}"


def timed(strategy: str, stride: int) -> str:
    return f"{row(strategy, stride)}, time"


def readings(strategy: str) -> Sequence[str]:
    """One training of heatmaps is read in three ways."""
    return tuple(HEATMAPS) if strategy == "argmax" else (strategy,)


def measure(
    budget: Budget,
    rows: runs.Rows,
    strides: Sequence[int],
    sets: tuple[Samples, Samples, Skeleton],
    of: str = "",
    real: str | None = None,
) -> None:
    """Every training's rows, on the samples to test on and on the photographs in `real`."""
    learn, test, skeleton = sets
    for stride, seed, strategy in itertools.product(strides, range(budget.seeds), TRAININGS):
        if not rows.missing(f"{row(strategy, stride, of)}, seed {seed}"):
            continue
        net, recipe = runs.fitted(strategy, stride, seed, budget, learn, skeleton, f"{of}learn")
        held, found = views(test, runs.SHOWN, net, budget, f"{of}test"), {}
        for way in readings(strategy):
            read = reading(way, recipe)
            off = runs.errors(net, read, held, skeleton)
            numbers = runs.numbers(off) | by_head(off, test)
            if real is not None:
                seen = views(photographs(real, test), 0, net, budget, real)
                numbers |= runs.numbers(runs.errors(net, read, seen, skeleton), REAL)
            found[f"{row(way, stride, of)}, seed {seed}"] = numbers
        rows.add(found)


def measure_times(budget: Budget, rows: runs.Rows, strides: Sequence[int], skeleton: Skeleton) -> None:
    for stride in strides:
        if rows.missing(timed(STRATEGIES[-1], stride)):
            ways = {}
            for strategy in STRATEGIES:
                recipe = settings(strategy, stride, 0, budget)
                net = network(recipe, skeleton).to(where()).eval()
                ways[timed(strategy, stride)] = (net, reading(strategy, recipe))
            taken = runs.milliseconds(ways, skeleton, budget.size)
            rows.add({name: {"ms": ms} for name, ms in taken.items()})


def mpii(folder: str, budget: Budget) -> tuple[Samples, Samples, Skeleton]:
    """The samples of MPII's own split."""
    base = settings("argmax", 32, 0, budget)
    sets = [data.open_dataset(Path(folder) / name) for name in ("train.json", "valid.json")]
    skeleton = skeleton_for(base, sets[0].skeleton)
    learn, test = (entries(s, skeleton) for s in sets)
    order = np.random.default_rng(0).permutation(len(learn))[: budget.pictures]
    return Samples([learn[i] for i in order], skeleton, base), Samples(test, skeleton, base), skeleton


def by_head(off: np.ndarray, test: Samples) -> dict[str, float]:
    """PCKh@0.5, of errors (N, K) over the box's longer side, N a multiple of the samples; nothing where no
    person's head has a box.
    """
    counted = [k for k, name in enumerate(test.skeleton.landmarks) if name not in UNCOUNTED]
    heads = np.array([head_size(entry) for entry in test.entries])  # over the box's longer side
    fractions = off[:, counted] / np.resize(heads, len(off))[:, None]
    fractions = fractions[~np.isnan(fractions)]
    return {PCKH: float((fractions <= 0.5).mean())} if len(fractions) else {}


def head_size(entry: Entry) -> float:
    """0.6 of the diagonal of a person's head box, over the longer side of their own box; NaN without one."""
    for labelled, boxes in zip(entry.record.poses.points, entry.record.instances):
        there = np.isfinite(entry.points).all(-1)
        if "head_box" in boxes and np.array_equal(labelled[there], entry.points[there]):
            x1, y1, x2, y2 = boxes["head_box"]
            side = max(entry.box[2] - entry.box[0], entry.box[3] - entry.box[1])
            return BIAS * float(np.hypot(x2 - x1, y2 - y1)) / float(side)
    return float("nan")


def table(rows: runs.Rows, budget: Budget, columns: Mapping[str, tuple[str, float]], of: str = "") -> str:
    """A line a strategy and resolution; columns: heading -> (value, what it is multiplied by)."""
    heads = ["strategy", "cells", *columns, "ms"]
    lines = [f"| {' | '.join(heads)} |", "|---|---:" + "|---:" * (len(heads) - 2) + "|"]
    for stride, strategy in itertools.product(STRIDES, STRATEGIES):
        values = [rows.cell(row(strategy, stride, of), value, scale) for value, scale in columns.values()]
        taken = rows.kept.rows.get(timed(strategy, stride))
        values.append(f"{taken['ms']:.1f}" if taken else "not measured")
        lines.append(f"| {strategy} | {budget.size // stride} | {' | '.join(values)} |")
    return "\n".join(lines)


def claims(rows: runs.Rows, value: str, scale: float, unit: str, of: str = "") -> str:
    """The paper's claims, each with the numbers that speak for or against it, where both sides are there.

    Args:
        scale: makes `unit` of a value; negative where less is better.
    """

    def gains(rivals: Sequence[str], finer: int = 1) -> dict[int, np.ndarray]:
        """JS less the best rival (on the average) at a stride `finer` times smaller, seed by seed."""
        found = {}
        for stride in STRIDES[: len(STRIDES) - (finer > 1)]:
            ours = scale * rows.over_seeds(row("DSNT, js", stride, of), value)
            others = [scale * rows.over_seeds(row(s, stride // finer, of), value) for s in rivals]
            best = max(others, key=lambda each: each.mean() if len(each) else -np.inf)
            both = min(len(ours), len(best))
            found[stride] = ours[:both] - best[:both]
        return found

    over_heatmaps, twice = gains(tuple(HEATMAPS)), gains(tuple(HEATMAPS), finer=2)
    lowest, *others = [gain for gain in over_heatmaps.values() if len(gain)] or [np.empty(0)]
    there = len(over_heatmaps[STRIDES[0]]) > 0
    above = [lowest[: len(gain)] - gain[: len(lowest)] for gain in others] if there else []
    most = [lowest, *above] if above else []  # a gain at all, and more of one than elsewhere
    lines = [
        f"| the paper's claim | DSNT (JS) against the rival, {unit}, by pixels per cell | holds |",
        "|---|---|---|",
        _claim("DSNT beats heatmap matching at every resolution", over_heatmaps),
        _claim("and by most at the lowest", over_heatmaps, most),
        _claim("DSNT beats fully connected regression", gains((CONNECTED,))),
        _claim("the regulariser matters: JS beats none", gains(("DSNT, none",))),
        _claim("JS is the best regulariser", gains(("DSNT, kl", "DSNT, variance"))),
        _claim(
            "DSNT matches heatmaps of twice its resolution, within a point",
            twice,
            [gain + 1 for gain in twice.values() if len(gain)],
        ),
    ]
    return "\n".join(lines)


def _claim(words: str, gains: dict[int, np.ndarray], tried: Sequence[np.ndarray] | None = None) -> str:
    """A row; it holds if every measured gain is one, or each of `tried`."""
    tried = [gain for gain in gains.values() if len(gain)] if tried is None else tried
    shown = ", ".join(f"{stride}: {runs.said(gain, '+')}" for stride, gain in gains.items())
    known = any(len(gain) for gain in gains.values())
    return f"| {words} | {shown if known else 'not measured'} | {runs.verdict(tried)} |"


def plot(rows: runs.Rows, path: Path) -> None:
    """Accuracy against time, a line a strategy, a point a resolution, a bar the seeds' standard deviation."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.2), layout="constrained")
    shown = {"PCK@0.1, per cent": ("PCK@0.1", 100), "mean error, per cent of the box": ("mean error", 1)}
    for axes, (label, (value, scale)) in zip(figure.subplots(1, 2), shown.items()):
        for strategy in STRATEGIES:
            found = {d: scale * rows.over_seeds(row(strategy, d), value) for d in STRIDES}
            there = [d for d in STRIDES if len(found[d]) and timed(strategy, d) in rows.kept.rows]
            ms = [rows.kept.rows[timed(strategy, d)]["ms"] for d in there]
            means = [found[d].mean() for d in there]
            spread = [found[d].std(ddof=1) if len(found[d]) > 1 else 0.0 for d in there]
            style = "--" if strategy in HEATMAPS else ":" if strategy == CONNECTED else "-"
            axes.errorbar(ms, means, spread, ls=style, marker="o", ms=4, capsize=2, label=strategy)
        axes.set(xlabel="milliseconds a picture, pixels to points", ylabel=label)
        axes.grid(alpha=0.3)
    figure.axes[0].legend(fontsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def page(budget: Budget, rows: runs.Rows, picture: Path) -> str:
    columns = {f"PCK@{a:g}": (f"PCK@{a:g}", 100.0) for a in (0.05, 0.1, 0.2)}
    columns["mean error"] = ("mean error", 1.0)
    if any(f"{REAL}PCK@0.1" in found for found in rows.kept.rows.values()):
        columns[f"{REAL}PCK@0.1"] = (f"{REAL}PCK@0.1", 100.0)
    people = "On MPII: not measured."
    if any(name.startswith(MPII) for name in rows.kept.rows):
        people = f"""{table(rows, budget, {"MPII PCKh@0.5": (PCKH, 100.0)}, MPII)}

{claims(rows, PCKH, 100, "points of PCKh@0.5 on MPII", MPII)}"""
    return f"""# DSNT, heatmaps and regression at four resolutions

{budget.words}. The features of the views are computed once, and all strategies,
resolutions and seeds learn on them; a seed draws the new layers and the order of the views. Heatmaps have a
sigma of one cell, and so have DSNT's bumps; lambda is 1, for the variance 100, as in the paper.

Per cent, mean over {rows.seeds} ± their standard deviation. Errors are in per cent of the longer side of the
object's box. The held-out renderings are seen through windows that vary as when training, {runs.SHOWN} views
of each; in exact boxes a tool's ends lie always at the same shares of the frame, where cells of some sizes
would hit them by luck, as they may in the photographs, whose boxes are exact. ms is the time of one picture,
pixels to points, on {rows.kept.machine}, {budget.threads} thread; the differences
between strategies of one resolution are mostly its noise.

{table(rows, budget, columns)}

A claim holds if the difference, seed by seed, is more than twice its standard error everywhere; it does not
if it is as much the other way anywhere. Of heatmaps the best of the three readings counts.

{claims(rows, "PCK@0.1", 100, "points of PCK@0.1")}

{claims(rows, "mean error", -1, "less mean error")}

![accuracy against time]({picture.name})

{people}

`python -m benchmarks.dsnt_resolution --data ...`
"""


def main() -> None:
    options = parser(__doc__, "docs/dsnt/resolution.md")
    options.add_argument("--photographs", help="labelled photographs of the same object, to test on too")
    options.add_argument("--strides", default="32,16,8,4", help="pixels per cell, of those to measure")
    options.add_argument("--mpii", help="MPII's folder")
    given = options.parse_args()
    budget = budget_of(given)
    rows, strides = runs.Rows(budget), [int(stride) for stride in given.strides.split(",")]
    if budget.data:
        sets = pictures(budget)
        measure_times(budget, rows, strides, sets[2])
        measure(budget, rows, strides, sets, real=given.photographs)
    if given.mpii:
        measure(budget, rows, strides, mpii(given.mpii, budget), MPII)
    picture = budget.out.with_suffix(".png")
    plot(rows, picture)
    runs.write(budget, page(budget, rows, picture))


if __name__ == "__main__":
    ended(main)
