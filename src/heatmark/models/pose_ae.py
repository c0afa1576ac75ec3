"""PoseAE, the network of associative embedding (Newell et al. 2017), the cluster-wise paper's baseline.

(B, 3, H, W) RGB in [0, 1], H and W multiples of 64 (the original: 512) -> for each of four stacks a map of
4 * points channels at stride 4: detections, tags, and as many again that nobody supervises (`layout`). No
activation. Each stack sees what the one before it drew.

Hourglasses of plain 3x3 convolutions, wider the deeper. Names and shapes of the weights are those of the
authors' PyTorch code. Ours beside it: a backbone in place of the first convolutions (`Decoder`), for whoever
has an hour of one core and not weeks of GPUs.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UserError
from . import backbones
from .backbones import Backbone
from .blocks import Up, in_float32
from .hourglass import DEPTH, Conv, Merge, enlarged
from .layout import Drawn, each
from .weights import load_all


class Plain(nn.Module):
    """A convolution with bias and a ReLU, on request followed by batch norm; the size stays at stride 1."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, normed: bool = False):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=(kernel - 1) // 2)
        self.bn = nn.BatchNorm2d(outputs) if normed else None

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(x))
        return x if self.bn is None else self.bn(x)


class PlainGlass(nn.Module):
    """One hourglass, `depth` halvings deep, `more` channels added at each: 256, 384, 512, 640, 768."""

    def __init__(self, depth: int, width: int, more: int, normed: bool):
        super().__init__()
        wider = width + more
        self.up1 = Plain(width, width, normed=normed)
        self.low1 = Plain(width, wider, normed=normed)
        deeper = depth > 1
        self.low2 = (
            PlainGlass(depth - 1, wider, more, normed) if deeper else Plain(wider, wider, normed=normed)
        )
        self.low3 = Plain(wider, width)

    def forward(self, x: Tensor) -> Tensor:
        low = self.low3(self.low2(self.low1(F.max_pool2d(x, 2))))
        return self.up1(x) + enlarged(low, x)


class Decoder(nn.Module):
    """A backbone's features, from stride 32 up to stride 4: (B, 3, H, W) -> (B, width, H/4, W/4).

    IHM's upsampling blocks (`blocks.Up`): at each doubling the backbone's finer features beside it, and two
    convolutions; 4, 2 and 1 times `width` channels.
    """

    def __init__(self, seen_by: Backbone, width: int):
        super().__init__()
        self.backbone = seen_by
        _, *skips, deepest = seen_by.channels  # strides 4, 8, 16; 32
        widths = (deepest, 4 * width, 2 * width, width)
        self.ups = nn.ModuleList(
            Up(inputs, skip, outputs, dropout=0.0)
            for inputs, skip, outputs in zip(widths, reversed(skips), widths[1:])
        )

    def forward(self, pictures: Tensor) -> Tensor:
        _, *skips, x = self.backbone(pictures)
        for up, skip in zip(self.ups, reversed(skips)):
            x = up(x, skip)
        return x


def front(width: int, normed: bool = False) -> nn.Sequential:
    """Pictures to `width` channels at stride 4; narrower ones on the way in proportion (256: 64 and 128)."""
    quarter, half = width // 4, width // 2
    return nn.Sequential(
        Plain(3, quarter, 7, 2, normed),
        Plain(quarter, half, normed=normed),
        nn.MaxPool2d(2),
        Plain(half, half, normed=normed),
        Plain(half, width, normed=normed),
    )


def stack(width: int, normed: bool = False) -> nn.Sequential:
    """A hourglass and two convolutions: (B, width, h, w) -> the same shape."""
    glass = PlainGlass(DEPTH, width, width // 2, normed)
    return nn.Sequential(glass, Plain(width, width), Plain(width, width))


class PoseAE(nn.Module):
    """`stacks` hourglasses of `width` channels, after the authors' front or a Decoder."""

    def __init__(
        self,
        points: int,
        stacks: int = 4,
        width: int = 256,
        normed: bool = False,
        seen_by: Backbone | None = None,
    ):
        super().__init__()
        self.strides = (4,) * stacks
        alone = each(points)
        self.layout = tuple(Drawn(alone, tags_from=points, read=n == stacks - 1) for n in range(stacks))
        self.pre = front(width, normed) if seen_by is None else Decoder(seen_by, width)
        numbers = range(stacks)
        self.features = nn.ModuleList(stack(width, normed) for _ in numbers)
        self.outs = nn.ModuleList(Conv(width, 4 * points) for _ in numbers)
        self.merge_features = nn.ModuleList(Merge(width, width) for _ in numbers[1:])
        self.merge_preds = nn.ModuleList(Merge(4 * points, width) for _ in numbers[1:])

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) -> maps (B, 4 points, H / 4, W / 4), one for each stack."""
        x = self.pre(pictures)  # (B, width, H/4, W/4)
        maps: list[Tensor] = []
        for i, features in enumerate(self.features):
            feature = features(x)
            maps.append(in_float32(self.outs[i], feature))
            if i < len(self.merge_preds):
                x = x + self.merge_preds[i](maps[-1].to(x.dtype)) + self.merge_features[i](feature)
        return tuple(maps)


def beneath(backbone: str | None, weights: str | None, trainable_from: str | None) -> Backbone | None:
    """The backbone that the options of `pose_ae` name, or None. Raises a UserError for a layer of none."""
    if backbone is not None:
        return backbones.backbone(backbone, weights, trainable_from)
    if trainable_from is not None:
        raise UserError(f"trainable_from: {trainable_from} is a layer of a backbone: name one, as `backbone`")
    return None


def checked(stacks: int, width: int) -> tuple[int, int]:
    """Both as they are. Raises a UserError for what no network has."""
    if stacks < 1:
        raise UserError(f"stacks must be 1 or more, got {stacks}")
    if width < 4 or width % 4:
        raise UserError(f"width must be a multiple of 4 channels, got {width}")
    return stacks, width


def pose_ae(
    points: int,
    stacks: int = 4,
    width: int = 256,
    normed: bool = False,
    backbone: str | None = None,
    weights: str | None = None,
    trainable_from: str | None = None,
) -> PoseAE:
    """138.9 million parameters for 17 points.

    Args:
        points: how many landmarks.
        stacks: how many hourglasses. width: channels at stride 4; the others are in proportion.
        normed: batch norm in the hourglasses and before them, which the authors' code can have and their
            results do not; short trainings need it.
        backbone: a name of `backbones.BACKBONES`, or any of timm's, in place of the first convolutions, and
            a Decoder on it; None: those, as published.
        weights: of the backbone: "hub" or a file. Without one, a trained model of the same shape
            (.safetensors, .pth) to go on from. None: random ones.
        trainable_from: the backbone's layer from which on it learns too; None: all of it is frozen.
    """
    seen_by = beneath(backbone, weights, trainable_from)
    net = PoseAE(points, *checked(stacks, width), normed, seen_by)
    if backbone is None:
        load_all(net, weights)
    return net
