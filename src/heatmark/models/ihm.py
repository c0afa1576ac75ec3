"""Intermediate Heatmap Model (Vanherle et al. 2022, "Real-time Detection of 2D Tool Landmarks", section 4.1).

(B, 3, H, W) RGB in [0, 1], H and W multiples of 32 -> sigmoid maps at strides 16, 8, 4 (IHM56), also 2, 1
(IHM224), or only 1 (HM, the full network without intermediate supervision).

Where the paper is silent we follow Keras, its framework: the leaky ReLU's slope is 0.3. Batch norm keeps
torch's momentum (0.1) and eps (1e-5), where Keras has 0.01 and 1e-3.
"""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from . import backbones
from .backbones import STRIDES, Backbone
from .blocks import Factor, MapHead, Up

FILTERS = (256, 128, 64, 32, 16)  # halved at each doubling of the size


class IHM(nn.Module):
    """A frozen backbone, `blocks` upsampling blocks, and a head after each of them or only after the last."""

    def __init__(
        self,
        points: int,
        seen_by: Backbone,
        blocks: int,
        heads: Literal["all", "last"] = "all",
        width: float = 1.0,
        dropout: float = 0.2,
        prior: float = 0.05,
    ):
        super().__init__()
        self.backbone = seen_by
        filters = [max(int(f * width), 1) for f in FILTERS[:blocks]]
        skips = [*reversed(seen_by.channels[:-1]), 0][:blocks]  # strides 16, 8, 4, 2; nothing at full size
        inputs = [seen_by.channels[-1], *filters]
        self.ups = nn.ModuleList(Up(i, s, f, dropout) for i, s, f in zip(inputs, skips, filters))
        drawing = range(blocks) if heads == "all" else range(blocks - 1, blocks)
        self.heads = nn.ModuleDict({str(k): MapHead(filters[k], points, prior) for k in drawing})
        self.strides = tuple(STRIDES[-1] // 2 ** (k + 1) for k in drawing)

    @property
    def frozen(self) -> bool:
        """Whether `features` has nothing to learn."""
        return self.backbone.frozen

    def features(self, pictures: Tensor) -> list[Tensor | None]:
        """(B, 3, H, W) -> what the blocks see, (B, C, H / s, W / s) each, fine to coarse: s = 4, 8, 16, 32
        for three blocks.
        """
        return self.backbone(pictures)[-1 - len(self.ups) :]

    def answer(self, features: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        *skips, x = features
        skips = [*reversed(skips), None]
        maps = []
        for k, up in enumerate(self.ups):
            x = up(x, skips[k])
            if str(k) in self.heads:
                maps.append(self.heads[str(k)](x))
        return tuple(maps)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) -> maps (B, points, H / stride, W / stride) of each of `strides`, coarse to fine."""
        return self.answer(self.features(pictures))


def ihm224(
    points: int,
    backbone: str = "resnet50",
    weights: str | None = "hub",
    trainable_from: str | None = None,
    width: Factor = 1.0,
    dropout: float = 0.2,
    prior: float = 0.05,
) -> IHM:
    """Five blocks, a head after each: 14 ... 224 cells for 224 pixels. Options: see `ihm56`."""
    return IHM(points, backbones.backbone(backbone, weights, trainable_from), 5, "all", width, dropout, prior)


def ihm56(
    points: int,
    backbone: str = "resnet50",
    weights: str | None = "hub",
    trainable_from: str | None = None,
    width: Factor = 1.0,
    dropout: float = 0.2,
    prior: float = 0.05,
) -> IHM:
    """Three blocks, a head after each: 14, 28, 56 cells for 224 pixels; the best of the paper's three.

    Args:
        points: how many maps to draw.
        backbone: a name of `backbones.BACKBONES`, or any of timm's with feature maps.
        weights: of the backbone: "hub", a file, or None for random ones (a whole model's weights follow).
        trainable_from: the backbone's layer from which on it learns too; None: all of it is frozen, as in the
            paper.
        width: multiplies the numbers of filters.
        dropout: share of values dropped after each convolution of the upsampling blocks.
        prior: what the heads draw everywhere before they have learnt anything. The paper is silent; from 0.5,
            Keras's default, the first hundreds of steps go into learning that maps are mostly empty.
    """
    return IHM(points, backbones.backbone(backbone, weights, trainable_from), 3, "all", width, dropout, prior)


def hm(
    points: int,
    backbone: str = "resnet50",
    weights: str | None = "hub",
    trainable_from: str | None = None,
    width: Factor = 1.0,
    dropout: float = 0.2,
    prior: float = 0.05,
) -> IHM:
    """Five blocks, a head after the last only: 224 cells for 224 pixels. Options: see `ihm56`."""
    return IHM(
        points, backbones.backbone(backbone, weights, trainable_from), 5, "last", width, dropout, prior
    )
