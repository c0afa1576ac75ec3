"""Hair and hats. Hair stands off the scalp, whose edge is a hairline given by azimuth; long hair falls from
it.
"""

from functools import lru_cache

import numpy as np

from . import flesh, surfaces
from .assets import Material
from .bodies import Build
from .bones import BONES, INDEX
from .cloth import dye
from .figures import Figure, stretched
from .flesh import MM
from .heads import wrapped
from .nets import normals_of
from .tailoring import Shell, clipped

Rng = np.random.Generator

HAIR = (  # sRGB, and what share of people
    ((0.045, 0.035, 0.03), 0.34), ((0.13, 0.08, 0.05), 0.26), ((0.26, 0.16, 0.09), 0.14), ((0.50, 0.36,
    0.18), 0.09),
    ((0.72, 0.58, 0.36), 0.08), ((0.42, 0.17, 0.07), 0.04), ((0.62, 0.61, 0.60), 0.05),
)  # fmt: skip
# hairline: metres over the head's joint by azimuth in degrees from the nose
AZIMUTHS = (0, 30, 48, 62, 76, 92, 108, 130, 155, 180)
HAIRLINE_MM = (132, 128, 112, 84, 62, 84, 66, 18, -14, -22)


def hair_color(rng: Rng, build: Build, skin: np.ndarray) -> np.ndarray:
    """Darker on dark skin, grey on old heads, now and then dyed."""
    if rng.random() < np.clip((build.age - 42) / 35, 0, 0.9):
        return np.full(3, rng.uniform(0.45, 0.85))
    if build.age > 14 and rng.random() < 0.03:
        return dye(rng, 1.0)
    dark = skin.mean() < 0.5
    color, share = HAIR[:2] if dark else HAIR, None
    share = np.array([s for _, s in color])
    return np.clip(
        np.array(color[int(rng.choice(len(color), p=share / share.sum()))][0]) * rng.uniform(0.7, 1.25),
        0.02,
        0.9,
    )


@lru_cache(maxsize=1)
def _scalp() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(degrees from the nose, height in mm, how far an ear sticks out in mm) of the head's vertices."""
    own = (flesh.head().vertices - flesh.neutral().joints[INDEX["head"]]) / MM
    ear = np.where((own[:, 2] < 79) & (own[:, 2] > 5), np.abs(own[:, 1]) - 76.5, -20.0)
    ear = np.where(np.abs(own[:, 0] + 12) < 24, ear, -20.0)
    return np.rad2deg(np.abs(np.arctan2(own[:, 1], own[:, 0] + 6))), own[:, 2], ear


def hair(rng: Rng, figure: Figure, color: np.ndarray) -> list[Shell]:
    """Short to long hair, tied or loose, or next to none; or a hat."""
    build = figure.build
    female, child = build.male < 0.5, build.age < 13
    hat = rng.random() < 0.16
    bald = not female and build.age > 30 and rng.random() < 0.22
    cloth = _strands(rng, color)
    shells = []
    if hat:
        shells += _hat(rng, figure)
    styles = (
        {"short": 1.2, "bob": 2.0, "long": 3.5, "tail": 2.0, "bun": 1.0, "afro": 0.5}
        if female else {"short": 6, "buzz": 2.0, "bob": 0.3, "long": 0.25, "afro": 0.5, "bun": 0.1}
    )  # fmt: skip
    if child and not female:
        styles = {"short": 6, "buzz": 1, "bob": 0.5}
    style = list(styles)[
        int(rng.choice(len(styles), p=np.array(list(styles.values())) / sum(styles.values())))
    ]
    if hat and style == "afro":
        style = "short"
    if bald:
        style = "buzz"
    shells.append(_cap_of_hair(rng, figure, style, cloth, bald, 0.5 if hat else 1.0))
    if style in ("bob", "long"):
        shells.append(
            _fall(rng, figure, cloth, rng.uniform(-75, -35) if style == "bob" else rng.uniform(-330, -120))
        )
    if style == "tail":
        shells.append(_tail(rng, figure, cloth))
    if style == "bun":
        shells.append(_bun(rng, figure, cloth))
    return shells


def _strands(rng: Rng, color: np.ndarray) -> Material:
    size = (128, 256)
    layers = surfaces.Layers(size, color, rng.uniform(0.35, 0.6), 0.0)
    fine = surfaces.noise(rng, size, (4, 110), 2)
    layers.shade(fine, 0.35).shade(surfaces.noise(rng, size, (3, 12), 3), 0.2)
    layers.height += fine
    return layers.material(bump_m=0.003)


