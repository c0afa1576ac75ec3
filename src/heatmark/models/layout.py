"""What each map of a network shows that finds everybody at once: detections by cluster, tags, or neither.

Such a network has `net.layout`, one Drawn for each of its maps, so that whoever learns or reads them need not
know which network it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

Clusters = tuple[tuple[int, ...], ...]  # the landmarks of each map; their order counts their offsets


def each(points: int) -> Clusters:
    """Every landmark on a map of its own.

    >>> each(3)
    ((0,), (1,), (2,))
    """
    return tuple((k,) for k in range(points))


@dataclass(frozen=True)
class Drawn:
    """What one map (B, C, h, w) shows, channel by channel: detections from 0 on, tags from `tags_from` on,
    and what nobody supervises in between and after.
    """

    clusters: Clusters  # of each detection, and of each tag
    tags_from: int | None = None  # None: no tags
    read: bool = False  # persons are read from it; earlier stacks are only learnt

    def detections(self, maps: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, clusters, h, w)."""
        return maps[:, : len(self.clusters)]

    def tags(self, maps: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, clusters, h, w). Raises a ValueError where there are none."""
        if self.tags_from is None:
            raise ValueError("these maps hold no tags")
        return maps[:, self.tags_from : self.tags_from + len(self.clusters)]


def readable(layout: Sequence[Drawn], points: int) -> None:
    """Raise a ValueError unless the maps that are read show every landmark alone, and one has tags."""
    read = [drawn for drawn in layout if drawn.read]
    if not read or any(drawn.clusters != each(points) for drawn in read):
        raise ValueError("maps that persons are read from must show each landmark alone, in its order")
    if all(drawn.tags_from is None for drawn in read):
        raise ValueError("without tags nobody can tell whose a landmark is")


def readings(maps: Sequence[Tensor], layout: Sequence[Drawn]) -> tuple[Tensor, Tensor]:
    """What persons are read from: detections and tags (B, points, h, w), at the finest size that is read.

    Detections drawn at several sizes are averaged, as HigherHRNet has it; coarse maps are stretched
    bilinearly.
    """
    read = [(m, drawn) for m, drawn in zip(maps, layout) if drawn.read]
    size = max(tuple(m.shape[-2:]) for m, _ in read)

    def stretched(m: Tensor) -> Tensor:
        same = tuple(m.shape[-2:]) == size
        return m if same else F.interpolate(m, size, mode="bilinear", align_corners=False)

    heat = torch.stack([stretched(drawn.detections(m)) for m, drawn in read]).mean(0)
    tags = next(stretched(drawn.tags(m)) for m, drawn in read if drawn.tags_from is not None)
    return heat, tags
