"""Pictures and points varied by chance, as data: an `Augmentation` holds ranges, `augment` draws from them.

All geometry is composed into one homography with the frame that crops the picture, so every pixel is drawn
once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np

from ..errors import UserError, unknown
from ..geometry import Frame, about, four_points, moved, rotation, scaling, shear, translation
from ..geometry import flip as mirror
from ..types import ABSENT, Poses, Sample
from . import transforms

Range = tuple[float, float]
ABOVE_0 = ("scale", "stretch", "gamma")


@dataclass(frozen=True)
class Augmentation:
    """What may happen to a sample. A (low, high) range is drawn from evenly; None switches an effect off.

    The defaults are those of the IHM paper in kind (affine, perspective, blur, add, multiply, Gaussian
    noise), with ranges of our own, since it gives none.
    """

    rotate: Range | None = (-180, 180)  # degrees
    scale: Range | None = (0.7, 1.3)  # drawn evenly in its logarithm
    stretch: Range | None = (0.8, 1.25)  # width over height, evenly in its logarithm
    shear: Range | None = (-8, 8)  # degrees, x and y each
    translate: Range | None = (-0.15, 0.15)  # of the frame's width and height
    perspective: Range | None = (0.0, 0.08)  # how far each corner may wander, of the frame's width and height
    flip: float = 0.5  # how often mirrored
    add: Range | None = (-30, 30)  # of 255, one amount and a third of it again for each channel
    multiply: Range | None = (0.75, 1.25)  # the same
    brightness: Range | None = (0.5, 1.6)  # times the light
    contrast: Range | None = (0.7, 1.3)
    saturation: Range | None = (0.3, 1.5)
    hue: Range | None = (-15, 15)  # degrees
    gamma: Range | None = None
    grey: float = 0.1  # how often grey
    blur: Range | None = (0.3, 1.5)  # sigma, network pixels
    motion_blur: Range | None = (2, 7)  # network pixels
    coarse: Range | None = None  # times fewer pixels across, as of a small object in a picture; then enlarged
    noise: Range | None = (2, 12)  # sigma, of 255
    jpeg: Range | None = (30, 90)  # quality
    border: str = "constant"  # what lies outside the picture; a random colour when "constant"
    chances: Mapping[str, float] = field(default_factory=dict)  # how often effects happen, else CHANCES'

    def __post_init__(self):
        for name in (f.name for f in fields(self)):
            value = getattr(self, name)
            if name in ("flip", "grey"):
                if not 0 <= value <= 1:
                    raise UserError(f"augmentation: {name} is a share in [0, 1], got {value}")
            elif name == "border":
                if value not in transforms.BORDERS:
                    raise unknown("border", value, transforms.BORDERS)
            elif name == "chances":
                for effect, chance in value.items():
                    if effect not in CHANCES:
                        raise unknown("effect with a chance", effect, CHANCES)
                    if not 0 <= chance <= 1:
                        raise UserError(f"augmentation: chances.{effect} is in [0, 1], got {chance}")
            elif value is not None:
                try:
                    low, high = (float(v) for v in value)
                except (TypeError, ValueError):
                    low, high = 1.0, 0.0
                if not (low <= high and np.isfinite([low, high]).all()):
                    raise UserError(f"augmentation: {name} is a range (low, high), got {value!r}")
                if name in ABOVE_0 and low <= 0:
                    raise UserError(f"augmentation: {name} is a range above 0, got {value!r}")
                if name == "coarse" and low < 1:
                    raise UserError(f"augmentation: coarse is a range of 1 or more, got {value!r}")
                object.__setattr__(self, name, (low, high))

    @classmethod
    def none(cls) -> "Augmentation":
        """Nothing happens."""
        off = {f.name: 0.0 if f.name in ("flip", "grey") else None for f in fields(cls)}
        return cls(**{k: v for k, v in off.items() if k not in ("border", "chances")})  # type: ignore


CHANCES = {
    "perspective": 0.5, "add": 0.5, "multiply": 0.5, "brightness": 0.5, "contrast": 0.5, "saturation": 0.5,
    "hue": 0.5, "gamma": 0.5, "blur": 0.3, "motion_blur": 0.1, "coarse": 0.3, "noise": 0.4, "jpeg": 0.3,
}  # fmt: skip


def augment(sample: Sample, frame: Frame, augmentation: Augmentation, rng: np.random.Generator) -> Sample:
    """The sample as a frame shows it, varied.

    Points that leave the frame become absent (NaN, visibility 0); in a mirrored picture left and right names
    swap. Boxes are drawn tight around their moved corners and clipped; the mask moves alike, the depth is
    dropped.

    Returns:
        A Sample of frame.size.
    """
    frame, flipped = varied(sample.poses, frame, augmentation, rng)
    value = rng.integers(0, 256, 3).tolist()
    seen = framed(sample, frame, flipped, augmentation.border, value)
    return replace(seen, picture=recoloured(seen.picture, augmentation, rng))


def varied(
    poses: Poses, frame: Frame, augmentation: Augmentation, rng: np.random.Generator
) -> tuple[Frame, bool]:
    """The frame, varied, and whether it mirrors.

    Where the varied frame would show no point although the plain one does, it is drawn again (3 times).
    """
    for _ in range(4):
        matrix, flipped = homography(augmentation, frame.size, rng)
        shown = np.isfinite(_moved(poses, frame.then(matrix), flipped).points).any()
        if shown or not np.isfinite(_moved(poses, frame, False).points).any():
            break
    return frame.then(matrix), flipped


def framed(
    sample: Sample,
    frame: Frame,
    flipped: bool = False,
    border: str = "constant",
    value: transforms.Colour = 0,
    averaged: bool = True,
    outside: bool = False,
) -> Sample:
    """The sample as a frame shows it, nothing by chance: what validation sees.

    Args:
        flipped: the frame mirrors, so that left and right names swap.
        border, value, averaged: as in `transforms.warp`.
        outside: keep points that lie outside the frame.
    """
    picture = transforms.warp(sample.picture, frame.matrix, frame.size, border, value, averaged=averaged)
    mask = sample.mask
    if mask is not None:
        mask = transforms.warp(mask, frame.matrix, frame.size, nearest=True)
    poses = _moved(sample.poses, frame, flipped, outside)
    return replace(sample, picture=picture, poses=poses, mask=mask, depth=None)


def homography(
    augmentation: Augmentation, size: tuple[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, bool]:
    """One map (3, 3) of the network's input (H, W) onto itself, and whether it mirrors."""
    a, (h, w) = augmentation, size
    scale = np.exp(_drawn(_logarithm(a.scale), rng)) if a.scale else 1.0
    aspect = np.exp(_drawn(_logarithm(a.stretch), rng) / 2) if a.stretch else 1.0
    turned = rotation(_drawn(a.rotate, rng)) @ shear(_drawn(a.shear, rng), _drawn(a.shear, rng))
    matrix = about(scaling(scale * aspect, scale / aspect) @ turned, (w / 2, h / 2))
    matrix = translation(_drawn(a.translate, rng) * w, _drawn(a.translate, rng) * h) @ matrix
    if a.perspective and rng.random() < _chance(a, "perspective"):
        corners = np.array([[0, 0], [w, 0], [w, h], [0, h]], float)
        wander = rng.uniform(-1, 1, (4, 2)) * _drawn(a.perspective, rng) * [w, h]
        matrix = four_points(corners, corners + wander) @ matrix
    flipped = bool(rng.random() < a.flip)
    return (mirror(w) @ matrix if flipped else matrix), flipped


