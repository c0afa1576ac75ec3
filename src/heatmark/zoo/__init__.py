"""The shipped detectors, one small file each, and the photographs that the demo looks at."""

from importlib.resources import files
from pathlib import Path

from ..errors import UserError, unknown

DETECTORS = {
    "hammer": "hammer.onnx",
    "screwdriver": "screwdriver.onnx",
    "wrench": "wrench.onnx",
    "combination_wrench": "combination_wrench.onnx",
}


def folder() -> Path:
    """Where the shipped files lie."""
    return Path(str(files(__name__)))


def detector(name: str) -> Path:
    """The file of a shipped detector. Raises UserError for a name that is unknown or not installed."""
    if name not in DETECTORS:
        raise unknown("shipped detector", name, DETECTORS)
    path = folder() / DETECTORS[name]
    if not path.is_file():
        raise UserError(f"the detector {name!r} is not in this installation: {path} does not exist")
    return path


def photographs(name: str | None = None) -> list[Path]:
    """The shipped photographs, all or those of one detector, sorted by name."""
    if name is not None and name not in DETECTORS:
        raise unknown("shipped detector", name, DETECTORS)
    shots = sorted((folder() / "photographs").glob("*.jpg"))
    return [shot for shot in shots if name is None or shot.stem.rsplit("_", 1)[0] == name]
