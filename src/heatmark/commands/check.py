"""`heatmark check DATASET`: every fault of a labelled dataset, by name (exit code 3 if there are any)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..data import formats
from ..data.check import faults, faults_of
from ..data.faults import Fault
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

    def __str__(self) -> str:
        found = (
            f"{len(self.faults)} fault{'s' if len(self.faults) != 1 else ''}" if self.faults else "no fault"
        )
        counted = ", ".join(f"{n} {what}" for what, n in self.counts.items())
        return "\n".join(
            [*map(str, self.faults), f"{self.dataset}: {found}; {counted or 'nothing could be read'}"]
        )

    def to_dict(self) -> dict[str, Any]:
        """The `--json` form."""
        plain = [asdict(fault) for fault in self.faults]
        return {"dataset": self.dataset, "ok": self.ok, "faults": plain, "counts": dict(self.counts)}


def check(dataset: str | Path, *, images: str | Path | None = None, threads: int | None = None) -> Checked:
    """Judge a dataset: its annotations, and every picture unpacked.

    COCO, our own form, is judged field by field; of any other, every line, shape or person that its reader
    refuses is named. Of what can be read, everything that is wrong with its pictures, points and boxes.

    Args:
        dataset: a folder or file in any format we read.
        images: of COCO, the pictures' folder, where it is neither `images` beside the file nor its own.
        threads: how many pictures to unpack at a time; as many as there are cores, at most 8, when None.

    Raises:
        UserError: there is no such dataset.
    """

    def track(items, total):
        return progress.track(items, total, label="checking")

    form = formats.guess(dataset)
    if form == "coco":
        found, counts = faults(dataset, images, track, threads)
    else:
        readable, found = formats.judged(dataset, form)
        more, counts = faults_of(readable, track, threads) if readable is not None else ([], {})
        # of MPII the reader has told of boxes, person by person
        found += [fault for fault in more if form != "mpii" or fault.field != "box"]
    return Checked(str(dataset), tuple(found), counts)
