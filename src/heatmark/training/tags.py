"""What tags and detections of many persons are stepped down on.

A tag map has no target of its own: tags at the landmarks of one person are pulled together, and persons are
pushed apart. `associative` is Newell et al.'s (2017) embedding as HigherHRNet weighs it, `clusterwise` the
cluster-wise paper's (section 3.3), where the landmarks of a cluster share a map and lie `offset` apart on it.
Both return pull and push, each the mean over the pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..errors import UserError, unknown

MARGIN, OFFSET = 4.0, 0.03  # the cluster-wise paper's (Delta, delta)
KINDS = ("associative", "clusterwise", "literal")


@dataclass(frozen=True)
class Embedding:
    """How tags are learnt, and how bumps are drawn beside them."""

    kind: Literal["associative", "clusterwise", "literal"] = "associative"
    pull: float = 1e-3  # of these in the loss, beside the detections' 1
    push: float = 1e-3
    apart: Literal["exp", "max"] = "exp"  # associative: how push falls with the gap
    offset: float = OFFSET  # clusterwise: delta
    margin: float = MARGIN  # clusterwise: Delta
    bumps: Literal["published", "exact"] = "exact"  # about the middle of a cell and cut off, or the point
    sigma: float = 2.0  # of a bump, cells of each map

    def __post_init__(self):
        if self.kind not in KINDS:
            raise unknown("kind of embedding", self.kind, KINDS)
        for name, known in (("apart", ("exp", "max")), ("bumps", ("published", "exact"))):
            if getattr(self, name) not in known:
                raise unknown(f"embedding.{name}", getattr(self, name), known)
        if min(self.pull, self.push, self.offset) < 0 or min(self.margin, self.sigma) <= 0:
            raise UserError("embedding: pull, push and offset are 0 or more, margin and sigma above 0")


@dataclass(frozen=True)
class Gathered:
    """Tags where landmarks are: E entries, one for each landmark of each cluster."""

    tags: Tensor  # (B, N, E); 0 where not seen
    seen: Tensor  # (B, N, E) bool
    offsets: Tensor  # (E,) places in their clusters: 0, 1, ...
    clusters: Tensor  # (E,) which cluster


def detection_error(
    maps: Tensor, targets: Tensor, mask: Tensor | None = None, foreground: float = 0.0
) -> Tensor:
    """Mean squared error over all cells, those left out counted as right (eq. 1; HigherHRNet's heat loss).

    Args:
        maps, targets: (B, C, h, w).
        mask: (B, h, w), 1 where errors count, 0 in crowds and on persons without labels.
        foreground: an error where the target is y weighs 1 + foreground * y, as in `losses.level_sum`.

    >>> maps, targets = torch.ones(1, 1, 1, 4), torch.zeros(1, 1, 1, 4)
    >>> detection_error(maps, targets, torch.tensor([[[1.0, 0.0, 0.0, 0.0]]]))
    tensor(0.2500)
    """
    squares = (_precise(maps) - targets).square()
    if foreground:
        squares = squares * (1 + foreground * targets)
    return squares.mean() if mask is None else (squares * mask[:, None]).mean()


def drawn_at(chance: float, foreground: float) -> float:
    """How high a network learns to draw where a bump's middle lies with this chance: the mean of 0 and 1
    under `detection_error`'s weights.

    >>> drawn_at(0.1, 0), drawn_at(0.25, 4)
    (0.1, 0.625)
    """
    return (1 + foreground) * chance / (1 + foreground * chance)


def gathered(tags: Tensor, points: Tensor, clusters: Sequence[Sequence[int]], stride: float) -> Gathered:
    """The tags (B, C, h, w) in the cells of the points (B, N, K, 2), network pixels.

    A point that is NaN or outside of the maps is not seen.
    """
    entries = [(c, place, k) for c, cluster in enumerate(clusters) for place, k in enumerate(cluster)]
    device = tags.device
    cluster, place, landmark = (torch.tensor(column, device=device) for column in zip(*entries))
    h, w = tags.shape[-2:]
    cells = torch.floor(points[:, :, landmark] / stride)  # (B, N, E, 2)
    size = torch.tensor([w, h], device=device)
    seen = ((cells >= 0) & (cells < size)).all(-1)  # NaN is not
    x, y = cells.nan_to_num(0.0).long().clamp(min=0).unbind(-1)
    flat = cluster * (h * w) + y.clamp(max=h - 1) * w + x.clamp(max=w - 1)  # (B, N, E)
    values = _precise(tags).flatten(1).gather(1, flat.flatten(1)).view(flat.shape)
    return Gathered(torch.where(seen, values, 0.0), seen, place, cluster)


def embedding_error(
    tags: Tensor, points: Tensor, clusters: Sequence[Sequence[int]], stride: float, how: Embedding
) -> Tensor:
    """Pull and push as an Embedding weighs them; arguments as in `associative`."""
    if how.kind == "associative":
        pull, push = associative(tags, points, clusters, stride, how.apart)
    else:
        literal = how.kind == "literal"
        pull, push = clusterwise(tags, points, clusters, stride, how.offset, how.margin, literal)
    return how.pull * pull + how.push * push


def associative(
    tags: Tensor,
    points: Tensor,
    clusters: Sequence[Sequence[int]],
    stride: float,
    push: Literal["exp", "max"] = "exp",
) -> tuple[Tensor, Tensor]:
    """Pull: mean over persons of the mean of (tag - their mean)^2. Push: half the mean over pairs of
    exp(-(difference of means)^2), or with "max" of what they lack to be 1 apart; 0 for one person.

    Args:
        tags: (B, C, h, w). points: (B, N, K, 2), network pixels; NaN where there is none.
        clusters: the landmarks of each map. stride: network pixels per cell.
    """
    g = gathered(tags, points, clusters, stride)
    means = _mean(g.tags, g.seen)  # (B, N)
    pull = _mean((g.tags - means[..., None]).square(), g.seen)
    there = g.seen.any(-1)
    near = _squared_gaps if push == "exp" else _gaps
    apart = near(means)
    closeness = torch.exp(-apart) if push == "exp" else (1 - apart).clamp(min=0)
    return _mean(pull, there).mean(), 0.5 * _pairs(closeness, there).mean()


def clusterwise(
    tags: Tensor,
    points: Tensor,
    clusters: Sequence[Sequence[int]],
    stride: float,
    offset: float = OFFSET,
    margin: float = MARGIN,
    literal: bool = False,
) -> tuple[Tensor, Tensor]:
    """The cluster-wise embedding: equations 3 to 7, arguments as in `associative`.

    Landmark number d of a cluster is to be tagged d * offset above its person. By default that is what is
    learnt: tags less their offset are pulled to their mean. Taken to the letter (`literal`), equations 3 to 5
    see a tag only through its cluster's mean, so that offsets cannot be learnt, and with one cluster the pull
    is a constant without a gradient. For clusters of one landmark both are the same.

    Args:
        offset: delta.
        margin: Delta; push is the mean over pairs of exp(-(difference of means)^2 / 2 Delta^2), without the
            half that associative embedding has.
    """
    g = gathered(tags, points, clusters, stride)
    ladder = g.offsets.to(g.tags.dtype) * offset  # (E,)
    if literal:
        shared = _of_cluster(g)  # (B, N, E), eq. 5
        references = _mean(shared, g.seen)  # eq. 7
        embedded = shared + ladder  # eq. 4
    else:
        embedded = g.tags - ladder
        references = _mean(embedded, g.seen)
    pull = _mean((embedded - references[..., None]).square(), g.seen)  # eq. 3, J of each person
    there = g.seen.any(-1)
    closeness = torch.exp(-_squared_gaps(references) / (2 * margin**2))  # eq. 6
    return _mean(pull, there).mean(), _pairs(closeness, there).mean()


def _precise(maps: Tensor) -> Tensor:
    """In float32, or float64 if they are so."""
    return maps if maps.dtype == torch.float64 else maps.float()


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    """Mean over the last axis of what is counted; 0 where nothing is."""
    return torch.where(counted, values, 0.0).sum(-1) / counted.sum(-1).clamp(min=1)


def _of_cluster(g: Gathered) -> Tensor:
    """Every entry's mean over the seen entries of its cluster: (B, N, E)."""
    same = (g.clusters[:, None] == g.clusters[None]).to(g.tags.dtype)  # (E, E)
    return (g.tags @ same) / (g.seen.to(g.tags.dtype) @ same).clamp(min=1)


def _squared_gaps(means: Tensor) -> Tensor:
    """(B, N) -> (B, N, N)."""
    return (means[:, :, None] - means[:, None]).square()


def _gaps(means: Tensor) -> Tensor:
    return (means[:, :, None] - means[:, None]).abs()


def _pairs(closeness: Tensor, there: Tensor) -> Tensor:
    """(B, N, N) -> (B,): the mean over pairs of two different persons; 0 where there are none."""
    other = ~torch.eye(there.shape[1], dtype=torch.bool, device=there.device)
    counted = there[:, :, None] & there[:, None] & other
    return _mean(closeness.flatten(1), counted.flatten(1))
