"""What the benchmarks of DSNT share: strategies of one network, short trainings, rows kept in a file.

A strategy is a recipe's head and how it is read. All of them train by the package's own parts (loader, task,
network) on the same pictures, in the same order, for the same number of steps. Rows go one by one into a JSON
file beside the table, so that a benchmark can be run in pieces: what is there is not measured again.

With the backbone coordinate_lite0, whose features are frozen, they are computed once for each of `--looks`
varied views of a picture and kept on disk; with coordinate_34 or coordinate_50 (a GPU's work) everything
learns and nothing is kept.
"""

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from heatmark import data, heatmaps
from heatmark.models import create, options_of
from heatmark.training import recipe as recipes
from heatmark.training.fit import precision
from heatmark.training.loader import Samples, entries, split
from heatmark.training.recipe import Recipe, channels_for, skeleton_for
from heatmark.training.task import Batch, fractions, task_of
from heatmark.types import Skeleton

ALPHAS = (0.02, 0.05, 0.1, 0.2)
HEATMAPS = {
    "argmax": "none",
    "argmax + quarter": "quarter",
    "argmax + DARK": "dark",
}  # one training, read thrice
DSNT = {f"DSNT, {name}": name for name in heatmaps.REGULARISERS}
STRATEGIES = (*HEATMAPS, "fully connected", *DSNT)
FLOOR = 0.01  # of a heatmap, whose peaks are 1
TURNS = 20  # forward passes whose median is the time per picture


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
    batch: int
    lr: float
    threads: int
    minutes: float
    cache: Path
    out: Path

    @property
    def words(self) -> str:
        kept = (
            "frozen below three convolutions that learn" if "lite0" in self.backbone else "all of it learning"
        )
        return (
            f"{self.backbone}, {kept}; {self.size} x {self.size} pixels; {self.pictures} pictures at most, "
            f"{self.looks} varied views of each; {self.steps} steps of {self.batch}, Adam, {self.lr:g} "
            "falling to 0 by a cosine"
        )


@dataclass(frozen=True)
class Views:
    """Pictures as the network sees them, or what its frozen part makes of them, and the truth."""

    seen: tuple[np.ndarray, ...]  # one (N, 3, H, W) uint8, or several (N, C, h, w) float16 on disk
    points: Tensor  # (N, K, 2) network pixels
    sides: Tensor  # (N,)
    size: tuple[int, int]  # (H, W) of the network's input

    def __len__(self) -> int:
        return len(self.points)

    def batch(self, which: np.ndarray) -> tuple[list[Tensor], Batch]:
        """What the network takes, and the rest of a Batch; its pictures are there by their shape only."""
        n = len(which)
        seen = [torch.from_numpy(np.ascontiguousarray(s[which])).to(where()) for s in self.seen]
        shape = torch.empty(n, 3, *self.size, dtype=torch.uint8, device="meta")
        points, there = self.points[which].to(where()), self.points[which].isfinite().all(-1)
        return seen, Batch(shape, points, ~there, self.sides[which], ("",) * n)


def where() -> torch.device:
    here = torch.accelerator.is_available()
    return (torch.accelerator.current_accelerator() if here else None) or torch.device("cpu")


