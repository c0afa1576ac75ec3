"""MATLAB's files, in which MPII and PASCAL3D+ come."""

import atexit
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import DataError

HEADER, COMPRESSED = 128, 15  # bytes before the first variable, and how its kind is written
LIKE = {"struct_as_record": False, "squeeze_me": True}
TRIES = f"""
import sys
from scipy.io import loadmat
for line in sys.stdin:
    try:
        loadmat(line[:-1], **{LIKE})
    except Exception:
        pass
    print("alive", flush=True)
"""


def loaded(file: Path) -> Mapping[str, Any]:
    """A file's variables, structs as attributes.

    What is not compressed has no checksum, and over a damaged one scipy may end the process that reads it:
    so it is read in another one first.

    Raises a DataError.
    """
    from scipy.io import loadmat

    try:
        if not _compressed(file) and not _survived(file):
            raise ValueError("whoever reads it comes to an end")
        return loadmat(str(file), **LIKE)
    except Exception as error:  # scipy's for a damaged file have no common parent
        raise DataError(f"{file}: not a MATLAB file, or a damaged one ({error})") from error


def _compressed(file: Path) -> bool:
    with open(file, "rb") as opened:
        return COMPRESSED in opened.read(HEADER + 4)[HEADER:]


def _survived(file: Path) -> bool:
    """Whether the other process read a file, or refused it, and lives."""
    if "\n" in str(file):
        raise ValueError("its path has a line break")
    other = _other()
    try:
        print(file.resolve(), file=other.stdin, flush=True)
        alive = bool(other.stdout and other.stdout.readline())
    except BrokenPipeError:
        alive = False
    if not alive:
        _other.cache_clear()
        _ended(other)
    return alive


@lru_cache(maxsize=1)
def _other() -> "subprocess.Popen[str]":
    """A process that reads the files it is told, as long as this one lives."""
    other = subprocess.Popen(
        [sys.executable, "-c", TRIES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        start_new_session=True,  # a Ctrl-C is not meant for it
    )
    atexit.register(_ended, other)
    return other


def _ended(other: "subprocess.Popen[str]") -> None:
    with suppress(BrokenPipeError):
        if other.stdin:
            other.stdin.close()
    with other:
        pass
