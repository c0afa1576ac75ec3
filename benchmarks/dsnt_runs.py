"""What the benchmarks of DSNT do: short trainings, their errors, and rows kept in a file beside the table.

All strategies train by the package's own parts (task, loss, network) on the same views, in the same order of
a seed, for the same number of steps. Rows are measured one by one, so that a benchmark can be run in pieces:
what is there is not measured again.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from heatmark.training.loader import Samples
from heatmark.training.recipe import Recipe
from heatmark.training.task import fractions, task_of
from heatmark.types import Skeleton

from .dsnt_strategies import Budget, budget_of, network, parser, settings
from .dsnt_views import Views, drawn, views, where
from .kept import Kept

ALPHAS = (0.02, 0.05, 0.1, 0.2)
SHOWN = 2  # varied views of each picture to test on
TURNS = 60  # forward passes whose median is the time per picture


def fitted(
    strategy: str,
    stride: int,
    seed: int,
    budget: Budget,
    learn: Samples,
    skeleton: Skeleton,
    name: str = "learn",
    **changes: Any,
) -> tuple[Any, Recipe]:
    """The strategy's network after its training, and its recipe. `name`: see `views`."""
    recipe = settings(strategy, stride, seed, budget, **changes)
    net = network(recipe, skeleton)
    shown = views(learn, budget.looks, net, budget, name)
    return trained(recipe, net, shown, skeleton, budget.steps), recipe


def trained(recipe: Recipe, net: Any, learn: Views, skeleton: Skeleton, steps: int) -> Any:
    """The network after so many steps on the views, their order drawn from the recipe's seed."""
    task, net = task_of(recipe), net.to(where()).train()
    optimiser = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], recipe.lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for which in _orders(len(learn), recipe.batch, steps, recipe.seed):
        seen, batch = learn.batch(which)
        loss = task.loss(drawn(net, seen), task.targets(batch, net.strides, skeleton, recipe), recipe)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return net.eval()


def _orders(length: int, batch: int, steps: int, seed: int) -> Iterator[np.ndarray]:
    rng, waiting = np.random.default_rng([seed, 1]), np.empty(0, int)
    for _ in range(steps):
        if len(waiting) < batch:
            waiting = rng.permutation(length)
        yield waiting[:batch]
        waiting = waiting[batch:]


