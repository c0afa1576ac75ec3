"""What tells a file of tensors from a damaged one."""

import zlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..errors import DataError


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """CRC-32 of all values, in the order of the names."""
    total = 0
    for name in sorted(tensors):
        flat = tensors[name].contiguous().view(-1)
        total = zlib.crc32(name.encode(), total)
        if flat.numel():
            total = zlib.crc32(flat.view(torch.uint8).numpy().data, total)
    return f"{total:08x}"


def opened(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """A .safetensors file's tensors by name, and its header. Raises a DataError for one that is truncated,
    something else, or has not the checksum that its header tells; other people's files tell none.
    """
    from safetensors import SafetensorError, safe_open
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
    except (OSError, SafetensorError, ValueError) as error:
        said = " ".join(str(error).split())
        raise DataError(f"{path}: not a safetensors file, or a truncated one ({said:.160})") from error
    if header.get("checksum") not in (None, checksum(tensors)):
        raise DataError(f"{path}: damaged: its contents do not have the checksum in its header")
    return tensors, header
