"""How one kind of answer is learnt and read back: a Task is a few functions, all that the step knows.

SINGLE: one object a picture, each of its landmarks (or interchangeable group) on its own map.
`coordinates`: the same, but a map's mean is the point (DSNT), and the points themselves are learnt.
CONNECTED: the points are what the network answers with; there are no maps.
PUBLISHED: maps drawn, weighed, compared and read as by HRNet and SimpleBaseline (msra).

Landmarks: hidden ones (1) are learnt like seen ones (2), because the network is to say where they are. One
that lies outside the network's input has an empty map, and so has one labelled absent (0), since in rendered
pictures that means outside; for photographs where it means that nobody looked, `absent: ignore` leaves its
map out of the loss. A mean, like an answered point, is always somewhere, so it learns nothing from either.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from .. import heatmaps
from ..metrics.pck import pck
from ..types import ABSENT, SEEN, Poses, Skeleton
from .losses import coordinate_sum, joints_mse, level_sum, point_error
from .recipe import Recipe


class SideBySide:
    """What every batch can do, a dataclass of tensors and `names`: it has a length, and goes to a device."""

    names: tuple[str, ...]  # (B,) where each picture came from

    def __len__(self) -> int:
        return len(self.names)

    def to(self, device: torch.device) -> Self:
        given: Any = self
        tensors = {f.name: getattr(self, f.name) for f in fields(given) if f.name != "names"}
        return replace(given, **{n: t.to(device, non_blocking=True) for n, t in tensors.items()})


@dataclass(frozen=True)
class Batch(SideBySide):
    """Samples side by side, as the loader gives them."""

    pictures: Tensor  # (B, 3, H, W) uint8 RGB
    points: Tensor  # (B, K, 2) float32, x y in network pixels; NaN where there is none inside (msra: at all)
    unlabelled: Tensor  # (B, K) bool: labelled absent, so perhaps there but not said
    sides: Tensor  # (B,) float32: the longer side of the object's box, network pixels
    names: tuple[str, ...]  # (B,) where each came from


CELLS = 2.0  # sigma of a published bump, for maps of 64 x 48 and 64 x 64 cells
TENSORS = ("pictures", "points", "unlabelled", "sides")  # of a Batch


@dataclass(frozen=True)
class Targets:
    """What the network should have drawn."""

    levels: list[Tensor]  # (B, C, h, w) each, coarse to fine
    counted: Tensor | None  # (B, C) bool; None: all


@dataclass(frozen=True)
class Places:
    """What the network's maps should have meant."""

    points: Tensor  # (B, K, 2) network pixels; NaN where there is none inside
    strides: tuple[int, ...]  # of the maps, coarse to fine
    size: tuple[int, int]  # (H, W) of the network's input
    groups: tuple[tuple[int, ...], ...] = ()  # of points that are learnt in whichever order is nearer


@dataclass(frozen=True)
class Weighed:
    """What HRNet and its kin should have drawn."""

    levels: list[Tensor]  # (B, C, h, w) each
    weights: Tensor  # (B, C), 0 where there is no label or the whole bump is outside


def same(maps: Tensor) -> Tensor:
    return maps


@dataclass(frozen=True)
class Task:
    """How one kind of answer is learnt and read back."""

    targets: Callable[[Batch, Sequence[int], Skeleton, Recipe], Any]  # batch, strides -> what to learn
    loss: Callable[[Sequence[Tensor], Any, Recipe], Tensor]  # maps, targets -> scalar
    decode: Callable[[Sequence[Tensor], Sequence[int], Skeleton], tuple[Tensor, Tensor]]  # -> points, scores
    # points -> (B, K) distance / side; NaN: not counted
    metric: Callable[[Tensor, Batch, Skeleton], np.ndarray]
    shown: Callable[[Tensor], Tensor] = same  # the finest maps -> maps in [0, 1] to look at
    check: Callable[..., Any] | None = None  # in place of fit.validate, where answers are not one an object


