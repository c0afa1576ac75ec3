"""Where training begins: with a finished model's weights, from a run or from a file made for use.

An .onnx file has lost something: batch norm is folded into the convolutions, and heads that only learning
needs are gone. The first is undone (`unfolded` and `settle`: the same function, with statistics to learn on
by), the second begin anew.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import zoo
from ..errors import DataError, UserError, require

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCHES = 8  # of samples, whose statistics batch norm begins with


def begin_with(source: str, net: "nn.Module") -> "set[nn.BatchNorm2d]":
    """Put a finished model's weights into `net`; the batch norms that have no statistics of their own yet.

    Args:
        source: a .safetensors or .onnx file, or a shipped detector's name.

    Raises:
        UserError: there is no such file, or it is in int8.
        DataError: it is damaged, or of other maps or layers.
    """
    path = Path(source)
    if not path.exists() and source in zoo.DETECTORS:
        path = zoo.detector(source)
    if not path.is_file():
        raise UserError(f"start: there is no model at {path}")
    if path.suffix != ".onnx":
        from ..training import state

        _filled(net, state.read(path)[0], path, fresh=())
        return set()
    from ..runtime.engines import opened

    _, card = opened(path)
    if card.precision == "int8":
        raise UserError(f"start: {path.name}: its weights are whole numbers; use the file it was made of")
    require("onnx", to="begin with an .onnx file")
    from .graphs import onnx_of, weights_of

    found, folded = unfolded(net, weights_of(onnx_of(path)))
    _filled(net, found, path, fresh=_learning_only(net))
    return folded


def _filled(net: "nn.Module", weights: "Mapping[str, Tensor]", path: Path, fresh: tuple[str, ...]) -> None:
    """Load all of a network's weights, but those of layers called in `fresh`, which may be missing."""
    wanted = net.state_dict()
    missing = {n for n in wanted if n not in weights and n.startswith(fresh)} if fresh else set()
    names = (wanted.keys() | weights.keys()) - missing
    odd = sorted(n for n in names if _shape(wanted, n) != _shape(weights, n))
    if odd:
        raise DataError(
            f"start: {path.name}: of another network: {len(odd)} of {len(wanted)} layers differ, "
            f"the first is {odd[0]} (here {_shape(wanted, odd[0])}, there {_shape(weights, odd[0])})"
        )
    net.load_state_dict({**{n: wanted[n] for n in missing}, **weights})


def _shape(tensors: Mapping[str, Any], name: str) -> tuple[int, ...] | None:
    return tuple(tensors[name].shape) if name in tensors else None


def _learning_only(net: "nn.Module") -> tuple[str, ...]:
    """The heads that a file for use does without: all but the last, whose maps are read."""
    from ..models.blocks import MapHead

    heads = [f"{name}." for name, module in net.named_modules() if isinstance(module, MapHead)]
    return tuple(heads[:-1])


def unfolded(
    net: "nn.Module", values: Mapping[str, np.ndarray]
) -> "tuple[dict[str, Tensor], set[nn.BatchNorm2d]]":
    """A file's weights under the network's names, and the batch norms that had been folded.

    Such a one gets the bias that the file gives to its convolution, and a mean of 0 and a variance of 1: what
    is stored changes nothing.
    """
    import torch

    found = {name: torch.from_numpy(np.array(values[name])) for name in net.state_dict() if name in values}
    folded = set()
    for convolution, norm, its in _pairs(net):
        bias = values.get(f"{convolution}.weight_bias")
        if bias is None or f"{its}.running_mean" in found:
            continue
        folded.add(norm)
        ones = torch.ones(len(bias))
        found |= {f"{its}.weight": ones, f"{its}.bias": torch.from_numpy(np.array(bias))}
        found |= {f"{its}.running_mean": 0 * ones, f"{its}.running_var": ones - norm.eps}
    counts = {n: v for n, v in net.state_dict().items() if n.endswith("num_batches_tracked")}
    return found | {n: v for n, v in counts.items() if n not in found}, folded


def _pairs(net: "nn.Module") -> "Iterator[tuple[str, nn.BatchNorm2d, str]]":
    """The name of every convolution with a batch norm right behind it, that norm, and its name."""
    from torch import nn

    last: tuple[str, nn.Conv2d] | None = None
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d):
            last = (name, module) if module.bias is None else None
        elif isinstance(module, nn.BatchNorm2d) and last and last[1].out_channels == module.num_features:
            yield last[0], module, name
            last = None


def settle(net: "nn.Module", norms: "set[nn.BatchNorm2d]", samples: Any) -> None:
    """Give the batch norms that had been folded the statistics of some samples; the network's answers stay.

    Those that keep to what is stored while the network learns, as a backbone's do, are left as they are.
    """
    import torch

    seen: dict[nn.BatchNorm2d, list[Tensor]] = {norm: [] for norm in norms if _learns(net, norm)}
    if not seen:
        return

    def gather(norm: Any, given: "tuple[Tensor]") -> None:
        seen[norm].append(_moments(given[0]))

    hooks = [norm.register_forward_pre_hook(gather) for norm in seen]
    net.eval()
    size = samples.recipe.batch
    with torch.no_grad():
        for start in range(0, min(BATCHES * size, len(samples)), size):
            some = [samples[0, i] for i in range(start, min(start + size, len(samples)))]
            net(samples.collate(some).pictures.float() / 255)
    for hook in hooks:
        hook.remove()
    for norm, moments in seen.items():
        mean, square = torch.stack(moments).mean(0)
        variance = (square - mean**2).clamp(min=0)  # rounding may leave less than nothing
        norm.bias.data += mean
        norm.weight.data = torch.sqrt(variance + norm.eps)
        norm.running_mean, norm.running_var = mean, variance


def _learns(net: "nn.Module", norm: "nn.Module") -> bool:
    """Whether a batch norm goes by its batches while the network learns."""
    net.train()
    return norm.training


def _moments(x: "Tensor") -> "Tensor":
    """Mean and mean square of each channel of (B, C, H, W), (2, C)."""
    import torch

    return torch.stack([x.mean((0, 2, 3)), (x**2).mean((0, 2, 3))])
