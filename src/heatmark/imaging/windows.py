"""Which window on an object a training sample shows, as HRNet and SimpleBaseline draw it.

Zoom and turn are drawn from normal distributions cut at their ends, and now and then only the upper or the
lower half of a body is shown.
"""

from dataclasses import dataclass, fields

import numpy as np

from ..errors import UserError
from ..geometry import enlarged
from ..types import Skeleton

LOWER = "lower_body"  # the part that a half body is told by; all other landmarks are the upper half
ENOUGH = 8  # a half body is shown only where more landmarks than this are labelled
LEAST = 2  # and more than this in the half
HALF_ENLARGE = 1.5  # of a half body's tight box


@dataclass(frozen=True)
class Windows:
    """How windows vary: nothing by default; HRNet on COCO has 0.35, 45, 0.6 and 0.3."""

    scale: float = 0.0  # deviation of the zoom about 1, cut at one deviation to either side
    rotate: float = 0.0  # deviation of the turn, degrees, cut at two deviations to either side
    rotated: float = 0.6  # how often turned at all
    half_body: float = 0.0  # how often half a body only

    def __post_init__(self):
        for name in (f.name for f in fields(self)):
            most = {"scale": 0.99, "rotate": 90.0}.get(name, 1.0)
            if not 0 <= getattr(self, name) <= most:
                raise UserError(f"windows.{name} lies in [0, {most:g}], got {getattr(self, name)}")


def drawn(
    box: np.ndarray,
    points: np.ndarray,
    skeleton: Skeleton,
    size: tuple[int, int],
    enlarge: float,
    windows: Windows,
    rng: np.random.Generator,
) -> tuple[np.ndarray, float]:
    """A window on one object: its box x1 y1 x2 y2, enlarged, and its turn in degrees.

    Args:
        box: (4,) of the object.
        points: (K, 2), NaN where not labelled.
        size: (H, W) of the network's input; a half body's box is brought to its aspect.
        enlarge: how much the object's own box grows.
    """
    half = half_body(points, skeleton, size, rng) if rng.random() < windows.half_body else None
    zoom = float(np.clip(1 + windows.scale * rng.standard_normal(), 1 - windows.scale, 1 + windows.scale))
    turn = float(np.clip(rng.standard_normal(), -2, 2)) * windows.rotate
    turn = turn if rng.random() < windows.rotated else 0.0
    return enlarged(box, enlarge * zoom) if half is None else enlarged(half, zoom), turn


def half_body(
    points: np.ndarray, skeleton: Skeleton, size: tuple[int, int], rng: np.random.Generator
) -> np.ndarray | None:
    """The window (4,) on the upper or lower half of a body, about the mean of its landmarks; None where too
    few are labelled. Raises a UserError for a skeleton without halves.
    """
    if LOWER not in skeleton.parts:
        raise UserError(f"windows.half_body needs a part {LOWER!r}, and {skeleton.name!r} has none")
    there = np.isfinite(points).all(-1)
    if there.sum() <= ENOUGH:
        return None
    below = np.isin(skeleton.landmarks, skeleton.parts[LOWER])
    upper, lower = points[there & ~below], points[there & below]
    # a normal draw below 0.5, as in their code: so 0.69 are upper halves
    chosen = upper if rng.standard_normal() < 0.5 and len(upper) > LEAST else lower
    if len(chosen) <= LEAST:
        chosen = upper
    (w, h), aspect = chosen.max(0) - chosen.min(0), size[1] / size[0]
    w, h = max(w, h * aspect), max(h, w / aspect)
    if len(chosen) < LEAST or w <= 0:
        return None
    half = np.array([w, h]) / 2 * HALF_ENLARGE
    return np.concatenate([chosen.mean(0) - half, chosen.mean(0) + half])
