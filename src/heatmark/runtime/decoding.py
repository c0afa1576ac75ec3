"""Networks with the card's decoding behind them, as one torch module: what a model file computes.

Pictures (B, 3, H, W) RGB in [0, 1] in; points, candidates of a crowd, or boxes out, in network pixels. The
module runs as it is, or is exported whole. Always in eval mode.
"""

from typing import Any

import torch
from torch import Tensor, nn

from .. import heatmaps
from ..card import Card
from ..errors import UserError, require
from ..heatmaps import anchors
from ..models.blocks import draw_logits
from ..models.layout import readings

HALF = 2  # network pixels per cell of a box map


class PointReader(nn.Module):
    """A network of maps, or one that answers with points: -> points (B, K, 2), scores (B, K)."""

    def __init__(self, net: nn.Module, card: Card):
        super().__init__()
        self.net, self.stride, self.decoding = net, card.stride, card.decoding
        self.channels = card.channels
        if card.decoding.flip:
            mirrored = card.skeleton_of().mirrored
            groups = [set(group) for group in self.channels]
            self.mirrored = [groups.index({int(k) for k in mirrored[list(g)]}) for g in self.channels]
        if card.decoding.method == "expectation":
            draw_logits(net)
        self.eval()

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        finest = self.net(pictures)[-1]  # (B, C, H / stride, W / stride), or points (B, K, 2)
        d = self.decoding
        if d.method == "coordinates":
            return heatmaps.certain(finest)
        if d.flip:
            other = self.net(pictures.flip(-1))[-1]
            finest = heatmaps.msra.averaged(finest, other, self.mirrored, shift=d.method == "msra")
        where = finest, self.channels, self.stride
        if d.method == "expectation":
            return heatmaps.decode_expectation(
                *where, d.rectification, d.threshold, d.confidence, d.calibration
            )
        if d.method == "msra":
            return heatmaps.msra.decode(*where, threshold=d.threshold)
        return heatmaps.decode(*where, d.refine, d.threshold)


class CandidateReader(nn.Module):
    """A network with a `layout`: -> values, places and tags of the best candidates of every landmark (see
    `heatmaps.crowd.tagged_maxima`); with the flip test a second tag each.
    """

    def __init__(self, net: Any, card: Card):
        super().__init__()
        self.net, self.layout, self.stride, self.decoding = net, net.layout, card.stride, card.decoding
        self.mirrored = card.skeleton_of().mirrored.tolist()
        self.eval()

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        d = self.decoding
        heat, tags = readings(self.net(pictures), self.layout)  # (B, K, h, w) each
        if d.flip:
            other, others = readings(self.net(pictures.flip(-1)), self.layout)
            heat = (heat + other.flip(-1)[:, self.mirrored]) / 2
            tags = torch.stack([tags, others.flip(-1)[:, self.mirrored]], -1)
        return heatmaps.crowd.tagged_maxima(heat, tags, d.peaks, d.floor, self.stride, d.refine)


class BoxReader(nn.Module):
    """A network with `anchors`, and suppression: one picture (1, 3, H, W) -> boxes (n, 4), scores (n,), the
    highest first, how many candidates there were, and the map (h, w) if the card says so. Without the map's
    use its branch is left out.

    `decoding.overlap` is the suppression's; with `decoding.apart` boxes whose middles climb to peaks of their
    own compete only from that overlap on (as `metrics.boxes.separated`); with `decoding.centred` scores fall
    with the distance from that peak first (as `metrics.boxes.centred`). With `decoding.soft` nothing is
    suppressed here: all candidates above the threshold go out, for `dense.softened`.
    """

    places: Tensor  # (A, 4) the anchors

    def __init__(self, net: Any, card: Card):
        super().__init__()
        require("torchvision", to="find boxes with torch")
        import torchvision  # before an export begins, or the exporter does not know its suppression

        self.nms, d = torchvision.ops.nms, card.decoding
        if not (d.map or d.apart or d.centred):
            net.without_map()
        elif net.branch is None:
            raise UserError(f"{card.name}: {card.model} draws no map to keep or to tell neighbours apart by")
        self.net, self.size, self.decoding = net, card.size, d
        self.register_buffer("places", net.anchors.boxes(card.size, torch.zeros(1)), persistent=False)
        self.eval()

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        (h, w), d = self.size, self.decoding
        logits, shifts, *drawn = self.net(pictures)
        chances = logits[0].sigmoid().amax(-1)  # (A,)
        scores, which = chances.topk(min(d.candidates, len(chances)))
        likely = (chances > d.threshold).sum()
        first = torch.arange(len(scores), device=scores.device) < likely.clamp_min(1)  # a graph of none fails
        scores, which = scores[first], which[first]
        limit = scores.new_tensor([w, h, w, h])
        boxes = anchors.decoded(shifts[0, which], self.places[which]).clamp_min(0).minimum(limit)
        if d.centred:
            scores = scores * self.nearness(boxes, drawn[0][0, 0], d.centred)
        if d.soft:
            kept = scores.argsort(descending=True)
        elif d.apart:
            kept = self.separated(boxes, scores, drawn[0][0, 0], d.apart)
        else:
            kept = self.nms(boxes, scores, d.overlap)
        kept = kept[scores[kept] > d.threshold][: None if d.soft else d.kept]
        answer = boxes[kept], scores[kept], likely
        return (*answer, drawn[0][0, 0].clamp(0, 1)) if d.map else answer

    def peaks(self, boxes: Tensor, drawn: Tensor) -> Tensor:
        """(n,) the cell of the map, counted row by row, to which each box's middle climbs; -1: to none."""
        h, w = (side // HALF for side in self.size)
        peaks = heatmaps.climbed(heatmaps.smoothed(drawn)).flatten()
        middle = (boxes[:, :2] + boxes[:, 2:]) / (2 * HALF)  # cells
        x, y = middle[:, 0].long().clamp(0, w - 1), middle[:, 1].long().clamp(0, h - 1)
        return peaks[y * w + x]

    def nearness(self, boxes: Tensor, drawn: Tensor, width: float) -> Tensor:
        """(n,) in [0, 1]: a Gaussian of the distance from the box's middle to its peak, in half sides."""
        mine, w = self.peaks(boxes, drawn), self.size[1] // HALF
        peak = torch.stack([mine % w, mine // w], -1) * 2.0 + 1.0
        half = ((boxes[:, 2:] - boxes[:, :2]) / 2).clamp_min(1e-6)
        squared = ((peak - (boxes[:, :2] + boxes[:, 2:]) / 2) / half).square().sum(-1)
        return torch.exp(-torch.where(mine < 0, 1.0, squared) / (2 * width**2))

    def separated(self, boxes: Tensor, scores: Tensor, drawn: Tensor, apart: float) -> Tensor:
        """Indices of those kept: suppressed among those of one peak first, then all from a higher overlap."""
        (h, w), mine = self.size, self.peaks(boxes, drawn) + 1
        # those of other peaks are moved so far away that they do not meet
        away = torch.stack([mine % (w // HALF + 1), mine // (w // HALF + 1)], -1) * 2.0
        shares = boxes / boxes.new_tensor([w, h, w, h]) + torch.cat([away, away], -1)
        alone = self.nms(shares, scores, self.decoding.overlap)
        return alone[self.nms(boxes[alone], scores[alone], apart)]


READERS = {"crowd": CandidateReader, "dense": BoxReader}  # by the card's task; PointReader for all others
