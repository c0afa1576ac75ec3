"""A fist, bare or gloved, closed round the x axis, so that it can be put on a handle. Millimetres."""

import numpy as np

from . import surfaces
from .assets import Asset, Material
from .solids import (
    Solid,
    box_mapped,
    circle_angles,
    joined,
    part,
    pipe,
    rod,
    rotation,
    squircle,
)

Rng = np.random.Generator
ALONG = (1.0, 0.02, 0.03)  # the x axis, nearly: no finger points just along it
ROUND = np.ones(14)


def hand(rng: Rng) -> Asset:
    """A fist round the x axis, bare or gloved, its back towards -y, its forearm leaving towards -z."""
    size = rng.uniform(0.85, 1.1)
    hollow = rng.uniform(10, 19)  # radius of what is held
    finger = rng.uniform(8.0, 10.0) * size
    pieces = [_palm(rng, size, hollow, finger), _forearm(rng, size, hollow)]
    for k in range(4):
        thick = finger * (1.0, 1.05, 0.98, 0.85)[k] * rng.uniform(0.97, 1.03)
        x = (1.5 - k) * finger * 2.05
        reach = np.deg2rad(rng.uniform(205, 255) - 12 * (k == 3))
        pieces.append(_curled(x, hollow + thick * 0.9, thick, reach, rng.uniform(-3, 3)))
    pieces.append(_thumb(rng, size, hollow, finger))
    skin = box_mapped(joined(*pieces), 140.0)
    if rng.random() < 0.5:
        skin = skin.moved(rotation("z", 180))  # the other way along the handle
    return Asset("hand", None, np.empty((0, 3)), (part(skin, _skin(rng), angle=75.0),))


def _curled(x: float, radius: float, thick: float, reach: float, lean: float) -> Solid:
    """A finger round the x axis from the knuckles, which lie towards -y and +z."""
    count = 30
    t = np.linspace(0, 1, count)
    angle = np.deg2rad(152) - t * reach  # in the y z plane, over the top
    grow = radius * (1.35 - 0.35 * np.minimum(t * 3, 1))
    path = np.stack([x + lean * t, grow * np.cos(angle), grow * np.sin(angle)], 1)
    knuckles = 1 + 0.06 * np.cos(2 * np.pi * (t * 3 - 0.1))
    size = thick * knuckles * np.interp(t, [0, 0.85, 1], [1.08, 0.92, 0.86])
    tip = np.clip((1 - t) * reach * radius / thick, 0, 1)
    size = size * np.sqrt(np.clip(1 - (1 - tip) ** 2, 0.03, 1))
    return pipe(path, size, size, np.tile(ALONG, (count, 1)), ROUND)


def _palm(rng: Rng, size: float, hollow: float, finger: float) -> Solid:
    """The back of the hand, from the knuckles down to the wrist."""
    z = (
        np.array([14.0, 12, 7, -4, -22, -42, -58, -70]) * size
        + np.array([1, 1, 1, 1, 0, 0, 0, 0]) * hollow * 0.8
    )
    wide = np.array([2.4, 3.5, 4.1, 4.4, 4.3, 3.9, 3.3, 3.1]) * finger
    deep = np.array([4.0, 8, 10.5, 12, 14, 15, 15, 15]) * size
    back = -hollow - np.array([8.0, 9, 10, 12, 13, 14, 15, 16]) * size
    solid = rod(-z, wide, deep, squircle(circle_angles(30), 2.5), y=0.0, z=back)
    return solid.moved(_TO_HAND)


# a rod's x, y, z (down the arm, across the hand, its back) as the hand's -z, x, y
_TO_HAND = np.array([[0.0, -1, 0, 0], [0, 0, 1, 0], [-1, 0, 0, 0], [0, 0, 0, 1]])


def _forearm(rng: Rng, size: float, hollow: float) -> Solid:
    back = -hollow - 15 * size
    start = np.array([0.0, back, -40 * size])
    wrist = np.array([rng.uniform(-8, 8), back - rng.uniform(-4, 10), -90 * size])
    away = wrist + np.array([rng.uniform(-70, 70), rng.uniform(-70, 40), -rng.uniform(120, 210)])
    t = np.linspace(0, 1, 18)[:, None]
    path = start * (1 - t) ** 2 + 2 * t * (1 - t) * wrist + t**2 * away
    wide = size * np.interp(t[:, 0], [0, 0.25, 0.45, 1], [28, 28, 28, 42])
    deep = wide * np.interp(t[:, 0], [0, 0.4, 1], [0.55, 0.72, 0.9])
    return pipe(path, wide, deep, np.tile(ALONG, (len(path), 1)), ROUND)


def _thumb(rng: Rng, size: float, hollow: float, finger: float) -> Solid:
    """Across the front of the fingers, or along the handle."""
    r = hollow + finger * 0.9
    along = finger * rng.uniform(3.4, 4.2)
    over = rng.random() < 0.6
    start = (along * 0.75, -r * 1.15, -45 * size)
    if over:
        spots = np.array(
            [start, (along * 1.15, r * 0.6, -r * 2.0), (finger * rng.uniform(0.5, 2.2), r * 1.45, r * 0.2)]
        )
    else:
        spots = np.array([start, (along * 1.15, -r * 0.2, -r * 1.4), (along + 34 * size, r * 0.9, -r * 0.2)])
    t = np.linspace(0, 1, 24)[:, None]
    path = spots[0] * (1 - t) ** 2 + 2 * t * (1 - t) * spots[1] + t**2 * spots[2]
    width = finger * np.interp(t[:, 0], [0, 0.3, 0.6, 0.88, 0.96, 1.0], [1.9, 1.5, 1.15, 1.05, 0.7, 0.15])
    return pipe(path, width, width * 0.9, np.tile([0.9, 0.3, 0.2], (24, 1)), ROUND)


def _skin(rng: Rng) -> Material:
    if rng.random() < 0.22:  # a glove
        layers = surfaces.rubber(rng, surfaces.any_color(rng), (256, 256))
        layers.height += surfaces.noise(rng, (256, 256), (60, 60), 2)
        return layers.material(bump_m=0.0008)
    tone = rng.beta(1.3, 1.3)
    color = np.array([0.90, 0.70, 0.59]) * (1 - tone) + np.array([0.36, 0.23, 0.17]) * tone
    layers = surfaces.Layers(
        (256, 256), np.clip(color + rng.normal(0, 0.025, 3), 0, 1), rng.uniform(0.4, 0.6), 0.0
    )
    blush = surfaces.noise(rng, (256, 256), (5, 5), 3)
    layers.cover(blush * 0.35, np.clip(color * [1.02, 0.82, 0.8], 0, 1)).shade(
        surfaces.noise(rng, (256, 256), (40, 40), 3), 0.06
    )
    layers.height += surfaces.noise(rng, (256, 256), (50, 50), 3)
    return layers.material(bump_m=0.0004)