def _cap_of_hair(rng: Rng, figure: Figure, style: str, cloth: Material, bald: bool, flat: float) -> Shell:
    """Hair that stands off the scalp."""
    degrees, z, ear = _scalp()
    line = np.interp(degrees, AZIMUTHS, HAIRLINE_MM) + rng.normal(0, 4)
    if style in ("bob", "long", "tail", "bun"):
        line = line - 8 * (degrees > 60)
    fringe = style in ("bob", "long", "short") and rng.random() < 0.3
    if fringe:
        line = line - np.interp(degrees, [0, 45, 60], [rng.uniform(15, 42), 20, 0])
    if bald:
        line = np.where(degrees < 125, np.maximum(line, 62 + 90 * (degrees < 88)), line)
        line = np.maximum(line, np.interp(degrees, [0, 88, 104, 180], [200, 200, 72, -15]))
    inside = z - line  # mm above the hairline
    if bald:
        inside = np.minimum(inside, 118 - z)
    own = flesh.head().vertices
    thick = {"buzz": 3.0, "short": rng.uniform(9, 20), "bob": rng.uniform(12, 20), "long": rng.uniform(11,
    18),
             "tail": 7.0, "bun": 7.0, "afro": rng.uniform(30, 65)}[style] * flat  # fmt: skip
    waves = rng.normal(size=(5, 3)) * np.array([[1.0, 1.0, 0.5]]) * rng.uniform(60, 160, (5, 1))
    lumpy = np.sin(own @ waves.T + rng.uniform(0, 6, 5)).mean(1)
    top = 1 + rng.uniform(0.0, 0.7) * np.clip((z - 110) / 60, 0, 1) * (style == "short")
    rise = np.clip(inside / (22 if style != "afro" else 40), 0, 1) ** 0.6
    off = (
        (2.0 + thick * rise * top * (1 + 0.35 * lumpy))
        * MM
        * figure.build.head
        / 0.13
        * figure.build.stature_m
        / 1.75
    )
    held = figure.head.vertices + normals_of(figure.head.vertices, figure.head.faces) * off[:, None]
    field = np.maximum(-inside, ear * 1.0 if style not in ("afro", "bob", "long") else -1.0) * MM
    return _of_head(figure, held, field, cloth)


def _of_head(figure: Figure, held: np.ndarray, field: np.ndarray, material: Material) -> Shell:
    """The part of a head's surface, held off it, where a field is negative."""
    uv, faces, source = wrapped()
    table = np.column_stack([held, figure.head.weights])[source]
    table, faces = clipped(np.column_stack([table, uv]), faces, field[source])
    b = len(BONES)
    return Shell(table[:, :3], faces, table[:, 3 : 3 + b], table[:, 3 + b :], material)


def _grid(points: np.ndarray, closed: bool) -> np.ndarray:
    """(F, 3) triangles of a grid of points (R, N, 3) whose columns may close to a ring."""
    rows, n = points.shape[:2]
    i, j = np.meshgrid(np.arange(rows - 1) * n, np.arange(n if closed else n - 1), indexing="ij")
    k = (j + 1) % n
    a, b, c, d = (m.ravel() for m in (i + j, i + k, i + n + k, i + n + j))
    return np.concatenate([np.stack([a, d, c], 1), np.stack([a, c, b], 1)])


def _sheet(figure: Figure, points: np.ndarray, closed: bool, cloth: Material, hangs: np.ndarray) -> Shell:
    """A grid of points (R, N, 3), mm from the neutral head's joint; `hangs` (R,): how much follows the
    chest.
    """
    rows, n = points.shape[:2]
    v, u = np.meshgrid(np.linspace(1, 0, rows), np.linspace(0.02, 0.98, n), indexing="ij")
    flat = points.reshape(-1, 3) * MM + flesh.neutral().joints[INDEX["head"]]
    weights = np.zeros((len(flat), len(BONES)))
    share = np.repeat(hangs, n)
    weights[:, INDEX["head"]], weights[:, INDEX["thorax"]] = 1 - share, share
    held = stretched(flat, np.eye(len(BONES))[np.full(len(flat), INDEX["head"])], figure.build)
    return Shell(held, _grid(points, closed), weights, np.column_stack([u.ravel(), v.ravel()]), cloth)


def _fall(rng: Rng, figure: Figure, cloth: Material, low: float) -> Shell:
    """Hair that falls behind and beside the face, to `low` mm from the head's joint."""
    rows, n = 22, 41
    open_ = rng.uniform(72, 100)  # degrees either side of the nose that are free
    turn = np.deg2rad(np.linspace(open_, 360 - open_, n))
    t = np.linspace(0, 1, rows)
    z = 95 + (low - 95) * t
    wide = np.interp(z, [-330, -110, -60, 0, 60, 95], [112, 104, 94, 90, 90, 88]) + rng.uniform(0, 10)
    deep = np.interp(z, [-330, -110, -60, 0, 60, 95], [100, 98, 92, 100, 112, 112]) + rng.uniform(0, 8)
    curl, count = rng.uniform(0, 7), rng.integers(6, 16)
    ripple = (
        1
        + (0.03 + 0.05 * t[:, None]) * np.sin(count * turn + 3 * t[:, None] * rng.uniform(0, 2))
        + 0.004 * curl * np.sin(t[:, None] * 18)
    )
    x = deep[:, None] * np.cos(turn) * ripple - 12
    y = wide[:, None] * np.sin(turn) * ripple
    end = z[:, None] + (np.abs(np.sin(count * turn * 1.7)) * 22 * t[:, None])
    points = np.stack([x, y, np.broadcast_to(end, x.shape)], -1)
    return _sheet(figure, points, False, cloth, np.clip((20 - z) / 160, 0, 0.85))


