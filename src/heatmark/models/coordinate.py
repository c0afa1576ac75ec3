"""The networks of DSNT (Nibali et al. 2018, arXiv:1801.07372): fully convolutional, with 7 to 56 cells.

(B, 3, H, W) RGB in [0, 1], H and W multiples of 32 -> one raw map a point, no activation, at stride 32, 16, 8
or 4: for 224 pixels 7, 14, 28 or 56 cells. Meant for `head: dsnt`; with `head: heatmap` they are one rival of
it, and `connected`, which draws no maps but answers with coordinates (`head: connected`), is the other.

A ResNet's last `dilate` groups of layers keep the size they are given: their convolutions look farther apart
instead (2, 4, 8 cells), so that ImageNet's weights still see what they saw. It learns as a whole, and its
pictures go in as they are, without ImageNet's mean and deviation, as in the authors' code. EfficientNet-lite0
is ours, not the paper's: frozen, below a few layers that learn, for a machine without a GPU.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UserError
from . import backbones
from .blocks import BasicBlock, Bottleneck, Count, chain, in_float32
from .weights import fetched, load_but, resnet_imagenet

COUNTS = (3, 4, 6, 3)  # blocks of layer1 to layer4, in both ResNets
BLOCKS: dict[int, type[BasicBlock] | type[Bottleneck]] = {34: BasicBlock, 50: Bottleneck}


class Connected(nn.Module):
    """Fully connected regression: features (B, C, h, w) -> points (B, points, 2), x y in network pixels.

    Every coordinate sees every channel of every cell. The cells are first averaged to stride 32, so that the
    layer has as many weights whatever the resolution of the features; a start at 0 answers the middle.
    """

    def __init__(self, inputs: int, points: int, cells: int):
        super().__init__()
        self.points, self.cells = points, cells
        self.layer = nn.Linear(inputs * cells**2, 2 * points)
        nn.init.zeros_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)

    def forward(self, features: Tensor, stride: int) -> Tensor:
        h, w = (n * stride // 32 for n in features.shape[-2:])
        if (h, w) != (self.cells, self.cells):
            raise UserError(
                f"connected: {self.cells} is for pictures of {32 * self.cells} x {32 * self.cells} pixels, "
                f"got {32 * h} x {32 * w}"
            )
        coarse = F.avg_pool2d(features, 32 // stride)
        return (in_float32(self.layer, coarse.flatten(1)).unflatten(-1, (self.points, 2)) + 1) * 16 * w


class Coordinate(nn.Module):
    """`depth`: the ResNet's number of layers; `dilate`: how many of its last three groups keep the size;
    `connected`: cells a side that a coordinate sees, or None to draw maps.
    """

    frozen = False  # whether `features` has nothing to learn

    def __init__(self, points: int, depth: int = 34, dilate: int = 2, connected: int | None = None):
        super().__init__()
        if dilate not in (0, 1, 2, 3):
            raise UserError(f"dilate is how many groups of layers keep the size, 0 to 3, got {dilate}")
        self.stride = 32 // 2**dilate
        self.strides = (self.stride,)
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False), nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        block = BLOCKS[depth]
        self.layer1 = chain(block, 64, 64, COUNTS[0])
        self.layer2 = chain(block, 64 * block.grows, 128, COUNTS[1], stride=2)
        self.layer3 = chain(block, 128 * block.grows, 256, COUNTS[2], stride=2)
        self.layer4 = chain(block, 256 * block.grows, 512, COUNTS[3], stride=2)
        for i, group in enumerate((self.layer2, self.layer3, self.layer4)[3 - dilate :]):
            _keep_size(group, apart=2 ** (i + 1))
        self.draw = _draw(512 * block.grows, points, connected, bias=False)  # a softmax does not see a bias

    def features(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 512 or 2048, H / stride, W / stride)."""
        x = self.maxpool(F.relu(self.bn1(self.conv1(pictures))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))

    def answer(self, features: Tensor) -> tuple[Tensor]:
        return (_drawn(self.draw, features, self.stride),)

    def forward(self, pictures: Tensor) -> tuple[Tensor]:
        """(B, 3, H, W) -> maps (B, points, H / stride, W / stride), or, connected, points (B, points, 2)."""
        return self.answer(self.features(pictures))