def parser(description: str | None, out: str) -> argparse.ArgumentParser:
    """The options that every benchmark of DSNT has. The defaults are the budget of the committed tables."""
    found = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("--data", action="append", default=[], help="a rendered dataset; may be given again")
    found.add_argument("--pictures", type=int, default=1360, help="to learn from, at most")
    found.add_argument("--looks", type=int, default=5, help="varied views of each picture")
    found.add_argument("--steps", type=int, default=500)
    found.add_argument("--seeds", type=int, default=3)
    found.add_argument("--size", type=int, default=128, help="of the network's input, pixels")
    found.add_argument("--backbone", default="coordinate_lite0", help="or coordinate_34, coordinate_50")
    found.add_argument("--weights", default="hub", help="of the backbone: hub, a file, or none")
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
    light = "stride" in options_of(budget.backbone)
    options: dict[str, Any] = {"stride": stride} if light else {"dilate": (32 // stride).bit_length() - 1}
    options["weights"] = budget.weights
    raw: dict[str, Any] = {
        "name": "dsnt", "model": budget.backbone, "options": options,
        "size": [budget.size, budget.size], "batch": budget.batch, "lr": budget.lr, "seed": seed,
        "augmentation": VARIED, "workers": 0,
    }  # fmt: skip
    if strategy in HEATMAPS:
        raw |= {"head": "heatmap", "sigma": float(stride), "targets": "regenerate"}
    elif strategy == "fully connected":
        raw |= {"head": "connected", "interchangeable": "matched"}
        raw["options"] = options | {"connected": budget.size // 32}
    else:
        raw |= {"head": "dsnt", "interchangeable": "matched", "regulariser": DSNT[strategy]}
    return recipes.validated(raw | changes, "benchmark")


VARIED = {
    "rotate": [-45.0, 45.0], "scale": [0.8, 1.25], "translate": [-0.1, 0.1], "flip": 0.5,
    "stretch": None, "shear": None, "perspective": None, "motion_blur": None,
}  # fmt: skip


def pictures(budget: Budget) -> tuple[Samples, Samples, Skeleton]:
    """Samples to learn from and to test on (15 % of the scenes, never learnt from), and their skeleton."""
    base = settings("argmax", 32, 0, budget)
    learn, test = [], []
    datasets = [data.open_dataset(source) for source in budget.data]
    skeleton = skeleton_for(base, datasets[0].skeleton)
    for dataset in datasets:
        kept, apart = split(dataset, 0.15, seed=0)
        learn, test = learn + entries(kept, skeleton), test + entries(apart, skeleton)
    order = np.random.default_rng(0).permutation(len(learn))[: budget.pictures]
    return Samples([learn[i] for i in order], skeleton, base), Samples(test, skeleton, base), skeleton


def photographs(source: str, like: Samples) -> Samples:
    """Labelled photographs of the same object, each in its box."""
    return Samples(entries(data.open_dataset(source), like.skeleton), like.skeleton, like.recipe)


def views(samples: Samples, looks: int, net: Any, budget: Budget, name: str) -> Views:
    """Every sample `looks` times, varied; with 0 looks once, as it is. `name` says which samples they are."""
    keys = [(look, i) for look in range(looks) for i in range(len(samples))]
    keys = keys or [(None, i) for i in range(len(samples))]
    stem = budget.cache / f"{_key(budget, name, looks, len(samples))}"
    budget.cache.mkdir(parents=True, exist_ok=True)
    if not stem.with_suffix(".npz").exists():
        found = [samples[key] for key in keys]
        pixels, points, sides = (
            np.stack([getattr(s, n).numpy() for s in found]) for n in ("pictures", "points", "sides")
        )
        np.savez(stem.with_suffix(".npz"), pixels=pixels, points=points, sides=sides)
    kept, size = np.load(stem.with_suffix(".npz")), (budget.size, budget.size)
    plain = Views((kept["pixels"],), torch.from_numpy(kept["points"]), torch.from_numpy(kept["sides"]), size)
    if not net.frozen:
        return plain
    folder = stem.with_name(f"{stem.name}-{budget.backbone}")
    if not folder.exists():
        _extract(net, plain, folder)
    files = sorted(folder.glob("*.npy"))
    return replace(plain, seen=tuple(np.load(file, mmap_mode="r") for file in files))


def _extract(net: Any, plain: Views, folder: Path) -> None:
    """Frozen features of all views, as float16, a file a level."""
    net, made, aside = net.to(where()).eval(), [], folder.with_suffix(".part")
    aside.mkdir(exist_ok=True)
    for i in range(0, len(plain), 32):
        with torch.no_grad():
            found = net.features(_scaled(torch.from_numpy(plain.seen[0][i : i + 32]).to(where())))
        if not made:
            shapes = [(len(plain), *f.shape[1:]) for f in found]
            made = [
                np.lib.format.open_memmap(aside / f"{k}.npy", "w+", dtype=np.float16, shape=shape)
                for k, shape in enumerate(shapes)
            ]
        for kept, f in zip(made, found):
            kept[i : i + 32] = f.half().cpu().numpy()
    for kept in made:
        kept.flush()
    aside.rename(folder)


def _key(budget: Budget, *more: Any) -> str:
    parts = (*budget.data, budget.pictures, budget.size, *more)
    return hashlib.sha256(json.dumps([str(p) for p in parts]).encode()).hexdigest()[:16]


def _scaled(seen: Tensor) -> Tensor:
    return seen.to(memory_format=torch.channels_last).float() / 255


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


def network(recipe: Recipe, skeleton: Skeleton) -> Any:
    """The recipe's network, its new layers drawn from the recipe's seed."""
    torch.manual_seed(recipe.seed)
    known = options_of(recipe.model)
    net = create(
        recipe.model,
        len(channels_for(recipe, skeleton)),
        **{k: v for k, v in recipe.options.items() if k in known},
    )
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def trained(recipe: Recipe, net: Any, learn: Views, skeleton: Skeleton, steps: int) -> Any:
    """The network after so many steps on the views, their order drawn from the recipe's seed."""
    task, net = task_of(recipe), net.to(where()).train()
    optimiser = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], recipe.lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for which in _orders(len(learn), recipe.batch, steps, recipe.seed):
        seen, batch = learn.batch(which)
        loss = task.loss(_answers(net, seen), task.targets(batch, net.strides, skeleton, recipe), recipe)
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


def _answers(net: Any, seen: Sequence[Tensor]) -> Sequence[Tensor]:
    """From pictures, or from the frozen features of pictures; in bfloat16 where the CPU is fast at it."""
    with torch.autocast(where().type, torch.bfloat16, enabled=precision("auto") == "bf16"):
        if seen[0].dtype == torch.uint8:
            return net(_scaled(seen[0]))
        return net.answer([s.to(memory_format=torch.channels_last).float() for s in seen])


def reading(strategy: str, recipe: Recipe) -> Callable[..., tuple[Tensor, Tensor]]:
    """(maps, strides, skeleton) -> points and scores, as the strategy reads them. Heatmaps here have no
    sigmoid and may fall below 0, where DARK would have no logarithm: they are cut off at FLOOR.
    """
    if strategy not in HEATMAPS:
        return task_of(recipe).decode

    def read(maps: Sequence[Tensor], strides: Sequence[int], skeleton: Skeleton) -> tuple[Tensor, Tensor]:
        return heatmaps.decode(maps[-1].clamp_min(FLOOR), skeleton.channels, strides[-1], HEATMAPS[strategy])

    return read


@torch.no_grad()
def answers(net: Any, read: Callable, test: Views, skeleton: Skeleton) -> tuple[np.ndarray, np.ndarray]:
    """How far each point was off, over the longer side of the object's box (N, K), NaN where nothing is
    labelled; and its score (N, K).
    """
    found, said = [], []
    for i in range(0, len(test), 64):
        seen, batch = test.batch(np.arange(i, min(i + 64, len(test))))
        points, scores = read(_answers(net, seen), net.strides, skeleton)
        found.append(fractions(points.cpu(), replace(batch, points=batch.points.cpu()), skeleton))
        said.append(scores.cpu().numpy())
    return np.concatenate(found), np.concatenate(said)


def errors(net: Any, read: Callable, test: Views, skeleton: Skeleton) -> np.ndarray:
    return answers(net, read, test, skeleton)[0]


def numbers(off: np.ndarray) -> dict[str, float]:
    """PCK at each of ALPHAS, and the mean error, per cent of the object's longer side."""
    off = off[~np.isnan(off)]
    shares = {f"PCK@{alpha:g}": float((off < alpha).mean()) for alpha in ALPHAS}
    return shares | {"mean error": float(100 * off.mean())}


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
    """Measured rows by name, in a JSON file beside the table. Each is written as soon as it is there."""

    def __init__(self, budget: Budget):
        self.file, self.until = budget.out.with_suffix(".json"), time.monotonic() + 60 * budget.minutes
        kept = json.loads(self.file.read_text()) if self.file.exists() else {}
        if kept and kept["budget"] != budget.words:
            raise SystemExit(
                f"{self.file} holds rows of another budget ({kept['budget']}): move it away first"
            )
        self.budget, self.rows = budget.words, kept.get("rows", {})

    def missing(self, name: str) -> bool:
        """Whether a row is still to be measured, and there is time for it."""
        return name not in self.rows and time.monotonic() < self.until

    def add(self, found: dict[str, dict[str, float]]) -> None:
        self.rows |= found
        self.file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"budget": self.budget, "rows": self.rows}, indent=1)
        self.file.write_text(text + "\n", encoding="utf-8")
        for name, row in found.items():
            print(name, {k: round(v, 4) for k, v in row.items()}, flush=True)

    @property
    def seeds(self) -> str:
        """How many seeds the rows are over, in words; the fewest and the most where they differ."""
        names = [key.rpartition(", seed ")[0] for key in self.rows if ", seed " in key]
        counts = sorted({names.count(name) for name in names})
        if not counts:
            return "no seeds"
        said = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
        return f"{said} seed{'s' if counts[-1] > 1 else ''}"

    def over_seeds(self, name: str, value: str) -> np.ndarray:
        """One number of a row for each seed that was measured; empty where none was."""
        found = [row[value] for key, row in self.rows.items() if key.rpartition(", seed ")[0] == name]
        return np.array(found)

    def cell(self, name: str, value: str, scale: float = 1.0, digits: int = 1) -> str:
        """Mean over the seeds, and how far they lie apart (standard deviation), for a table."""
        found = scale * self.over_seeds(name, value)
        if not len(found):
            return "not measured"
        spread = f" ± {found.std(ddof=1):.{digits}f}" if len(found) > 1 else ""
        return f"{found.mean():.{digits}f}{spread}"
