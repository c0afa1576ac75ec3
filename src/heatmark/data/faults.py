"""What is wrong in a dataset: a Fault, and all of them as a reader comes upon them.

A reader of a format is `examine(path, category, faults)`, which notes what it cannot take and goes on without
it; `faultless` makes the strict reader of it that everything but `heatmark check` wants.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError, HeatmarkError
from .records import Dataset, read_json


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong in a dataset: where (`image 12`, `annotation 7`), which field, and what."""

    file: str
    where: str
    field: str
    message: str

    def __str__(self) -> str:
        return ": ".join(p for p in (self.file, self.where, self.field, self.message) if p)


class Faults(list[Fault]):
    """Those of a dataset, in the order in which its reader met them.

    Args:
        file: in which they are, where nothing else is said.
    """

    def __init__(self, file: Path | str = ""):
        super().__init__()
        self.file = str(file)

    def add(self, where: str, field: str, message: str, file: Path | str | None = None) -> None:
        self.append(Fault(self.file if file is None else str(file), where, field, message))

    @contextmanager
    def noted(self, file: Path | str, where: str = "", form: str = "") -> Iterator[None]:
        """Within it a DataError is one of them, and what it broke off is left out.

        Args:
            form: the format; within, what is not in the shape that its program writes is a fault, too.
        """
        try:
            with shaped("", form):
                yield
        except DataError as error:
            said = str(error).removeprefix(f"{file}: ").removeprefix(f"{where}: ")
            self.add(where, "", said, file)


def pages(path: Path, mine: Callable[[Any], bool], faults: Faults) -> dict[Path, Any]:
    """The JSON files of a folder, or the one, that are a format's own, with what they hold. What is no JSON
    at all is a fault.
    """
    found = {}
    for file in sorted(path.rglob("*.json")) if path.is_dir() else [path]:
        with faults.noted(file):
            if mine(raw := read_json(file)):
                found[file] = raw
    return found


Examine = Callable[[str | Path, str | None, Faults], Dataset]


@contextmanager
def shaped(where: str, form: str) -> Iterator[None]:
    """Within it, what is not in the shape that a format's program writes is a DataError that says where. Of
    no format ("") any shape is right.
    """
    try:
        yield
    except HeatmarkError:
        raise
    except (TypeError, ValueError, AttributeError, KeyError, IndexError, OverflowError) as error:
        if not form:
            raise
        said = f"not as {form} writes it ({type(error).__name__}: {error})"
        raise DataError(f"{where}: {said}" if where else said) from error


def examined(
    examine: Examine, path: str | Path, category: str | None = None
) -> tuple[Dataset | None, Faults]:
    """What can be read, and every fault; no dataset where none could be made.

    Raises a UserError as the reader does: no such dataset or category.
    """
    faults = Faults()
    try:
        return examine(path, category, faults), faults
    except DataError as error:
        if not faults:  # or it is what they led to
            faults.add("", "", str(error))
        return None, faults


def faultless(examine: Examine, path: str | Path, category: str | None = None) -> Dataset:
    """A dataset in which nothing is wrong. Raises a DataError."""
    return whole(*examined(examine, path, category))


def whole(dataset: Dataset | None, faults: Sequence[Fault]) -> Dataset:
    """The dataset, if nothing is wrong with it. Raises a DataError: the first fault, and how many more."""
    if faults or dataset is None:
        more = f" (and {len(faults) - 1} more; `heatmark check` lists them)" if len(faults) > 1 else ""
        raise DataError(f"{faults[0]}{more}")
    return dataset
