"""Maps to points: the highest cell, the k highest local maxima, and where between the cells the peak lies.

Everything is batched over leading axes, differentiable in the maps' values, and exports to ONNX.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

REFINEMENTS = ("none", "quarter", "parabola", "dark")
_DARKEST = 1e-30  # logarithms are taken of at least this (DARK's own 1e-10 bends narrow bumps)
_PLUS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))  # cells (dx, dy) whose logarithms "parabola" takes
_STAR = (*_PLUS, (-2, 0), (2, 0), (0, -2), (0, 2), (-1, -1), (1, -1), (-1, 1), (1, 1))  # and "dark"


def _values(maps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """maps (..., H, W) at integer cells x, y (..., k) -> (..., k)."""
    w = maps.shape[-1]
    return maps.flatten(-2).gather(-1, y * w + x)


def _cells(flat: Tensor, width: int) -> tuple[Tensor, Tensor]:
    return flat % width, torch.div(flat, width, rounding_mode="floor")


def _refined(maps: Tensor, x: Tensor, y: Tensor, how: str) -> Tensor:
    """Where the peak in cell (x, y) lies, in cells: integer x, y (..., k) -> (..., k, 2)."""
    if how not in REFINEMENTS:
        raise ValueError(f"no refinement is called {how!r}; there are: {', '.join(REFINEMENTS)}")
    h, w = maps.shape[-2:]
    middle = torch.stack([x, y], -1).to(maps.dtype) + 0.5  # the middle of the cell, not its corner
    reach = {"none": 0, "quarter": 1, "parabola": 1, "dark": 2}[how]
    if reach == 0 or min(h, w) < 2 * reach + 1:
        return middle
    if how == "quarter":
        return middle + 0.25 * _slope_sign(maps, x, y)
    # A stencil that would stick out of the map is moved inwards: the fit is the same for a true Gaussian.
    cx, cy = x.clamp(reach, w - 1 - reach), y.clamp(reach, h - 1 - reach)
    step, stencil = {"parabola": (_parabola_step, _PLUS), "dark": (_taylor_step, _STAR)}[how]
    found = torch.stack([cx, cy], -1).to(maps.dtype) + 0.5 + step(maps.clamp_min(_DARKEST).log(), cx, cy)
    found = torch.maximum(torch.minimum(found, middle + 0.5), middle - 0.5)  # a peak lies in its own cell
    positive = torch.stack([_values(maps, cx + dx, cy + dy) > 0 for dx, dy in stencil]).all(0)
    return torch.where(positive.unsqueeze(-1), found, middle + 0.25 * _slope_sign(maps, x, y))


def _slope_sign(maps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Sign of the difference of the two neighbours, per axis; 0 at the border. (..., k) -> (..., k, 2)."""
    h, w = maps.shape[-2:]
    left, right = _values(maps, (x - 1).clamp_min(0), y), _values(maps, (x + 1).clamp_max(w - 1), y)
    above, below = _values(maps, x, (y - 1).clamp_min(0)), _values(maps, x, (y + 1).clamp_max(h - 1))
    inside_x, inside_y = (x > 0) & (x < w - 1), (y > 0) & (y < h - 1)
    return torch.stack([torch.sign(right - left) * inside_x, torch.sign(below - above) * inside_y], -1)


