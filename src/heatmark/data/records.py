"""What every reader gives: records of labelled pictures, in a dataset of one skeleton.

A record knows where its picture lies and opens it only when asked (`sample`). Files are written whole or not
at all.
"""

import csv
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, overload

import numpy as np
import yaml

from ..errors import DataError, UserError
from ..imaging.decode import LIMIT, decode, decode_plane
from ..types import Poses, Sample, Skeleton


@dataclass(frozen=True)
class Record:
    """One labelled picture on disk."""

    path: Path  # the picture
    size: tuple[int, int]  # (H, W), pixels
    poses: Poses
    id: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)  # what the file says of it and we do not use
    instances: tuple[Mapping[str, Any], ...] = ()  # the same for each instance: id, area, segmentation ...
    crowd: tuple[Mapping[str, Any], ...] = ()  # regions that are neither right nor wrong, as in the file
    mask: Path | None = None  # uint8 PNG: 0 nothing, n instance n-1
    depth: Path | None = None  # uint16 PNG: millimetres, 0 nothing

    def __post_init__(self):
        if self.instances and len(self.instances) != len(self.poses):
            raise ValueError(
                f"{self.path.name}: {len(self.instances)} instances beside {len(self.poses)} poses"
            )

    @property
    def name(self) -> str:
        return self.path.name


@dataclass(frozen=True)
class Dataset:
    """Labelled pictures that share a skeleton. It counts, iterates and is sliced like a tuple of records."""

    folder: Path
    skeleton: Skeleton
    records: tuple[Record, ...]
    info: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    @overload
    def __getitem__(self, which: int) -> Record: ...

    @overload
    def __getitem__(self, which: slice | Sequence[int]) -> "Dataset": ...

    def __getitem__(self, which: int | slice | Sequence[int]) -> "Record | Dataset":
        """One record for an index, a Dataset for a slice or a list of indices."""
        if isinstance(which, (int, np.integer)):
            return self.records[which]
        chosen = self.records[which] if isinstance(which, slice) else tuple(self.records[i] for i in which)
        return replace(self, records=tuple(chosen))


def read_bytes(path: Path) -> bytes:
    """A file's bytes. Raises DataError where there is none or it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path}: there is no such file") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def read_text(path: Path) -> str:
    """A text file. Raises DataError where there is none, or it is not UTF-8."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text (byte {error.start})") from error


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises DataError where there is none, or it is empty or not JSON."""
    data = read_bytes(path)
    if not data.strip():
        raise DataError(f"{path}: the file is empty")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:  # not JSON, not text, or nested without end
        raise DataError(f"{path}: not valid JSON ({error})") from error


def read_yaml(path: Path) -> Any:
    """What a YAML file holds. Raises DataError where there is none, or it is not YAML."""
    try:
        return yaml.safe_load(read_bytes(path))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not valid YAML ({' '.join(str(error).split())[:160]})") from error


def read_csv(path: Path) -> list[list[str]]:
    """The rows of a CSV file. Raises DataError where there is none, or it is not text."""
    try:
        return list(csv.reader(io.StringIO(read_text(path))))
    except csv.Error as error:
        raise DataError(f"{path}: not a CSV text file ({error})") from error


def sample(record: Record, planes: bool = False, limit: int = LIMIT) -> Sample:
    """A record's picture decoded, and with `planes` its mask and depth. Raises DataError naming the file."""
    picture = decode(read_bytes(record.path), str(record.path), limit)
    if picture.shape[:2] != tuple(record.size):
        (h, w), (lh, lw) = picture.shape[:2], record.size
        raise DataError(f"{record.path}: the picture is {w} x {h}, its labels are for {lw} x {lh}")
    mask = depth = None
    if planes and record.mask:
        mask = decode_plane(read_bytes(record.mask), str(record.mask), limit)
    if planes and record.depth:
        millimetres = decode_plane(read_bytes(record.depth), str(record.depth), limit).astype(np.float32)
        depth = np.where(millimetres == 0, np.float32(np.inf), millimetres / 1000)
    return Sample(picture, record.poses, record.name, mask, depth)


def write_whole(path: Path, data: bytes, alone: bool = False) -> None:
    """Write a file so that it is there whole or not at all, even when the power goes. Makes its folder.

    Args:
        alone: nobody else writes this file. Then a process that is killed meanwhile leaves its unfinished
            file under a name that the next one takes again, so that none lies about.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part" if alone else f".{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:  # the system names none while it writes
            error.filename = str(path)
        beside.unlink(missing_ok=True)
        raise


@contextmanager
def locked(path: Path, wait: bool = False) -> Iterator[bool]:
    """Whether this process alone has a file or folder meanwhile; let go however the process ends. Where the
    system has no such locks it always has.

    Args:
        wait: until nobody else has it.
    """
    try:
        import fcntl
    except ImportError:
        yield True
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        mine = True
    except OSError:
        mine = False
    try:
        yield mine
    finally:
        os.close(handle)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Nobody else works in this folder meanwhile; it is made if it is not there.

    Raises a UserError if another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder) as mine:
        if not mine:
            raise UserError(f"{folder}: another process works in it; wait, or take another folder")
        yield


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """An empty folder beside `path` to make it in, gone in the end, and with it what a killed one left there.

    Raises a UserError if another process is making the same.
    """
    folder = path.with_name(f".{path.name}.part")
    with held(folder):
        try:
            for left in folder.iterdir():
                shutil.rmtree(left) if left.is_dir() else left.unlink()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
