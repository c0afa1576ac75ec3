"""What several networks are built from."""

import math
from collections.abc import Callable, Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UserError

# What options of models may be; `models.check_options` reads the signatures.
Factor = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class Normalise(nn.Module):
    """RGB pictures (B, 3, H, W) in [0, 1] -> what a backbone expects: scaled, shifted, RGB or BGR."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float], scale: float = 1.0, bgr: bool = False):
        super().__init__()
        self.scale, self.bgr = scale, bgr
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        if self.bgr:
            pictures = pictures.flip(1)
        return (pictures * self.scale - self.mean) / self.std


def seen_by(net: nn.Module) -> str:
    """What a network takes and what it makes of it before its first layer, in words for its card."""
    first = next((m for m in net.modules() if isinstance(m, Normalise)), None)
    takes = "pictures (B, 3, H, W) float32 RGB in [0, 1]"
    if first is None:
        return f"{takes}; the network takes them as they are"
    mean, std = (", ".join(f"{v:g}" for v in part.flatten().tolist()) for part in (first.mean, first.std))
    order, scale = ("BGR" if first.bgr else "RGB"), (f" times {first.scale:g}" if first.scale != 1 else "")
    return f"{takes}; the network itself makes {order}{scale} of them, minus [{mean}], over [{std}]"


def imagenet() -> Normalise:
    """As torchvision's and most of timm's backbones want it."""
    return Normalise((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def imagenet_bgr() -> Normalise:
    """The same numbers on blue, green, red: what OpenCV's pictures gave to SimpleBaseline."""
    return Normalise((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), bgr=True)


def caffe() -> Normalise:
    """As Caffe's and Keras's ResNets want it: BGR, 0..255, minus the mean."""
    return Normalise((103.939, 116.779, 123.68), (1.0, 1.0, 1.0), scale=255.0, bgr=True)


class Dropout(nn.Module):
    """Sets a share of the values to 0 while training, and scales the others up to keep the mean.

    On the CPU torch's own draws a number for each value, which took a quarter of a training step. Here a draw
    of 64 bits serves eight values, so that the share is rounded to 1/256.
    """

    def __init__(self, share: float):
        super().__init__()
        if not 0 <= share < 1:
            raise UserError(f"dropout is a share in [0, 1), got {share}")
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.share == 0:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.share)
        dropped = round(self.share * 256)
        if not (x.is_contiguous() or x.is_contiguous(memory_format=torch.channels_last)):
            x = x.contiguous()
        draws = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None).view(torch.uint8)
        keep = draws.as_strided(x.shape, x.stride()) >= dropped
        return (x * keep).mul_(256 / (256 - dropped))


def convolved(inputs: int, outputs: int, dropout: float, slope: float = 0.3) -> nn.Sequential:
    """3x3 convolution, batch norm, leaky ReLU (slope 0.3 is Keras's default), dropout; the size stays."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),  # batch norm has its own bias
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(slope, inplace=True),
        Dropout(dropout),
    )


class Up(nn.Module):
    """IHM's upsampling block (figure 4): doubled, the backbone's features beside it, two convolutions."""

    def __init__(self, inputs: int, skip: int, outputs: int, dropout: float):
        super().__init__()
        self.first = convolved(inputs + skip, outputs, dropout)
        self.second = convolved(outputs, outputs, dropout)

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")  # (B, inputs, 2h, 2w)
        if skip is not None:
            x = torch.cat([x, skip], 1)  # (B, inputs + skip, 2h, 2w)
        return self.second(self.first(x))


class MapHead(nn.Module):
    """A 1x1 convolution and a sigmoid: (B, C, h, w) -> (B, points, h, w) in [0, 1], always in float32.

    Low precision in this last step makes ties between neighbouring cells, and so moves the maximum.
    Without the sigmoid (`draw_logits`) it draws any values, for what takes a softmax of them.
    """

    squashes = True

    def __init__(self, inputs: int, points: int, prior: float = 0.5):
        super().__init__()
        if not 0 < prior < 1:
            raise UserError(f"prior is a map's value before training, in (0, 1), got {prior}")
        self.draw = nn.Conv2d(inputs, points, 1)
        nn.init.constant_(self.draw.bias, math.log(prior / (1 - prior)))  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        drawn = in_float32(self.draw, x)
        return torch.sigmoid(drawn) if self.squashes else drawn


def draw_logits(net: nn.Module, start: float | None = None) -> None:
    """Let the heads of a network leave out their sigmoid, if they have one; its weights stay as they are.

    A mean wants the map's background to weigh nothing. A softmax of the logits gets there several times as
    fast as a sum of sigmoids, whose many cells near 0 pull to the middle and hardly learn.

    Args:
        start: what the heads draw before they have learnt anything, instead of their prior.
    """
    for module in net.modules():
        if isinstance(module, MapHead):
            module.squashes = False
            if start is not None:
                nn.init.constant_(module.draw.bias, start)  # type: ignore[arg-type]


def in_float32(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`layer(x)` in float32 whatever precision the rest runs in: for the last step of a network."""
    if x.is_meta or not torch.is_autocast_enabled(x.device.type):
        return layer(x)
    with torch.autocast(x.device.type, enabled=False):
        return layer(x.float())


class BasicBlock(nn.Module):
    """ResNet's block of two 3x3 convolutions (He et al. 2016), under its usual names."""

    grows = 1  # its output has this many times `width` channels

    def __init__(self, inputs: int, width: int, stride: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """ResNet's block of 1x1, 3x3 (which has the stride, as torchvision) and 1x1, under its usual names."""

    grows = 4

    def __init__(self, inputs: int, width: int, stride: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * self.grows, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * self.grows)
        self.downsample = _shortcut(inputs, width * self.grows, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        return F.relu(self.bn3(self.conv3(y)) + (x if self.downsample is None else self.downsample(x)))


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


def chain(
    block: type[BasicBlock] | type[Bottleneck], inputs: int, width: int, count: int, stride: int = 1
) -> nn.Sequential:
    """`count` blocks one after the other; the first takes `inputs` channels and has the stride."""
    rest = (block(width * block.grows, width) for _ in range(count - 1))
    return nn.Sequential(block(inputs, width, stride), *rest)


def start_small(net: nn.Module) -> None:
    """Convolutions from N(0, 0.001), their biases 0, as in HRNet and SimpleBaseline; batch norm starts at
    1 and 0 of itself.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, std=0.001)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
