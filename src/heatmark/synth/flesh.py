"""Flesh on the bones: one neutral surface, made once, that every figure is stretched from.

Each bone carries lofts: elliptic sections along it, in millimetres at a stature of 1.75 m. Their signed
distances are joined smoothly (a soft minimum), and surface nets (Gibson 1998) lay a mesh on the zero level:
coarse for the body, fine for head and hands. The same distances say how much each bone moves a vertex. What
tells one body from another is a stretch of each bone's flesh and a few bulges; a mesh's topology never
changes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .bodies import NEUTRAL_M, Build, offsets
from .bones import BONES, INDEX, SIDES, Posed, posed, swung
from .nets import neighbours, surface_nets

MM = 0.001
REST = {  # arms out and a little down, legs apart: no flesh touches other flesh
    f"{side}_{bone}": rotation
    for side, mirror in zip(SIDES, (1, -1))
    for bone, rotation in {
        "arm": swung(90, 52, mirror=mirror), "thigh": swung(90, 7, mirror=mirror),
        "foot": swung(90, -7, mirror=mirror),
    }.items()
}  # fmt: skip


@dataclass(frozen=True)
class Loft:
    """Elliptic sections along an axis of a bone."""

    bone: str
    axis: str  # "up", "down", "ahead" or "aside": the way its stations run, in the bone's own axes
    rows: tuple[tuple[float, ...], ...]  # station, half sizes a and b, middle along a (0) and b (0); mm
    caps: tuple[float, float] = (20, 20)  # how far the round ends reach beyond the first and the last row, mm
    at: tuple[float, float, float] = (0, 0, 0)  # where station 0 lies, mm from the joint, y to the own side
    tilt: tuple[float, float] = (0, 0)  # degrees the axis is turned towards a, towards b
    sided: bool = False  # there is one on either side: `bone` without its side


# a runs along x (of a foot: up), b along y
TORSO = (
    (-92, 66, 112, -14), (-55, 98, 154, -16), (-10, 112, 169, -15), (45, 109, 165, -10), (95, 99, 150, -3),
    (150, 95, 140, 3), (205, 98, 142, 6), (270, 107, 150, 4), (335, 114, 158, 0), (395, 108, 158, -7),
    (440, 96, 147, -14), (475, 80, 122, -21), (505, 62, 86, -26),
)  # fmt: skip
LOFTS = (
    Loft("neck", "up", ((-40, 62, 70, -4), (0, 57, 62, -2), (45, 54, 56, 6), (100, 54, 54, 14), (150, 50,
    50, 20)), (20, 20)),
    Loft("clavicle", "aside", ((0, 42, 44), (70, 46, 46), (120, 46, 46)), (30, 40), (-32, 10, -8), (-3, 1),
    True),
    Loft("clavicle", "aside", ((0, 34, 34), (60, 34, 32), (118, 32, 30)), (34, 30), (-45, 16, 62), (2,
    -24), True),
    Loft("arm", "down", (
        (-22, 42, 40), (0, 51, 48, 0, 3), (35, 54, 50, 0, 5), (90, 52, 46, 2, 2), (160, 49, 42, 3), (230,
        44, 39, 0),
        (275, 41, 40), (305, 39, 40),
    ), (36, 30), sided=True),
    Loft("forearm", "down", (
        (-5, 39, 40), (30, 44, 41), (70, 46, 41), (120, 43, 38), (180, 36, 31), (225, 31, 23), (258, 30, 20),
    ), (26, 16), sided=True),
    Loft("hand", "down", ((-12, 30, 20), (20, 33, 17), (55, 40, 16, 2), (85, 42, 13, 2), (98, 40, 11, 2)),
    (12, 10), sided=True),
    Loft("thigh", "down", (
        (-40, 84, 74, -6, 4), (20, 91, 82, -2, 2), (90, 86, 79), (170, 78, 73, 2), (260, 68, 64, 1), (340,
        61, 57), (400, 58, 54),
        (435, 55, 53),
    ), (52, 36), sided=True),
    Loft("shin", "down", (
        (-8, 55, 52, 2), (40, 55, 50, -2), (95, 59, 54, -11), (150, 56, 52, -12), (230, 44, 42, -8), (310,
        36, 34, -4),
        (380, 34, 32, -3), (430, 37, 34, -4),
    ), (36, 24), sided=True),
    Loft("foot", "ahead", (
        (-42, 30, 27, -38), (-15, 38, 31, -30), (25, 38, 33, -30), (65, 30, 38, -38), (110, 21, 45, -47),
        (155, 15, 46, -53, -4),
        (190, 11, 38, -57, -6),
    ), (22, 16), sided=True),
)  # fmt: skip
FINGERS = tuple(  # from the forefinger, which points forwards in the neutral stance, to the little one
    Loft("hand", "down", ((0, r, r), (long * 0.5, r * 0.95, r * 0.9, 0, -2), (long, r * 0.8, r * 0.75, 0,
    -8)), (6, 8),
         (x, 0, -92), (spread, -4), True)
    for x, r, long, spread in ((30, 9.0, 72, 5), (11, 9.5, 82, 1), (-8, 9.0, 75, -2), (-26, 8.0, 58, -6))
)  # fmt: skip
THUMB = Loft(
    "hand",
    "down",
    ((0, 13, 12), (40, 11.5, 11), (72, 9.5, 9), (95, 8, 7.5)),
    (8, 8),
    (24, -4, -14),
    (38, -14),
    True,
)
FACE = Loft(  # from the joint, which lies 183 under the vertex: chin to brow
    "head", "up", (
        (-36, 22, 25, 56), (-20, 36, 41, 46), (0, 51, 53, 33), (22, 60, 59, 26), (48, 66, 64, 21), (80, 72,
        68, 16), (105, 74, 70, 11),
    ), (9, 30),
)  # fmt: skip
# ellipsoids of the head: middle, half sizes (mm from its joint); carved ones are taken away
LUMPS = (
    ((-6, 0, 84), (98, 76, 99)), ((93, 0, 28), (16, 14, 10)), ((99, 0, 30), (12, 9, 8)), ((91, 0, 48), (12,
    8, 24)),
    ((76, 17, 84), (9, 26, 7)), ((76, -17, 84), (9, 26, 7)),  # brow
    ((84, 0, -3), (9, 23, 7)), ((83, 0, -12), (9, 20, 6)), ((76, 0, -33), (17, 20, 12)),  # lips, chin
    ((58, 42, 36), (20, 20, 16)), ((58, -42, 36), (20, 20, 16)),  # cheeks
    ((76, 32, 62), (12, 17, 10)), ((76, -32, 62), (12, 17, 10)),  # eyes
    ((-10, 76, 46), (15, 7, 31)), ((-10, -76, 46), (15, 7, 31)), ((-20, 80, 50), (7, 8, 27)), ((-20, -80,
    50), (7, 8, 27)),  # ears
)  # fmt: skip
CARVED = (
    ((99, 34, 63), (16, 19, 9)), ((99, -34, 63), (16, 19, 9)), ((92, 0, -7.5), (6, 21, 1.5)),
    ((0, 87, 46), (9, 8, 14)), ((0, -87, 46), (9, 8, 14)),
)  # fmt: skip  # sockets, mouth, ears
EYES_MM, NOSE_MM, EARS_MM = (86.5, 32.0, 62.0), (111.0, 0.0, 30.0), (-2.0, 79.0, 46.0)
NECK_CUT_MM, WRIST_MM = 1488.0, 238.0  # where head and hands begin: a height, a length of the forearm
Distance = Callable[[np.ndarray], np.ndarray]  # points (P, 3) -> (P,) metres outside, negative inside
AXES = {  # rows: a, b and the stations' way, in a bone's own axes
    "up": np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]),
    "down": np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, -1]]),
    "ahead": np.array([[0, 0, 1.0], [0, 1, 0], [1, 0, 0]]),
    "aside": np.array([[1.0, 0, 0], [0, 0, 1], [0, 1, 0]]),
}


class Piece(NamedTuple):
    """A loft or a lump where the rest pose has it."""

    low: np.ndarray  # (3,) corners of the box in which it matters, metres
    high: np.ndarray
    bone: str  # "" for what is carved away
    outside: Distance


@dataclass(frozen=True)
class Skin:
    """A part of the neutral surface."""

    vertices: np.ndarray  # (V, 3) metres, in the rest pose
    faces: np.ndarray  # (F, 3)
    weights: np.ndarray  # (V, B), each row 1


@lru_cache(maxsize=1)
def neutral() -> Posed:
    """The 1.75 m figure in the rest pose."""
    return posed(offsets(Build(0.5, 30.0, NEUTRAL_M, 22.5)), REST)


@lru_cache(maxsize=1)
def body() -> Skin:
    """Everything below the neck and up to the wrists."""
    skin = _meshed(_everything(), (-0.21, -0.74, -0.005), (0.24, 0.74, 1.53), 0.0135)
    keep = (skin.vertices[:, 2] < NECK_CUT_MM * MM + 0.014) & (
        _along_arm(skin.vertices) < WRIST_MM * MM + 0.010
    )
    return _only(skin, keep)


@lru_cache(maxsize=1)
def head() -> Skin:
    """The head and the upper part of the neck."""
    skin = _meshed(_everything(), (-0.16, -0.12, 1.46), (0.14, 0.12, 1.77), 0.0054)
    return _only(skin, skin.vertices[:, 2] > NECK_CUT_MM * MM - 0.002)


@lru_cache(maxsize=1)
def hands() -> Skin:
    """Both hands, from the wrists on."""
    now = neutral()
    tip = now.at("left_hand", (0, 0, -0.2))
    wrist = now.joints[INDEX["left_hand"]]
    low, high = np.minimum(tip, wrist) - 0.09, np.maximum(tip, wrist) + 0.09
    left = _meshed(_everything(), low, high, 0.0055)
    left = _only(left, _along_arm(left.vertices) > WRIST_MM * MM - 0.002)
    swap = [INDEX[b.replace("left", "R").replace("right", "left").replace("R", "right")] for b in BONES]
    n = len(left.vertices)
    return Skin(
        np.concatenate([left.vertices, left.vertices * [1, -1, 1]]),
        np.concatenate([left.faces, left.faces[:, ::-1] + n]),
        np.concatenate([left.weights, left.weights[:, swap]]),
    )


def _along_arm(points: np.ndarray) -> np.ndarray:
    """(V,) metres along either forearm from its elbow; negative elsewhere."""
    now = neutral()
    found = np.full(len(points), -1.0)
    for side, y in zip(SIDES, (1, -1)):
        i = INDEX[f"{side}_forearm"]
        own = (points - now.joints[i]) @ now.rotations[i]
        near = (np.hypot(own[:, 0], own[:, 1]) < 0.2) & (points[:, 1] * y > 0.2)
        found = np.where(near, -own[:, 2], found)
    return found


def _everything() -> list[Piece]:
    """Every loft and lump of the neutral rest pose."""
    found = []
    now = neutral()
    for loft in (Loft("pelvis", "up", TORSO, (34, 24)), *LOFTS, *FINGERS, THUMB, FACE):
        for side, mirror in zip(SIDES, (1, -1)) if loft.sided else ((None, 1),):
            bone = f"{side}_{loft.bone}" if side else loft.bone
            found.append(_placed(loft, bone, mirror, now))
    base = now.joints[INDEX["head"]]
    for lumps, sign in ((LUMPS, 1), (CARVED, -1)):
        for middle, half in lumps:
            m, h = base + np.array(middle) * MM, np.array(half) * MM
            found.append(Piece(m - h - 0.03, m + h + 0.03, "head" if sign > 0 else "", _ellipsoid(m, h)))
    return found


def _ellipsoid(middle: np.ndarray, half: np.ndarray) -> Distance:
    def outside(p: np.ndarray) -> np.ndarray:
        q = (p - middle) / half
        k = np.linalg.norm(q, axis=1)
        return (k - 1) * np.linalg.norm(p - middle, axis=1) / np.maximum(k, 1e-3)

    return outside


def _placed(loft: Loft, bone: str, mirror: int, now: Posed) -> Piece:
    """A loft where the rest pose has it."""
    table = _capped(loft)
    frame = AXES[loft.axis] * [1.0, mirror, 1.0]
    way = frame[2] + np.tan(np.deg2rad(loft.tilt)) @ (AXES["aside"] if loft.axis == "aside" else frame)[:2]
    frame[2] = way / np.linalg.norm(way)
    frame[0] -= (frame[0] @ frame[2]) * frame[2]
    frame[0] /= np.linalg.norm(frame[0])
    frame[1] = np.cross(frame[2], frame[0]) * np.sign(np.linalg.det(frame))
    i = INDEX[bone]
    origin = now.joints[i] + now.rotations[i] @ (np.array(loft.at) * MM * [1, mirror, 1])
    turn = frame @ now.rotations[i].T  # world -> a, b, station

    def outside(p: np.ndarray) -> np.ndarray:
        a, b, s = ((p - origin) @ turn.T).T
        at = np.clip(s, table[0, 0], table[-1, 0])
        half_a, half_b, mid_a, mid_b = (np.interp(at, table[:, 0], table[:, k]) for k in (1, 2, 3, 4))
        a, b = a - mid_a, b - mid_b
        far, part = np.hypot(a, b), np.hypot(a / half_a, b / half_b)
        radial = np.where(part > 1e-3, far * (1 - 1 / np.maximum(part, 1e-3)), -np.minimum(half_a, half_b))
        return np.hypot(np.maximum(radial, 0), s - at) + np.minimum(radial, 0)

    reach = (table[:, 1:3] + np.abs(table[:, 3:5])).max(0)
    corners = np.array([(i, j) for i in (1, -1) for j in (1, -1)]) * reach
    ends = np.array([(i, j, station) for i, j in corners for station in table[[0, -1], 0]])
    world = ends @ turn + origin
    return Piece(world.min(0) - 0.035, world.max(0) + 0.035, bone, outside)


def _capped(loft: Loft) -> np.ndarray:
    """(R, 5) metres: the rows, smooth between, round at both ends."""
    from .solids import profile

    rows = np.array([(*row, *(0.0,) * (5 - len(row))) for row in loft.rows])
    fine = profile(rows.tolist(), 24)
    t = np.linspace(0, 1, 9)[1:, None]
    round_ = np.sqrt(1 - t**2 * 0.998)
    first, last = np.repeat(fine[:1], 8, 0), np.repeat(fine[-1:], 8, 0)
    first[:, :1] -= t * loft.caps[0]
    last[:, :1] += t * loft.caps[1]
    first[:, 1:3] *= round_
    last[:, 1:3] *= round_
    return np.concatenate([first[::-1], fine, last]) * MM


def _meshed(pieces: list[Piece], low, high, cell: float) -> Skin:
    """Surface nets over a box, and the weights of its vertices."""
    low, high = np.asarray(low, float), np.asarray(high, float)
    shape = np.ceil((high - low) / cell).astype(int) + 1
    axes = [low[k] + cell * np.arange(shape[k]) for k in range(3)]
    value = np.full(shape, 0.05)
    for first, last, bone, outside in pieces:
        spans = [np.searchsorted(a, (f, t)) for a, f, t in zip(axes, first, last)]
        part = tuple(slice(*s) for s in spans)
        if value[part].size == 0:
            continue
        grid = np.stack(np.meshgrid(*(a[p] for a, p in zip(axes, part)), indexing="ij"), -1).reshape(-1, 3)
        d = outside(grid).reshape(value[part].shape)
        fine = bone == "head" or "hand" in bone
        value[part] = (
            _joined(value[part], d, 0.010 if fine else 0.028) if bone else _joined(value[part], d, -0.012)
        )
    vertices, faces = surface_nets(value)
    vertices = low + vertices * cell
    weights = _weights(pieces, vertices)
    skin = Skin(vertices, faces, weights)
    return Skin(vertices, faces, smoothed(skin, weights, 6 if cell > 0.008 else 10))


def _joined(a: np.ndarray, b: np.ndarray, width: float) -> np.ndarray:
    """Union of two signed distances, blended over a width (Quilez's polynomial); a negative width carves
    b.
    """
    if width < 0:
        return -_joined(-a, b, -width)
    h = np.maximum(width - np.abs(a - b), 0) / width
    return np.minimum(a, b) - h * h * width / 4


def _weights(pieces: list[Piece], vertices: np.ndarray) -> np.ndarray:
    """(V, B): a bone moves a vertex the more the nearer its flesh passes; the torso's is shared by height."""
    strength = np.zeros((len(vertices), len(BONES)))
    for low, high, bone, outside in pieces:
        near = np.flatnonzero(((vertices > low) & (vertices < high)).all(1))
        if bone and len(near):
            soft = 0.004 if "hand" in bone else 0.012
            d = np.exp(-np.clip(outside(vertices[near]), -0.03, 0.3) / soft)
            np.maximum.at(strength[:, INDEX[bone]], near, d)
    torso = strength[:, INDEX["pelvis"]].copy()
    z, now = vertices[:, 2], neutral()
    up = [_step(z, now.joints[INDEX[b]][2], w) for b, w in (("lumbar", 0.07), ("thorax", 0.07))]
    strength[:, INDEX["pelvis"]] = torso * (1 - up[0])
    strength[:, INDEX["lumbar"]] += torso * up[0] * (1 - up[1])
    strength[:, INDEX["thorax"]] += torso * up[1]
    empty = strength.sum(1) < 1e-12
    strength[empty, INDEX["thorax"]] = 1
    return strength / strength.sum(1, keepdims=True)


def _step(x: np.ndarray, middle: float, half: float) -> np.ndarray:
    t = np.clip((x - middle) / (2 * half) + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def smoothed(skin: Skin, values: np.ndarray, rounds: int) -> np.ndarray:
    """Values at vertices (V, ...), each replaced `rounds` times by the mean with its neighbours."""
    mean = neighbours(skin.faces, len(skin.vertices))
    for _ in range(rounds):
        values = 0.5 * values + 0.5 * (mean @ values)
    return values


def _only(skin: Skin, keep: np.ndarray) -> Skin:
    """The faces all of whose vertices are kept."""
    faces = skin.faces[keep[skin.faces].all(1)]
    used, faces = np.unique(faces, return_inverse=True)
    return Skin(skin.vertices[used], faces.reshape(-1, 3), skin.weights[used])
