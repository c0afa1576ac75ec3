"""Hide a landmark or a part on purpose (Pytel et al. 2020, "Tilting at windmills").

An attack is a where and a how. Where: a disc on a landmark, or a rectangle over a part. How: blurred, black,
or the picture's mean colour. The training augmentations, `occluded`, draw wheres and hows by chance, and can
lay a part of somebody else over a part (PartMix).

Lengths are pixels of the picture that is given, which in the study is the network's input. Their released
code differs from what they meant in three places; `legacy=True` repeats all three:

- it tests x against the height and y against the width, so that in a high crop no ankle is ever hidden;
- it takes a point in the first row or column of pixels for an absent one;
- it pastes PartMix's parts with red and blue exchanged.

Two facts of the code hold in both: a rectangle leaves out the last row and column of pixels it reaches, and
the blur's kernel is 11 for a radius of 6 (the paper says 9; give `kernel=9` for that).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from ..errors import UserError, unknown
from ..types import Skeleton

RADIUS = 6.0  # of a disc, pixels
HIGH = 256  # pixels of the study's windows; in one of another height a disc of the same share hides as much
PART_KERNEL = 31  # of a part's blur, pixels; OpenCV then takes sigma 5
LIMBS = ("left_arm", "right_arm", "left_leg", "right_leg")
TIGHT = ("corpus", "upper_body", "lower_body", "left_side", "right_side")  # the study's, boxed as they are
SMALL_PARTS = ("left_arm", "right_arm", "hip", "left_leg", "right_leg")  # which its training hides
MIXED_PARTS = ("head", *LIMBS, "corpus")  # which its PartMix exchanges
Bank = Mapping[str, Sequence[np.ndarray]]  # part -> cut-outs (h, w, 3) uint8 RGB, see `part_of`


@dataclass(frozen=True)
class Disc:
    """All pixels whose centre is not further from (x, y) than the radius."""

    x: float
    y: float
    radius: float

    @property
    def kernel(self) -> int:
        """Side of its blur's kernel, pixels, odd."""
        return max(2 * round(self.radius) - 1, 1)

    def mask(self, size: tuple[int, int]) -> np.ndarray:
        """(H, W) bool."""
        y, x = np.ogrid[: size[0], : size[1]]
        return (x - (self.x - 0.5)) ** 2 + (y - (self.y - 0.5)) ** 2 <= self.radius**2


@dataclass(frozen=True)
class Rectangle:
    """A box about its centre (x, y)."""

    x: float
    y: float
    width: float
    height: float
    kernel: int = PART_KERNEL  # side of its blur's kernel

    def slices(self, size: tuple[int, int]) -> tuple[slice, slice]:
        """The rows and columns of a picture (H, W) that it covers."""
        y, x = self.y - 0.5, self.x - 0.5  # the study counts from the first pixel's middle
        rows = np.clip([y - self.height / 2, y + self.height / 2], 0, size[0]).astype(int)
        columns = np.clip([x - self.width / 2, x + self.width / 2], 0, size[1]).astype(int)
        return slice(*rows.tolist()), slice(*columns.tolist())

    def mask(self, size: tuple[int, int]) -> np.ndarray:
        """(H, W) bool."""
        mask = np.zeros(size, bool)
        mask[self.slices(size)] = True
        return mask

    def covers(self, points: np.ndarray, wide: bool = False) -> np.ndarray:
        """Which of the points (K, 2) lie in it, its border included, or in one twice as large: (K,) bool."""
        away = points - (self.x, self.y)
        if not wide:
            return np.asarray((np.abs(away) <= np.array([self.width, self.height]) / 2 + 1e-6).all(-1))
        reach = np.array([self.width, self.height])
        return np.asarray(((-reach < away) & (away <= reach)).all(-1) & (self.width > 0))


def disc(
    points: np.ndarray,
    skeleton: Skeleton,
    landmark: str,
    size: tuple[int, int],
    radius: float = RADIUS,
    legacy: bool = False,
) -> Disc | None:
    """A disc on a landmark of `points` (K, 2); None where it is absent (NaN) or outside the picture."""
    if not radius > 0:
        raise UserError(f"a disc's radius is positive, got {radius}")
    k = skeleton.index(landmark)
    if not _there(points, legacy)[k]:
        return None
    x, y = points[k].tolist()
    h, w = size
    inside = (0.5 <= x < h + 0.5 and 0.5 <= y < w + 0.5) if legacy else (0 <= x < w and 0 <= y < h)
    return Disc(x, y, radius) if inside else None