class Light(nn.Module):
    """EfficientNet-lite0, frozen, and three layers that learn on its features of strides 4 to 32, all brought
    to `stride`: finer ones by their mean, coarser ones repeated. So every stride sees the same.
    """

    frozen = True

    def __init__(
        self,
        points: int,
        stride: int = 8,
        weights: str | None = "hub",
        connected: int | None = None,
        width: int = 64,
    ):
        super().__init__()
        if stride not in (4, 8, 16, 32):
            raise UserError(f"stride is pixels per cell, 4, 8, 16 or 32, got {stride}")
        self.stride, self.strides = stride, (stride,)
        self.backbone = backbones.backbone("efficientnet_lite0", weights)
        self.seen = nn.ModuleList(nn.Conv2d(c, width, 1, bias=False) for c in self.backbone.channels[1:])
        self.learn = nn.Sequential(*_settled(width), *_layer(width), *_layer(width))
        self.draw = _draw(width, points, connected, bias=True)

    def features(self, pictures: Tensor) -> list[Tensor]:
        """(B, 3, H, W) -> (B, C, H / s, W / s) for s = 4, 8, 16, 32."""
        return self.backbone(pictures)[1:]

    def answer(self, features: Sequence[Tensor]) -> tuple[Tensor]:
        brought = []
        for layer, x, stride in zip(self.seen, features, (4, 8, 16, 32)):
            if stride < self.stride:
                x = F.avg_pool2d(x, self.stride // stride)
            x = layer(x)
            if stride > self.stride:  # repeated after the layer, which is the same for less work
                x = F.interpolate(x, scale_factor=float(stride // self.stride), mode="nearest")
            brought.append(x)
        return (_drawn(self.draw, self.learn(sum(brought[1:], brought[0])), self.stride),)

    def forward(self, pictures: Tensor) -> tuple[Tensor]:
        """(B, 3, H, W) -> maps (B, points, H / stride, W / stride), or, connected, points (B, points, 2)."""
        return self.answer(self.features(pictures))


def _settled(width: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(width), nn.ReLU(inplace=True)


def _layer(width: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(width, width, 3, padding=1, bias=False), *_settled(width)


def _draw(inputs: int, points: int, connected: int | None, bias: bool) -> nn.Module:
    if connected is None:
        return nn.Conv2d(inputs, points, 1, bias=bias)
    return Connected(inputs, points, connected)


def _drawn(draw: nn.Module, features: Tensor, stride: int) -> Tensor:
    return draw(features, stride) if isinstance(draw, Connected) else in_float32(draw, features)


def _keep_size(group: nn.Module, apart: int) -> None:
    """Strides become 1; the 3x3 convolutions after them look `apart` cells apart."""
    for module in group.modules():
        if isinstance(module, nn.Conv2d):
            if module.stride == (2, 2):
                module.stride = (1, 1)
            elif module.kernel_size == (3, 3):
                module.dilation, module.padding = (apart, apart), (apart, apart)


def _coordinate(
    points: int, depth: int, dilate: int, weights: str | None, connected: int | None
) -> Coordinate:
    net = Coordinate(points, depth, dilate, connected)
    if weights is not None:
        state = fetched(f"ResNet-{depth}", weights, lambda: resnet_imagenet(depth))
        load_but(net, state, weights, fresh=("draw",))
    return net


def coordinate_34(
    points: int, dilate: int = 2, weights: str | None = "hub", connected: Count | None = None
) -> Coordinate:
    """21.3 million parameters.

    Args:
        points: how many maps to draw.
        dilate: 0, 1, 2 or 3 groups of layers keep the size: 7, 14, 28 or 56 cells for 224 pixels.
        weights: of the ResNet: "hub" (torchvision's ImageNet weights), a file with torchvision's names, or
            None for random ones.
        connected: None: maps. Else coordinates, by a layer that sees so many cells a side: the picture's side
            over 32, so 7 for 224 pixels.
    """
    return _coordinate(points, 34, dilate, weights, connected)


def coordinate_50(
    points: int, dilate: int = 2, weights: str | None = "hub", connected: Count | None = None
) -> Coordinate:
    """23.5 million parameters. Options: see `coordinate_34`."""
    return _coordinate(points, 50, dilate, weights, connected)


def coordinate_lite0(
    points: int,
    stride: int = 8,
    weights: str | None = "hub",
    connected: Count | None = None,
    width: Count = 64,
) -> Light:
    """3.0 million parameters, of which 0.1 million learn.

    Args:
        points: how many maps to draw.
        stride: pixels per cell: 32, 16, 8 or 4, so 7, 14, 28 or 56 cells for 224 pixels.
        weights, connected: see `coordinate_34`; the weights are EfficientNet-lite0's.
        width: channels of the layers that learn.
    """
    return Light(points, stride, weights, connected, width)
