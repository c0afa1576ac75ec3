"""RetinaNet, and with a Gaussian box map learnt beside it (Kant 2019, "Learning Gaussian Maps for Dense
Object Detection"; Lin et al. 2017, "Focal Loss for Dense Object Detection").

(B, 3, H, W) RGB in [0, 1], H and W multiples of 32 -> logits (B, A, classes) and shifts (B, A, 4) of the
anchors `net.anchors`, and from the Gaussian networks a map (B, 1, H / 2, W / 2). No activation, no
suppression.

`retinanet` is the baseline. `gaussian_decoder` has a second, U-shaped decoder for the map (section 5.1);
`gaussian_layer` draws it from P3 and C2 (5.2). The map teaches the features that the boxes are read from;
`without_map` leaves its branch out, and what is left costs what RetinaNet costs.
"""

import math
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UserError
from ..heatmaps.anchors import Anchors
from .backbones import Backbone
from .backbones import backbone as features_of
from .blocks import Count, Factor, in_float32

PRIOR = 0.01  # how often an anchor is taken for a thing before anything is learnt


class Pyramid(nn.Module):
    """C3, C4, C5 -> P3 to P7, `width` channels each (Lin et al. 2017, "Feature Pyramid Networks")."""

    def __init__(self, channels: tuple[int, int, int], width: int):
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.smooth = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in channels)
        self.p6 = nn.Conv2d(channels[-1], width, 3, 2, padding=1)
        self.p7 = nn.Conv2d(width, width, 3, 2, padding=1)

    def forward(self, c3: Tensor, c4: Tensor, c5: Tensor) -> list[Tensor]:
        t5 = self.lateral[2](c5)
        t4 = self.lateral[1](c4) + doubled(t5)
        t3 = self.lateral[0](c3) + doubled(t4)
        p6 = self.p6(c5)  # from C5, as the paper of RetinaNet has it
        return [*(s(t) for s, t in zip(self.smooth, (t3, t4, t5))), p6, self.p7(F.relu(p6))]


class Subnet(nn.Module):
    """The same `depth` convolutions over every level, then `outputs` numbers for each anchor of a cell."""

    def __init__(self, width: int, depth: int, anchors: int, outputs: int, bias: float = 0.0):
        super().__init__()
        self.outputs = outputs
        layers = [nn.Conv2d(width, width, 3, padding=1) for _ in range(depth)]
        self.layers = nn.Sequential(*(part for conv in layers for part in (conv, nn.ReLU(inplace=True))))
        self.last = nn.Conv2d(width, anchors * outputs, 3, padding=1)
        for conv in (*layers, self.last):
            nn.init.normal_(conv.weight, std=0.16 / math.sqrt(width))  # the paper's 0.01 at its width of 256
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
        nn.init.constant_(self.last.bias, bias)  # type: ignore[arg-type]

    def forward(self, levels: list[Tensor]) -> Tensor:
        """-> (B, A, outputs), in the order of Anchors.boxes."""
        drawn = [in_float32(self.last, self.layers(level)) for level in levels]
        return torch.cat([d.permute(0, 2, 3, 1).reshape(len(d), -1, self.outputs) for d in drawn], 1)


class GaussianLayer(nn.Module):
    """B2 from C2 and P3 (upsampled by 2, which the paper does not say), then the Gaussian subnet."""

    def __init__(self, c2: int, p3: int, width: int, norm: str):
        super().__init__()
        self.b2 = convolved(c2 + p3, width, norm)
        self.subnet = subnet(width, norm)

    def forward(self, features: list[Tensor], pyramid: list[Tensor]) -> Tensor:
        b2 = self.b2(torch.cat([features[0], doubled(pyramid[0])], 1))  # (B, width, H/4, W/4)
        return in_float32(self.subnet, interpolated(b2))


class GaussianDecoder(nn.Module):
    """B5 to B2, each a convolution and twice the size, with C4, C3, C2 beside it; then the subnet."""

    def __init__(self, channels: tuple[int, int, int, int], width: int, norm: str):
        super().__init__()
        c2, c3, c4, c5 = channels
        self.b5 = convolved(c5, 4 * width, norm)
        self.b4 = convolved(4 * width + c4, 2 * width, norm)
        self.b3 = convolved(2 * width + c3, width, norm)
        self.b2 = convolved(width + c2, width, norm)
        self.subnet = subnet(width, norm)

    def forward(self, features: list[Tensor], pyramid: list[Tensor]) -> Tensor:
        c2, c3, c4, c5 = features
        x = interpolated(self.b5(c5))
        x = interpolated(self.b4(torch.cat([x, c4], 1)))
        x = interpolated(self.b3(torch.cat([x, c3], 1)))
        x = interpolated(self.b2(torch.cat([x, c2], 1)))  # (B, width, H/2, W/2)
        return in_float32(self.subnet, x)


