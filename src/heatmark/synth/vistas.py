"""What people stand before: streets, parks and rooms, painted all round the horizon from nothing.

A vista is a band (H, W, 3) uint8 sRGB: columns go round from azimuth 0, rows fall from TOP_DEG to BOTTOM_DEG
of elevation. What is painted reaches below the horizon, so that it meets the ground where that ends.
"""

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np

from . import surfaces

Rng = np.random.Generator
TOP_DEG, BOTTOM_DEG, PER_DEGREE = 52.0, -14.0, 3
SIZE = (int((TOP_DEG - BOTTOM_DEG) * PER_DEGREE), 360 * PER_DEGREE)  # (H, W)


def seen(rng: Rng, towards: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8: a vista as seen along unit vectors (H, W, 3)."""
    band = vista(rng)
    u = np.arctan2(towards[..., 1], towards[..., 0]) / (2 * np.pi) % 1 * SIZE[1]
    v = (TOP_DEG - np.rad2deg(np.arcsin(np.clip(towards[..., 2], -1, 1)))) * PER_DEGREE
    u, v = (np.asarray(a - 0.5, np.float32) for a in (u, np.clip(v, 0.5, SIZE[0] - 0.5)))
    wide = np.concatenate([band, band[:, :8]], 1)
    return cv2.remap(wide, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def vista(rng: Rng) -> np.ndarray:
    """Any vista, sharp to out of focus."""
    names = list(VISTAS)
    picture = np.clip(VISTAS[names[rng.integers(len(names))]](rng), 0, 1)
    soft = rng.choice([0.0, rng.uniform(0.5, 5.0)], p=[0.3, 0.7])
    if soft > 0.3:
        n = SIZE[1]
        picture = cv2.GaussianBlur(
            np.concatenate([picture[:, -40:], picture, picture[:, :40]], 1), (0, 0), soft
        )
        picture = picture[:, 40 : 40 + n]
    return (picture * 255 + 0.5).astype(np.uint8)


@lru_cache(maxsize=1)
def _elevation() -> np.ndarray:
    """(H, 1) degrees of every row."""
    return (TOP_DEG - (np.arange(SIZE[0]) + 0.5) / PER_DEGREE)[:, None].astype(np.float32)


def _row(elevation: float) -> int:
    return int(np.clip((TOP_DEG - elevation) * PER_DEGREE, 0, SIZE[0]))


def _sky(rng: Rng) -> np.ndarray:
    up = np.clip(_elevation() / 50, 0, 1)[..., None]
    blue = np.array([rng.uniform(0.25, 0.5), rng.uniform(0.5, 0.65), rng.uniform(0.75, 0.92)])
    pale = np.array([0.85, 0.88, 0.9]) * rng.uniform(0.85, 1.08)
    picture = (pale + (blue - pale) * up**0.7) * np.ones((*SIZE, 3))
    cloud = surfaces.above(surfaces.noise(rng, SIZE, (5, 14), 5), rng.uniform(0.3, 0.75), 0.3)[..., None]
    return (picture + cloud * (rng.uniform(0.7, 0.97) - picture) * 0.8).astype(np.float32)


def _block(
    picture: np.ndarray, left: float, right: float, top: float, base: float, color
) -> tuple[slice, slice]:
    """Paints a rectangle, all in degrees, and gives its place."""
    at = np.s_[
        _row(top) : _row(base),
        int(left * PER_DEGREE) : max(int(right * PER_DEGREE), int(left * PER_DEGREE) + 1),
    ]
    picture[at] = color
    return at


def _ground(rng: Rng, picture: np.ndarray, color: np.ndarray) -> None:
    below = _elevation()[:, 0] < -1.0
    shade = 0.85 + 0.3 * surfaces.noise(rng, SIZE, (10, 40), 3)[below]
    picture[below] = color * shade[..., None]


def _trees(rng: Rng, picture: np.ndarray, count: int, tall: tuple[float, float]) -> None:
    """Crowns of leaves on trunks."""
    leaf, fine = surfaces.noise(rng, SIZE, (26, 140), 3), surfaces.noise(rng, SIZE, (8, 40), 3)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float32)
    for _ in range(count):
        at, high = rng.uniform(0, 360), rng.uniform(*tall)
        wide, base = high * rng.uniform(0.3, 0.7), rng.uniform(-4, -1.5)
        trunk = np.array([0.25, 0.19, 0.14]) * rng.uniform(0.6, 1.3)
        _block(picture, at - high * 0.03, at + high * 0.03, high * 0.6, base, trunk)
        columns = np.s_[:, max(int((at - wide) * PER_DEGREE), 0) : int((at + wide) * PER_DEGREE) + 1]
        away = np.hypot(
            (x[columns] / PER_DEGREE - at) / wide,
            (y[columns] - _row(high * 0.62)) / (high * 0.42 * PER_DEGREE),
        )
        cover = np.clip((1.0 - away + 0.7 * (fine[columns] - 0.5) + 0.5 * (leaf[columns] - 0.5)) * 8, 0, 1)[
            ..., None
        ]
        green = np.array([rng.uniform(0.12, 0.35), rng.uniform(0.25, 0.42), rng.uniform(0.08, 0.18)])
        lit = (0.5 + 0.9 * leaf[columns] + 0.25 * (_row(high * 0.62) - y[columns]) / (high * PER_DEGREE))[
            ..., None
        ]
        picture[columns] += cover * (green * lit - picture[columns])


def street(rng: Rng) -> np.ndarray:
    """Houses with windows and shops, trees, cars."""
    picture = _sky(rng)
    _ground(rng, picture, np.full(3, rng.uniform(0.25, 0.6)) + rng.normal(0, 0.02, 3))
    at = 0.0
    while at < 360:
        wide, high = rng.uniform(8, 34), rng.uniform(7, 42)
        if rng.random() < 0.85:
            _house(rng, picture, at, min(at + wide, 360), high)
        at += wide
    _trees(rng, picture, int(rng.integers(0, 7)), (8, 26))
    for _ in range(int(rng.integers(0, 9))):
        left, long, tall = rng.uniform(0, 350), rng.uniform(6, 12), rng.uniform(1.6, 3.2)
        paint = np.array(surfaces.any_color(rng))
        _block(picture, left, left + long, tall * 0.45 - 2, -3.2, paint)
        _block(picture, left + long * 0.2, left + long * 0.8, tall - 2, tall * 0.45 - 2, paint * 0.8)
        _block(
            picture,
            left + long * 0.25,
            left + long * 0.75,
            tall * 0.9 - 2,
            tall * 0.5 - 2,
            (0.12, 0.14, 0.17),
        )
        for wheel in (0.2, 0.8):
            _block(
                picture, left + long * wheel - 0.7, left + long * wheel + 0.7, -2.7, -3.9, (0.06, 0.06, 0.06)
            )
    return picture


def _house(rng: Rng, picture: np.ndarray, left: float, right: float, high: float) -> None:
    base = np.array(
        [[0.72, 0.66, 0.56], [0.55, 0.30, 0.24], [0.80, 0.79, 0.76], [0.45, 0.46, 0.48], [0.62, 0.55, 0.45]]
    )
    color = np.clip(base[rng.integers(5)] * rng.uniform(0.6, 1.15) + rng.normal(0, 0.03, 3), 0.05, 0.95)
    at = _block(picture, left, right, high, -3.5, color)
    grain = surfaces.noise(rng, SIZE, (40, 160), 2)[at]
    picture[at] *= (0.9 + 0.2 * grain)[..., None]
    glass = np.array([0.2, 0.25, 0.32]) * rng.uniform(0.5, 2.2)
    step, floor = rng.uniform(1.6, 4.0), rng.uniform(2.2, 5.0)
    part, tall = rng.uniform(0.35, 0.75), rng.uniform(0.45, 0.75)
    for bottom in np.arange(floor * 0.9, high - floor * tall, floor):
        for x in np.arange(left + step * 0.3, right - step * part, step):
            _block(picture, x, x + step * part, bottom + floor * tall, bottom, glass * rng.uniform(0.6, 1.4))
    if rng.random() < 0.6:  # a shop: a wide window under a sign
        _block(picture, left + 0.8, right - 0.8, 2.2, -2.4, glass * rng.uniform(0.6, 1.6))
        _block(picture, left + 0.8, right - 0.8, 3.0, 2.2, surfaces.any_color(rng))
    for x in (left, right - 0.4):
        _block(picture, x, x + 0.4, high, -3.5, color * 0.7)


def park(rng: Rng) -> np.ndarray:
    """Trees and hedges over grass, sand or water; perhaps hills."""
    picture = _sky(rng)
    grass = np.array([rng.uniform(0.2, 0.45), rng.uniform(0.35, 0.5), rng.uniform(0.1, 0.25)])
    if rng.random() < 0.6:  # hills
        ridge = surfaces.noise(rng, (1, SIZE[1]), (1, 5), 4)[0] * rng.uniform(3, 14) + 1
        hill = (grass * 0.5 + np.array([0.35, 0.42, 0.5]) * 0.5) * rng.uniform(0.8, 1.2)
        picture[_elevation() < ridge] = hill
    _ground(rng, picture, grass if rng.random() < 0.75 else np.array([0.76, 0.69, 0.55]))
    for height in (rng.uniform(3, 9), rng.uniform(1, 4)):
        if rng.random() < 0.75:
            ridge = surfaces.noise(rng, (1, SIZE[1]), (1, 60), 4)[0] * height + rng.uniform(-2, 1)
            leaf = surfaces.noise(rng, SIZE, (40, 200), 3)[..., None]
            where = (_elevation() < ridge) & (_elevation() > -3)
            picture[where] = (grass * rng.uniform(0.35, 0.8) * (0.6 + 0.8 * leaf))[where]
    _trees(rng, picture, int(rng.integers(3, 16)), (7, 34))
    if rng.random() < 0.25:
        for x in np.arange(0, 360, rng.uniform(3, 6)):  # a fence
            _block(picture, x, x + 0.35, 1.6, -3.5, (0.35, 0.28, 0.2))
        _block(picture, 0, 360, 1.2, 0.9, (0.35, 0.28, 0.2))
    return picture


def room(rng: Rng) -> np.ndarray:
    """Four walls with windows, doors, pictures, shelves, a ceiling."""
    wall = np.clip(rng.uniform(0.3, 0.92) + rng.normal(0, 0.05, 3), 0.1, 0.97)
    picture = np.broadcast_to(wall, (*SIZE, 3)).astype(np.float32).copy()
    picture *= (0.92 + 0.12 * surfaces.noise(rng, SIZE, (4, 14), 3))[..., None]
    _ground(
        rng,
        picture,
        np.clip(np.array([0.55, 0.42, 0.30]) * rng.uniform(0.4, 1.4) + rng.normal(0, 0.05, 3), 0.05, 0.95),
    )
    ceiling, turn = rng.uniform(14, 40), np.arange(SIZE[1]) / SIZE[1] * 2 * np.pi
    line = ceiling * (0.8 + 0.2 * np.abs(np.cos(2 * turn + rng.uniform(0, 3))))
    picture[_elevation() > line] = np.clip(rng.uniform(0.6, 0.98) + rng.normal(0, 0.01, 3), 0, 1)
    for corner in rng.uniform(0, 90) + np.array([0, 90, 180, 270]):
        shade = 1 - 0.16 * np.exp(-np.abs((np.arange(SIZE[1]) / PER_DEGREE - corner + 180) % 360 - 180) / 9)
        picture *= shade[None, :, None]
    _block(picture, 0, 360, -2.0, -3.2, wall * 0.7)
    for _ in range(int(rng.integers(4, 16))):
        left, wide = rng.uniform(0, 340), rng.uniform(3, 20)
        kind = rng.choice(["window", "door", "picture", "shelf", "cupboard"])
        if kind == "window":
            at = _block(picture, left, left + wide, rng.uniform(8, ceiling * 0.8), rng.uniform(0, 4), 0.0)
            picture[at] = (_sky(rng)[at] if rng.random() < 0.6 else rng.uniform(0.85, 1.0, 3)) * 1.0
            for x in np.linspace(left, left + wide, int(rng.integers(2, 5))):
                _block(picture, x, x + 0.4, 12, 2, np.full(3, rng.uniform(0.5, 0.95)))
        elif kind == "door":
            _block(
                picture,
                left,
                left + rng.uniform(6, 9),
                rng.uniform(7, 12),
                -3.2,
                surfaces.any_color(rng) * 0.8,
            )
        elif kind == "picture":
            at = _block(
                picture,
                left,
                left + wide * 0.4,
                rng.uniform(5, 12),
                rng.uniform(1, 4),
                surfaces.any_color(rng),
            )
            picture[at] *= (0.5 + surfaces.noise(rng, SIZE, (20, 100), 3)[at])[..., None]
        elif kind == "shelf":
            top = rng.uniform(3, 13)
            _block(picture, left, left + wide, top, -3.2, np.array([0.5, 0.4, 0.3]) * rng.uniform(0.3, 1.7))
            for z in np.arange(-2.6, top - 1.5, rng.uniform(1.8, 3.5)):
                _block(picture, left + 0.4, left + wide - 0.4, z + 1.5, z, np.full(3, 0.12))
                for x in np.arange(left + 0.5, left + wide - 0.8, rng.uniform(0.4, 1.1)):
                    _block(picture, x, x + 0.4, z + rng.uniform(0.7, 1.4), z, surfaces.any_color(rng))
        else:
            _block(
                picture,
                left,
                left + wide,
                rng.uniform(0, 6),
                -3.4,
                np.clip(rng.uniform(0.15, 0.9, 3) * 0.4 + 0.3 * rng.random(), 0, 1),
            )
    return picture


VISTAS: dict[str, Callable[[Rng], np.ndarray]] = {"street": street, "park": park, "room": room}
