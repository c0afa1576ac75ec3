"""Maps drawn and read as by HRNet and SimpleBaseline (Microsoft Research Asia), for their published weights.

Their cells and pixels count from the middle of the first one: cell c is pixel c * stride, which is
c * stride + 0.5 in the house's coordinates. Everything here takes and gives the house's.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def gaussians(
    points: Tensor, size: tuple[int, int], sigma: float = 2.0, stride: float = 4
) -> tuple[Tensor, Tensor]:
    """Bumps about the nearest cell, cut to a square of 6 sigma + 1 cells; in their work sigma is 2, or 3 for
    96 x 72.

    Args:
        points: (..., 2), x y in network pixels; NaN: not labelled.
        size: (H, W) of a map, in cells.

    Returns:
        (..., H, W) in [0, 1], and (...,) weights: 0 where not labelled or the whole square is outside.

    >>> maps, weights = gaussians(torch.tensor([[6.5, 0.5], [600.0, 2.0]]), (1, 4), sigma=1.0)
    >>> maps[0], weights  # (6.5 - 0.5) / 4 + 0.5 = 2
    (tensor([[0.1353, 0.6065, 1.0000, 0.6065]]), tensor([1., 0.]))
    """
    h, w = size
    labelled = torch.isfinite(points).all(-1)  # (...)
    middle = torch.trunc((torch.nan_to_num(points) - 0.5) / stride + 0.5)  # (..., 2), as int() rounds
    reach = 3 * sigma
    ends = torch.tensor([w, h], dtype=middle.dtype, device=middle.device)
    outside = ((middle - reach >= ends) | (middle + reach + 1 < 0)).any(-1)
    bumps = []
    for axis, length in ((1, h), (0, w)):
        away = torch.arange(length, dtype=middle.dtype, device=middle.device) - middle[..., axis, None]
        bumps.append(torch.exp(-(away**2) / (2 * sigma**2)) * (away.abs() <= reach))
    weights = (labelled & ~outside).to(points.dtype)
    return bumps[0].unsqueeze(-1) * bumps[1].unsqueeze(-2) * weights[..., None, None], weights


def cells(maps: Tensor) -> tuple[Tensor, Tensor]:
    """The highest cell of each map, a quarter of a cell towards its higher neighbour on each axis.

    Not refined in the two outermost rows and columns; (0, 0) where no value is above 0.

    Args:
        maps: (..., H, W).

    Returns:
        Points (..., 2), x y in cells that count from 0 as theirs do, and scores (...).
    """
    h, w = maps.shape[-2:]
    scores, flat = maps.flatten(-2).max(-1)
    x, y = flat % w, torch.div(flat, w, rounding_mode="floor")
    # The original asks for 1 < x < W - 1 with the cell rounded: from the third to the last but one.
    inner = (x > 1) & (x < w - 1) & (y > 1) & (y < h - 1)
    rows = maps.flatten(-2)

    def at(dx: int, dy: int) -> Tensor:
        near = (y + dy).clamp(0, h - 1) * w + (x + dx).clamp(0, w - 1)
        return rows.gather(-1, near.unsqueeze(-1)).squeeze(-1)

    slope = torch.stack([at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)], -1)
    found = torch.stack([x, y], -1).to(maps.dtype) + 0.25 * torch.sign(slope) * inner.unsqueeze(-1)
    return torch.where((scores > 0).unsqueeze(-1), found, 0.0), scores


def decode(
    maps: Tensor,
    channels: Sequence[Sequence[int]],
    stride: float = 4,
    how: str = "quarter",
    threshold: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Every landmark's point and score, as `heatmaps.decode` gives them, read in their way.

    Args:
        maps: (B, C, H, W), one landmark each.
        channels: Skeleton.channels. Raises a ValueError for a map of several landmarks.
        stride: network pixels per cell.
        how: only "quarter"; it stands here so that ways of decoding can be swapped.
        threshold: landmarks not above it are NaN.

    Returns:
        points (B, K, 2), x y in network pixels, and scores (B, K).
    """
    if how != "quarter":
        raise ValueError(f"the msra preset refines by a quarter of a cell, got {how!r}")
    if any(len(group) != 1 for group in channels):
        raise ValueError("the msra preset reads maps of one landmark each; these skeletons merge some")
    order = [channel for channel, _ in sorted(enumerate(channels), key=lambda c: c[1][0])]
    points, scores = cells(maps.float()[:, order])
    points = points * stride + 0.5
    if threshold > 0:
        points = torch.where((scores > threshold).unsqueeze(-1), points, torch.nan)
    return points, scores


def flipped_back(maps: Tensor, mirrored: Sequence[int], shift: bool = True) -> Tensor:
    """Maps of a mirrored picture, as maps of the picture.

    Args:
        maps: (B, C, H, W).
        mirrored: for each map, which one is its own in a mirrored picture (Skeleton.mirrored).
        shift: one cell to the right, the first column kept. A picture mirrored in pixels that count from 0
            moves its maps by (stride - 1) / stride cells; the original rounds that to 1. Networks trained in
            the house's coordinates need none.

    >>> flipped_back(torch.tensor([[[[1.0, 2.0, 3.0]], [[4.0, 5.0, 6.0]]]]), [1, 0])[0, :, 0]
    tensor([[6., 6., 5.],
            [3., 3., 2.]])
    """
    maps = maps.flip(-1)[:, list(mirrored)]
    return torch.cat([maps[..., :1], maps[..., :-1]], -1) if shift else maps


def averaged(maps: Tensor, mirrored_maps: Tensor, mirrored: Sequence[int], shift: bool = True) -> Tensor:
    """The flip test: the mean of a picture's maps and of its mirror image's, (B, C, H, W) each."""
    return (maps + flipped_back(mirrored_maps, mirrored, shift)) * 0.5
