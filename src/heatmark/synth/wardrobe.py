"""Clothes: parts of the body's surface, cut along hems, held off the skin, hung loose, dyed and printed.

A garment says which part of the body it covers by a field over the neutral surface (negative: covered); its
edge is the field's zero, cut exactly through the triangles. Textures are laid out flat as a tailor would:
across the body, with the limbs hanging, the front left of the back.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from . import flesh, surfaces
from .assets import Material
from .bones import INDEX, SIDES
from .figures import Figure, stretched
from .flesh import normals_of

Rng = np.random.Generator
TEXELS = 256
ACROSS_M, HIGH_M = 0.70, 1.56  # of the neutral body that a texture's half is wide, and all of it high
CLOTH = (  # sRGB, what most people wear
    (0.08, 0.08, 0.09), (0.93, 0.93, 0.92), (0.10, 0.13, 0.25), (0.35, 0.36, 0.38), (0.62, 0.62, 0.63),
    (0.76, 0.70, 0.58), (0.30, 0.24, 0.18), (0.20, 0.28, 0.42), (0.45, 0.55, 0.68), (0.28, 0.33, 0.24),
    (0.55, 0.13, 0.15), (0.85, 0.80, 0.72),
)  # fmt: skip
GAY = ((0.80, 0.10, 0.12), (0.95, 0.75, 0.10), (0.10, 0.55, 0.30), (0.10, 0.35, 0.75), (0.90, 0.45, 0.10),
       (0.85, 0.35, 0.55), (0.45, 0.20, 0.55), (0.20, 0.65, 0.70), (0.65, 0.85, 0.20), (0.95, 0.70,
       0.75))  # fmt: skip
DENIM = ((0.16, 0.21, 0.33), (0.27, 0.36, 0.50), (0.45, 0.55, 0.66), (0.10, 0.12, 0.17), (0.33, 0.40, 0.47))


@dataclass(frozen=True)
class Shell:
    """A piece of somebody's surface in the rest pose, before they take a stance."""

    vertices: np.ndarray  # (V, 3) metres
    faces: np.ndarray  # (F, 3)
    weights: np.ndarray  # (V, B)
    uv: np.ndarray  # (V, 2)
    material: Material


@dataclass(frozen=True)
class Layout:
    """What a tailor knows of every vertex of the neutral body."""

    along_arm: np.ndarray  # (V,) 0 shoulder, 1 elbow, 2 wrist; -0.3 where there is no arm
    along_leg: np.ndarray  # (V,) 0 hip, 1 knee, 2 ankle, more on the foot; -0.3 where there is no leg
    arm: np.ndarray  # (V,) how much of an arm it is, in [0, 1]
    across: np.ndarray  # (V,) metres to the left, the limbs hanging
    height: np.ndarray  # (V,) metres, the limbs hanging
    front: np.ndarray  # (V,) bool
    place: np.ndarray  # (V, 3) in the neutral rest pose


@lru_cache(maxsize=1)
def layout() -> Layout:
    skin, now = flesh.body(), flesh.neutral()
    v, w = skin.vertices, skin.weights
    across, height = v[:, 1].copy(), v[:, 2].copy()
    along = {"arm": np.full(len(v), -0.3), "leg": np.full(len(v), -0.3)}
    share = {"arm": np.zeros(len(v)), "leg": np.zeros(len(v))}
    for side in SIDES:
        for limb, chain in (("arm", ("arm", "forearm", "hand")), ("leg", ("thigh", "shin", "foot"))):
            ids = [INDEX[f"{side}_{b}"] for b in chain]
            own_share = w[:, ids].sum(1)
            share[limb] += own_share
            start = now.joints[ids[0]]
            down = np.zeros(len(v))
            hanging = np.zeros((len(v), 3))
            for k, i in enumerate(ids):
                own = (v - now.joints[i]) @ now.rotations[i]
                length = np.linalg.norm(now.joints[ids[min(k + 1, 2)]] - now.joints[i]) if k < 2 else 0.1
                down += w[:, i] * (k + np.clip(-own[:, 2] / length, -1, 1.2))
                top = start[2] - sum(
                    np.linalg.norm(now.joints[ids[j + 1]] - now.joints[ids[j]]) for j in range(k)
                )
                hanging += w[:, i, None] * (own + [0, start[1], top])
            mine = own_share > 0.35
            along[limb][mine] = (down / np.maximum(own_share, 1e-6))[mine]
            t = np.clip(own_share * 1.2, 0, 1)
            mean = hanging / np.maximum(own_share, 1e-6)[:, None]
            across = (1 - t) * across + t * mean[:, 1]
            height = (1 - t) * height + t * mean[:, 2]
    normals = normals_of(v, skin.faces)
    return Layout(along["arm"], along["leg"], share["arm"], across, height, normals[:, 0] > 0, v)


