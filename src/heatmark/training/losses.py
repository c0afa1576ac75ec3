"""What is stepped down on: maps against maps drawn from the labels, or their means against the labels."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .. import heatmaps


def level_sum(
    maps: Sequence[Tensor],
    targets: Sequence[Tensor],
    weights: Sequence[float] | None = None,
    counted: Tensor | None = None,
    foreground: float = 0.0,
) -> Tensor:
    """IHM eq. 1: the mean squared error of each level, over all its elements, summed over the levels.

    Args:
        maps, targets: (B, C, h, w) each, level by level.
        weights: of each level; 1 if None, as in the paper.
        counted: (B, C) bool, the maps that count; None: all. With none at all the loss is 0.
        foreground: an error where the target is y weighs 1 + foreground * y; 0 as in the paper. Bumps cover a
            hundredth of a map, so without it a short training learns empty maps first.

    >>> maps = [torch.ones(1, 1, 2, 2), torch.ones(1, 1, 4, 4)]
    >>> level_sum(maps, [torch.zeros(1, 1, 2, 2), torch.full((1, 1, 4, 4), 0.5)])
    tensor(1.2500)
    """
    if not len(maps) == len(targets) == len(weights or maps):
        raise ValueError(
            f"{len(maps)} levels, {len(targets)} targets and {len(weights or maps)} weights do not agree"
        )
    losses = [_error(m.float(), t, counted, foreground) for m, t in zip(maps, targets)]
    return torch.stack([w * loss for w, loss in zip(weights or [1.0] * len(losses), losses)]).sum()


def _error(maps: Tensor, target: Tensor, counted: Tensor | None, foreground: float) -> Tensor:
    if counted is None and not foreground:
        return torch.nn.functional.mse_loss(maps, target)
    squares = (maps - target).square()
    if foreground:
        squares = squares * (1 + foreground * target)
    if counted is None:
        return squares.mean()
    return torch.where(counted, squares.mean((-2, -1)), 0.0).sum() / counted.sum().clamp(min=1)


def joints_mse(maps: Sequence[Tensor], targets: Sequence[Tensor], weights: Tensor) -> Tensor:
    """HRNet's and SimpleBaseline's loss: half the mean, over all elements, of (weight * error)^2; summed over
    the levels (the stacks of an hourglass).

    Args:
        maps, targets: (B, C, h, w) each, level by level.
        weights: (B, C), 0 where there is no label; such maps still count in the mean.

    >>> joints_mse([torch.ones(1, 2, 2, 2)], [torch.zeros(1, 2, 2, 2)], torch.tensor([[1.0, 0.0]]))
    tensor(0.2500)
    """
    weights = weights[..., None, None]
    return torch.stack(
        [0.5 * (weights * (m.float() - t)).square().mean() for m, t in zip(maps, targets)]
    ).sum()


def coordinate_sum(
    maps: Sequence[Tensor],
    points: Tensor,
    strides: Sequence[float],
    rectification: str = "softmax",
    regulariser: str = "js",
    reg_weight: float = 1.0,
    reg_sigma: float = 1.0,
    weights: Sequence[float] | None = None,
    groups: Sequence[Sequence[int]] = (),
) -> Tensor:
    """DSNT's loss: mean distance + reg_weight * regulariser over the labelled points, summed over the levels.

    The distance is measured in the paper's grid, where the network's input reaches from -1 to 1, so that the
    regulariser weighs the same whatever the input's size.

    Args:
        maps: (B, C, h, w) each, level by level, any values.
        points: (B, C, 2), network pixels; NaN counts nowhere. With no point at all the loss is 0.
        strides: network pixels per cell of each level.
        rectification, regulariser: names of heatmaps.RECTIFICATIONS and heatmaps.REGULARISERS.
        reg_sigma: width of the bump a regulariser asks for, in cells of each level.
        weights: of each level; 1 if None.
        groups: of interchangeable points: each level learns them in whichever order is nearer to its means.

    >>> flat, corner = [torch.zeros(1, 1, 4, 4)], torch.tensor([[[2.0, 0.0]]])
    >>> coordinate_sum(flat, corner, strides=[1], regulariser="none")
    tensor(1.)
    """
    if not len(maps) == len(strides) == len(weights or maps):
        raise ValueError(
            f"{len(maps)} levels, {len(strides)} strides and {len(weights or maps)} weights do not agree"
        )
    losses = []
    for level, stride in zip(maps, strides):
        size = [n * stride for n in level.shape[-2:]]
        drawn = heatmaps.rectified(level, rectification)
        found = heatmaps.expectation(drawn, stride)
        true = heatmaps.matched(found, points, groups)
        off = heatmaps.distance(heatmaps.to_unit(found, size), heatmaps.to_unit(true, size))
        shape = heatmaps.REGULARISERS[regulariser](drawn, true, reg_sigma, stride)
        losses.append(heatmaps.masked_mean(off + reg_weight * shape, true.isfinite().all(-1)))
    return torch.stack([w * loss for w, loss in zip(weights or [1.0] * len(losses), losses)]).sum()


def point_error(
    found: Tensor, points: Tensor, size: Sequence[int], groups: Sequence[Sequence[int]] = ()
) -> Tensor:
    """Mean distance over the labelled points, in the grid of `coordinate_sum`, so that rates mean the same.

    Args:
        found, points: (B, K, 2), network pixels; NaN in `points` counts nowhere.
        size: (H, W) of the network's input.
        groups: of interchangeable points, learnt in whichever order is nearer.

    >>> point_error(torch.tensor([[[0.0, 2.0]]]), torch.tensor([[[2.0, 2.0]]]), size=(4, 4))
    tensor(1.)
    """
    true = heatmaps.matched(found, points, groups)
    off = heatmaps.distance(heatmaps.to_unit(found, size), heatmaps.to_unit(true, size))
    return heatmaps.masked_mean(off, true.isfinite().all(-1))