@torch.no_grad()
def answers(net: Any, read: Callable, test: Views, skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """How far each point was off, over the longer side of the object's box (N, K), NaN where nothing is
    labelled; and its score (N, K).
    """
    found, said = [], []
    for i in range(0, len(test), 64):
        seen, batch = test.batch(np.arange(i, min(i + 64, len(test))))
        points, scores = read(drawn(net, seen), net.strides, skeleton)
        found.append(fractions(points.cpu(), replace(batch, points=batch.points.cpu()), skeleton))
        said.append(scores.cpu().numpy())
    return np.concatenate(found), np.concatenate(said)


def errors(net: Any, read: Callable, test: Views, skeleton: Skeleton) -> np.ndarray:
    return answers(net, read, test, skeleton)[0]


def numbers(off: np.ndarray, of: str = "") -> dict[str, float]:
    """PCK at each of ALPHAS, and the mean error, per cent of the object's longer side."""
    off = off[~np.isnan(off)]
    shares = {f"{of}PCK@{alpha:g}": float((off < alpha).mean()) for alpha in ALPHAS}
    return shares | {f"{of}mean error": float(100 * off.mean())}


@torch.no_grad()
def milliseconds(ways: dict[str, tuple[Any, Callable]], skeleton: Skeleton, size: int) -> dict[str, float]:
    """Median time of one picture from pixels to points, for each (network, reading), in turns. On a CPU it is
    the processor's time, in which what else the machine does is not counted.
    """
    clock = time.process_time if where().type == "cpu" else time.perf_counter
    picture = torch.rand(1, 3, size, size, device=where()).to(memory_format=torch.channels_last)
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(TURNS + 3):
        for name, (net, read) in ways.items():
            start = clock()
            read(net(picture), net.strides, skeleton)
            if where().type != "cpu":
                torch.accelerator.synchronize()
            taken[name].append(1e3 * (clock() - start))
    return {name: float(np.median(each[3:])) for name, each in taken.items()}


class Rows:
    """The rows of a budget, "NAME, seed N" each, and what a table says of their seeds."""

    def __init__(self, budget: Budget):
        self.kept = Kept(budget.out.with_suffix(".json"), budget.words)
        self.until = time.monotonic() + 60 * budget.minutes

    def missing(self, name: str) -> bool:
        """Whether a row is still to be measured, and there is time for it."""
        return name not in self.kept.rows and time.monotonic() < self.until

    def add(self, found: dict[str, dict[str, float]]) -> None:
        self.kept.put({name: {k: round(v, 5) for k, v in row.items()} for name, row in found.items()})
        for name, row in found.items():
            print(name, {k: round(v, 3) for k, v in row.items()}, flush=True)

    @property
    def seeds(self) -> str:
        """How many seeds the rows are over, in words; the fewest and the most where they differ."""
        names = [key.rpartition(", seed ")[0] for key in self.kept.rows if ", seed " in key]
        counts = sorted({names.count(name) for name in names})
        if not counts:
            return "no seeds"
        said = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
        return f"{said} seed{'s' if counts[-1] > 1 else ''}"

    def over_seeds(self, name: str, value: str) -> np.ndarray:
        """One number of a row for each seed that was measured, in their order; empty where none was."""
        found = {key: row[value] for key, row in self.kept.rows.items() if _unseeded(key) == name}
        return np.array([found[key] for key in sorted(found)])

    def mean(self, name: str, value: str) -> float:
        """Over the seeds; NaN where none was measured."""
        found = self.over_seeds(name, value)
        return float(found.mean()) if len(found) else float("nan")

    def cell(self, name: str, value: str, scale: float = 1.0) -> str:
        """Mean over the seeds, and how far they lie apart (standard deviation), for a table."""
        return said(scale * self.over_seeds(name, value))


def _unseeded(name: str) -> str:
    return name.rpartition(", seed ")[0]


def said(each: np.ndarray, sign: str = "") -> str:
    """Mean and standard deviation of one number a seed.

    >>> said(np.array([1.0, 2.0, 3.0]), "+"), said(np.array([1.25])), said(np.array([]))
    ('+2.0 ± 1.0', '1.2', 'not measured')
    """
    if not len(each):
        return "not measured"
    return f"{each.mean():{sign}.1f}" + (f" ± {each.std(ddof=1):.1f}" if len(each) > 1 else "")


def verdict(gains: Sequence[np.ndarray]) -> str:
    """Whether every gain is one, of some that were measured, one number a seed each: "yes" if all are by more
    than twice their standard error, "no" if one is a loss by as much, else "not told apart". Of a single seed
    there is no error to know.

    >>> verdict([np.array([1.0, 1.2, 0.9])]), verdict([np.array([1.0, -1.2, 0.9])]), verdict([])
    ('yes', 'not told apart', '-')
    >>> verdict([np.array([1.0, 1.2, 0.9]), np.array([-1.0, -1.2, -0.9])])
    'no'
    """
    if not gains:
        return "-"
    sure = [2 * gain.std(ddof=1) / len(gain) ** 0.5 if len(gain) > 1 else 0.0 for gain in gains]
    if all(gain.mean() > least for gain, least in zip(gains, sure)):
        return "yes"
    return "no" if any(gain.mean() < -least for gain, least in zip(gains, sure)) else "not told apart"


def write(budget: Budget, text: str) -> None:
    budget.out.parent.mkdir(parents=True, exist_ok=True)
    budget.out.write_text(text, encoding="utf-8")
    print(text)


def command(
    description: str | None,
    out: str,
    measure: Callable[[Budget, Rows], None],
    page: Callable[[Budget, Rows], str],
) -> None:
    """A benchmark: the rows that are missing are measured, where there is data, and the page written anew."""
    budget = budget_of(parser(description, out).parse_args())
    rows = Rows(budget)
    if budget.data:
        measure(budget, rows)
    write(budget, page(budget, rows))
