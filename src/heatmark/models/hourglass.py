"""Stacked hourglass networks (Newell et al. 2016), in two forms.

(B, 3, H, W) RGB in [0, 1], H and W multiples of 32 (the originals: 256) -> one raw map a point and stack,
all at stride 4, no activation. Each stack sees what the one before it drew.

- `Hourglass`: the authors' PyTorch form, residual units that normalise first; their names and shapes of the
  weights, so that published files load as they are. Pictures go in as they are, without a mean.
- `KerasHourglass`: the form in which the IHM paper compares itself with it (SHN there), whose units
  normalise last. No weights are published; batch norm keeps torch's momentum and eps.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UserError
from .blocks import Normalise, in_float32

DEPTH = 4  # how often an hourglass halves its 64 cells


class Conv(nn.Module):
    """A convolution with bias that keeps the size at stride 1, on request followed by batch norm and ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, normed: bool = False):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=(kernel - 1) // 2)
        self.bn = nn.BatchNorm2d(outputs) if normed else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x if self.bn is None else F.relu(self.bn(x))


class Residual(nn.Module):
    """1x1 to half the channels, 3x3, 1x1, each after its batch norm and ReLU.

    The shortcut's convolution is there, unused, even where the widths agree: the published files have it.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        half = outputs // 2
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), Conv(inputs, half)
        self.bn2, self.conv2 = nn.BatchNorm2d(half), Conv(half, half, 3)
        self.bn3, self.conv3 = nn.BatchNorm2d(half), Conv(half, outputs)
        self.skip_layer = Conv(inputs, outputs)
        self.skips = inputs != outputs
        self.skip_layer.requires_grad_(self.skips)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.relu(self.bn1(x)))
        y = self.conv2(F.relu(self.bn2(y)))
        y = self.conv3(F.relu(self.bn3(y)))
        return y + (self.skip_layer(x) if self.skips else x)


class Glass(nn.Module):
    """One hourglass, `depth` halvings deep: down, something, up, and added to what stayed at full size."""

    def __init__(self, depth: int, width: int):
        super().__init__()
        self.up1 = Residual(width, width)
        self.low1 = Residual(width, width)
        self.low2 = Glass(depth - 1, width) if depth > 1 else Residual(width, width)
        self.low3 = Residual(width, width)

    def forward(self, x: Tensor) -> Tensor:
        low = self.low3(self.low2(self.low1(F.max_pool2d(x, 2))))
        return self.up1(x) + enlarged(low, x)


def enlarged(x: Tensor, like: Tensor) -> Tensor:
    """x at the height and width of `like`, each cell the nearest's: doubled, but for sizes that were odd."""
    return F.interpolate(x, size=like.shape[-2:], mode="nearest")


class Merge(nn.Module):
    """A 1x1 convolution back to the width of the next stack."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = Conv(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Hourglass(nn.Module):
    """`stacks` hourglasses of `width` channels."""

    def __init__(self, points: int, stacks: int = 2, width: int = 256):
        super().__init__()
        self.strides = (4,) * stacks
        self.pre = nn.Sequential(
            Conv(3, 64, 7, 2, normed=True),
            Residual(64, 128),
            nn.MaxPool2d(2),
            Residual(128, 128),
            Residual(128, width),
        )
        each = range(stacks)
        self.hgs = nn.ModuleList(nn.Sequential(Glass(DEPTH, width)) for _ in each)
        self.features = nn.ModuleList(
            nn.Sequential(Residual(width, width), Conv(width, width, normed=True)) for _ in each
        )
        self.outs = nn.ModuleList(Conv(width, points) for _ in each)
        self.merge_features = nn.ModuleList(Merge(width, width) for _ in each[1:])
        self.merge_preds = nn.ModuleList(Merge(points, width) for _ in each[1:])

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) -> maps (B, points, H / 4, W / 4), one for each stack, the last the best."""
        x = self.pre(pictures)  # (B, width, H/4, W/4)
        maps: list[Tensor] = []
        for i, glass in enumerate(self.hgs):
            feature = self.features[i](glass(x))
            maps.append(in_float32(self.outs[i], feature))
            if i < len(self.merge_preds):
                x = x + self.merge_preds[i](maps[-1]) + self.merge_features[i](feature)
        return tuple(maps)


