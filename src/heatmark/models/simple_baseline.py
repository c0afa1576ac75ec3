"""SimpleBaseline (Xiao et al. 2018, "Simple Baselines for Human Pose Estimation and Tracking").

(B, 3, H, W) RGB in [0, 1], H and W multiples of 32 -> one raw map a point at stride 4, no activation.

A ResNet, three transposed convolutions, and a 1x1 convolution. Names and shapes of the weights are those of
the authors' code, so that published files load as they are; they saw BGR, and so does this network.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from .blocks import Bottleneck, chain, imagenet_bgr, in_float32, start_small
from .weights import fetched, load_but, resnet_imagenet

DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}  # Bottlenecks of layer1 to layer4
FILTERS = 256  # of each transposed convolution


class SimpleBaseline(nn.Module):
    """`depth`: the ResNet's number of layers, a key of DEPTHS."""

    strides = (4,)

    def __init__(self, points: int, depth: int = 50):
        super().__init__()
        self.normalise = imagenet_bgr()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False), nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        counts = DEPTHS[depth]
        self.layer1 = chain(Bottleneck, 64, 64, counts[0])
        self.layer2 = chain(Bottleneck, 256, 128, counts[1], stride=2)
        self.layer3 = chain(Bottleneck, 512, 256, counts[2], stride=2)
        self.layer4 = chain(Bottleneck, 1024, 512, counts[3], stride=2)
        ups: list[nn.Module] = []
        for inputs in (2048, FILTERS, FILTERS):
            up = nn.ConvTranspose2d(inputs, FILTERS, 4, 2, padding=1, bias=False)  # twice the size
            ups += [up, nn.BatchNorm2d(FILTERS), nn.ReLU(inplace=True)]
        self.deconv_layers = nn.Sequential(*ups)
        self.final_layer = nn.Conv2d(FILTERS, points, 1)
        start_small(self)

    def forward(self, pictures: Tensor) -> tuple[Tensor]:
        """(B, 3, H, W) -> maps (B, points, H / 4, W / 4)."""
        x = self.maxpool(F.relu(self.bn1(self.conv1(self.normalise(pictures)))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))  # (B, 2048, H/32, W/32)
        return (in_float32(self.final_layer, self.deconv_layers(x)),)


def _simple_baseline(points: int, depth: int, weights: str | None) -> SimpleBaseline:
    net = SimpleBaseline(points, depth)
    if weights is not None:
        state = fetched(f"ResNet-{depth}", weights, lambda: resnet_imagenet(depth))
        load_but(net, state, weights, fresh=("deconv_layers", "final_layer"))
    return net


def simple_baseline_50(points: int, weights: str | None = "hub") -> SimpleBaseline:
    """34.0 million parameters.

    Args:
        points: how many maps to draw.
        weights: of the ResNet: "hub" (torchvision's ImageNet weights), a file with torchvision's names, or
            None for random ones.
    """
    return _simple_baseline(points, 50, weights)


def simple_baseline_101(points: int, weights: str | None = "hub") -> SimpleBaseline:
    """53.0 million parameters. Options: see `simple_baseline_50`."""
    return _simple_baseline(points, 101, weights)


def simple_baseline_152(points: int, weights: str | None = "hub") -> SimpleBaseline:
    """68.6 million parameters. Options: see `simple_baseline_50`."""
    return _simple_baseline(points, 152, weights)