def recoloured(picture: np.ndarray, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Colours, blurs and noise, each with its chance; in the order of a camera: light, lens, sensor, file."""
    a = augmentation
    happens = {n: getattr(a, n) is not None and rng.random() < _chance(a, n) for n in CHANCES}
    for name in ("brightness", "contrast", "saturation", "hue", "gamma"):
        if happens[name]:
            picture = getattr(transforms, name)(picture, _drawn(getattr(a, name), rng))
    if happens["multiply"]:
        gain = _drawn(a.multiply, rng)
        picture = transforms.multiply(picture, gain * (1 + (np.array(_each(a.multiply, rng)) - 1) / 3))
    if happens["add"]:
        picture = transforms.add(picture, _drawn(a.add, rng) + np.array(_each(a.add, rng)) / 3)
    if rng.random() < a.grey:
        picture = transforms.grey(picture)
    if happens["blur"]:
        picture = transforms.blur(picture, _drawn(a.blur, rng))
    if happens["motion_blur"]:
        picture = transforms.motion_blur(picture, _drawn(a.motion_blur, rng), rng.uniform(0, 180))
    h, w = picture.shape[:2]
    if happens["coarse"]:
        times = _drawn(a.coarse, rng)
        picture = transforms.resized(picture, (max(round(h / times), 1), max(round(w / times), 1)))
    if happens["noise"]:
        picture = transforms.noise(picture, _drawn(a.noise, rng), rng)
    if happens["jpeg"]:
        picture = transforms.jpeg(picture, round(_drawn(a.jpeg, rng)))
    return transforms.resized(picture, (h, w)) if happens["coarse"] else picture


def _moved(poses: Poses, frame: Frame, flipped: bool, outside: bool = False) -> Poses:
    """Poses in the frame's pixels; what is not in it is absent, unless `outside` keeps it."""
    h, w = frame.size
    order = poses.skeleton.mirrored if flipped else np.arange(len(poses.skeleton))
    points, visibility = frame.into(poses.points)[:, order], poses.visibility[:, order].copy()
    scores = poses.scores[:, order].copy()
    with np.errstate(invalid="ignore"):
        inside = ((points >= 0) & (points <= [w, h])).all(-1)  # NaN is not inside
    inside = np.isfinite(points).all(-1) if outside else inside
    points[~inside], visibility[~inside], scores[~inside] = np.nan, ABSENT, 0
    corners = poses.boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]  # (N, 4, 2)
    carried = moved(corners, frame.matrix)
    boxes = np.concatenate([carried.min(1), carried.max(1)], -1) if len(poses) else poses.boxes
    return Poses(poses.skeleton, points, scores, visibility, np.clip(boxes, 0, [w, h, w, h]), poses.score)


def _drawn(range: Range | None, rng: np.random.Generator) -> float:
    return float(rng.uniform(*range)) if range else 0.0


def _each(range: Range | None, rng: np.random.Generator) -> list[float]:
    return [_drawn(range, rng) for _ in "rgb"]


def _logarithm(range: Range) -> Range:
    return float(np.log(range[0])), float(np.log(range[1]))


def _chance(augmentation: Augmentation, name: str) -> float:
    return augmentation.chances.get(name, CHANCES[name])
