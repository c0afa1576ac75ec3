"""ResNet made fully convolutional, the network of DSNT (Nibali et al. 2018, arXiv:1801.07372).

(B, 3, H, W) RGB in [0, 1], H and W multiples of 32 -> one raw map a point, no activation, at stride 32, 16, 8
or 4: for 224 pixels 7, 14, 28 or 56 cells. Meant for `head: dsnt`; with `head: heatmap` it is its rival.

The last `dilate` groups of layers keep the size they are given: their convolutions look farther apart instead
(2, 4, 8 cells), so that ImageNet's weights still see what they saw. Pictures go in as they are, without
ImageNet's mean and deviation, as in the authors' code.
"""

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UserError, require
from .blocks import BasicBlock, Bottleneck, chain, in_float32
from .weights import fetched, load_but

COUNTS = (3, 4, 6, 3)  # blocks of layer1 to layer4, in both
BLOCKS: dict[int, type[BasicBlock] | type[Bottleneck]] = {34: BasicBlock, 50: Bottleneck}


class Coordinate(nn.Module):
    """`depth`: the ResNet's number of layers; `dilate`: how many of its last three groups keep the size."""

    def __init__(self, points: int, depth: int = 34, dilate: int = 2):
        super().__init__()
        if dilate not in (0, 1, 2, 3):
            raise UserError(f"dilate is how many groups of layers keep the size, 0 to 3, got {dilate}")
        self.strides = (32 // 2**dilate,)
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False), nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        block = BLOCKS[depth]
        self.layer1 = chain(block, 64, 64, COUNTS[0])
        self.layer2 = chain(block, 64 * block.grows, 128, COUNTS[1], stride=2)
        self.layer3 = chain(block, 128 * block.grows, 256, COUNTS[2], stride=2)
        self.layer4 = chain(block, 256 * block.grows, 512, COUNTS[3], stride=2)
        for i, group in enumerate((self.layer2, self.layer3, self.layer4)[3 - dilate :]):
            _keep_size(group, apart=2 ** (i + 1))
        self.draw = nn.Conv2d(512 * block.grows, points, 1, bias=False)  # a softmax does not see a bias

    def forward(self, pictures: Tensor) -> tuple[Tensor]:
        """(B, 3, H, W) -> maps (B, points, H / stride, W / stride)."""
        x = self.maxpool(F.relu(self.bn1(self.conv1(pictures))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return (in_float32(self.draw, x),)


def _keep_size(group: nn.Module, apart: int) -> None:
    """Strides become 1; the 3x3 convolutions after them look `apart` cells apart."""
    for module in group.modules():
        if isinstance(module, nn.Conv2d):
            if module.stride == (2, 2):
                module.stride = (1, 1)
            elif module.kernel_size == (3, 3):
                module.dilation, module.padding = (apart, apart), (apart, apart)


def _coordinate(points: int, depth: int, dilate: int, weights: str | None) -> Coordinate:
    net = Coordinate(points, depth, dilate)
    if weights is not None:
        load_but(net, fetched(f"ResNet-{depth}", weights, lambda: _imagenet(depth)), weights, fresh=("draw",))
    return net


def _imagenet(depth: int) -> Mapping[str, Tensor]:
    require("torchvision", to="fetch ResNet's ImageNet weights")
    import torchvision

    hub = torchvision.models.get_model_weights(f"resnet{depth}").IMAGENET1K_V1  # type: ignore[attr-defined]
    return hub.get_state_dict(progress=False)


def coordinate_34(points: int, dilate: int = 2, weights: str | None = "hub") -> Coordinate:
    """21.3 million parameters.

    Args:
        points: how many maps to draw.
        dilate: 0, 1, 2 or 3 groups of layers keep the size: 7, 14, 28 or 56 cells for 224 pixels.
        weights: of the ResNet: "hub" (torchvision's ImageNet weights), a file with torchvision's names, or
            None for random ones.
    """
    return _coordinate(points, 34, dilate, weights)


def coordinate_50(points: int, dilate: int = 2, weights: str | None = "hub") -> Coordinate:
    """23.5 million parameters. Options: see `coordinate_34`."""
    return _coordinate(points, 50, dilate, weights)
