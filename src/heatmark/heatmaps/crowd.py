"""Maps of many persons at once: a bump for each, drawn per cluster of landmarks, and peaks with their tags.

Where bumps meet the higher counts, so that two persons side by side stay two peaks (PoseAE, HigherHRNet and
the cluster-wise paper, section 3.2).
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from .peaks import local_maxima
from .render import centres, snapped


def clustered(
    points: Tensor,
    clusters: Sequence[Sequence[int]],
    size: tuple[int, int],
    sigma: float = 2.0,
    stride: float = 4,
    published: bool = False,
) -> Tensor:
    """One map a cluster, a bump wherever anybody has one of its landmarks.

    Args:
        points: (B, N, K, 2) of N persons, x y in network pixels; NaN draws nothing.
        clusters: the landmarks each map shows.
        size: (h, w) of a map, cells.
        sigma: of a bump, cells; 2 at every size in the published programs.
        published: as they draw: about the middle of the point's cell, in a square of 3 sigma + 1 cells to
            each side.

    Returns:
        (B, C, h, w) in [0, 1].

    >>> two = torch.tensor([[[[0.5, 0.5], [2.5, 0.5]]]])
    >>> clustered(two, [[0, 1], [1]], (1, 3), sigma=1.0, stride=1)[0, :, 0]
    tensor([[1.0000, 0.6065, 1.0000],
            [0.1353, 0.6065, 1.0000]])
    """
    h, w = size
    middles = (snapped(points, stride) if published else points) / stride  # (B, N, K, 2) cells
    bumps = []
    for axis, length in ((1, h), (0, w)):
        away = centres(length, points) - middles[..., axis, None]  # (B, N, K, length)
        near = away.abs() <= 3 * sigma + 1 if published else torch.ones_like(away, dtype=torch.bool)
        bumps.append(torch.where(near, torch.exp(-(away**2) / (2 * sigma**2)), 0.0).nan_to_num(0.0))
    up, across = bumps
    maps = points.new_zeros(len(points), len(clusters), h, w)
    for person in range(points.shape[1]):  # one at a time: all at once would be gigabytes
        drawn = up[:, person, :, :, None] * across[:, person, :, None, :]  # (B, K, h, w)
        merged = [drawn[:, list(cluster)].amax(1) for cluster in clusters]
        maps = torch.maximum(maps, torch.stack(merged, 1))
    return maps


def shrunk(mask: Tensor, stride: int) -> Tensor:
    """A mask (B, H, W) of what counts, at a map's size: 1.0 where more than half of a cell counts."""
    return (F.avg_pool2d(mask[:, None].float(), stride)[:, 0] > 0.5).float()


def tagged_maxima(
    heat: Tensor,
    tags: Tensor,
    k: int = 30,
    threshold: float = 0.0,
    stride: float = 1,
    how: str = "quarter",
    radius: int = 2,
) -> tuple[Tensor, Tensor, Tensor]:
    """The k highest peaks of each map with the tags there: what `grouping` makes persons of.

    Args:
        heat: (B, K, H, W). tags: (B, K, H, W), or (B, K, H, W, D) with several tags.
        k: at the most; of a small map, no more than its cells.
        threshold, stride, how, radius: as in `local_maxima`.

    Returns:
        values (B, K, T), 0 where there are fewer; places (B, K, T, 2), x y in network pixels, NaN there; tags
        (B, K, T, D).

    >>> heat = torch.tensor([[[[0.0, 0.9, 0.0, 0.0, 0.6]]]])
    >>> values, places, tags = tagged_maxima(heat, torch.arange(5.0).view(1, 1, 1, 5), k=3, how="none")
    >>> values.flatten(), places[0, 0, :2, 0], tags.flatten()[:2]
    (tensor([0.9000, 0.6000, 0.0000]), tensor([1.5000, 4.5000]), tensor([1., 4.]))
    """
    h, w = heat.shape[-2:]
    tags = tags[..., None] if tags.ndim == 4 else tags
    places, values = local_maxima(heat.float(), min(k, h * w), threshold, stride, how, radius)
    cell = torch.floor(places.nan_to_num(0.0) / stride).long()
    flat = cell[..., 1].clamp(0, h - 1) * w + cell[..., 0].clamp(0, w - 1)  # (B, K, T)
    index = flat.unsqueeze(-1).expand(*flat.shape, tags.shape[-1])
    return values, places, tags.float().flatten(2, 3).gather(2, index)
