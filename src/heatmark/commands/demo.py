"""heatmark demo: the shipped detectors on the shipped photographs. Needs neither network nor torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import zoo
from ..data.records import write_whole
from ..imaging import encode_jpeg
from ..runtime import Detector, Latency, contact_sheet, load, overlay
from ..runtime.sources import read
from ..types import Poses
from .detect import Detection
from .progress import track

if TYPE_CHECKING:
    from rich.console import RenderableType

REPEATS = 5  # how often each photograph is timed; the median counts
SHEET = "contact-sheet.jpg"


@dataclass(frozen=True)
class Demo:
    """What the detectors found in the photographs, how fast, and where the overlays are."""

    out: Path
    found: tuple[Detection, ...]  # one a photograph, with its median latency
    frames_per_second: float  # of the median photograph, from the file to its points
    engine: str

    @property
    def sheet(self) -> Path:
        return self.out / SHEET

    def to_dict(self) -> dict[str, Any]:
        return {
            "out": str(self.out),
            "contact_sheet": str(self.sheet),
            "pictures": [found.to_dict() for found in self.found],
            "frames_per_second": round(self.frames_per_second, 2),
            "engine": self.engine,
        }

    def __rich__(self) -> "RenderableType":
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table("photograph", "landmark", title="what the shipped detectors found")
        for column in ("x", "y", "score", "ms"):
            table.add_column(column, justify="right")
        for found in self.found:
            ms = found.latency
            head, time = Path(found.source).name, f"{ms.total:.1f}"
            for k, name in enumerate(found.poses.skeleton.landmarks):
                (x, y), score = found.poses.points[0, k], found.poses.scores[0, k]
                place = (f"{x:.0f}", f"{y:.0f}") if np.isfinite(x + y) else ("-", "-")
                table.add_row(head, name, *place, f"{score:.2f}", time)
                head, time = "", ""
            table.add_section()
        median = Latency.median([found.latency for found in self.found])
        parts = ", ".join(f"{name} {ms:.1f}" for name, ms in median.to_dict().items())
        speed = f"{self.frames_per_second:.1f} frames per second ({self.engine}; median ms: {parts})"
        places = f"overlays are in {self.out}, all of them on one sheet: {self.sheet}"
        return Group(table, Text(speed, style="bold"), Text(places))


def demo(out: str | Path = "heatmark-demo", engine: str = "auto") -> Demo:
    """Run every shipped detector on its photographs, write overlays and one contact sheet.

    Args:
        out: the folder for overlays, made if it is not there.
        engine: "auto" (ONNX Runtime), "onnxruntime" or "openvino".

    Raises:
        UserError: a detector is not in this installation. OSError: `out` is no folder, or cannot be made.
    """
    folder = Path(out)
    detectors = {name: load(zoo.detector(name), engine) for name in zoo.DETECTORS}
    jobs = [(name, path) for name in detectors for path in zoo.photographs(name)]
    folder.mkdir(parents=True, exist_ok=True)
    found, overlays = [], []
    for name, path in track(jobs, len(jobs), "looking at photographs"):
        detection = _looked_at(detectors[name], name, path)
        drawn = overlay(read(path), detection.poses)
        write_whole(folder / path.name, encode_jpeg(drawn))
        found.append(detection)
        overlays.append(drawn)
    write_whole(folder / SHEET, encode_jpeg(contact_sheet(overlays)))
    median = float(np.median([detection.latency.total for detection in found])) if found else np.nan
    label = "ONNX Runtime" if engine == "auto" else engine
    return Demo(folder, tuple(found), 1000 / median, label)


def _looked_at(detector: Detector, name: str, path: Path) -> Detection:
    """One photograph's points, with the median latency of REPEATS looks after one to warm up."""
    poses: Poses = detector(path)
    times: list[Latency] = []
    for _ in range(REPEATS):
        detector(path)
        times.append(detector.latency)
    h, w = read(path).shape[:2]
    return Detection(str(path), 0, (h, w), name, poses, Latency.median(times))