class KerasUnit(nn.Module):
    """1x1 to half the channels, 3x3, 1x1, each with a ReLU and then batch norm; nothing after the sum."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        half = outputs // 2
        self.body = nn.Sequential(
            *_relu_first(inputs, half), *_relu_first(half, half, 3), *_relu_first(half, outputs)
        )
        self.skip = None if inputs == outputs else nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + (x if self.skip is None else self.skip(x))


def _relu_first(inputs: int, outputs: int, kernel: int = 1) -> tuple[nn.Module, ...]:
    conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
    return conv, nn.ReLU(inplace=True), nn.BatchNorm2d(outputs)


class KerasGlass(nn.Module):
    """Four resolutions; at the coarsest three units beside a parallel one; a unit after each sum going up."""

    def __init__(self, width: int):
        super().__init__()
        self.down = nn.ModuleList(KerasUnit(width, width) for _ in range(DEPTH))
        self.bottom = nn.Sequential(*(KerasUnit(width, width) for _ in range(3)))
        self.beside = nn.ModuleList(KerasUnit(width, width) for _ in range(DEPTH))
        self.up = nn.ModuleList(KerasUnit(width, width) for _ in range(DEPTH - 1))

    def forward(self, x: Tensor) -> Tensor:
        left: list[Tensor] = []  # fine to coarse: 64, 32, 16, 8 cells
        for i, unit in enumerate(self.down):
            left.append(unit(x if i == 0 else F.max_pool2d(left[-1], 2)))
        x = self.bottom(left[-1]) + self.beside[-1](left[-1])
        for i in reversed(range(DEPTH - 1)):
            x = self.up[i](self.beside[i](left[i]) + enlarged(x, left[i]))
        return x


class KerasHourglass(nn.Module):
    """The IHM paper's SHN: `stacks` hourglasses of `width` channels; MPII's mean colour is taken off."""

    def __init__(self, points: int, stacks: int = 2, width: int = 256):
        super().__init__()
        self.strides = (4,) * stacks
        self.normalise = Normalise((0.4404, 0.4440, 0.4327), (1.0, 1.0, 1.0))
        self.front = nn.Sequential(
            nn.ZeroPad2d((2, 3, 2, 3)),  # where TensorFlow pads for "same" at stride 2
            nn.Conv2d(3, 64, 7, 2),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(64),
            nn.MaxPool2d(2),
            KerasUnit(64, 128),
            KerasUnit(128, 128),
            KerasUnit(128, width),
        )
        each = range(stacks)
        self.glasses = nn.ModuleList(KerasGlass(width) for _ in each)
        self.heads = nn.ModuleList(nn.Sequential(*_relu_first(width, width)) for _ in each)
        self.outs = nn.ModuleList(nn.Conv2d(width, points, 1) for _ in each)
        self.merge_heads = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in each[1:])
        self.merge_maps = nn.ModuleList(nn.Conv2d(points, width, 1) for _ in each[1:])

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) -> maps (B, points, H / 4, W / 4), one for each stack, the last the best."""
        x = self.front(self.normalise(pictures))  # (B, width, H/4, W/4)
        maps: list[Tensor] = []
        for i, glass in enumerate(self.glasses):
            head = self.heads[i](glass(x))
            maps.append(in_float32(self.outs[i], head))
            if i < len(self.merge_maps):
                x = x + self.merge_heads[i](head) + self.merge_maps[i](maps[-1])
        return tuple(maps)


def hourglass_2(points: int, width: int = 256) -> Hourglass:
    """Two stacks, 8.4 million parameters at `width` 256, the channels of each."""
    return Hourglass(points, 2, _whole(width))


def hourglass_8(points: int, width: int = 256) -> Hourglass:
    """Eight stacks, at `width` 256 channels."""
    return Hourglass(points, 8, _whole(width))


def hourglass_keras(points: int, width: int = 256) -> KerasHourglass:
    """Two stacks in the Keras form that the IHM paper calls SHN, at `width` 256 channels."""
    return KerasHourglass(points, 2, _whole(width))


def _whole(width: int) -> int:
    if width < 2 or width % 2:
        raise UserError(f"width must be an even number of channels, 2 or more, got {width}")
    return width
