"""HRNet (Sun et al. 2019, "Deep High-Resolution Representation Learning for Human Pose Estimation").

(B, 3, H, W) RGB in [0, 1], H and W multiples of 32 -> one raw map a point at stride 4, no activation.

Up to four branches at strides 4, 8, 16 and 32 run side by side and are summed into each other after every
module. Names and shapes of the weights are those of the authors' code, so that published files load as they
are.
"""

from collections.abc import Mapping, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import require
from .blocks import BasicBlock, Bottleneck, chain, imagenet, in_float32, start_small
from .weights import fetched, load_but

BLOCKS = 4  # residual blocks of a branch in each module


class Body(nn.Module):
    """All but the last layer, with `width` channels at stride 4, doubled with every halving of the size.

    Abstract: HRNet and HigherHRNet say what is drawn of its features.
    """

    def __init__(self, width: int):
        super().__init__()
        self.normalise = imagenet()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 3, 2, padding=1, bias=False), nn.BatchNorm2d(64)
        self.conv2, self.bn2 = nn.Conv2d(64, 64, 3, 2, padding=1, bias=False), nn.BatchNorm2d(64)
        self.layer1 = chain(Bottleneck, 64, 64, BLOCKS)
        widths = [width * 2**i for i in range(4)]
        self.transition1 = transition([256], widths[:2])
        self.stage2 = nn.Sequential(Exchange(widths[:2]))
        self.transition2 = transition(widths[:2], widths[:3])
        self.stage3 = nn.Sequential(*(Exchange(widths[:3]) for _ in range(4)))
        self.transition3 = transition(widths[:3], widths)
        self.stage4 = nn.Sequential(Exchange(widths), Exchange(widths), Exchange(widths, drawn=1))

    def features(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, width, H / 4, W / 4)."""
        x = F.relu(self.bn1(self.conv1(self.normalise(pictures))))
        x = self.layer1(F.relu(self.bn2(self.conv2(x))))  # (B, 256, H/4, W/4)
        branches = self.stage2(widened(self.transition1, [x]))
        branches = self.stage3(widened(self.transition2, branches))
        return self.stage4(widened(self.transition3, branches))[0]


class HRNet(Body):
    """One map a point."""

    strides = (4,)

    def __init__(self, points: int, width: int = 32):
        super().__init__(width)
        self.final_layer = nn.Conv2d(width, points, 1)
        start_small(self)

    def forward(self, pictures: Tensor) -> tuple[Tensor]:
        """(B, 3, H, W) -> maps (B, points, H / 4, W / 4)."""
        return (in_float32(self.final_layer, self.features(pictures)),)


class Exchange(nn.Module):
    """Residual blocks on each branch, then every branch summed into each of the first `drawn` ones."""

    def __init__(self, widths: Sequence[int], drawn: int | None = None):
        super().__init__()
        drawn = len(widths) if drawn is None else drawn
        self.branches = nn.ModuleList(chain(BasicBlock, w, w, BLOCKS) for w in widths)
        self.fuse_layers = nn.ModuleList(
            nn.ModuleList(_between(widths, j, i) for j in range(len(widths))) for i in range(drawn)
        )

    def forward(self, branches: Sequence[Tensor]) -> list[Tensor]:
        done = [branch(x) for branch, x in zip(self.branches, branches)]
        fused = []
        for row in self.fuse_layers:
            brought: list[Tensor] = [bring(x) for bring, x in zip(row, done)]  # type: ignore[arg-type]
            total = brought[0]
            for x in brought[1:]:
                total = total + x
            fused.append(F.relu(total))
        return fused


def _between(widths: Sequence[int], source: int, target: int) -> nn.Module:
    """From branch `source` to the size and width of branch `target`."""
    if source == target:
        return nn.Identity()
    if source > target:  # coarse to fine
        narrow = nn.Conv2d(widths[source], widths[target], 1, bias=False)
        up = nn.Upsample(scale_factor=float(2 ** (source - target)), mode="nearest")
        return nn.Sequential(narrow, nn.BatchNorm2d(widths[target]), up)
    steps = target - source
    halvings = (halved(widths[source], widths[source]) for _ in range(steps - 1))  # keep their width
    return nn.Sequential(*halvings, halved(widths[source], widths[target])[:2])  # the last one has no ReLU


def halved(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, 2, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def transition(before: Sequence[int], after: Sequence[int]) -> nn.ModuleList:
    """From the branches of one stage to those of the next: changed widths, and a new branch from the last."""
    layers: list[nn.Module] = []
    for i, width in enumerate(after):
        if i >= len(before):
            layers.append(nn.Sequential(halved(before[-1], width)))
        elif before[i] != width:
            conv = nn.Conv2d(before[i], width, 3, padding=1, bias=False)
            layers.append(nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU(inplace=True)))
        else:
            layers.append(nn.Identity())
    return nn.ModuleList(layers)


def widened(layers: nn.ModuleList, branches: Sequence[Tensor]) -> list[Tensor]:
    """The branches of the next stage, by a `transition`."""
    return [layer(branches[min(i, len(branches) - 1)]) for i, layer in enumerate(layers)]


def _hrnet(points: int, width: int, weights: str | None) -> HRNet:
    net = HRNet(points, width)
    if weights is not None:
        state = fetched(f"HRNet-W{width}", weights, lambda: imagenet_weights(width))
        load_but(net, state, weights, fresh=("final_layer",))
    return net


def imagenet_weights(width: int) -> Mapping[str, Tensor]:
    """The authors' own, over the network."""
    require("timm", to="fetch HRNet's ImageNet weights")
    import timm

    return timm.create_model(f"hrnet_w{width}", pretrained=True).state_dict()  # timm kept the authors' names


def hrnet_w32(points: int, weights: str | None = "hub") -> HRNet:
    """28.5 million parameters.

    Args:
        points: how many maps to draw.
        weights: of all but the final layer: "hub" (the authors' ImageNet weights, from timm), a file, or None
            for random ones.
    """
    return _hrnet(points, 32, weights)


def hrnet_w48(points: int, weights: str | None = "hub") -> HRNet:
    """63.6 million parameters. Options: see `hrnet_w32`."""
    return _hrnet(points, 48, weights)
