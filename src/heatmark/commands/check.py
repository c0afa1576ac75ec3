"""`heatmark check DATASET`: every fault of a labelled dataset, by name (exit code 3 if there are any)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..data.check import faults
from ..data.records import Fault
from . import progress


@dataclass(frozen=True)
class Checked:
    """What a dataset holds and what is wrong with it."""

    dataset: str
    faults: tuple[Fault, ...]
    counts: Mapping[str, int]  # pictures, instances, and landmarks that are seen, hidden, absent

    @property
    def ok(self) -> bool:
        return not self.faults

    def to_dict(self) -> dict[str, Any]:
        """The `--json` form."""
        plain = [asdict(fault) for fault in self.faults]
        return {"dataset": self.dataset, "ok": self.ok, "faults": plain, "counts": dict(self.counts)}


def check(dataset: str | Path, *, images: str | Path | None = None, threads: int | None = None) -> Checked:
    """Judge a dataset in COCO form: its annotations, and every picture unpacked.

    Args:
        dataset: a folder with annotations.json, or the annotation file itself.
        images: the folder of the pictures, where it is neither `images` beside the file nor the file's own.
        threads: how many pictures to unpack at a time; as many as there are cores when None.

    Raises:
        UserError: there is no such dataset.
    """

    def track(items, total):
        return progress.track(items, total, label="checking")

    found, counts = faults(dataset, images, track, threads)
    return Checked(str(dataset), tuple(found), counts)
