"""Layers -> Sample: what the camera adds, and what is pasted in front and behind.

`develop` turns linear light into a photograph. `with_occluder` and `with_background` make the IHM paper's
copies; `cut_and_paste` is its rival (Dwibedi et al. 2017), from cut-outs alone. Chance is an argument
everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from ..geometry import about, moved, rotation, scaling, translation
from ..imaging import transforms
from ..imaging.blend import BLENDS
from ..imaging.transforms import to_srgb, warp
from ..types import ABSENT, HIDDEN, SEEN, Poses, Sample, Skeleton
from . import scraps
from .render import Layers
from .scene import Effects

FADED = 40  # of 255: an object whose values a blend changes by more on average has faded into its background
BLEND_WEIGHTS = {"alpha": 0.5, "poisson": 0.25, "laplacian": 0.25}  # the paper says random
METERED = 0.06, 0.45  # mean light between which a camera leaves the exposure as it is; 0.18 is mid grey
COVERED = 0.6  # most of the object's visible area that a pasted thing may cover
TINY = 30  # pixels of an object below which its background is not replaced


@dataclass(frozen=True)
class Cutout:
    """A picture of an object and nothing else, with its landmarks."""

    rgba: np.ndarray  # (H, W, 4) uint8, alpha not multiplied in
    points: np.ndarray  # (K, 2) pixels, NaN where absent
    visibility: np.ndarray  # (K,) uint8
    skeleton: Skeleton | None = None  # None: a distractor


def develop(layers: Layers, effects: Effects, name: str = "") -> Sample:
    """The photograph a camera makes of drawn light. A function of its arguments alone.

    In the order of a camera: exposure, white balance and vignette in linear light; blur of the lens and of
    motion; shot and read noise; tone curve, contrast, saturation; sharpening; a stretch; JPEG.

    Returns:
        The Sample: points inside the picture only, boxes around what is seen of each instance and its
        landmarks.
    """
    rng = np.random.default_rng([effects.seed, 23])
    gain = np.float32(metered(layers.picture) * 2.0**effects.exposure_ev)
    light = layers.picture * gain * np.asarray(effects.white_balance, np.float32)
    light = _sensed(light * _vignette(layers.picture.shape[:2], effects.vignette), effects, rng)
    picture = _toned(light, effects, rng)
    if rng.random() < 0.3:  # phones sharpen
        soft = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.8, 1.5))
        picture = cv2.addWeighted(picture, 1 + (amount := rng.uniform(0.2, 0.9)), soft, -amount, 0)
    sample = Sample(picture, _poses(layers), name, layers.mask, layers.depth)
    if effects.stretch != 1:
        sample = _stretched(sample, effects.stretch, rng)
    quality = int(rng.integers(35, 98))
    return replace(sample, picture=transforms.jpeg(sample.picture, quality)) if rng.random() < 0.6 else sample


def metered(light: np.ndarray) -> float:
    """What a camera multiplies linear light (H, W, 3) by, so that its logarithmic mean comes within
    METERED."""
    mean = float(np.exp(np.log(np.clip(light @ transforms.LUMA, 1e-4, 4.0)).mean()))
    return float(np.clip(mean, *METERED) / mean)


def copied(
    sample: Sample,
    layers: Layers | None,
    rng: np.random.Generator,
    photos: Sequence[Path] = (),
    seats: Sequence[int] = (),
) -> tuple[str, Sample]:
    """The paper's copy: a random thing in front ("occluder"), or another "background"; each half of the
    time.

    Args:
        seats: the ids of what objects sit on, which a background must not take from under them.
    """
    tiny = sample.mask is None or (sample.mask > 0).sum() < TINY
    parted = layers is None or sample.mask is None or not np.array_equal(sample.mask, layers.mask)
    if tiny or (len(seats) and parted) or rng.random() < 0.5:
        return "occluder", with_occluder(sample, rng, photos, layers)
    kept = np.isin(layers.ids, list(seats)) if layers is not None and len(seats) else None
    return "background", with_background(sample, rng, photos, kept)


def with_occluder(
    sample: Sample,
    rng: np.random.Generator,
    photos: Sequence[Path] = (),
    layers: Layers | None = None,
) -> Sample:
    """A random thing pasted in front, mostly over a part of the object. Landmarks under it become hidden.

    The thing is a piece of clutter cut out of the same picture (where `layers` shows one), or an invented one
    with a photograph's or an invented texture.
    """
    h, w = sample.size
    on_object = np.argwhere(sample.mask > 0) if sample.mask is not None else np.empty((0, 2), int)
    for attempt in range(6):
        share = rng.uniform(0.15, 0.6) * 0.8**attempt
        cut = _clutter(sample, layers, rng) if layers is not None and rng.random() < 0.4 else None
        front, cover = cut or scraps.thing(rng, (h, w), share, photos)
        target = rng.uniform(0, [w, h])
        if len(on_object) and rng.random() < 0.75:
            target = on_object[rng.integers(len(on_object))][::-1] + 0.5 + rng.normal(0, 0.06 * min(h, w), 2)
        matrix = about(rotation(rng.uniform(0, 360)), (w / 2, h / 2))
        if cut:
            matrix = about(scaling(s := rng.uniform(0.7, 1.6), s), (w / 2, h / 2)) @ matrix
        matrix = translation(*(target - [w / 2, h / 2])) @ matrix
        front, cover = warp(front, matrix, (h, w), "replicate"), warp(cover, matrix, (h, w))
        if not len(on_object) or cover[sample.mask > 0].mean() <= COVERED:  # type: ignore[operator]
            return pasted(sample, front, cover, rng)
    return sample


def with_background(
    sample: Sample,
    rng: np.random.Generator,
    photos: Sequence[Path] = (),
    kept: np.ndarray | None = None,
) -> Sample:
    """Everything but the labelled objects, and the pixels `kept` (H, W), replaced, by a photograph or an
    invented picture, with a random blend.

    What hid a part of an object goes too, and its landmarks there stay hidden: the object has a hole.
    """
    assert sample.mask is not None
    back = scraps.background(rng, sample.size, photos)
    own = sample.mask > 0 if kept is None else (sample.mask > 0) | kept
    picture = _blended(back, sample.picture, _softened(own.astype(np.float32)), rng)
    return replace(sample, picture=picture, depth=None)


def pasted(sample: Sample, front: np.ndarray, cover: np.ndarray, rng: np.random.Generator) -> Sample:
    """`front` (H, W, 3) laid over a sample where `cover` (H, W) is 1, with a random blend; labels know of
    it."""
    picture = _blended(sample.picture, front, cover, rng)
    poses, hidden = sample.poses, _under(sample.poses.points, cover)
    visibility = np.where(hidden & (poses.visibility == SEEN), HIDDEN, poses.visibility).astype(np.uint8)
    mask = None if sample.mask is None else np.where(cover >= 0.5, 0, sample.mask).astype(np.uint8)
    return replace(
        sample, picture=picture, poses=replace(poses, visibility=visibility), mask=mask, depth=None
    )


def cut_out(layers: Layers, effects: Effects, instance: int = 1) -> Cutout:
    """One instance of a drawn scene, cut out of its photograph, with a margin of nothing trimmed away."""
    sample = develop(layers, effects)
    assert sample.mask is not None
    own = sample.mask == instance
    alpha = _softened(own.astype(np.float32))
    rgba = np.dstack([sample.picture, (alpha * 255 + 0.5).astype(np.uint8)])
    poses = sample.poses
    n = instance - 1
    whole = Cutout(rgba, poses.points[n], poses.visibility[n], poses.skeleton)
    ys, xs = np.nonzero(own)
    if not len(xs):
        return whole
    y1, y2, x1, x2 = max(ys.min() - 2, 0), ys.max() + 3, max(xs.min() - 2, 0), xs.max() + 3
    return replace(whole, rgba=rgba[y1:y2, x1:x2], points=whole.points - [x1, y1])


def cut_and_paste(
    cutouts: Sequence[Cutout],
    size: tuple[int, int],
    rng: np.random.Generator,
    photos: Sequence[Path] = (),
    distractors: int = 3,
    name: str = "",
) -> Sample:
    """One random cut-out on a background with random rotation, scale, place and blend, and things around it.

    Dwibedi et al. 2017: truncated at the border and occluded by things that are pasted later; at least a
    quarter of the cut-out stays in the picture.

    Returns:
        A Sample of `size` (H, W) with one instance.
    """
    h, w = size
    cutout = cutouts[int(rng.integers(len(cutouts)))]
    assert cutout.skeleton is not None
    behind = int(rng.integers(0, distractors + 1))
    empty = Sample(scraps.background(rng, size, photos), Poses.empty(cutout.skeleton), name)
    for _ in range(behind):
        empty = pasted(empty, *_placed_thing(rng, size, photos), rng)
    matrix = _anywhere(cutout.rgba.shape[:2], size, rng)
    front, cover = (
        warp(cutout.rgba[..., :3], matrix, size, "replicate"),
        warp(cutout.rgba[..., 3], matrix, size),
    )
    cover = cover.astype(np.float32) / 255
    mirrored = np.linalg.det(matrix[:2, :2]) < 0  # where left and right names swap
    order = cutout.skeleton.mirrored if mirrored else np.arange(len(cutout.skeleton))
    points, visibility = moved(cutout.points, matrix)[order], cutout.visibility[order]
    inside = _inside(points, size) & (visibility > ABSENT)
    points = np.where(inside[:, None], points, np.nan)
    visibility = np.where(inside, visibility, ABSENT)
    mask = (cover >= 0.5).astype(np.uint8)
    poses = Poses(
        cutout.skeleton, points[None], visibility=visibility[None], boxes=_boxes(mask, points[None])
    )
    sample = Sample(_blended(empty.picture, front, cover, rng), poses, name, mask)
    for _ in range(int(rng.integers(0, distractors + 1 - behind))):
        front, cover = _placed_thing(rng, size, photos)
        if not mask.any() or cover[mask > 0].mean() <= COVERED:
            sample = pasted(sample, front, cover, rng)
    return replace(sample, picture=transforms.noise(sample.picture, rng.uniform(0, 5), rng))


def _sensed(light: np.ndarray, effects: Effects, rng: np.random.Generator) -> np.ndarray:
    """Linear light behind the lens and on the sensor: blurred, clipped at white, noisy."""
    h, w = light.shape[:2]
    if effects.blur_px > 0.1:
        light = cv2.GaussianBlur(light, (0, 0), effects.blur_px, borderType=cv2.BORDER_REFLECT_101)
    x, y = effects.motion_px
    light = transforms.motion_blur(light, float(np.hypot(x, y)), float(np.rad2deg(np.arctan2(y, x))))
    if effects.noise > 0:
        grain = rng.standard_normal((h, w, 3), np.float32)
        if rng.random() < 0.5:  # small sensors and their raw converters leave blotches
            grain = cv2.GaussianBlur(grain, (0, 0), 0.7) * 2.0
        shot = np.sqrt(np.clip(light, 0, 1)) + 0.1  # of the light itself, and a little from reading it out
        light = light + grain * shot * effects.noise
    return np.clip(light, 0, None)


def _toned(light: np.ndarray, effects: Effects, rng: np.random.Generator) -> np.ndarray:
    """Linear light -> (H, W, 3) uint8: one of several curves, then contrast and saturation."""
    curve = rng.choice(["srgb", "shoulder", "filmic"])
    if curve == "shoulder":  # highlights roll off instead of clipping
        light = np.where(light > 0.7, 0.7 + 0.3 * (1 - np.exp(-(light - 0.7) / 0.3)), light)
    values = to_srgb(light)
    if curve == "filmic":
        values = values + rng.uniform(0.2, 0.8) * (values * values * (3 - 2 * values) - values)
    values = (values - 0.5) * effects.contrast + 0.5
    grey = (values @ transforms.LUMA)[..., None]
    values = grey + (values - grey) * effects.saturation
    return (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)


def _vignette(size: tuple[int, int], lost: float) -> np.ndarray:
    h, w = size
    y, x = np.mgrid[:h, :w]
    squared = ((x + 0.5 - w / 2) ** 2 + (y + 0.5 - h / 2) ** 2) / (h * h + w * w) * 4  # 1 in the corners
    return (1 - lost * squared)[..., None].astype(np.float32)


def _poses(layers: Layers) -> Poses:
    """The landmarks inside the picture, and boxes around what is seen."""
    size = layers.picture.shape[:2]
    inside = _inside(layers.points, size) & (layers.visibility > ABSENT)
    points = np.where(inside[..., None], layers.points, np.nan)
    visibility = np.where(inside, layers.visibility, ABSENT)
    return Poses(layers.skeleton, points, visibility=visibility, boxes=_boxes(layers.mask, points))


def _boxes(mask: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(N, 4) around an instance's pixels and its landmarks (N, K, 2); NaN where there is neither."""
    boxes = np.full((len(points), 4), np.nan)
    for n, own in enumerate(points):
        ys, xs = np.nonzero(mask == n + 1)
        corners = [own[np.isfinite(own).all(-1)]]
        if len(xs):
            corners.append(np.array([[xs.min(), ys.min()], [xs.max() + 1, ys.max() + 1]]))
        if len(corners := np.concatenate(corners)):
            boxes[n] = [*corners.min(0), *corners.max(0)]
    return boxes


