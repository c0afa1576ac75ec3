"""Points to Gaussian maps, at one or many levels; merged maps for landmarks nobody can tell apart.

IHM: Vanherle et al. 2022, section 3.2 (the bump) and 4.2 (one target for each level of the network).
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def default_sigma(width: float) -> float:
    """The paper's width of a bump, 1/64 of the map's: 3.5 cells for 224.

    >>> default_sigma(224)
    3.5
    """
    return width / 64


def centres(length: int, like: Tensor) -> Tensor:
    """Centres of `length` cells in a row, in cells: 0.5, 1.5, ... Shape (length,)."""
    return torch.arange(length, dtype=like.dtype, device=like.device) + 0.5


def gaussians(points: Tensor, size: tuple[int, int], sigma: float, stride: float = 1) -> Tensor:
    """One bump per point, 1.0 at the point itself.

    Args:
        points: (..., 2), x y in picture pixels. NaN marks a point nobody labelled: its map is all zero.
        size: (H, W) of a map, in cells.
        sigma: width of a bump, in cells.
        stride: picture pixels per cell.

    Returns:
        (..., H, W), in [0, 1].

    >>> gaussians(torch.tensor([1.5, 0.5]), size=(1, 3), sigma=1.0)
    tensor([[0.6065, 1.0000, 0.6065]])
    """
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    h, w = size
    x, y = (points / stride).unsqueeze(-1).unbind(-2)  # (..., 1) each, in cells
    bump_x = torch.exp(-((centres(w, points) - x) ** 2) / (2 * sigma**2))  # (..., W)
    bump_y = torch.exp(-((centres(h, points) - y) ** 2) / (2 * sigma**2))  # (..., H)
    return (bump_y.unsqueeze(-1) * bump_x.unsqueeze(-2)).nan_to_num(0.0)  # (..., H, W)


def snapped(points: Tensor, stride: float = 1) -> Tensor:
    """Points moved to the middle of their cell, where the bump then is exactly 1.0, as the paper states.

    >>> snapped(torch.tensor([5.9, 4.0]), stride=4)
    tensor([6., 6.])
    """
    return (torch.floor(points / stride) + 0.5) * stride


def merged(maps: Tensor, channels: Sequence[Sequence[int]]) -> Tensor:
    """One map for each group of landmarks: their sum, clipped to 1 (IHM section 3.2).

    Args:
        maps: (..., K, H, W), one for each landmark.
        channels: which landmarks each merged map shows (Skeleton.channels).

    Returns:
        (..., C, H, W).
    """
    if all(len(group) == 1 for group in channels):
        return maps[..., [group[0] for group in channels], :, :]
    return torch.stack([maps[..., list(group), :, :].sum(-3) for group in channels], -3).clamp(max=1.0)


def levels(maps: Tensor, sizes: Sequence[tuple[int, int]], how: str = "area") -> list[Tensor]:
    """The same maps at other sizes, as targets for a network that draws at several.

    Args:
        maps: (B, C, H, W).
        sizes: (h, w) of each level, in cells.
        how: "area" takes the mean of the cells a coarse cell covers (a peak of 1.0 at 224 is 0.14-0.28 at
            14); "max" takes the largest of them, so that every level peaks at the same value.

    Returns:
        One (B, C, h, w) for each size.
    """
    shrink = {"area": F.adaptive_avg_pool2d, "max": F.adaptive_max_pool2d}
    if how not in shrink:
        raise ValueError(
            f"no way of shrinking is called {how!r}; there are: {', '.join(shrink)}, and pyramid's regenerate"
        )
    return [
        maps if tuple(size) == tuple(maps.shape[-2:]) else shrink[how](maps, tuple(size)) for size in sizes
    ]


def pyramid(
    points: Tensor,
    channels: Sequence[Sequence[int]],
    size: tuple[int, int],
    sizes: Sequence[tuple[int, int]],
    sigma: float | None = None,
    how: str = "area",
    snap: bool = False,
) -> list[Tensor]:
    """The targets of every level: Gaussians drawn at full size, merged, and brought to each level's size.

    Args:
        points: (B, K, 2), x y in network pixels; NaN draws nothing.
        channels: Skeleton.channels.
        size: (H, W) of the network's input, where the bumps are drawn.
        sizes: (h, w) of each level.
        sigma: width of a bump in pixels of `size`; default_sigma(W) if None.
        how: "area" or "max" as in `levels`; "regenerate" draws afresh at each level, with the same share of
            the width but never under one cell (3.5 px of 224 would be 0.22 cells of 14, and fall between
            them).
        snap: the centre is the middle of its pixel, as in the paper, instead of the point itself.

    Returns:
        One (B, C, h, w) for each of `sizes`.
    """
    sigma = default_sigma(size[1]) if sigma is None else sigma
    if how == "regenerate":
        maps = []
        for level in sizes:
            stride = size[1] / level[1]
            placed = snapped(points, stride) if snap else points
            maps.append(merged(gaussians(placed, level, max(sigma / stride, 1.0), stride), channels))
        return maps
    full = merged(gaussians(snapped(points) if snap else points, size, sigma), channels)
    return levels(full, sizes, how)