def rectangle(points: np.ndarray, skeleton: Skeleton, part: str, legacy: bool = False) -> Rectangle | None:
    """A rectangle over a part, from those of its landmarks in `points` (K, 2) that are there (not NaN).

    In general it is the tight box, and there is none for fewer than two landmarks. As in the study:

    - a head is 1.2 times its tight box; one of only two landmarks (MPII) is twice as wide as they are apart;
    - a hip is twice as wide and high as its two landmarks are apart;
    - a limb (arm or leg: end, middle, end) without an end is centred on the middle, twice as wide and high as
      the two that are left are apart; without the middle it is the box of its ends.

    In these, and in the parts of other skeletons, a side is at least a quarter of the other.
    """
    if part not in skeleton.parts:
        raise unknown(f"part of {skeleton.name!r}", part, skeleton.parts)
    of_part = [skeleton.index(name) for name in skeleton.parts[part]]
    there = _there(points, legacy)[of_part]
    found = points[of_part][there]  # (n, 2)
    if len(found) < 2 or (part in ("head", "hip") and len(of_part) == 2 and not there.all()):
        return None
    middle, (w, h) = (found.min(0) + found.max(0)) / 2, found.max(0) - found.min(0)
    padded_w, padded_h = max(w, h / 4), max(h, w / 4)
    if part == "head" and len(of_part) == 2:
        w, h = 2 * padded_w, padded_h
    elif part == "head":
        w, h = 1.2 * w, 1.2 * h
    elif part == "hip":
        w, h = 2 * padded_w, 2 * padded_h
    elif part in LIMBS and len(of_part) == 3 and not there.all():
        if there[1]:
            middle, w, h = points[of_part[1]], 2 * padded_w, 2 * padded_h
        else:
            w, h = padded_w, padded_h
    elif part not in (*TIGHT, *LIMBS):
        w, h = padded_w, padded_h
    return Rectangle(float(middle[0]), float(middle[1]), float(w), float(h))


def where(
    points: np.ndarray,
    skeleton: Skeleton,
    target: str,
    size: tuple[int, int],
    radius: float = RADIUS,
    legacy: bool = False,
) -> Disc | Rectangle | None:
    """The disc or rectangle that hides a landmark or a part, by its name. Raises a UserError for others."""
    if target in skeleton.landmarks:
        return disc(points, skeleton, target, size, radius, legacy)
    if target not in skeleton.parts:
        raise unknown(
            f"landmark or part of {skeleton.name!r}", target, (*skeleton.landmarks, *skeleton.parts)
        )
    return rectangle(points, skeleton, target, legacy)


def _there(points: np.ndarray, legacy: bool) -> np.ndarray:
    """Which of the points (K, 2) are there: (K,) bool."""
    there = np.isfinite(points).all(-1)
    return np.asarray(there & (points != 0.5).all(-1) if legacy else there)


def _blur(picture: np.ndarray, kernel: int) -> np.ndarray:
    if kernel < 1 or kernel % 2 == 0:
        raise UserError(f"a blur's kernel is an odd number of pixels, got {kernel}")
    kernel = min(kernel, 2 * max(picture.shape[:2]) - 1)  # a wider blur sees nothing more
    return cv2.GaussianBlur(picture, (kernel, kernel), 0)  # sigma as OpenCV takes it: 2 for 11, 5 for 31


def _black(picture: np.ndarray, kernel: int) -> np.ndarray:
    return np.zeros(3, np.uint8)


def _mean(picture: np.ndarray, kernel: int) -> np.ndarray:
    return picture.mean((0, 1)).astype(np.uint8)


# (picture, the blur's kernel) -> what is seen instead: a picture, or one colour
HOWS: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "blur": _blur,
    "blackout": _black,
    "meanout": _mean,
}


