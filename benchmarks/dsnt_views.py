"""Pictures as the benchmarks of DSNT show them to a network, or what its frozen part makes of them.

A network with nothing to learn below its last layers sees a few varied views of every picture. They are made
once, and so are their features; both lie in the budget's cache, for every strategy, resolution and seed.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from heatmark import data
from heatmark.training.fit import precision
from heatmark.training.loader import Samples, entries, split
from heatmark.training.recipe import Recipe, skeleton_for
from heatmark.training.task import Batch
from heatmark.types import Skeleton

from .dsnt_strategies import Budget, settings

AT_ONCE = 32  # pictures that go through the frozen part together


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


def pictures(budget: Budget, recipe: Recipe | None = None) -> tuple[Samples, Samples, Skeleton]:
    """Samples to learn from and to test on (15 % of the scenes, never learnt from), and their skeleton.

    Args:
        recipe: how they are varied; by default as for all strategies.
    """
    base = recipe or settings("argmax", 32, 0, budget)
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
    points, sides = torch.from_numpy(kept["points"]), torch.from_numpy(kept["sides"])
    if not net.frozen:
        return Views((kept["pixels"],), points, sides, size)
    folder = stem.with_name(f"{stem.name}-{budget.backbone}")
    if not folder.exists():
        _extract(net, kept["pixels"], folder)
    features = tuple(np.load(file, mmap_mode="r") for file in sorted(folder.glob("*.npy")))
    return Views(features, points, sides, size)


@torch.no_grad()
def _extract(net: Any, pixels: np.ndarray, folder: Path) -> None:
    """Frozen features of pictures (N, 3, H, W), as float16, a file a level."""
    net, made, aside = net.to(where()).eval(), [], folder.with_suffix(".part")
    aside.mkdir(exist_ok=True)
    for i in range(0, len(pixels), AT_ONCE):
        found = net.features(_scaled(torch.from_numpy(pixels[i : i + AT_ONCE]).to(where())))
        if not made:
            shapes = [(len(pixels), *f.shape[1:]) for f in found]
            made = [
                np.lib.format.open_memmap(aside / f"{k}.npy", "w+", dtype=np.float16, shape=shape)
                for k, shape in enumerate(shapes)
            ]
        for kept, f in zip(made, found):
            kept[i : i + AT_ONCE] = f.half().cpu().numpy()
    for kept in made:
        kept.flush()
    aside.rename(folder)


def _key(budget: Budget, *more: Any) -> str:
    parts = (*budget.data, budget.pictures, budget.size, *more)
    return hashlib.sha256(json.dumps([str(p) for p in parts]).encode()).hexdigest()[:16]


def _scaled(seen: Tensor) -> Tensor:
    return seen.to(memory_format=torch.channels_last).float() / 255


def drawn(net: Any, seen: Sequence[Tensor]) -> Sequence[Tensor]:
    """What the network makes of pictures, or of their features; in bfloat16 where the CPU is fast at it."""
    with torch.autocast(where().type, torch.bfloat16, enabled=precision("auto") == "bf16"):
        if seen[0].dtype == torch.uint8:
            return net(_scaled(seen[0]))
        return net.answer([s.to(memory_format=torch.channels_last).float() for s in seen])