def clipped(vertices: np.ndarray, faces: np.ndarray, field: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Triangles cut along the zero of a field (V,) over their vertices; what is negative stays.

    Args:
        vertices: (V, D) anything that is interpolated along edges: places, weights, texture coordinates.
    """
    keep = field < 0
    inside = keep[faces].sum(1)
    whole, cut = faces[inside == 3], faces[(inside == 1) | (inside == 2)]
    alone = np.where((keep[cut].sum(1) == 1)[:, None], keep[cut], ~keep[cut]).argmax(1)  # the odd one out
    a, b, c = (np.take_along_axis(cut, ((alone + k) % 3)[:, None], 1)[:, 0] for k in range(3))
    t_ab, t_ac = (field[a] / (field[a] - field[o]) for o in (b, c))
    n = len(vertices)
    ab = n + np.arange(len(cut))
    ac = ab + len(cut)
    new = [vertices[a] + t[:, None] * (vertices[o] - vertices[a]) for t, o in ((t_ab, b), (t_ac, c))]
    single = keep[a]
    made = [
        whole,
        np.stack([a, ab, ac], 1)[single],
        np.stack([ab, b, c], 1)[~single],
        np.stack([ab, c, ac], 1)[~single],
    ]
    vertices = np.concatenate([vertices, *new])
    faces = np.concatenate(made)
    if not len(faces):
        return vertices[:0], faces
    # the two halves of a cut edge are one vertex
    edge = np.concatenate(
        [np.full(n, -1), np.minimum(a, b) * n + np.maximum(a, b), np.minimum(a, c) * n + np.maximum(a, c)]
    )
    edge[:n] = -1 - np.arange(n)
    _, first, again = np.unique(edge, return_index=True, return_inverse=True)
    faces = again.reshape(-1)[faces]
    used, faces = np.unique(faces, return_inverse=True)
    return vertices[first[used]], faces.reshape(-1, 3)


def shell(figure: Figure, held: np.ndarray, field: np.ndarray, material: Material) -> Shell:
    """What a field leaves of the body, its surface at `held` (V, 3), laid out on a texture."""
    lay, weights = layout(), figure.body.weights
    table = np.column_stack([held, weights, lay.across, lay.height, lay.front])
    table, faces = clipped(table, figure.body.faces, field)
    b = weights.shape[1]
    vertices, weights, (across, height, front) = table[:, :3], table[:, 3 : 3 + b], table[:, 3 + b :].T
    uv = np.column_stack([np.clip(across / ACROSS_M + 0.5, 0.01, 0.99) * 0.5, np.clip(height / HIGH_M, 0, 1)])
    looks_back = (front[faces].mean(1) < 0.5).astype(int)  # a face is wholly of the front or of the back
    key, index = np.unique(faces * 2 + looks_back[:, None], return_inverse=True)
    uv = uv[key // 2] + np.column_stack([0.5 * (key % 2), np.zeros(len(key))])
    return Shell(vertices[key // 2], index.reshape(-1, 3), weights[key // 2], uv, material)


# how cloth hangs


def hung(figure: Figure, loose: float, top_m: float) -> np.ndarray:
    """(V,) metres that cloth on the trunk stands off the skin because it hangs from what is wider above."""
    lay, skin = layout(), figure.body
    v = skin.vertices
    own = (lay.arm < 0.05) & (lay.along_leg < 0.9)
    x0 = float(np.median(v[own & (lay.place[:, 2] > 0.9), 0]))
    turn, radius = np.arctan2(v[:, 1], v[:, 0] - x0), np.hypot(v[:, 1], v[:, 0] - x0)
    around, up = 36, 40
    i = ((turn / (2 * np.pi) + 0.5) * around).astype(int) % around
    k = np.clip((lay.place[:, 2] - 0.45) / (top_m - 0.45) * up, 0, up - 1).astype(int)
    counts = own & (lay.place[:, 2] < top_m)
    widest = np.zeros((up, around))
    np.maximum.at(widest, (k[counts], i[counts]), radius[counts])
    for row in range(up):
        seen = widest[row] > 0
        if seen.any():
            widest[row] = np.interp(np.arange(around), np.flatnonzero(seen), widest[row][seen], period=around)
    widest = np.maximum.accumulate(widest[::-1], 0)[::-1]
    for shift in (1, 1):
        widest = 0.5 * widest + 0.25 * (np.roll(widest, shift, 1) + np.roll(widest, -shift, 1))
    gap = np.maximum(widest[k, i] - radius, 0)
    fade = np.clip((top_m - lay.place[:, 2]) / 0.08, 0, 1) * np.clip((0.3 - lay.arm) / 0.3, 0, 1)
    legs = np.clip(1 - np.maximum(lay.along_leg, 0) * 2.5, 0, 1)
    return flesh.smoothed(skin, loose * gap * fade * legs, 4)


def widened(figure: Figure, limb: str, radius_m: float, loose: float) -> np.ndarray:
    """(V,) metres that a straight sleeve or trouser leg of a radius stands off a shin or a forearm."""
    skin, made = figure.body, np.zeros(len(figure.body.vertices))
    for side in SIDES:
        i = INDEX[f"{side}_{limb}"]
        own = (skin.vertices - figure.rest.joints[i]) @ figure.rest.rotations[i]
        gap = np.maximum(radius_m - np.hypot(own[:, 0] + 0.006, own[:, 1]), 0)
        made += loose * gap * skin.weights[:, i]
    return made


def creases(rng: Rng, points: np.ndarray, height_m: float, waves: int = 6) -> np.ndarray:
    """(V,) metres: soft folds all over."""
    made = np.zeros(len(points))
    for _ in range(waves):
        way = rng.normal(size=3) * [1.0, 1.0, 0.7]
        way *= 2 * np.pi / (np.linalg.norm(way) * rng.uniform(0.05, 0.16))
        made += np.abs(np.sin(points @ way / 2 + rng.uniform(0, 6))) - 0.64
    return made * height_m / np.sqrt(waves)


# the cutter's fields: negative where a garment covers the body


def neckline(kind: str, deep: float) -> np.ndarray:
    """(V,) metres above a neckline; `deep` lowers it in front."""
    x, y, z = layout().place.T
    edge, wide = 1.452 - 0.42 * (x + 0.03), 0.088
    ahead = np.clip((x + 0.02) / 0.06, 0, 1)
    if kind == "v":
        edge = edge - ahead * np.maximum(deep - 1.6 * np.abs(y), 0)
    elif kind == "wide":
        edge, wide = edge - ahead * deep * 0.7, 0.088 + 0.5 * deep
    elif kind == "high":
        edge = edge + 0.045
    elif kind == "straps":
        edge, wide = edge - (0.3 + 0.7 * ahead) * (0.04 + deep), 0.105
    return np.where(layout().arm > 0.6, -1.0, np.minimum(z - edge, wide - np.hypot(x + 0.03, y)))


def sleeves(length: float) -> np.ndarray:
    """(V,) beyond a sleeve that ends so far down the arm (0 shoulder, 1 elbow, 2 wrist); below 0 there is
    none.
    """
    lay = layout()
    if length < 0:
        return np.maximum((lay.arm - 0.5) * 0.1, np.abs(lay.place[:, 1]) - 0.155)
    return (lay.along_arm - length) * 0.28


def above(height_m: float, slant: float = 0.0) -> np.ndarray:
    """(V,) metres below a hem: negative above it."""
    lay = layout()
    return np.where(lay.arm > 0.5, -1.0, height_m + slant * lay.place[:, 0] - lay.place[:, 2])


def legs(waist_m: float, length: float) -> np.ndarray:
    """(V,) outside trousers from a waist down to so far along the leg (1 knee, 2 ankle)."""
    lay = layout()
    covered = np.maximum(lay.place[:, 2] - waist_m - 0.08 * -lay.place[:, 0], (lay.along_leg - length) * 0.42)
    return np.where(lay.arm > 0.5, 1.0, covered)


# what cloth looks like


@lru_cache(maxsize=1)
def _sheet() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(across, height, front) of every texel, metres, as `shell` lays a texture."""
    u, v = np.meshgrid((np.arange(TEXELS) + 0.5) / TEXELS, 1 - (np.arange(TEXELS) + 0.5) / TEXELS)
    front = u < 0.5
    return (np.where(front, u, u - 0.5) * 2 - 0.5) * ACROSS_M, v * HIGH_M, front


def dye(rng: Rng, gay: float = 0.35) -> np.ndarray:
    """A colour of cloth, (3,) sRGB."""
    chosen = GAY if rng.random() < gay else CLOTH
    return np.clip(
        np.array(chosen[rng.integers(len(chosen))]) * rng.uniform(0.8, 1.1) + rng.normal(0, 0.03, 3),
        0.03,
        0.96,
    )


def woven(rng: Rng, color: np.ndarray, folds: float = 1.0) -> surfaces.Layers:
    """Plain cloth: a weave, folds, a little uneven dye."""
    size = (TEXELS, TEXELS)
    layers = surfaces.Layers(size, color, rng.uniform(0.7, 0.95), 0.0)
    folded = surfaces.noise(rng, size, (9, 26), 2)
    layers.shade(surfaces.noise(rng, size, (90, 90), 1), rng.uniform(0.02, 0.08)).shade(
        surfaces.noise(rng, size, (5, 5), 3), 0.035
    )
    layers.shade(folded, 0.04 * folds)
    layers.height += folds * folded
    return layers


def top_material(rng: Rng, printed: bool = True) -> Material:
    """A shirt's cloth: plain, striped, checked, in two colours, with a print on the chest."""
    p, q, front = _sheet()
    color = dye(rng)
    layers, other = woven(rng, color), dye(rng, 0.5)
    kind = rng.choice(
        ["plain", "stripes", "checks", "blocks", "upright", "spots"], p=[0.50, 0.16, 0.11, 0.12, 0.05, 0.06]
    )
    pitch, part = rng.uniform(0.02, 0.11), rng.uniform(0.25, 0.6)
    if kind == "stripes":
        layers.cover(((q / pitch) % 1 < part).astype(np.float32), other)
    elif kind == "upright":
        layers.cover(((p / (pitch * 0.5)) % 1 < part * 0.5).astype(np.float32), other)
    elif kind == "checks":
        lines = ((q / pitch) % 1 < part).astype(np.float32) + ((p / pitch) % 1 < part)
        layers.cover(lines * 0.45, other).cover(
            (((q / pitch) % 1 < 0.07) | ((p / pitch) % 1 < 0.07)) * 0.5, dye(rng)
        )
    elif kind == "blocks":
        edge = rng.choice([1.25, 1.15, 1.34])
        layers.cover(((q > edge) | ((np.abs(p) > 0.20) & (rng.random() < 0.5))).astype(np.float32), other)
    elif kind == "spots":
        x, y = p / pitch, q / pitch + 0.5 * (np.floor(p / pitch) % 2)
        layers.cover((np.hypot(x % 1 - 0.5, y % 1 - 0.5) < rng.uniform(0.15, 0.33)).astype(np.float32), other)
    if printed and rng.random() < 0.4:
        _print(rng, layers)
    if rng.random() < 0.2:  # buttons down the front
        layers.cover(front * (np.abs(p) < 0.004) * 0.5, color * 0.55)
        layers.cover(
            front * (np.hypot(p * 1.6, (q / 0.085) % 1 * 0.085 - 0.04) < 0.009) * 0.9, (0.9, 0.88, 0.85)
        )
    return layers.material(bump_m=0.004 * rng.uniform(0.2, 1.0))


def _print(rng: Rng, layers: surfaces.Layers) -> None:
    """A word, a number, a badge or a picture on the chest, or a number on the back too."""
    p, q, front = _sheet()
    ink, at, size = dye(rng, 0.7), rng.uniform(1.18, 1.30), rng.uniform(0.05, 0.13)
    kind = rng.choice(["word", "number", "badge", "picture"])
    box = (2 * size * 1.6 / ACROSS_M * 0.5, size / HIGH_M * (1.0 if kind == "word" else 1.8))
    if kind in ("word", "number"):
        text = str(rng.choice(surfaces.BRANDS)) if kind == "word" else str(rng.integers(1, 99))
        for u in (0.25, 0.75) if kind == "number" else (0.25,):
            layers.cover(surfaces.letters(layers.size, text, (u, 1 - at / HIGH_M), box), ink)
    elif kind == "badge":
        y = rng.choice([0.07, -0.07, 0.0])
        layers.cover(front * (np.hypot(p - y, q - 1.30) < 0.035).astype(np.float32), ink)
    else:
        here = front & (np.abs(p) < size) & (np.abs(q - at) < size * 1.1)
        patch = surfaces.noise(rng, layers.size, (50, 70), 3)
        layers.cover(here * (patch > 0.5).astype(np.float32), ink).cover(
            here * (patch < 0.4).astype(np.float32), dye(rng, 0.8)
        )


def bottom_material(rng: Rng) -> Material:
    """Denim or other cloth for legs, with a waistband, pockets and a fly."""
    p, q, front = _sheet()
    denim = rng.random() < 0.42
    color = np.array(DENIM[rng.integers(len(DENIM))]) * rng.uniform(0.85, 1.1) if denim else dye(rng, 0.12)
    layers = woven(rng, np.clip(color, 0.02, 0.95))
    if denim:
        faded = np.exp(-(((np.abs(p) - 0.09) / 0.05) ** 2)) * np.exp(-(((q - 0.62) / 0.25) ** 2))
        layers.cover(
            0.35 * faded * surfaces.noise(rng, layers.size, (12, 12)),
            np.clip(color * 1.9 + 0.1, 0, 1),
        )
    if rng.random() < 0.15:  # a sportsman's stripe down the side
        layers.cover((np.abs(np.abs(p) - 0.172) < 0.010).astype(np.float32), dye(rng, 0.5))
    seam = np.clip(color * 0.6, 0, 1)
    layers.cover(front * (np.abs(p) < 0.003) * (q > 0.84) * 0.6, seam)
    layers.cover(
        front * (np.abs(q - 0.98 + 0.5 * (np.abs(p) - 0.09)) < 0.004) * (np.abs(p) > 0.06) * 0.6, seam
    )
    layers.cover(~front * (np.abs(np.abs(p) - 0.085) < 0.05) * (np.abs(q - 0.90) < 0.06) * 0.12, seam)
    if rng.random() < 0.45:  # a belt
        layers.cover(
            ((q > 1.000) & (q < 1.035)).astype(np.float32),
            rng.choice([0.05, 0.2, 0.4]) * np.array([1.0, 0.7, 0.45]),
            0.4,
        )
        layers.cover(
            front * ((np.abs(p) < 0.02) & (q > 0.998) & (q < 1.037)).astype(np.float32),
            (0.75, 0.73, 0.68),
            0.25,
            0.9,
        )
    return layers.material(bump_m=0.004 * rng.uniform(0.2, 1.0))


def shoe_material(rng: Rng) -> Material:
    p, q, front = _sheet()
    color = dye(rng, 0.3)
    layers = surfaces.Layers((TEXELS, TEXELS), color, rng.uniform(0.35, 0.8), 0.0)
    sole = rng.choice([0.92, 0.1, 0.35]) * np.ones(3)
    layers.cover((q < rng.uniform(0.012, 0.022)).astype(np.float32), sole)
    if rng.random() < 0.5:
        layers.cover((np.abs(q - 0.045) < 0.006).astype(np.float32), dye(rng, 0.5))
    return layers.material()


# garments


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
        stretched(points, weights, figure.build), faces, weights, np.clip(uv, 0.01, 0.49), _skirt_cloth(rng)
    )


def _skirt_cloth(rng: Rng) -> Material:
    return (
        top_material(rng, printed=False) if rng.random() < 0.6 else woven(rng, dye(rng, 0.3)).material(0.004)
    )