def draw(batch: Batch, strides: Sequence[int], skeleton: Skeleton, recipe: Recipe) -> Targets:
    """The bumps of a batch at every level."""
    h, w = batch.pictures.shape[-2:]
    sizes = [(h // stride, w // stride) for stride in strides]
    drawn = heatmaps.pyramid(
        batch.points, skeleton.channels, (h, w), sizes, recipe.sigma, recipe.targets, recipe.snap
    )
    counted = None
    if recipe.absent == "ignore":  # a map counts if each of its landmarks was labelled
        unlabelled = torch.stack(
            [batch.unlabelled[:, list(group)].any(-1) for group in skeleton.channels], -1
        )
        counted = ~unlabelled
    return Targets(drawn, counted)


def compare(maps: Sequence[Tensor], targets: Targets, recipe: Recipe) -> Tensor:
    return level_sum(maps, targets.levels, recipe.level_weights, targets.counted, recipe.foreground)


def read_finest(maps: Sequence[Tensor], strides: Sequence[int], skeleton: Skeleton) -> tuple[Tensor, Tensor]:
    """Points (B, K, 2) in network pixels and scores (B, K), from the finest map."""
    return heatmaps.decode(maps[-1], skeleton.channels, strides[-1])


def fractions(points: Tensor, batch: Batch, skeleton: Skeleton) -> np.ndarray:
    """How far each point was off, over the box's longer side: (B, K), NaN where nothing is labelled."""
    true = batch.points.double().cpu().numpy()
    seen = np.where(np.isfinite(true).all(-1), SEEN, ABSENT).astype(np.uint8)
    sides = batch.sides.double().cpu().numpy()
    boxes = np.stack([np.zeros_like(sides), np.zeros_like(sides), sides, sides], -1)
    found = Poses(skeleton, points.double().cpu().numpy())
    return pck([found], [Poses(skeleton, true, visibility=seen, boxes=boxes)]).fractions


def place(batch: Batch, strides: Sequence[int], skeleton: Skeleton, recipe: Recipe) -> Places:
    """The points of a batch; one landmark a map."""
    h, w = batch.pictures.shape[-2:]
    return Places(batch.points, tuple(strides), (h, w), skeleton.groups)


def measure(maps: Sequence[Tensor], targets: Places, recipe: Recipe) -> Tensor:
    r = recipe
    how = (r.rectification, r.regulariser, r.reg_weight, r.reg_sigma, r.level_weights)
    return coordinate_sum(maps, targets.points, targets.strides, *how, groups=targets.groups)


def point(points: Sequence[Tensor], targets: Places, recipe: Recipe) -> Tensor:
    return point_error(points[-1], targets.points, targets.size, targets.groups)


def as_they_are(
    points: Sequence[Tensor], strides: Sequence[int], skeleton: Skeleton
) -> tuple[Tensor, Tensor]:
    """Points (B, K, 2) of a network that answers with points, which says nothing of how sure it is: 1."""
    return heatmaps.certain(points[-1])


def read_mean(
    maps: Sequence[Tensor], strides: Sequence[int], skeleton: Skeleton, rectification: str
) -> tuple[Tensor, Tensor]:
    """Points (B, K, 2) in network pixels and scores (B, K): means of the finest maps."""
    return heatmaps.decode_expectation(maps[-1], skeleton.alone, strides[-1], rectification)


def _brightened(maps: Tensor, rectification: str) -> Tensor:
    drawn = heatmaps.rectified(maps, rectification)
    return drawn / drawn.amax((-2, -1), keepdim=True)


def _nothing(points: Tensor) -> Tensor:
    return points.new_zeros(*points.shape[:2], 1, 1)


SINGLE = Task(targets=draw, loss=compare, decode=read_finest, metric=fractions)
CONNECTED = Task(targets=place, loss=point, decode=as_they_are, metric=fractions, shown=_nothing)


def coordinates(rectification: str) -> Task:
    """The Task of a network whose maps become points by their mean."""
    read = partial(read_mean, rectification=rectification)
    shown = partial(_brightened, rectification=rectification)
    return Task(targets=place, loss=measure, decode=read, metric=fractions, shown=shown)


def draw_published(batch: Batch, strides: Sequence[int], skeleton: Skeleton, recipe: Recipe) -> Weighed:
    """The bumps of a batch about the nearest cells, one landmark a map."""
    h, w = batch.pictures.shape[-2:]
    points = batch.points[:, [group[0] for group in skeleton.channels]]
    sigmas = [CELLS if recipe.sigma is None else recipe.sigma / stride for stride in strides]
    drawn = [heatmaps.msra.gaussians(points, (h // s, w // s), sigma, s) for s, sigma in zip(strides, sigmas)]
    return Weighed([maps for maps, _ in drawn], drawn[-1][1])


def compare_published(maps: Sequence[Tensor], targets: Weighed, recipe: Recipe) -> Tensor:
    return joints_mse(maps, targets.levels, targets.weights)


def read_published(
    maps: Sequence[Tensor], strides: Sequence[int], skeleton: Skeleton
) -> tuple[Tensor, Tensor]:
    """Points (B, K, 2) in network pixels and scores (B, K), a quarter of a cell towards the higher side."""
    return heatmaps.msra.decode(maps[-1], skeleton.channels, strides[-1])


PUBLISHED = Task(targets=draw_published, loss=compare_published, decode=read_published, metric=fractions)


def task_of(recipe: Recipe) -> Task:
    """The Task that a recipe's head asks for."""
    heads = {"heatmap": SINGLE, "connected": CONNECTED, "msra": PUBLISHED}
    return heads[recipe.head] if recipe.head in heads else coordinates(recipe.rectification)
