"""Files on disk to labelled pictures and back. One reader a format; `open_dataset` picks it."""

from pathlib import Path

from . import coco as coco
from . import formats as formats
from .faults import Fault as Fault
from .records import Dataset as Dataset
from .records import Record as Record
from .records import sample as sample


def open_dataset(path: str | Path, category: str | None = None) -> Dataset:
    """A dataset in any format of formats.READERS, which is found from the path and the contents.

    Raises:
        UserError: there is no such path, its format cannot be told, or it must be said which category.
        DataError: the first thing that is wrong in it, with the file and the place, and how many more.
    """
    return formats.read(path, category=category)
