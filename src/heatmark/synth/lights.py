"""Environment maps: light from all sides as (H, W, 3) float32 linear RGB, z up, never negative.

Row 0 is straight up, the last row straight down; columns go round from azimuth 0 (along +x),
anticlockwise seen from above.
"""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from .surfaces import thrice, tinted
from .tracer import two_threads

SIZE = (256, 512)  # of the maps made and read here
TRACED = (128, 256)  # of what rays are drawn from: a larger one costs a fifth more time and shows the same


def directions(size: tuple[int, int] = SIZE) -> tuple[np.ndarray, np.ndarray]:
    """(azimuth (1, W), elevation (H, 1)) of the pixel centres, radians."""
    h, w = size
    azimuth = (np.arange(w) + 0.5) / w * 2 * np.pi
    elevation = np.pi / 2 - (np.arange(h) + 0.5) / h * np.pi
    return azimuth[None, :], elevation[:, None]


@lru_cache(maxsize=4)
def vectors(size: tuple[int, int] = SIZE) -> np.ndarray:
    """(H, W, 3) float32 unit vectors towards the pixel centres; not to be written to."""
    azimuth, elevation = directions(size)
    x, y = np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth)
    return np.stack([x, y, np.broadcast_to(np.sin(elevation), x.shape)], -1).astype(np.float32)


def irradiance(light: np.ndarray) -> float:
    """What an upward floor receives, over pi: how bright a white floor far from everything appears."""
    rows = light.reshape(len(light), -1).sum(1, dtype=np.float64) / 3  # not mean(-1): slow along three values
    return float(rows @ _floor_sees(light.shape[:2]))


@lru_cache(maxsize=4)
def _floor_sees(size: tuple[int, int]) -> np.ndarray:
    """(H,) how much one pixel of each row gives to an upward floor, over pi."""
    _, elevation = directions(size)
    h, w = size
    weight = np.cos(elevation) * np.clip(np.sin(elevation), 0, None) * (np.pi / h) * (2 * np.pi / w) / np.pi
    return weight[:, 0]


def scaled(light: np.ndarray, strength: float) -> np.ndarray:
    """The light, such that a white floor appears `strength` bright; dimmer if it comes from below alone."""
    whole = max(irradiance(light), float(light.mean()) * 0.2, 1e-9)
    return light * np.float32(strength / whole)


def shrunk(light: np.ndarray, size: tuple[int, int] = TRACED) -> np.ndarray:
    """The light at another size, each pixel the mean of those it covers."""
    how = cv2.INTER_AREA if light.shape[0] >= size[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(light, size[::-1], interpolation=how), np.float32)


def turned(light: np.ndarray, degrees: float) -> np.ndarray:
    """The light turned anticlockwise about the vertical, by whole pixels."""
    return np.roll(light, round(degrees / 360 * light.shape[1]), axis=1)


def with_lamp(light, azimuth_deg, elevation_deg, radius_deg, color, share) -> np.ndarray:
    """One more disc of light, which gives `share` of what there is."""
    a, e = np.deg2rad([azimuth_deg, elevation_deg])
    towards = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)], np.float32)
    near = vectors(light.shape[:2]) @ towards
    disc = np.zeros_like(light)
    inner = near > np.cos(np.deg2rad(radius_deg + 0.6))  # few: arccos costs
    angle = np.rad2deg(np.arccos(np.minimum(near[inner], 1)))
    disc[inner] = np.clip(radius_deg + 0.5 - angle, 0, 1)[:, None] * np.asarray(color, np.float32)
    gives = max(irradiance(disc), 1e-9)
    return light + disc * np.float32(share * max(irradiance(light), 1e-9) / gives)