def hidden(
    picture: np.ndarray, area: Disc | Rectangle | None, how: str, kernel: int | None = None
) -> np.ndarray:
    """The picture (H, W, 3) uint8 with an area hidden; `kernel` is the blur's, by default the area's own."""
    if how not in HOWS:
        raise unknown("way of hiding", how, HOWS)
    if area is None:
        return picture
    instead = HOWS[how](picture, area.kernel if kernel is None else kernel)
    return np.where(area.mask((picture.shape[0], picture.shape[1]))[..., None], instead, picture)


def attack(
    picture: np.ndarray,
    points: np.ndarray,
    skeleton: Skeleton,
    target: str,
    how: str,
    radius: float = RADIUS,
    kernel: int | None = None,
    legacy: bool = False,
) -> np.ndarray:
    """The picture (H, W, 3) with one landmark or part of the object hidden; unchanged where it is absent.

    Args:
        points: (K, 2), x y in the picture's pixels, NaN where absent.
        target: the name of a landmark or of a part.
        how: a key of HOWS.
        radius: of a landmark's disc, pixels.
        kernel: of the blur; by default 2 * radius - 1, and 31 for parts.
    """
    size = picture.shape[0], picture.shape[1]
    return hidden(picture, where(points, skeleton, target, size, radius, legacy), how, kernel)


@dataclass(frozen=True)
class Occlusion:
    """What may be hidden of a training sample, each with its own probability, all independent.

    The defaults of everything but the probabilities are those of the study's tables.
    """

    partmix: float = 0.0  # somebody else's part over one of MIXED_PARTS
    blur: float = 0.0
    cutout: float = 0.0  # the mean colour
    several: float = 0.0  # of each of up to `most` landmarks, blur or cutout
    most: int = 5
    level: Literal["landmark", "part"] = "landmark"  # what blur and cutout hide
    parts: tuple[str, ...] | None = None  # from which one is drawn; None: SMALL_PARTS, else all
    removal: Literal["none", "under", "wide"] = "none"  # labels lost under it, or (their code) twice as far
    radius: float = RADIUS
    kernel: int | None = None
    legacy: bool = False

    def __post_init__(self):
        for name in ("partmix", "blur", "cutout", "several"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"occlusion.{name}: a probability lies in [0, 1], got {getattr(self, name)}")
        if not 0 < self.radius < np.inf:
            raise UserError(f"occlusion.radius: a disc's radius is positive, got {self.radius}")
        if self.kernel is not None and (self.kernel < 1 or self.kernel % 2 != 1):
            raise UserError(
                f"occlusion.kernel: a blur's kernel is an odd number of pixels, got {self.kernel}"
            )
        if self.most < 1:
            raise UserError(f"occlusion.most: wanted 1 landmark or more, got {self.most}")
        for name, known in (("level", ("landmark", "part")), ("removal", ("none", "under", "wide"))):
            if getattr(self, name) not in known:
                raise unknown(f"occlusion.{name}", getattr(self, name), known)


