"""What each map of a network shows that finds everybody at once: detections by cluster, tags, or neither.

Such a network has `net.layout`, one Drawn for each of its maps, so that whoever learns or reads them need not
know which network it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

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