def sky(rng: np.random.Generator, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Sun, sky and the ground's own light, clear to overcast."""
    v = vectors(size)
    overcast, height = rng.uniform(0, 1) ** 0.7, np.deg2rad(rng.uniform(5, 75))
    sun = np.array([np.cos(height), 0, np.sin(height)])
    near = np.clip(v @ sun, -1, 1)
    up = np.clip(v[..., 2], 0, 1)
    warm = np.clip(np.sin(height) * 2.0, 0.25, 1)
    blue = np.array([0.25, 0.48, 1.0]) * (1 - 0.6 * up[..., None]) + 0.35 * (1 - up[..., None]) ** 3
    grey = np.array([0.9, 0.95, 1.0]) * (0.6 + 0.4 * up[..., None])
    out = blue * (1 - overcast) + grey * overcast
    glow = np.exp((near - 1) * 40)[..., None] * np.array([1.0, 0.85, 0.6]) * 2 * (1 - overcast * 0.8)
    disc = np.clip((np.cos(np.deg2rad(1.2)) - near) / -0.0004, 0, 1)[..., None]
    color = np.array([1.0, 0.55 + 0.4 * warm, 0.25 + 0.65 * warm])
    out = out + glow + disc * color * 4500 * (1 - overcast) ** 1.5 * warm
    floor = np.array(rng.uniform([0.05, 0.05, 0.03], [0.4, 0.38, 0.33])) * (0.3 + np.sin(height))
    return np.where(v[..., 2:] > 0, out, floor).astype(np.float32)


def rectangle(size, azimuth, elevation, half_width, half_height, softness=0.02) -> np.ndarray:
    """(H, W) cover of a rectangle seen from its middle; angles in radians."""
    v = vectors(size)
    ca, sa, ce, se = np.cos(azimuth), np.sin(azimuth), np.cos(elevation), np.sin(elevation)
    towards = np.array([ce * ca, ce * sa, se], np.float32)
    right, up = np.array([-sa, ca, 0], np.float32), np.array([-se * ca, -se * sa, ce], np.float32)
    depth = v @ towards
    ahead = np.maximum(depth, np.float32(1e-6))
    x, y = np.abs(v @ right) / ahead, np.abs(v @ up) / ahead
    wide, high = np.float32(np.tan(half_width)), np.float32(np.tan(half_height))
    inside = np.minimum(wide - x, high - y) * np.float32(1 / softness) + np.float32(0.5)
    return np.where(depth > 0, np.clip(inside, 0, 1), np.float32(0))


def studio(rng: np.random.Generator, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Softboxes in a dark or a white room."""
    room = rng.choice([0.02, 0.1, 0.5, 1.0])
    out = np.full((*size, 3), room, np.float32)
    out *= (0.7 + 0.3 * vectors(size)[..., 2:]).astype(np.float32)
    for _ in range(rng.integers(1, 5)):
        cover = rectangle(
            size, rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(15, 85)),
            np.deg2rad(rng.uniform(6, 28)), np.deg2rad(rng.uniform(4, 22)), 0.05,
        )  # fmt: skip
        kelvin = rng.uniform(-0.2, 0.2)
        color = np.array([1 + kelvin, 1, 1 - kelvin]) * rng.uniform(4, 25)
        out += tinted(cover, color)
    return out


def workshop(rng: np.random.Generator, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A room: walls, benches, a ceiling with tubes or lamps, perhaps windows."""
    v = vectors(size)
    half = np.array([rng.uniform(2, 7), rng.uniform(2, 7)], np.float32)
    top, bottom = rng.uniform(1.4, 4), -rng.uniform(0.8, 1.2)
    with np.errstate(divide="ignore"):
        reach = np.stack([
            half[0] / np.abs(v[..., 0]), half[1] / np.abs(v[..., 1]),
            np.where(v[..., 2] > 0, top, bottom).astype(np.float32) / v[..., 2],
        ])  # fmt: skip
    side = reach.argmin(0)
    place = v * reach.min(0)[..., None]
    wall = np.array(rng.uniform(0.12, 0.75)) * (1 + rng.normal(0, 0.06, 3))
    floor = np.array(rng.uniform(0.06, 0.35)) * (1 + rng.normal(0, 0.1, 3))
    ceiling = np.array(rng.uniform(0.3, 0.8)) * (1 + rng.normal(0, 0.03, 3))
    out = np.stack([wall, floor, ceiling]).astype(np.float32)[np.where(side == 2, 1 + (v[..., 2] > 0), 0)]
    for _ in range(rng.integers(3, 14)):  # shelves, boards, machines along the walls
        a, e = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(-20, 15))
        cover = rectangle(size, a, e, np.deg2rad(rng.uniform(2, 18)), np.deg2rad(rng.uniform(2, 14)))
        out = _laid(out, cover, rng.uniform(0.02, 0.6, 3))
    out *= np.float32(0.35)
    up = (side == 2) & (v[..., 2] > 0)
    tubes, pitch = rng.random() < 0.7, rng.uniform(1.0, 2.5)
    wide, long = (rng.uniform(0.05, 0.15), rng.uniform(0.5, 1.2)) if tubes else (rng.uniform(0.1, 0.3),) * 2
    x, y = (
        np.abs((place[..., 0] / pitch) % 1 - 0.5) * pitch,
        np.abs((place[..., 1] / (2 * pitch)) % 1 - 0.5) * 2 * pitch,
    )
    tint = np.array([1, rng.uniform(0.82, 1.0), rng.uniform(0.6, 1.05)])
    out += tinted(up & (x < wide) & (y < long), tint * rng.uniform(12, 40))
    for _ in range(rng.integers(0, 4)):
        a = rng.integers(0, 4) * np.pi / 2 + rng.uniform(-0.5, 0.5)
        shape = np.deg2rad([rng.uniform(4, 20), rng.uniform(5, 15)])
        cover = rectangle(size, a, np.deg2rad(rng.uniform(5, 25)), *shape)
        out = _laid(out, cover, np.array([0.8, 0.92, 1.1]) * rng.uniform(2, 14))
    return out


def _laid(room: np.ndarray, cover: np.ndarray, color: np.ndarray) -> np.ndarray:
    """(H, W, 3) float32: a colour laid over a room where `cover` (H, W) is 1."""
    return room * thrice(1 - cover) + tinted(cover, color)


LIGHTS = {"sky": sky, "studio": studio, "workshop": workshop}
SUFFIXES = (".exr", ".hdr")


def read(path: Path, size: tuple[int, int] = SIZE) -> np.ndarray:
    """An equirectangular EXR or HDR file at `size`. Raises a DataError naming it."""
    import mitsuba as mi  # its reader: OpenCV cannot read EXR

    from ..errors import DataError

    two_threads()
    try:
        raw = np.array(mi.Bitmap(str(path)).convert(mi.Bitmap.PixelFormat.RGB, mi.Struct.Type.Float32, False))
    except RuntimeError as error:
        raise DataError(
            f"{path}: not readable as an environment map: {' '.join(str(error).split())}"
        ) from error
    if not np.isfinite(raw).all():
        raw = np.nan_to_num(raw, nan=0.0, posinf=float(np.finfo(np.float16).max), neginf=0.0)
    return np.maximum(shrunk(raw, size), 0)
