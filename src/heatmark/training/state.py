"""Saving and resuming without pickle: tensors and JSON in safetensors files, each written whole.

`last/state.safetensors` holds all that the next step depends on (network, optimiser, position, random state);
the one before it stays beside it, so that a run survives a kill at any moment and a file that was damaged
later.
"""

import json
import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as dump
from torch import Tensor, nn

from ..card import KEY, Card
from ..data.records import write_whole
from ..errors import DataError, HeatmarkError, UserError
from ..models.checksum import checksum, opened

STATE, BEFORE = "state.safetensors", "before.safetensors"


@dataclass
class Progress:
    """How far a run has come; everything that is not a tensor."""

    epoch: int = 0  # the one under way
    batches: int = 0  # done in it
    step: int = 0  # optimiser steps in all
    best: float = float("inf")  # lowest validation loss
    losses: list[float] = field(default_factory=list)  # validation loss of each epoch
    total: float = 0.0  # of this epoch's training losses so far
    counted: int = 0
    nonfinite: int = 0  # steps left out because the loss or the gradient was not finite
    in_a_row: int = 0  # of them, since the last good one
    data: str = ""  # a fingerprint of what is trained on


class NotFinite(HeatmarkError):
    """Weights that are not finite were about to be saved."""

    code = 3


def nonfinite(tensors: Mapping[str, Tensor]) -> list[str]:
    """The names of tensors that hold NaN or infinity."""
    return [n for n, t in tensors.items() if t.is_floating_point() and not torch.isfinite(t).all()]


def write(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> None:
    """A safetensors file, whole or not at all. Refuses (NotFinite) to save values that are not finite."""
    tensors = {n: t.detach().cpu().contiguous() for n, t in tensors.items()}
    if bad := nonfinite(tensors):
        raise NotFinite(
            f"{path.name} was not saved: {len(bad)} tensors are not finite, the first is {bad[0]}"
        )
    try:
        write_whole(path, dump(tensors, dict(header) | {"checksum": checksum(tensors)}), alone=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error})") from error


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What `write` wrote. Raises a DataError for a file that is damaged."""
    tensors, header = opened(path)
    if "checksum" not in header:
        raise DataError(f"{path}: damaged: it has no checksum in its header")
    return tensors, header


def write_model(path: Path, net: nn.Module, card: Card) -> None:
    """A model file: all weights in float32, the card in the header."""
    write(path, net.state_dict(), {KEY: card.to_json()})


def save(folder: Path, net: nn.Module, optimiser: torch.optim.Optimizer, progress: Progress) -> None:
    """All that the next step depends on, into folder/last; the state saved before is kept beside it."""
    tensors = {f"net.{n}": t for n, t in net.state_dict().items()}
    for i, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{i}.{n}": torch.as_tensor(v) for n, v in state.items()}
    tensors["random.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    last = folder / "last"
    fresh = last / ".fresh.safetensors"
    write(fresh, tensors, {"progress": json.dumps(asdict(progress))})
    if (last / STATE).exists():
        os.replace(last / STATE, last / BEFORE)  # a kill between these two lines leaves BEFORE to resume from
    os.replace(fresh, last / STATE)


def saved(folder: Path) -> bool:
    return any((folder / "last" / name).exists() for name in (STATE, BEFORE))


def resume(folder: Path, net: nn.Module, optimiser: torch.optim.Optimizer, progress: Progress) -> str:
    """Put network, optimiser, chance and `progress` where `save` left them; says where that is, in a line.

    Raises a DataError when neither the last state nor the one before can be read, a UserError when they come
    from training on other data than `progress.data`.
    """
    faults = []
    for name in (STATE, BEFORE):
        path = folder / "last" / name
        if not path.exists():
            continue
        try:
            tensors, header = read(path)
        except DataError as error:
            faults.append(str(error))
            continue
        found = Progress(**json.loads(header["progress"]))
        if found.data != progress.data:
            raise UserError(f"{folder} was trained on {found.data}, now there are {progress.data}")
        vars(progress).update(vars(found))
        _restore(tensors, net, optimiser)
        where = f"resuming at epoch {progress.epoch + 1} after {progress.batches} batches"
        return "; ".join([*faults, where])
    raise DataError("; ".join(faults) or f"{folder}: there is no saved state to resume from")


def _restore(tensors: Mapping[str, Tensor], net: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    net.load_state_dict({n.removeprefix("net."): t for n, t in tensors.items() if n.startswith("net.")})
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser."):
            _, i, key = name.split(".", 2)
            like = parameters[int(i)]
            same = value.shape == like.shape
            state.setdefault(int(i), {})[key] = (
                torch.empty_like(like).copy_(value) if same and value.ndim else value
            )
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    torch.set_rng_state(tensors["random.cpu"])
    if "random.cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random.cuda"])


def fingerprint(names: Sequence[str]) -> str:
    """Of the pictures a run learns from, so that it is not resumed on others."""
    return f"{len(names)} objects, {zlib.crc32(chr(10).join(names).encode()):08x}"