def occluded(
    picture: np.ndarray,
    points: np.ndarray,
    skeleton: Skeleton,
    occlusion: Occlusion,
    rng: np.random.Generator,
    bank: Bank | None = None,
    recolour: Callable[[np.ndarray], np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """A training sample with things hidden, in the study's order: PartMix, blur, cutout, several landmarks.

    Args:
        picture: (H, W, 3) uint8 RGB, the network's input.
        points: (K, 2), x y in its pixels, NaN where absent.
        bank: the parts that PartMix draws from.
        recolour: a change of colours, which the study makes after PartMix and before the rest.

    Returns:
        The picture (H, W, 3), and (K,) bool: labels that `removal` takes away.
    """
    points, lost = np.array(points, np.float64), np.zeros(len(points), bool)

    def lose(area: Disc | Rectangle | None) -> None:
        if occlusion.removal != "none" and isinstance(area, Rectangle):
            under = area.covers(points, wide=occlusion.removal == "wide")
            lost[under], points[under] = True, np.nan

    if rng.random() < occlusion.partmix:
        picture, area = part_mixed(picture, points, skeleton, rng, bank or {}, occlusion.legacy)
        lose(area)
    picture = recolour(picture) if recolour else picture
    for how, probability in (("blur", occlusion.blur), ("meanout", occlusion.cutout)):
        if rng.random() < probability:
            picture, area = _drawn(picture, points, skeleton, occlusion, how, rng)
            lose(area)
    picture = _several(picture, points, skeleton, occlusion, rng)
    return picture, lost


def _drawn(
    picture: np.ndarray,
    points: np.ndarray,
    skeleton: Skeleton,
    occlusion: Occlusion,
    how: str,
    rng: np.random.Generator,
) -> tuple[np.ndarray, Disc | Rectangle | None]:
    """One landmark that is there, or one part of the pool, hidden."""
    if occlusion.level == "landmark":
        pool = [skeleton.landmarks[k] for k in np.flatnonzero(_there(points, occlusion.legacy))]
    else:
        pool = _pool(skeleton, occlusion.parts or SMALL_PARTS, asked=occlusion.parts is not None)
    if not pool:
        return picture, None
    target = pool[int(rng.integers(len(pool)))]
    size = picture.shape[0], picture.shape[1]
    area = where(points, skeleton, target, size, occlusion.radius, occlusion.legacy)
    kernel = occlusion.kernel if occlusion.level == "landmark" else None
    return hidden(picture, area, how, kernel), area


def _several(
    picture: np.ndarray,
    points: np.ndarray,
    skeleton: Skeleton,
    occlusion: Occlusion,
    rng: np.random.Generator,
) -> np.ndarray:
    """Up to `most` trials, each hiding another landmark by chance, blurred or cut out."""
    pool = [skeleton.landmarks[k] for k in np.flatnonzero(_there(points, occlusion.legacy))]
    size = picture.shape[0], picture.shape[1]
    for _ in range(min(len(pool), occlusion.most) if occlusion.several > 0 else 0):
        if rng.random() < occlusion.several:
            target = pool.pop(int(rng.integers(len(pool))))
            how = ("blur", "meanout")[int(rng.integers(2))]
            area = disc(points, skeleton, target, size, occlusion.radius, occlusion.legacy)
            picture = hidden(picture, area, how, occlusion.kernel)
    return picture


def part_mixed(
    picture: np.ndarray,
    points: np.ndarray,
    skeleton: Skeleton,
    rng: np.random.Generator,
    bank: Bank,
    legacy: bool = False,
) -> tuple[np.ndarray, Rectangle | None]:
    """PartMix: another part of somebody else, stretched over a part of this object, and where that was.

    The part is drawn evenly from MIXED_PARTS (from all where a skeleton has none of them) and must be
    complete; the other one evenly from the rest. Where the bank has none nothing happens, and None comes.
    """
    pool = _pool(skeleton, MIXED_PARTS)
    if len(pool) < 2:
        return picture, None
    target = pool.pop(int(rng.integers(len(pool))))
    others = bank.get(pool[int(rng.integers(len(pool)))], ())
    area = _complete(points, skeleton, target, legacy)
    if area is None or not len(others):
        return picture, None
    front = others[int(rng.integers(len(others)))]
    rows, columns = area.slices((picture.shape[0], picture.shape[1]))
    h, w = rows.stop - rows.start, columns.stop - columns.start
    if h < 1 or w < 1 or not front.size:
        return picture, None
    front = cv2.resize(front, (w, h), interpolation=cv2.INTER_AREA)
    picture = picture.copy()
    picture[rows, columns] = front[..., ::-1] if legacy else front
    return picture, area


def part_of(picture: np.ndarray, points: np.ndarray, skeleton: Skeleton, part: str) -> np.ndarray | None:
    """A part cut out of a picture at its own resolution, for a Bank: (h, w, 3); None if not all is there."""
    area = _complete(points, skeleton, part, legacy=False)
    if area is None:
        return None
    cut = picture[area.slices((picture.shape[0], picture.shape[1]))]
    return cut.copy() if cut.size else None


def _complete(points: np.ndarray, skeleton: Skeleton, part: str, legacy: bool) -> Rectangle | None:
    indices = [skeleton.index(name) for name in skeleton.parts[part]]
    return rectangle(points, skeleton, part, legacy) if _there(points, legacy)[indices].all() else None


def _pool(skeleton: Skeleton, wanted: Sequence[str], asked: bool = False) -> list[str]:
    """Which of the wanted parts a skeleton has, or all of its parts where it has none of them."""
    if asked:
        for part in wanted:
            if part not in skeleton.parts:
                raise unknown(f"part of {skeleton.name!r}", part, skeleton.parts)
    return [part for part in wanted if part in skeleton.parts] or list(skeleton.parts)
