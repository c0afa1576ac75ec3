"""Boxes as shifts of anchors, there and back (Lin et al. 2017, RetinaNet; the scaling of Girshick 2015).

An anchor is a box at a fixed place. A network says of each whether a thing is there, and how to shift it.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .render import centres

BACKGROUND, IGNORED = -1, -2
SCALING = (0.1, 0.1, 0.2, 0.2)  # shifts are divided by these, so that the network's are about 1
LARGEST = math.log(1000 / 16)  # a side is never asked to grow more than this (its logarithm)
AT_ONCE = 2**24  # overlaps held in memory together


@dataclass(frozen=True)
class Anchors:
    """Anchors of several strides: about the middle of each cell, one for each ratio and scale."""

    strides: tuple[int, ...] = (8, 16, 32, 64, 128)  # P3 to P7
    side: float = 4.0  # of the square one, in strides: 32 to 512 pixels
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)  # height over width
    scales: tuple[float, ...] = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))

    @property
    def each(self) -> int:
        """Anchors a cell."""
        return len(self.ratios) * len(self.scales)

    def boxes(self, size: tuple[int, int], like: Tensor) -> Tensor:
        """All anchors (A, 4) of a picture (H, W), x1 y1 x2 y2: by stride, row, column, ratio, scale.

        >>> Anchors((8,), side=1, ratios=(1.0,), scales=(1.0,)).boxes((8, 16), torch.zeros(1))
        tensor([[ 0.,  0.,  8.,  8.],
                [ 8.,  0., 16.,  8.]])
        """
        found = []
        for stride in self.strides:
            h, w = cells(size, stride)
            x = (centres(w, like) * stride).view(1, w, 1).expand(h, w, self.each)
            y = (centres(h, like) * stride).view(h, 1, 1).expand(h, w, self.each)
            areas = [(self.side * stride * scale) ** 2 for _ in self.ratios for scale in self.scales]
            ratios = [ratio for ratio in self.ratios for _ in self.scales]
            wide = like.new_tensor([math.sqrt(a / r) for a, r in zip(areas, ratios)]) / 2
            tall = like.new_tensor([math.sqrt(a * r) for a, r in zip(areas, ratios)]) / 2
            found.append(torch.stack([x - wide, y - tall, x + wide, y + tall], -1).view(-1, 4))
        return torch.cat(found)


def cells(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """(h, w) of a map: as many cells as begin in the picture, as strided convolutions give them."""
    return -(-size[0] // stride), -(-size[1] // stride)


def iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU of boxes (N, 4) and (M, 4): (N, M)."""
    left, top, right, bottom = a[:, None].unbind(-1)  # (N, 1) each
    x1, y1, x2, y2 = b[None].unbind(-1)  # (1, M) each
    wide = (torch.minimum(right, x2) - torch.maximum(left, x1)).clamp_min(0)
    tall = (torch.minimum(bottom, y2) - torch.maximum(top, y1)).clamp_min(0)
    both = wide * tall
    either = (right - left) * (bottom - top) + (x2 - x1) * (y2 - y1) - both
    return both / either.clamp_min(1e-12)


def share_in(boxes: Tensor, region: Tensor) -> Tensor:
    """How much of each box (N, 4) lies in a region (4,): (N,) in [0, 1].

    >>> share_in(torch.tensor([[0.0, 0, 4, 4]]), torch.tensor([3.0, 0, 9, 9]))
    tensor([0.2500])
    """
    inner = torch.minimum(boxes[:, 2:], region[2:]) - torch.maximum(boxes[:, :2], region[:2])
    return inner.clamp_min(0).prod(1) / (boxes[:, 2:] - boxes[:, :2]).prod(1).clamp_min(1e-12)


def matched(
    anchors: Tensor, boxes: Tensor, positive: float = 0.5, negative: float = 0.4, rescue: bool = False
) -> Tensor:
    """Which box each anchor is to find: (A,) int64, an index into boxes, BACKGROUND or IGNORED.

    Args:
        anchors: (A, 4). boxes: (N, 4), with areas.
        positive: an overlap of this or more is a match; below `negative` there is nothing; between the two
            nothing is learnt (REFERENCE 11.17: "or more", where the paper says "more").
        rescue: a box that no anchor matches gets its best one all the same. Not so in the paper.

    >>> row = torch.tensor([[0.0, 0, 4, 4], [2.0, 0, 6, 4], [9.0, 9, 13, 13]])
    >>> matched(row, torch.tensor([[0.0, 0, 4, 4]]), negative=0.3).tolist()
    [0, -2, -1]
    """
    if not len(boxes):
        return torch.full((len(anchors),), BACKGROUND, device=anchors.device)
    many = max(AT_ONCE // len(boxes), 1)
    best, which, tops = [], [], []
    for part in anchors.split(many):
        shared = iou(part, boxes)
        value, index = shared.max(1)
        best.append(value)
        which.append(index)
        if rescue:
            tops.append(shared.max(0))
    overlap, found = torch.cat(best), torch.cat(which)
    found = torch.where(overlap >= positive, found, IGNORED)
    found = torch.where(overlap < negative, BACKGROUND, found)
    if rescue:
        highest, where = torch.stack([t.values for t in tops]).max(0)  # (N,) over the parts
        place = torch.stack([t.indices for t in tops]).gather(0, where[None])[0] + where * many
        lost = torch.ones(len(boxes), dtype=torch.bool, device=boxes.device)
        lost[found[found >= 0]] = False
        lost &= highest > 0
        found[place[lost]] = lost.nonzero().squeeze(1)
    return found


def encoded(boxes: Tensor, anchors: Tensor) -> Tensor:
    """Boxes as shifts of their anchors, both (..., 4)."""
    size, anchor_size = boxes[..., 2:] - boxes[..., :2], anchors[..., 2:] - anchors[..., :2]
    moved = (boxes[..., :2] + boxes[..., 2:] - anchors[..., :2] - anchors[..., 2:]) / 2 / anchor_size
    shifts = torch.cat([moved, (size / anchor_size).log()], -1)
    return shifts / shifts.new_tensor(SCALING)


def decoded(shifts: Tensor, anchors: Tensor) -> Tensor:
    """The inverse of `encoded`; no side grows more than 62 fold."""
    shifts = shifts * shifts.new_tensor(SCALING)
    anchor_size = anchors[..., 2:] - anchors[..., :2]
    middle = (anchors[..., :2] + anchors[..., 2:]) / 2 + shifts[..., :2] * anchor_size
    half = shifts[..., 2:].clamp(max=LARGEST).exp() * anchor_size / 2
    return torch.cat([middle - half, middle + half], -1)


def best(scores: Tensor, boxes: Tensor, least: float, most: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The candidates worth looking at, the surest first.

    Args:
        scores: (A, C) in [0, 1]. boxes: (A, 4).
        least: the score a candidate must exceed.
        most: how many at most.

    Returns:
        boxes (n, 4), scores (n,), classes (n,), and how many exceeded `least`: more than n where the limit
        cut.
    """
    flat = scores.flatten()
    worth = (flat > least).sum()
    values, places = flat.topk(min(most, flat.numel()))
    keep = values > least
    values, places = values[keep], places[keep]
    anchor = places.div(scores.shape[1], rounding_mode="floor")
    return boxes[anchor], values, places % scores.shape[1], worth
