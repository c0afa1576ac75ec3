"""HigherHRNet (Cheng et al. 2020, "Scale-Aware Representation Learning for Bottom-Up Human Pose Estimation").

(B, 3, H, W) RGB in [0, 1], H and W multiples of 32 -> a detection and a tag for each point at stride 4, and a
second, finer detection at stride 2 (`layout`). No activation.

HRNet's body; its features and what was drawn of them go together through a transposed convolution to twice
the size. Persons are read from the mean of both detections. Names and shapes of the weights are those of the
authors' code, so that published files load as they are.
"""

import torch
from torch import Tensor, nn

from .blocks import BasicBlock, in_float32, start_small
from .hrnet import BLOCKS, Body, imagenet_weights
from .layout import Drawn, each
from .weights import fetched, load_but


class HigherHRNet(Body):
    """`width` channels at stride 4 and at stride 2."""

    strides = (4, 2)

    def __init__(self, points: int, width: int = 32):
        super().__init__(width)
        self.layout = (Drawn(each(points), tags_from=points, read=True), Drawn(each(points), read=True))
        drawn = 2 * points  # detections and tags
        self.final_layers = nn.ModuleList([nn.Conv2d(width, drawn, 1), nn.Conv2d(width, points, 1)])
        self.deconv_layers = nn.ModuleList([doubled(width + drawn, width)])
        start_small(self)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) -> (B, 2 points, H / 4, W / 4) and (B, points, H / 2, W / 2)."""
        features = self.features(pictures)  # (B, width, H/4, W/4)
        coarse = in_float32(self.final_layers[0], features)
        finer = self.deconv_layers[0](torch.cat([features, coarse.to(features.dtype)], 1))
        return coarse, in_float32(self.final_layers[1], finer)


def doubled(inputs: int, outputs: int) -> nn.Sequential:
    """Twice the size by a transposed convolution, then four residual blocks, each in a Sequential as the
    published names have it."""
    up = nn.ConvTranspose2d(inputs, outputs, 4, 2, padding=1, bias=False)
    start = nn.Sequential(up, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))
    return nn.Sequential(start, *(nn.Sequential(BasicBlock(outputs, outputs)) for _ in range(BLOCKS)))


def _higher_hrnet(points: int, width: int, weights: str | None) -> HigherHRNet:
    net = HigherHRNet(points, width)
    if weights is not None:
        state = fetched(f"HRNet-W{width}", weights, lambda: imagenet_weights(width))
        load_but(net, state, weights, fresh=("final_layers", "deconv_layers"))
    return net


def higher_hrnet_w32(points: int, weights: str | None = "hub") -> HigherHRNet:
    """28.6 million parameters.

    Args:
        points: how many landmarks.
        weights: of HRNet's body: "hub" (the authors' ImageNet weights, from timm), a file, or None for random
            ones.
    """
    return _higher_hrnet(points, 32, weights)


def higher_hrnet_w48(points: int, weights: str | None = "hub") -> HigherHRNet:
    """Options: see `higher_hrnet_w32`."""
    return _higher_hrnet(points, 48, weights)
