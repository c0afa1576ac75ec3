"""What people wear: shirts, trousers, jackets, skirts and shoes, cut by `tailoring` out of `cloth`."""

from dataclasses import dataclass

import numpy as np

from .assets import Material
from .bones import INDEX, SIDES
from .cloth import bottom_material, shoe_material, skirt_material, top_material
from .figures import Figure, stretched
from .nets import normals_of
from .tailoring import (
    ACROSS_M,
    HIGH_M,
    Shell,
    above,
    creases,
    hung,
    layout,
    legs,
    neckline,
    shell,
    sleeves,
    widened,
)

Rng = np.random.Generator


@dataclass(frozen=True)
class Outfit:
    """Everything somebody wears below the neck, and what of the body is left to see."""

    shells: tuple[Shell, ...]
    bare: np.ndarray  # (V,) field over the body: negative where skin shows


Cut = tuple[np.ndarray, np.ndarray]  # (field, metres off the skin)


def outfit(rng: Rng, figure: Figure, stance: str) -> Outfit:
    """Clothes for a figure, as people wear them."""
    female = figure.build.male < 0.5
    spread = stance not in ("standing", "walking", "sitting", "kneeling", "bending")
    skirted = female and not spread and rng.random() < 0.3
    warm = rng.random() < 0.25
    skin = figure.body
    normals = normals_of(skin.vertices, skin.faces)
    shells, covered = [], []

    def wear(field: np.ndarray, off: np.ndarray, material: Material) -> None:
        held = skin.vertices + normals * off[:, None] * (0.35 + 0.65 * figure.build.stature_m / 1.75)
        shells.append(shell(figure, held, field, material))
        covered.append(field + 0.03)

    tucked = rng.random() < 0.25
    if skirted:
        shells.append(skirt(rng, figure))
        covered.append(legs(1.02, 0.38))
        tucked = True
    else:
        field, off = trousers(rng, figure)
        wear(field, off, bottom_material(rng))
    field, off = shirt(rng, figure, tucked, warm)
    wear(field, off + (0.0 if tucked else 0.008), top_material(rng))
    if warm or rng.random() < 0.13:
        field, off = jacket(rng, figure, off)
        wear(field, off, top_material(rng, printed=False))
    if rng.random() < 0.94:
        field, off = shoes(rng, figure)
        wear(field, off, shoe_material(rng))
    return Outfit(tuple(shells), bare=-np.min(covered, 0))


def shirt(rng: Rng, figure: Figure, tucked: bool, warm: bool) -> Cut:
    """A T-shirt, a top, a shirt or a pullover."""
    female = figure.build.male < 0.5
    long = (
        1.93
        if warm or rng.random() < 0.3
        else rng.choice([rng.uniform(0.45, 0.75), -1.0, 1.3], p=[0.78, 0.16, 0.06])
    )
    kinds = {
        "crew": 5,
        "v": 2,
        "high": 1.5 if long > 1 else 0.2,
        "wide": 1.5 * female,
        "straps": 3.0 * female * (long < 0),
    }
    kind = list(kinds)[int(rng.choice(len(kinds), p=np.array(list(kinds.values())) / sum(kinds.values())))]
    hem = 1.0 if tucked else rng.uniform(0.84, 0.97)
    if female and not tucked and rng.random() < 0.12:
        hem = rng.uniform(1.08, 1.16)
    field = np.max([neckline(kind, rng.uniform(0.03, 0.10)), sleeves(long), above(hem)], 0)
    loose = float(rng.beta(1.6, 1.6)) * (0.5 if long < 0 else 0.95)
    ease = 0.005 + 0.012 * loose
    off = ease + hung(figure, loose, 1.32) + creases(rng, figure.body.vertices, 0.0025 + 0.004 * loose)
    if 0 < long < 1.2:  # a short sleeve stands off the arm at its end
        off = off + loose * 0.02 * np.clip(layout().along_arm / long, 0, 1)
    else:
        off = off + widened(figure, "forearm", 0.055 * figure.build.stature_m / 1.75, loose * 0.8)
    return field, np.maximum(off, 0.004)


def trousers(rng: Rng, figure: Figure) -> Cut:
    """Trousers, jeans, leggings, shorts."""
    short = rng.random() < 0.28
    length = rng.uniform(0.5, 1.05) if short else rng.uniform(1.82, 1.97)
    field = legs(rng.uniform(1.01, 1.045), length)
    tight = rng.random() < (0.45 if figure.build.male < 0.5 else 0.12)
    loose = rng.uniform(0, 0.15) if tight else rng.uniform(0.35, 1.0)
    size = figure.build.stature_m / 1.75
    off = 0.005 + 0.009 * loose + creases(rng, figure.body.vertices, 0.002 + 0.005 * loose)
    off = (
        off
        + widened(figure, "shin", rng.uniform(0.068, 0.088) * size, loose)
        + hung(figure, 0.5 * loose, 0.93)
    )
    if short:
        off = off + loose * 0.022 * np.clip(layout().along_leg / length, 0, 1)
    return field, np.maximum(off, 0.004)