def _tail(rng: Rng, figure: Figure, cloth: Material) -> Shell:
    """A tail tied at the back of the head."""
    start, long = np.array([-98.0, 0, rng.uniform(60, 140)]), rng.uniform(140, 330)
    t = np.linspace(0, 1, 20)
    x = start[0] - 55 * np.sin(np.clip(t * 3.0, 0, 1.9)) + rng.uniform(0, 18) * t
    z = start[2] + 18 * np.sin(t * 6) * (t < 0.5) - long * t**1.3
    y = rng.uniform(-25, 25) * t
    radius = np.interp(t, [0, 0.05, 0.25, 0.7, 1], [12, 14, 25, 21, 3])
    turn = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    points = np.stack(
        [
            x[:, None] + radius[:, None] * np.cos(turn),
            y[:, None] + radius[:, None] * np.sin(turn),
            z[:, None] - 6 * np.cos(turn),
        ],
        -1,
    )
    return _sheet(figure, points, True, cloth, np.clip((-20 - z) / 200, 0, 0.6))


def _bun(rng: Rng, figure: Figure, cloth: Material) -> Shell:
    radius, a = rng.uniform(27, 42), np.deg2rad(rng.uniform(20, 75))
    middle = np.array([-(98 + radius * 0.5) * np.cos(a) - 4, 0, 84 + (98 + radius * 0.5) * np.sin(a)])
    t, turn = np.linspace(0.02, np.pi - 0.02, 12), np.linspace(0, 2 * np.pi, 18, endpoint=False)
    ball = np.stack(
        [
            np.sin(t)[:, None] * np.cos(turn),
            np.sin(t)[:, None] * np.sin(turn),
            np.broadcast_to(np.cos(t)[:, None], (12, 18)),
        ],
        -1,
    )
    return _sheet(figure, middle + radius * ball * [0.85, 1, 1], True, cloth, np.zeros(12))


def _hat(rng: Rng, figure: Figure) -> list[Shell]:
    """A cap with a peak, a woollen hat, a helmet."""
    degrees, z, _ = _scalp()
    kind = rng.choice(["cap", "wool", "helmet", "brim"], p=[0.5, 0.25, 0.13, 0.12])
    line = {"cap": np.interp(degrees, [0, 90, 180], [122, 98, 70]), "wool": np.interp(degrees, [0, 80, 95,
    180], [104, 66, 60, 30]),
            "helmet": np.interp(degrees, [0, 70, 90, 180], [122, 92, 88, 45]), "brim": np.full(len(z),
            100.0)}[kind]  # fmt: skip
    off = {"cap": 11.0, "wool": 12.0, "helmet": 24.0, "brim": 12.0}[kind] + 7.0 * np.clip(
        (z - 120) / 60, 0, 1
    )
    size = MM * figure.build.head / 0.13 * figure.build.stature_m / 1.75
    held = figure.head.vertices + normals_of(figure.head.vertices, figure.head.faces) * (off * size)[:, None]
    color = dye(rng, 0.5)
    layers = surfaces.Layers((128, 256), color, 0.25 if kind == "helmet" else 0.85, 0.0)
    ribs = (np.arange(256) % 6 < 3)[None, :] * np.ones((128, 1))
    if kind == "wool":
        layers.shade(ribs.astype(np.float32), 0.12)
        layers.height += ribs.astype(np.float32)
    elif rng.random() < 0.5:
        layers.cover(
            surfaces.letters((128, 256), str(rng.choice(surfaces.BRANDS)), (0.5, 0.28), (0.10, 0.07)),
            dye(rng, 0.5),
        )
    cloth = layers.material(bump_m=0.002)
    made = [_of_head(figure, held, (line - z) * MM, cloth)]
    if kind in ("cap", "brim"):
        n = 25
        span = np.deg2rad(62 if kind == "cap" else 180)
        back = kind == "cap" and rng.random() < 0.15
        turn = np.linspace(-span, span, n) + (np.pi if back else 0)
        t = np.linspace(0, 1, 7)[:, None]
        long = (
            (72 * np.clip(np.cos(np.linspace(-1, 1, n) * 1.45), 0, 1) ** 0.5)
            if kind == "cap"
            else np.full(n, rng.uniform(40, 75))
        )
        r = 1 + t * long[None] / 100
        drop = (
            t * (8 if kind == "cap" else 4)
            + 0.0 * r
            - 10 * (1 - np.cos(turn - (np.pi if back else 0)))[None] * t
        )
        points = np.stack(
            [111 * np.cos(turn) * r - 6, 92 * np.sin(turn) * r, 122 - 16 * (kind == "brim") - drop], -1
        )
        made.append(_sheet(figure, points, False, cloth, np.zeros(7)))
    return made
