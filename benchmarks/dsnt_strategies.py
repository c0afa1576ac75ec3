"""What the benchmarks of DSNT compare: strategies on one network, and the budget that all of them get.

A strategy is a recipe's head and how it is read. Everything else is the same for all: the network, the
pictures, their order, the number of steps.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from heatmark import heatmaps
from heatmark.models import create, options_of
from heatmark.models.blocks import draw_logits
from heatmark.training import recipe as recipes
from heatmark.training.recipe import Recipe, channels_for
from heatmark.training.task import task_of
from heatmark.types import Skeleton

# One training of heatmaps is read in three ways.
HEATMAPS = {"argmax": "none", "argmax + quarter": "quarter", "argmax + DARK": "dark"}
DSNT = {f"DSNT, {name}": name for name in heatmaps.REGULARISERS}
CONNECTED = "fully connected"
STRATEGIES = (*HEATMAPS, CONNECTED, *DSNT)
TRAININGS = ("argmax", "DSNT, js", "DSNT, none", CONNECTED, "DSNT, variance", "DSNT, kl")
LAMBDAS = {"variance": 100.0}  # the paper's best; 1 for the others
VARIED = {
    "rotate": [-45.0, 45.0], "scale": [0.8, 1.25], "translate": [-0.1, 0.1], "flip": 0.5,
    "stretch": None, "shear": None, "perspective": None, "motion_blur": None,
}  # fmt: skip


@dataclass(frozen=True)
class Budget:
    """What every row of a benchmark has in common."""

    data: tuple[str, ...]
    pictures: int
    looks: int
    steps: int
    seeds: int
    size: int
    backbone: str
    weights: str | None
    width: int
    batch: int
    lr: float
    threads: int
    minutes: float
    cache: Path
    out: Path

    @property
    def words(self) -> str:
        """What must be equal for two numbers to stand in one table."""
        light = f"frozen below three convolutions of {self.width} channels that learn"
        return (
            f"{self.backbone}, {light if self.light else 'all of it learning'}; {self.size} x {self.size} "
            f"pixels; {self.pictures} pictures at most, {self.looks} varied views of each; "
            f"{self.steps} steps of {self.batch}, Adam, {self.lr:g} falling to 0 by a cosine"
        )

    @property
    def light(self) -> bool:
        """Whether the backbone is frozen, so that its features are computed once for all strategies."""
        return "width" in options_of(self.backbone)


def parser(description: str | None, out: str) -> argparse.ArgumentParser:
    """The options that every benchmark of DSNT has. The defaults are the budget of the committed tables."""
    found = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--data", action="append", default=[], help="a rendered dataset; may be given again")
    found.add_argument("--pictures", type=int, default=2400, help="to learn from, at most")
    found.add_argument("--looks", type=int, default=4, help="varied views of each picture")
    found.add_argument("--steps", type=int, default=600)
    found.add_argument("--seeds", type=int, default=3)
    found.add_argument("--size", type=int, default=128, help="of the network's input, pixels")
    found.add_argument("--backbone", default="coordinate_lite0", help="or coordinate_34, coordinate_50")
    found.add_argument("--weights", default="hub", help="of the backbone: hub, a file, or none")
    found.add_argument("--width", type=int, default=32, help="channels of what learns on frozen features")
    found.add_argument("--batch", type=int, default=32)
    found.add_argument("--lr", type=float, default=3e-3)
    found.add_argument("--threads", type=int, default=1)
    found.add_argument("--minutes", type=float, default=float("inf"), help="begin no row after so long")
    found.add_argument("--cache", type=Path, default=Path("runs/dsnt/cache"), help="for frozen features")
    found.add_argument("--out", type=Path, default=Path(out))
    return found


def budget_of(given: argparse.Namespace) -> Budget:
    torch.set_num_threads(given.threads)
    fields = {name: getattr(given, name) for name in Budget.__dataclass_fields__}
    weights = None if given.weights == "none" else given.weights
    return Budget(**(fields | {"data": tuple(given.data), "weights": weights}))


def settings(strategy: str, stride: int, seed: int, budget: Budget, **changes: Any) -> Recipe:
    """The recipe that a strategy is. Heatmaps are drawn with a sigma of one cell, as DSNT's bumps are."""
    options: dict[str, Any] = {"weights": budget.weights}
    if budget.light:
        options |= {"stride": stride, "width": budget.width}
    else:
        options |= {"dilate": (32 // stride).bit_length() - 1}
    raw: dict[str, Any] = {
        "name": "dsnt", "model": budget.backbone, "options": options,
        "size": [budget.size, budget.size], "batch": budget.batch, "lr": budget.lr, "seed": seed,
        "augmentation": VARIED, "workers": 0,
    }  # fmt: skip
    if strategy in HEATMAPS:
        raw |= {"head": "heatmap", "sigma": float(stride), "targets": "regenerate"}
    elif strategy == CONNECTED:
        raw |= {"head": "connected", "interchangeable": "matched"}
        raw["options"] = options | {"connected": budget.size // 32}
    else:
        how = DSNT[strategy]
        raw |= {"head": "dsnt", "interchangeable": "matched", "regulariser": how}
        raw |= {"reg_weight": LAMBDAS.get(how, 1.0)}
    return recipes.validated(raw | changes, "benchmark")


def network(recipe: Recipe, skeleton: Skeleton) -> Any:
    """The recipe's network, its new layers drawn from the recipe's seed."""
    torch.manual_seed(recipe.seed)
    known = options_of(recipe.model)
    options = {name: value for name, value in recipe.options.items() if name in known}
    net = create(recipe.model, len(channels_for(recipe, skeleton)), **options)
    if recipe.head == "dsnt":
        draw_logits(net)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def reading(strategy: str, recipe: Recipe) -> Callable[..., Any]:
    """(maps, strides, skeleton) -> points and scores, as the strategy reads them."""
    if strategy not in HEATMAPS:
        return task_of(recipe).decode

    def read(maps, strides, skeleton):
        return heatmaps.decode(maps[-1], skeleton.channels, strides[-1], HEATMAPS[strategy])

    return read