class RetinaNet(nn.Module):
    """A backbone, a pyramid, two subnets and, perhaps, a branch that draws the map."""

    def __init__(
        self,
        features: Backbone,
        classes: int,
        width: int,
        depth: int,
        anchors: Anchors,
        branch: str,
        norm: str,
    ):
        super().__init__()
        _, c2, c3, c4, c5 = features.channels
        if not all((c2, c3, c4, c5)):
            raise UserError(
                f"RetinaNet needs features at strides 4 to 32, this backbone has {features.found}"
            )
        self.backbone, self.anchors, self.strides = features, anchors, anchors.strides
        self.pyramid = Pyramid((c3, c4, c5), width)
        prior = -math.log((1 - PRIOR) / PRIOR)
        self.classes = Subnet(width, depth, anchors.each, classes, prior)
        self.shifts = Subnet(width, depth, anchors.each, 4)
        narrow = max(width // 4, 8)
        self.branch: nn.Module | None = None
        if branch == "layer":
            self.branch = GaussianLayer(c2, width, narrow, norm)
        elif branch == "decoder":
            self.branch = GaussianDecoder((c2, c3, c4, c5), narrow, norm)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) -> (B, A, classes), (B, A, 4) and, with a branch, (B, 1, H / 2, W / 2)."""
        h, w = pictures.shape[-2:]
        if h % 32 or w % 32:
            raise ValueError(f"a picture must be a multiple of 32 high and wide, got {h} x {w}")
        features = [f for f in self.backbone(pictures)[1:] if f is not None]
        pyramid = self.pyramid(*features[1:])
        boxes = self.classes(pyramid), self.shifts(pyramid)
        return boxes if self.branch is None else (*boxes, self.branch(features, pyramid))

    def without_map(self) -> "RetinaNet":
        """The same network; its branch is gone, and with it the third output."""
        self.branch = None
        return self


def convolved(inputs: int, outputs: int, norm: str) -> nn.Sequential:
    """3x3 convolution, norm, ReLU; the size stays."""
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(conv, normed(outputs, norm), nn.ReLU(inplace=True))


def subnet(width: int, norm: str) -> nn.Sequential:
    """Two more of them, then one channel. No activation: its error is squared, and readers clamp."""
    last = nn.Conv2d(width // 2, 1, 1)
    return nn.Sequential(convolved(width, width // 2, norm), convolved(width // 2, width // 2, norm), last)


def normed(channels: int, norm: str) -> nn.Module:
    """ "batch": over a single picture's cells, which are enough (REFERENCE 11.18); "group": of 8 channels."""
    if norm not in ("batch", "group"):
        raise UserError(f"no norm is called {norm!r}; there are: batch, group")
    return nn.BatchNorm2d(channels) if norm == "batch" else nn.GroupNorm(max(channels // 8, 1), channels)


def doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def interpolated(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def retinanet(
    classes: int,
    backbone: str = "resnet50",
    weights: str | None = "hub",
    trainable_from: str | None = "all",
    width: Count = 256,
    depth: Count = 4,
    anchor: Factor = 4.0,
    branch: str = "none",
    norm: Literal["batch", "group"] = "batch",
) -> RetinaNet:
    """The baseline: 36.3 million parameters with ResNet-50 and one class.

    Args:
        classes: of things.
        backbone: one of BACKBONES, or timm's name for one with features at strides 4 to 32.
        weights: of the backbone: "hub", a file, or None for random ones.
        trainable_from: its first layer that learns; "all", or None for a frozen one. Its batch norm keeps its
            statistics in any case.
        width, depth: channels of the pyramid, and convolutions in each subnet.
        anchor: side of a level's square anchor, in strides: 4 is 32 to 512 pixels.
        branch: that draws the map: "none", or what the other two models stand for, "layer" or "decoder".
        norm: of that branch, "batch" or "group".
    """
    if branch not in ("none", "layer", "decoder"):
        raise UserError(f"no branch is called {branch!r}; there are: none, layer, decoder")
    features = features_of(backbone, weights, trainable_from)
    return RetinaNet(features, classes, width, depth, Anchors(side=anchor), branch, norm)


gaussian_layer = partial(retinanet, branch="layer")  # the map from P3 and C2
gaussian_decoder = partial(retinanet, branch="decoder")  # the map from a decoder of its own
