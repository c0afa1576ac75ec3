"""Weights by name, from a hub or a file, into a network: all there, of the right shape, finite, or an error.

A file is .safetensors, or a torch file that is loaded weights-only: nothing in it is executed.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import DataError, UserError, require
from .checksum import opened

PREFIXES = ("model.", "module.")  # what wrappers put before every name


def fetched(
    name: str, weights: str, fetch: Callable[[], Mapping[str, Tensor]] | None = None
) -> Mapping[str, Tensor]:
    """The weights from the hub (`fetch`) or a file."""
    if weights != "hub":
        return read(Path(weights))
    assert fetch is not None
    try:
        return fetch()
    except Exception as error:  # whatever a hub's client raises: no network, no such file, a broken download
        raise UserError(
            f"the weights of {name} could not be fetched ({type(error).__name__}: {str(error)[:200]}); "
            "give a local file as options.weights"
        ) from error


def resnet_imagenet(depth: int) -> Mapping[str, Tensor]:
    """torchvision's ImageNet weights of a ResNet of so many layers, over the network."""
    require("torchvision", to="fetch ResNet's ImageNet weights")
    import torchvision

    hub = torchvision.models.get_model_weights(f"resnet{depth}").IMAGENET1K_V1  # type: ignore[attr-defined]
    return hub.get_state_dict(progress=False)


def read(path: Path) -> Mapping[str, Tensor]:
    """A state dict from .safetensors, or from a torch file, weights-only."""
    if not path.is_file():
        raise UserError(f"there is no file of weights at {path}")
    if path.suffix == ".safetensors":
        return opened(path)[0]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of another pickle than torch writes
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # truncated, not a weights file, or one that wants to execute code
        kind = type(error).__name__
        said = "it holds code, which is not run" if kind == "UnpicklingError" else f"{kind}: {error!s:.200}"
        raise DataError(f"{path}: not a file of weights alone ({said})") from error
    state = state.get("state_dict", state) if isinstance(state, Mapping) else None
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise DataError(f"{path}: holds no weights by name")
    return state


def bare(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Weights without what wrappers, as that of several GPUs, put before every name."""

    def stripped(key: str) -> str:
        return stripped(key.partition(".")[2]) if key.startswith(PREFIXES) else key

    return {stripped(key): value for key, value in state.items()}


def load(features: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load by name. timm joins some names with _ instead of a dot, so the two are held to be the same."""
    flat = {key.replace(".", "_"): value for key, value in state.items()}
    fill(features, {key: flat.get(key.replace(".", "_")) for key in features.state_dict()}, source)


def load_but(net: nn.Module, state: Mapping[str, Tensor], source: str, fresh: Sequence[str]) -> None:
    """Load by name all but the layers called in `fresh`, which keep their own start; more in the file is
    passed over.
    """
    theirs, ours = bare(state), net.state_dict()
    kept = {key: ours[key] for key in ours if key.split(".")[0] in fresh}
    fill(net, {key: theirs.get(key) for key in ours} | kept, source)


def load_all(net: nn.Module, weights: str | None) -> None:
    """Fill the whole network from a file, if one is given: a trained model that is to go on learning.

    Raises a DataError unless all is there.
    """
    if weights is not None:
        state = bare(read(Path(weights)))
        fill(net, {key: state.get(key) for key in net.state_dict()}, weights)


def load_in_order(features: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load layer by layer: the n-th layer of the file is the n-th of `features`, whatever their names."""
    theirs = list(dict.fromkeys(key.rpartition(".")[0] for key in state))
    if source.endswith(".safetensors"):  # which sorts its keys as text
        theirs.sort(
            key=lambda layer: [
                (not part.isdigit(), int(part) if part.isdigit() else part) for part in layer.split(".")
            ]
        )
    ours = list(dict.fromkeys(key.rpartition(".")[0] for key in features.state_dict()))
    their = dict(zip(ours, theirs))
    found = {}
    for key in features.state_dict():
        layer, _, kind = key.rpartition(".")
        found[key] = state.get(f"{their.get(layer)}.{kind}")
    fill(features, found, source)


def fill(features: nn.Module, found: Mapping[str, Tensor | None], source: str) -> None:
    """Copy `found` into `features`; a DataError unless all is there, of the right shape, and finite."""
    for key, ours in features.state_dict().items():
        value = found[key]
        if key.endswith("num_batches_tracked"):
            continue
        if value is None:
            raise DataError(f"{source}: {key} is missing")
        if value.shape != ours.shape:
            raise DataError(f"{source}: {key} must be {tuple(ours.shape)}, got {tuple(value.shape)}")
        if not torch.isfinite(value).all():
            raise DataError(f"{source}: {key} holds values that are not finite")
        ours.copy_(value)