def _parabola_step(logs: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Top of the parabola through three cells of the logarithm, per axis: exact for a Gaussian."""
    here = _values(logs, x, y)

    def top(before: Tensor, after: Tensor) -> Tensor:
        bend = 2 * here - before - after
        flat = bend.abs() < 1e-12
        return torch.where(
            flat, torch.zeros_like(bend), 0.5 * (after - before) / torch.where(flat, 1.0, bend)
        )

    return torch.stack(
        [
            top(_values(logs, x - 1, y), _values(logs, x + 1, y)),
            top(_values(logs, x, y - 1), _values(logs, x, y + 1)),
        ],
        -1,
    )


def _taylor_step(logs: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """-H^-1 g of the logarithm (Zhang et al. 2020, DARK, eq. 9); no step where H is not a maximum's."""

    def at(dx: int, dy: int) -> Tensor:
        return _values(logs, x + dx, y + dy)

    here = at(0, 0)
    gx, gy = 0.5 * (at(1, 0) - at(-1, 0)), 0.5 * (at(0, 1) - at(0, -1))
    xx = 0.25 * (at(2, 0) - 2 * here + at(-2, 0))
    yy = 0.25 * (at(0, 2) - 2 * here + at(0, -2))
    xy = 0.25 * (at(1, 1) - at(-1, 1) - at(1, -1) + at(-1, -1))
    determinant = xx * yy - xy * xy
    peaked = (determinant > 1e-12) & (xx < 0)
    safe = torch.where(peaked, determinant, 1.0)
    step = torch.stack([-(yy * gx - xy * gy) / safe, -(xx * gy - xy * gx) / safe], -1)
    return torch.where(peaked.unsqueeze(-1), step, torch.zeros_like(step))


def argmax(maps: Tensor, stride: float = 1, how: str = "none") -> tuple[Tensor, Tensor]:
    """The highest cell of each map.

    Args:
        maps: (..., H, W).
        stride: picture pixels per cell.
        how: one of REFINEMENTS, see `refine`.

    Returns:
        points (..., 2), x y in picture pixels, and scores (...), the maps' values there.

    >>> argmax(torch.tensor([[0.1, 0.2, 0.9]]), stride=4)
    (tensor([10.,  2.]), tensor(0.9000))
    """
    scores, flat = maps.flatten(-2).max(-1, keepdim=True)  # (..., 1)
    x, y = _cells(flat, maps.shape[-1])
    return _refined(maps, x, y, how).squeeze(-2) * stride, scores.squeeze(-1)


def refine(maps: Tensor, points: Tensor, stride: float = 1, how: str = "dark") -> Tensor:
    """Points of cells moved to where the peak really lies.

    "quarter": a quarter cell towards the higher neighbour (Newell et al. 2016); "parabola": the top of a
    parabola through the logarithm of three cells, per axis; "dark": a Taylor step of the logarithm (Zhang et
    al. 2020). The last two are exact for a Gaussian, and take a quarter where one of their cells has no
    logarithm, as a network without a sigmoid may draw it. All keep the point in its own cell.

    Args:
        maps: (..., H, W).
        points: (..., 2), x y in picture pixels, inside the map.

    Returns:
        (..., 2), x y in picture pixels.

    >>> maps, point = torch.tensor([0.1, 0.4, 0.8, 0.2, 0.1]).expand(5, 5), torch.tensor([2.5, 0.5])
    >>> refine(maps, point, how="parabola")[0], refine(maps - 0.3, point, how="parabola")[0]
    (tensor(2.3333), tensor(2.2500))
    """
    h, w = maps.shape[-2:]
    cell = torch.floor(points / stride).long()
    x, y = cell[..., :1].clamp(0, w - 1), cell[..., 1:].clamp(0, h - 1)
    return _refined(maps, x, y, how).squeeze(-2) * stride


def is_maximum(maps: Tensor, threshold: float = 0.0, radius: int = 1) -> Tensor:
    """Which cells are local maxima, as `local_maxima` says: (..., H, W) -> (..., H, W) bool."""
    h, w = maps.shape[-2:]
    around = F.pad(maps, (1, 1, 1, 1), value=-torch.inf)
    neighbours = [around[..., dy : dy + h, dx : dx + w] for dy in range(3) for dx in range(3)]
    before, after = torch.stack(neighbours[:4]).amax(0), torch.stack(neighbours[5:]).amax(0)
    not_flat = F.max_pool2d(-maps.reshape(-1, 1, h, w), 3, stride=1, padding=1).reshape(maps.shape) > -maps
    found = (maps > before) & (maps >= after) & not_flat & (maps > threshold)
    if radius > 1:
        flat = maps.reshape(-1, 1, h, w)
        widest = F.max_pool2d(flat, 2 * radius + 1, stride=1, padding=radius).reshape(maps.shape)
        found = found & (maps >= widest)
    return found


def local_maxima(
    maps: Tensor, k: int, threshold: float = 0.0, stride: float = 1, how: str = "none", radius: int = 1
) -> tuple[Tensor, Tensor]:
    """The k highest local maxima of each map, the highest first.

    A maximum is higher than its eight neighbours and not lower than any cell within `radius`. Of equal
    neighbours the first in reading order counts (a point on the border of two cells draws both alike); a flat
    map has none.

    Args:
        maps: (..., H, W).
        k: how many at most.
        threshold: only maxima above this count.
        stride: picture pixels per cell.
        how: one of REFINEMENTS.
        radius: in cells; 1 looks at the 3x3 neighbourhood.

    Returns:
        points (..., k, 2), x y in picture pixels, NaN where there are fewer than k; scores (..., k), 0 there.
    """
    h, w = maps.shape[-2:]
    if k > h * w:
        raise ValueError(f"a map of {h}x{w} cells has no {k} maxima")
    is_peak = is_maximum(maps, threshold, radius)
    scores, cells = torch.where(is_peak, maps, -torch.inf).flatten(-2).topk(k, -1)  # (..., k)
    x, y = _cells(cells, w)
    there = torch.isfinite(scores)
    points = torch.where(there.unsqueeze(-1), _refined(maps, x, y, how) * stride, torch.nan)
    return points, torch.where(there, scores, 0.0)


def all_maxima(
    map: Tensor, threshold: float = 0.0, stride: float = 1, how: str = "none", radius: int = 1
) -> tuple[Tensor, Tensor]:
    """Every local maximum of one map (H, W), the highest first, however many there are: points (N, 2), x y in
    picture pixels, and scores (N,). The arguments are those of `local_maxima`.
    """
    y, x = is_maximum(map, threshold, radius).nonzero(as_tuple=True)
    scores, order = map[y, x].sort(descending=True, stable=True)
    return _refined(map, x[order], y[order], how) * stride, scores


def decode(
    maps: Tensor,
    channels: Sequence[Sequence[int]],
    stride: float = 1,
    how: str = "dark",
    threshold: float = 0.0,
    radius: int = 2,
) -> tuple[Tensor, Tensor]:
    """Every landmark's point and score: the inverse of drawing and merging.

    Args:
        maps: (B, C, H, W).
        channels: which landmarks each map shows (Skeleton.channels). A map of one landmark gives its highest
            cell; a map of an interchangeable group gives its best strict local maxima, the highest first.
        stride: picture pixels per cell.
        how: one of REFINEMENTS.
        threshold: landmarks not above it are NaN, with their score kept (0 where there was no maximum at
            all).
        radius: in cells, how near two maxima of one merged map may not be.

    Returns:
        points (B, K, 2), x y in picture pixels, and scores (B, K), in the skeleton's order.
    """
    maps = maps.float()
    points: dict[int, Tensor] = {}
    scores: dict[int, Tensor] = {}
    for channel, group in enumerate(channels):
        if len(group) == 1:
            p, s = argmax(maps[:, channel], stride, how)
            p, s = p.unsqueeze(-2), s.unsqueeze(-1)
        else:
            p, s = local_maxima(maps[:, channel], len(group), 0.0, stride, how, radius)
        if threshold > 0:
            p = torch.where((s > threshold).unsqueeze(-1), p, torch.nan)
        for place, landmark in enumerate(group):
            points[landmark], scores[landmark] = p[:, place], s[:, place]
    order = sorted(points)
    return torch.stack([points[k] for k in order], 1), torch.stack([scores[k] for k in order], 1)
