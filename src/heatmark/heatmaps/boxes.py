"""Boxes to Gaussian box maps and back: the auxiliary map of dense object detection (Kant 2019, section 5).

The paper draws one square bump of 120 x 120 cells and carries it to every box by the homography of its four
corners. Here the bump is not sampled twice: each cell of the map is carried back into the bump, and the bump
is a formula. A box's bump is 1 in its middle, ends at its sides, and is as wide as the box is.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from .peaks import all_maxima
from .render import centres

SIDE = 120  # cells of the paper's bump; its corners are the middles of the corner cells, 119 apart
SIGMA = 40.0  # in those cells
READINGS = ("fwhm", "std")
CORNERS = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))  # the order of a quadrilateral's points


def bump_std(sigma: float = SIGMA, reading: str = "fwhm") -> float:
    """Standard deviation of a bump in sides of its box.

    The paper's formula, exp(-4 ln 2 r^2 / sigma^2), makes sigma the full width at half height, though it is
    called sigma: reading "fwhm". "std" takes the name at its word; such a bump is still 0.33 at the middle of
    a side, where the other is 0.002, so that neighbours melt into each other.

    >>> round(bump_std(), 4), round(bump_std(reading="std"), 4)
    (0.1427, 0.3361)
    """
    if reading not in READINGS:
        raise ValueError(f"no reading of sigma is called {reading!r}; there are: {', '.join(READINGS)}")
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, got {sigma}")
    std = sigma / math.sqrt(8 * math.log(2)) if reading == "fwhm" else sigma
    return std / (SIDE - 1)


def box_maps(
    boxes: Tensor, size: tuple[int, int], stride: float = 2, sigma: float = SIGMA, reading: str = "fwhm"
) -> Tensor:
    """The sum of the boxes' bumps, clipped to 1.

    A bump in an upright box is a product of one profile along x and one along y, so that the whole sum is one
    product of two matrices: no loop over boxes, no window to cut out.

    Args:
        boxes: (..., N, 4), x1 y1 x2 y2 in picture pixels. NaN, or a box without an area, draws nothing.
        size: (H, W) of the map, in cells.
        stride: picture pixels per cell.
        sigma, reading: see `bump_std`.

    Returns:
        (..., H, W), in [0, 1].

    >>> box_maps(torch.tensor([[0.0, 0, 3, 3]]), size=(3, 3), stride=1)[1]
    tensor([0.0654, 1.0000, 0.0654])
    """
    if boxes.shape[-1] != 4:
        raise ValueError(f"boxes must be (..., N, 4) x1 y1 x2 y2, got {tuple(boxes.shape)}")
    h, w = size
    std = bump_std(sigma, reading)
    x1, y1, x2, y2 = (boxes / stride).unsqueeze(-1).unbind(-2)  # (..., N, 1) each, in cells
    there = (x2 > x1) & (y2 > y1)  # not so for NaN
    along_x, along_y = _profile(x1, x2, w, std, there), _profile(y1, y2, h, std, there)
    return (along_y.transpose(-1, -2) @ along_x).clamp(max=1.0)


def _profile(low: Tensor, high: Tensor, length: int, std: float, there: Tensor) -> Tensor:
    """(..., N, 1) each -> (..., N, length): the bump along one axis, 0 outside its box."""
    across = (centres(length, low) - low) / torch.where(there, high - low, 1.0)
    bump = torch.exp(-((across - 0.5) ** 2) / (2 * std**2))
    return torch.where(there & (across >= 0) & (across <= 1), bump, 0.0)


def quad_map(
    quads: Tensor, size: tuple[int, int], stride: float = 2, sigma: float = SIGMA, reading: str = "fwhm"
) -> Tensor:
    """The same for rotated boxes and boxes in perspective: each bump is carried by its own homography.

    Only the cells of each one's bounding rectangle are looked at, those of all in one go.

    Args:
        quads: (N, 4, 2), the corners in picture pixels: top left, top right, bottom right, bottom left of the
            thing itself. NaN, or three corners on one line, draws nothing.
        size, stride, sigma, reading: see `box_maps`.

    Returns:
        (H, W), in [0, 1].
    """
    if quads.ndim != 3 or quads.shape[1:] != (4, 2):
        raise ValueError(f"quads must be (N, 4, 2), got {tuple(quads.shape)}")
    h, w = size
    back, solvable = _into_unit_squares(quads / stride)
    corners = torch.where(solvable[:, None, None], quads / stride, 0.0)
    limit = corners.new_tensor([w, h])
    low = corners.amin(1).floor().clamp_min(0).minimum(limit)
    high = corners.amax(1).ceil().clamp_min(0).minimum(limit)
    wide, tall = (high - low).long().unbind(-1)
    wide, tall = wide * solvable, tall * solvable
    which = torch.repeat_interleave(torch.arange(len(quads), device=quads.device), wide * tall)  # (cells,)
    firsts = torch.cumsum(wide * tall, 0) - wide * tall
    place = torch.arange(len(which), device=quads.device) - firsts[which]
    x = place % wide[which] + low[which, 0].long()
    y = place.div(wide[which], rounding_mode="floor") + low[which, 1].long()

    m = back.to(quads.dtype)[which]  # (cells, 3, 3)
    cell = torch.stack([x + 0.5, y + 0.5, torch.ones_like(x + 0.5)], -1).to(quads.dtype)
    u, v, depth = (m @ cell.unsqueeze(-1)).squeeze(-1).unbind(-1)
    u, v = u / depth, v / depth
    inside = (u >= 0) & (u <= 1) & (v >= 0) & (v <= 1) & (depth > 0)
    std = bump_std(sigma, reading)
    bump = torch.exp(-((u - 0.5) ** 2 + (v - 0.5) ** 2) / (2 * std**2))
    drawn = quads.new_zeros(h * w)
    drawn.index_add_(0, y * w + x, torch.where(inside, bump, 0.0))
    return drawn.view(h, w).clamp(max=1.0)


def _into_unit_squares(quads: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 4, 2) -> homographies (N, 3, 3) that take each to the unit square, float64; (N,) bool, which can
    be. Inside its own quadrilateral each one's third coordinate is positive.
    """
    source = quads.new_tensor(CORNERS, dtype=torch.float64).expand(len(quads), 4, 2)
    target = quads.double()
    (u, v), (x, y) = source.unbind(-1), target.unbind(-1)
    nought, one = torch.zeros_like(u), torch.ones_like(u)
    along_x = torch.stack([u, v, one, nought, nought, nought, -u * x, -v * x], -1)
    along_y = torch.stack([nought, nought, nought, u, v, one, -u * y, -v * y], -1)
    system = torch.cat([along_x, along_y], 1)  # (N, 8, 8)
    triples = torch.stack([target.roll(-i, 1)[:, :3] for i in range(4)], 1)  # (N, 4, 3, 2)
    edge_a, edge_b = triples[:, :, 1] - triples[:, :, 0], triples[:, :, 2] - triples[:, :, 0]
    turns = edge_a[..., 0] * edge_b[..., 1] - edge_a[..., 1] * edge_b[..., 0]  # (N, 4) twice the areas
    solvable = (turns.abs() > 1e-9).all(-1) & ((turns > 0).all(-1) | (turns < 0).all(-1))  # NaN is not
    safe = torch.where(solvable[:, None, None], system, torch.eye(8, dtype=torch.float64, device=x.device))
    right = torch.where(solvable[:, None], torch.cat([x, y], 1), 0.0)
    h = torch.cat([torch.linalg.solve(safe, right), one[:, :1]], -1).view(-1, 3, 3)
    h = torch.where(solvable[:, None, None], h, torch.eye(3, dtype=torch.float64, device=x.device))
    return torch.linalg.inv(h), solvable


