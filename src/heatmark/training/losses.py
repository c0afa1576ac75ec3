"""What is stepped down on: maps drawn by the network against maps drawn from the labels."""

from collections.abc import Sequence

import torch
from torch import Tensor


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