def jacket(rng: Rng, figure: Figure, below: np.ndarray) -> Cut:
    """A jacket or a coat, open or closed, over a shirt that stands `below` off the skin."""
    x, y, z = layout().place.T
    hem = rng.uniform(0.78, 0.95)
    field = np.max([neckline("high", 0) - 0.01, sleeves(1.95), above(hem)], 0)
    if rng.random() < 0.6:
        gap = rng.uniform(0.02, 0.09) + 0.05 * np.clip(1.2 - z, -0.2, 0.4)
        field = np.where(x > 0, np.maximum(field, gap - np.abs(y)), field)
    puffed = 0.010 * np.abs(np.sin(z * np.pi / 0.06)) if rng.random() < 0.25 else 0.0
    off = (
        np.maximum(below + 0.008, 0.018)
        + rng.uniform(0.004, 0.014)
        + puffed
        + creases(rng, figure.body.vertices, 0.005)
    )
    off = (
        off
        + 0.5 * hung(figure, 0.9, 1.34)
        + widened(figure, "forearm", 0.062 * figure.build.stature_m / 1.75, 0.9)
    )
    return field, np.maximum(off, below + 0.008)


def shoes(rng: Rng, figure: Figure) -> Cut:
    """Shoes or boots, with soles."""
    lay = layout()
    high = 1.80 if rng.random() < 0.15 else rng.uniform(1.93, 1.99)
    field = np.where(lay.along_leg > 0, (high - lay.along_leg) * 0.42, 1.0)
    off = 0.007 + 0.012 * np.clip((0.03 - lay.place[:, 2]) / 0.03, 0, 1)
    return field, off


def skirt(rng: Rng, figure: Figure) -> Shell:
    """A cone round both legs, from the waist to above or below the knee."""
    rows, around = 26, 48
    hem = rng.choice([rng.uniform(0.52, 0.72), rng.uniform(0.25, 0.5)], p=[0.75, 0.25])
    flare, z = rng.uniform(0.05, 0.32), np.linspace(1.035, hem, rows)
    turn = np.linspace(0, 2 * np.pi, around, endpoint=False)
    half_b = np.interp(
        z, [0.3, 0.5, 0.75, 0.85, 0.92, 1.0, 1.05], [0.185, 0.185, 0.19, 0.185, 0.178, 0.158, 0.150]
    )
    half_a = np.interp(
        z, [0.3, 0.5, 0.75, 0.85, 0.92, 1.0, 1.05], [0.085, 0.095, 0.112, 0.122, 0.124, 0.110, 0.104]
    )
    out = np.maximum(0.92 - z, 0) * flare + 0.012
    pleats = rng.integers(6, 16)
    fold = 0.018 * np.clip((0.98 - z) / 0.3, 0, 1)[:, None] * np.sin(pleats * turn + rng.uniform(0, 6))[None]
    x = (half_a + out)[:, None] * np.cos(turn) + fold * np.cos(turn) - 0.010
    y = (half_b + out)[:, None] * np.sin(turn) + fold * np.sin(turn)
    points = np.stack([x, y, np.broadcast_to(z[:, None], x.shape)], -1).reshape(-1, 3)
    weights = np.zeros((len(points), len(INDEX)))
    leg = np.clip((0.97 - points[:, 2]) / 0.22, 0, 1) * 0.92
    left = 1 / (1 + np.exp(-points[:, 1] / 0.055))
    weights[:, INDEX["pelvis"]] = 1 - leg
    low = np.clip((0.55 - points[:, 2]) / 0.2, 0, 1) * 0.5
    for side, share in zip(SIDES, (left, 1 - left)):
        weights[:, INDEX[f"{side}_thigh"]] = leg * share * (1 - low)
        weights[:, INDEX[f"{side}_shin"]] = leg * share * low
    i, j = np.meshgrid(np.arange(rows - 1) * around, np.arange(around), indexing="ij")
    k = (j + 1) % around
    a, b, c, d = ((m).ravel() for m in (i + j, i + k, i + around + k, i + around + j))
    faces = np.concatenate([np.stack([a, d, c], 1), np.stack([a, c, b], 1)])
    uv = np.column_stack([0.25 + points[:, 1] / ACROSS_M * 0.5, points[:, 2] / HIGH_M])
    return Shell(
        stretched(points, weights, figure.build), faces, weights, np.clip(uv, 0.01, 0.49), skirt_material(rng)
    )
