"""Cut of clothes: which part of the body a garment covers, cut along hems, held off the skin and hung loose.

A garment says what it covers by a field over the neutral surface (negative: covered); its edge is the field's
zero, cut exactly through the triangles. Textures are laid out flat as a tailor would: across the body, with
the limbs hanging, the front left of the back.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from . import flesh
from .assets import Material
from .bones import INDEX, SIDES
from .figures import Figure
from .nets import normals_of

Rng = np.random.Generator
ACROSS_M, HIGH_M = 0.70, 1.56  # of the neutral body that a texture's half is wide, and all of it high


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