def smoothed(map: Tensor) -> Tensor:
    """A map (H, W) averaged over 3 x 3 cells, so that a ripple is no peak."""
    return F.avg_pool2d(map[None, None], 3, 1, 1, count_include_pad=False)[0, 0]


def climbed(map: Tensor, floor: float = 0.1, steps: int = 10) -> Tensor:
    """Whose each cell is: the peak that one comes to who climbs from it, always to the highest neighbour.

    Pointers to the next cell are followed to the end in a few steps, each twice as far as the last.

    Args:
        map: (H, W).
        floor: a peak that is not above it is none.
        steps: 2^steps cells are climbed at the most.

    Returns:
        (H, W) int64: the peak's cell, counted row by row; -1 for none.

    >>> climbed(torch.tensor([[0.2, 0.9, 0.3, 0.4, 0.8]])).tolist()
    [[1, 1, 1, 4, 4]]
    """
    h, w = map.shape
    around = F.pad(map, (1, 1, 1, 1), value=-torch.inf)
    best, step = map, torch.zeros_like(map, dtype=torch.int64)
    for dy, dx in ((dy, dx) for dy in range(3) for dx in range(3)):
        there = around[dy : dy + h, dx : dx + w]
        higher = there > best
        best = torch.where(higher, there, best)
        step = torch.where(higher, (dy - 1) * w + dx - 1, step)
    towards = torch.arange(h * w, device=map.device) + step.flatten()
    for _ in range(steps):
        towards = towards[towards]
    return torch.where(map.flatten()[towards] > floor, towards, -1).view(h, w)


def box_centres(
    map: Tensor, threshold: float = 0.4, stride: float = 2, radius: int = 1, how: str = "dark"
) -> tuple[Tensor, Tensor]:
    """Where the objects are, and so how many: all local maxima of a box map, the highest first.

    Args:
        map: (H, W).
        threshold: only maxima above it are objects. A bump reaches 1 where a cell's middle is the box's, and
            no less than 0.46 in a box of 4 x 4 cells.
        stride: picture pixels per cell.
        radius: in cells, see `local_maxima`.
        how: one of REFINEMENTS.

    Returns:
        points (N, 2), x y in picture pixels, and scores (N,), the map's values there. N is not limited.
    """
    return all_maxima(map, threshold, stride, how, radius)