def _left(poses: Poses, mask: np.ndarray) -> tuple[Poses, np.ndarray]:
    """The instances of which a pixel is still in the picture, numbered anew; all of them if none is."""
    there = np.bincount(mask.reshape(-1), minlength=len(poses) + 1)[1:] > 0
    if there.all() or not there.any():
        return poses, mask
    numbers = np.concatenate([[0], np.where(there, np.cumsum(there), 0)]).astype(mask.dtype)
    return poses[there], numbers[mask]


def _inside(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.asarray(((points >= 0) & (points <= [size[1], size[0]])).all(-1))  # NaN is not


def _stretched(sample: Sample, wider: float, rng: np.random.Generator) -> Sample:
    """`wider` than it was, or, below 1, higher: a part of the picture, chosen so that the objects stay, fills
    it."""
    h, w = sample.size
    kept = np.array([w / max(wider, 1), h * min(wider, 1)])
    low, high = np.zeros(2), np.array([w, h]) - kept
    if np.isfinite(sample.poses.boxes).all() and len(sample.poses):
        boxes = sample.poses.boxes
        first, last = boxes[:, 2:].max(0) - kept, boxes[:, :2].min(0)
        if (first <= last).all():
            low, high = np.clip(first, low, high), np.clip(last, low, high)
    start = rng.uniform(low, np.maximum(high, low))
    matrix = scaling(w / kept[0], h / kept[1]) @ translation(*-start)
    points = moved(sample.poses.points, matrix)
    inside = _inside(points, (h, w))
    points = np.where(inside[..., None], points, np.nan)
    visibility = np.where(inside, sample.poses.visibility, ABSENT)
    assert sample.mask is not None and sample.depth is not None
    mask = warp(sample.mask, matrix, (h, w), "replicate", nearest=True)
    depth = warp(sample.depth, matrix, (h, w), "replicate", nearest=True)
    poses = Poses(sample.poses.skeleton, points, visibility=visibility, boxes=_boxes(mask, points))
    poses, mask = _left(poses, mask)
    return replace(
        sample, picture=warp(sample.picture, matrix, (h, w), "replicate"), poses=poses, mask=mask, depth=depth
    )


def _clutter(
    sample: Sample, layers: Layers, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray] | None:
    """A piece of clutter that is wholly in the picture, moved to its middle, and its alpha."""
    h, w = layers.ids.shape
    if sample.mask is None or not np.array_equal(
        sample.mask, layers.mask
    ):  # stretched: the planes have parted
        return None
    found = []
    for i in np.unique(layers.ids[(layers.ids >= 0) & (layers.mask == 0)]):
        ys, xs = np.nonzero(layers.ids == i)
        whole = ys.min() > 1 and xs.min() > 1 and ys.max() < h - 2 and xs.max() < w - 2
        if whole and len(xs) >= 8 * TINY:
            found.append((i, (xs.min() + xs.max() + 1) / 2, (ys.min() + ys.max() + 1) / 2))
    if not found:
        return None
    i, x, y = found[int(rng.integers(len(found)))]
    to_middle = translation(w / 2 - x, h / 2 - y)
    alpha = _softened((layers.ids == i).astype(np.float32))
    return warp(sample.picture, to_middle, (h, w), "replicate"), warp(alpha, to_middle, (h, w))


def _placed_thing(
    rng: np.random.Generator, size: tuple[int, int], photos: Sequence[Path]
) -> tuple[np.ndarray, np.ndarray]:
    """An invented thing anywhere in a picture, with its alpha."""
    h, w = size
    front, cover = scraps.thing(rng, size, rng.uniform(0.1, 0.5), photos)
    matrix = translation(*rng.uniform([-w / 2, -h / 2], [w / 2, h / 2]))
    return warp(front, matrix, size, "replicate"), warp(cover, matrix, size)


def _anywhere(cutout: tuple[int, int], size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A map from a cut-out (h, w) into a picture (H, W): turned by anything, a fifth to all of the picture
    long."""
    (ch, cw), (h, w) = cutout, size
    scale = min(h, w) / max(ch, cw) * np.exp(rng.uniform(np.log(0.25), np.log(1.1)))
    target = rng.uniform([0.15 * w, 0.15 * h], [0.85 * w, 0.85 * h])
    mirrored = scaling(-1 if rng.random() < 0.5 else 1, 1)
    turned = rotation(rng.uniform(0, 360)) @ scaling(scale, scale) @ mirrored
    return translation(*target) @ turned @ translation(-cw / 2, -ch / 2)


def _softened(own: np.ndarray) -> np.ndarray:
    """A hard mask (H, W) of 0 and 1 with a soft edge, drawn in by half a pixel so that no old background
    comes along."""
    return np.clip(cv2.GaussianBlur(own, (0, 0), 0.8) * 2 - 1, 0, 1) * own


def _under(points: np.ndarray, cover: np.ndarray) -> np.ndarray:
    """(N, K) whether points (N, K, 2) lie where cover (H, W) is at least a half; NaN does not."""
    h, w = cover.shape
    cell = np.nan_to_num(np.floor(points), nan=-1).astype(int)
    x, y = np.clip(cell[..., 0], 0, w - 1), np.clip(cell[..., 1], 0, h - 1)
    return (cover[y, x] >= 0.5) & np.isfinite(points).all(-1)


def _blended(back: np.ndarray, front: np.ndarray, alpha: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """With a random blend; with plain alpha where that would make the front fade away, as Poisson does to a
    thin tool on a bright ground: a landmark that nobody can see teaches nothing."""
    names = list(BLEND_WEIGHTS)
    name = names[int(rng.choice(len(names), p=[BLEND_WEIGHTS[n] for n in names]))]
    picture, solid = BLENDS[name](back, front, alpha), alpha >= 0.5
    if name != "alpha" and solid.any() and abs(picture[solid].astype(int) - front[solid]).mean() > FADED:
        return BLENDS["alpha"](back, front, alpha)
    return picture
