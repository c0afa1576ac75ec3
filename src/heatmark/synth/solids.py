"""Solids: closed triangle meshes from rings, outlines and booleans, drawn in millimetres as the trade does.

A `Solid` has texture coordinates on every vertex (seams are doubled vertices). `part` gives it a material and
sharp edges, and turns millimetres into metres. manifold3d does the booleans, in 2D and 3D.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator
from scipy.spatial import Delaunay, KDTree

from .assets import Material, Part, creased


@dataclass(frozen=True)
class Solid:
    """A closed mesh in millimetres."""

    vertices: np.ndarray  # (V, 3) float64
    uv: np.ndarray  # (V, 2) float64
    faces: np.ndarray  # (F, 3) int64, counter-clockwise seen from outside

    def moved(self, matrix: np.ndarray) -> "Solid":
        """Carried by a (4, 4) matrix that does not mirror."""
        return Solid(self.vertices @ matrix[:3, :3].T + matrix[:3, 3], self.uv, self.faces)


def translation(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, 3] = x, y, z
    return matrix


def rotation(axis: str, degrees: float) -> np.ndarray:
    """(4, 4) right-handed turn about 'x', 'y' or 'z'."""
    c, s = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(4)
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix


def joined(*solids: Solid) -> Solid:
    """Several solids as one mesh; where they overlap they simply stand in each other."""
    starts = np.cumsum([0] + [len(s.vertices) for s in solids[:-1]])
    return Solid(
        np.concatenate([s.vertices for s in solids]),
        np.concatenate([s.uv for s in solids]),
        np.concatenate([s.faces + start for s, start in zip(solids, starts)]),
    )


# rings and what runs along them


def profile(controls: Sequence[Sequence[float]], count: int) -> np.ndarray:
    """Smooth columns through control rows without overshoot; the first column is the station.

    Where stations do not rise, the later row wins. Returns (R, columns) at about `count` even stations and at
    every control.
    """
    kept = list(controls[-1:])
    least = 2e-4 * (controls[-1][0] - controls[0][0])
    for row in controls[-2::-1]:
        if row[0] < kept[-1][0] - least:
            kept.append(row)
    table = np.asarray(kept[::-1], np.float64)
    x = table[:, 0]
    even = np.linspace(x[0], x[-1], count)
    near = np.abs(even[:, None] - x[None]).min(1) < (x[-1] - x[0]) / count * 0.35
    stations = np.unique(np.concatenate([even[~near], x]))
    return np.column_stack([stations, PchipInterpolator(x, table[:, 1:], axis=0)(stations)])


def circle_angles(count: int) -> np.ndarray:
    return np.arange(count) * (2 * np.pi / count)


def squircle(angles: np.ndarray, power: np.ndarray | float) -> np.ndarray:
    """Radius at each angle of a shape that goes from a circle (power 2) to the unit square (8 and more)."""
    power = np.asarray(power, np.float64)
    return (np.abs(np.cos(angles)) ** power + np.abs(np.sin(angles)) ** power) ** (-1 / power)


def polygon_radius(angles: np.ndarray, sides: int, phase: float = 0.0) -> np.ndarray:
    """Radius at each angle of a regular polygon whose flats touch the unit circle."""
    step = 2 * np.pi / sides
    return 1 / np.cos((angles + phase + step / 2) % step - step / 2)


def tube(rings: np.ndarray) -> Solid:
    """A closed skin over rings (R, N, 3), each counter-clockwise seen from the far end. u round, v along."""
    count, n = rings.shape[:2]
    seamed = np.concatenate([rings, rings[:, :1]], 1)  # (R, N + 1, 3): the seam is a doubled column
    middles = rings.mean(1)
    steps = np.linalg.norm(np.diff(rings, axis=0), axis=-1).mean(1)
    v = np.concatenate([[0.0], np.cumsum(steps)]) / max(steps.sum(), 1e-9)
    u = np.linspace(0.0, 1.0, n + 1)
    uv = np.stack(np.broadcast_arrays(u[None], v[:, None]), -1)
    i, j = np.meshgrid(np.arange(count - 1) * (n + 1), np.arange(n), indexing="ij")
    a, b, c, d = (k.ravel() for k in (i + j, i + j + 1, i + j + n + 2, i + j + n + 1))
    sides = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    first, last, around = count * (n + 1), count * (n + 1) + 1, np.arange(n)
    top = (count - 1) * (n + 1) + around
    caps = np.concatenate(
        [np.stack([np.full(n, first), around + 1, around], 1), np.stack([np.full(n, last), top, top + 1], 1)]
    )
    return Solid(
        np.concatenate([seamed.reshape(-1, 3), middles[[0, -1]]]),
        np.concatenate([uv.reshape(-1, 2), [[0.5, v[0]], [0.5, v[-1]]]]),
        np.concatenate([sides, caps]),
    )


def rod(x: np.ndarray, a: np.ndarray, b: np.ndarray, shape: np.ndarray, y: Any = 0.0, z: Any = 0.0) -> Solid:
    """A tube along +x: half sizes a (along y) and b (along z) at stations x, each (R,). `shape`: the unit
    ring's radius at each angle, (N,) or (R, N); y, z move the ring's middle."""
    angles = circle_angles(shape.shape[-1])
    rings = np.empty((len(x), len(angles), 3))
    rings[..., 0] = x[:, None]
    rings[..., 1] = a[:, None] * shape * np.cos(angles) + np.reshape(y, (-1, 1))
    rings[..., 2] = b[:, None] * shape * np.sin(angles) + np.reshape(z, (-1, 1))
    return tube(rings)


def sweep(
    path: np.ndarray, across: np.ndarray, up: np.ndarray, a: np.ndarray, b: np.ndarray, shape: np.ndarray
) -> Solid:
    """A tube along `path` (R, 3): half size a along `across` (R, 3), b along `up` (R, 3), across x up =
    forwards."""
    angles = circle_angles(shape.shape[-1])
    ring_a = (a[:, None] * shape * np.cos(angles))[..., None]
    ring_b = (b[:, None] * shape * np.sin(angles))[..., None]
    return tube(path[:, None] + ring_a * across[:, None] + ring_b * up[:, None])


def pipe(path: np.ndarray, a: np.ndarray, b: np.ndarray, across: np.ndarray, shape: np.ndarray) -> Solid:
    """A `sweep` without a frame: half size a towards `across` (R, 3), as far as the path lets it, b aside."""
    ahead = np.gradient(path, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    side = across - (across * ahead).sum(1, keepdims=True) * ahead
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    return sweep(path, side, np.cross(ahead, side), a, b, shape)


def lathe(x: ArrayLike, radius: ArrayLike, sides: int = 32) -> Solid:
    """A body turned about the x axis."""
    r = np.asarray(radius, np.float64)
    return rod(np.asarray(x, np.float64), r, r, np.ones(sides))


def box(size: ArrayLike, bevel: float = 0.0) -> Solid:
    """A bevelled box (x, y, z sizes), textured from the dominant side."""
    half = np.asarray(size, np.float64) / 2
    k = min(bevel, float(half.min()) * 0.6)
    corner = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)], np.float64)
    rings = []
    for x, inset in ((-half[0], k), (-half[0] + k, 0.0), (half[0] - k, 0.0), (half[0], k)):
        h = half[1:] - inset
        cut = max(k, 1e-3)
        ring = [(sy * (h[0] - dy), sz * (h[1] - dz)) for sy, sz, dy, dz in _octagon(corner, cut)]
        rings.append([(x, y, z) for y, z in ring])
    return box_mapped(tube(np.asarray(rings)), 2 * float(half.max()))


def _octagon(corner: np.ndarray, cut: float) -> list[tuple[float, float, float, float]]:
    """Each corner of a rectangle twice, once shortened along y and once along z, counter-clockwise."""
    out = []
    for sy, sz in corner:
        pair = [(sy, sz, 0.0, cut), (sy, sz, cut, 0.0)]
        out += pair if sy * sz > 0 else pair[::-1]
    return out


# outlines: a flat shape with a height at every point of it


def section(polygons: Sequence[np.ndarray]) -> Any:
    """A manifold3d CrossSection of (n, 2) polygons."""
    from manifold3d import CrossSection

    return CrossSection([np.asarray(p, np.float64) for p in polygons])


def disc(x: float, y: float, radius: float, stretch: float = 1.0) -> Any:
    """A CrossSection: a circle at (x, y), `stretch` times as long along x."""
    t = circle_angles(96)
    return section([np.stack([x + radius * stretch * np.cos(t), y + radius * np.sin(t)], 1)])


def rounded(shape: Any, outside: float = 0.0, inside: float = 0.0) -> Any:
    """A CrossSection whose inner corners are filled to radius `inside`, its outer ones cut to `outside`."""
    for delta in (inside, -inside - outside, outside):
        if delta:
            shape = shape.offset(delta, _round_join(), 2.0, 64)
    return shape


def _round_join() -> Any:
    from manifold3d import JoinType

    return JoinType.Round


def resampled(polygon: np.ndarray, spacing: float) -> np.ndarray:
    """(n, 2) polygon -> (m, 2): its corners, its long edges cut into pieces of at most `spacing`."""
    ahead = np.roll(polygon, -1, 0)
    pieces = np.maximum(np.ceil(np.linalg.norm(ahead - polygon, axis=1) / spacing), 1).astype(int)
    start = np.repeat(np.arange(len(polygon)), pieces)
    t = (np.arange(len(start)) - np.repeat(np.cumsum(pieces) - pieces, pieces)) / pieces[start]
    return polygon[start] + t[:, None] * (ahead - polygon)[start]


def _contours(shape: Any, spacing: float) -> np.ndarray:
    lines = [resampled(p, spacing) for p in shape.simplify(spacing * 0.02).to_polygons()]
    return np.concatenate(lines) if lines else np.empty((0, 2))


def inside(points: np.ndarray, polygons: Sequence[np.ndarray]) -> np.ndarray:
    """(P,) bool: is the point in the shape (even-odd)?"""
    odd = np.zeros(len(points), bool)
    for polygon in polygons:
        (x1, y1), (x2, y2) = polygon.T, np.roll(polygon, -1, 0).T
        x, y = points.T
        # only the pairs of a point and an edge that a level line through the point crosses
        order = np.argsort(y)
        first, last = np.searchsorted(y[order], np.stack([np.minimum(y1, y2), np.maximum(y1, y2)]), "left")
        count = last - first
        edge = np.repeat(np.arange(len(polygon)), count)
        point = order[np.arange(len(edge)) - np.repeat(np.cumsum(count) - count - first, count)]
        slope = (x2 - x1) / np.where(y2 == y1, 1.0, y2 - y1)
        left = x[point] < x1[edge] + slope[edge] * (y[point] - y1[edge])
        odd ^= np.bincount(point[left], minlength=len(points)) % 2 == 1
    return odd


@dataclass(frozen=True)
class Plan:
    """A triangulated flat shape, ready to be given heights."""

    points: np.ndarray  # (P, 2) mm
    triangles: np.ndarray  # (T, 3) counter-clockwise
    depth: np.ndarray  # (P,) mm from the outline


def plan(
    shape: Any, spacing: float, rims: Sequence[float] = (), lines: Sequence[Any] = (), grid: float = 0.0
) -> Plan:
    """Triangulate a CrossSection: its outline, its insets by `rims` mm, the outlines of `lines`, a loose
    grid."""
    outline = _contours(shape, spacing)
    within = [_contours(shape.offset(-d, _round_join(), 2.0, 32), spacing * 1.3) for d in rims]
    if lines:
        # insets cost by the edge, and round corners have hundreds; but rims keep step with it
        lean = shape.simplify(spacing * 0.001)
        middle = lean.offset(-max(rims, default=0.0) - 0.3 * spacing, _round_join(), 2.0, 32)
        within += [_contours(line ^ middle, spacing) for line in lines]
    grid = grid or spacing * 2.5
    low, high = outline.min(0), outline.max(0)
    x, y = np.meshgrid(np.arange(low[0], high[0], grid), np.arange(low[1], high[1], grid * 0.87))
    x[1::2] += grid / 2
    loose = np.stack([x.ravel(), y.ravel()], 1)
    polygons = [np.asarray(p) for p in shape.to_polygons()]
    loose = loose[inside(loose, polygons)]
    fixed = np.concatenate([outline, *within])
    loose = loose[KDTree(fixed).query(loose)[0] > 0.6 * grid]
    inner = np.concatenate([*within, loose])
    points = np.concatenate([outline, inner])
    dense = KDTree(_contours(shape, spacing * 0.2))
    depth = np.concatenate([np.zeros(len(outline)), dense.query(inner)[0]])
    triangles = Delaunay(points).simplices
    bordering = (triangles < len(outline)).all(1)  # only these can lie outside: every outline edge is an edge
    keep = np.logical_not(bordering)
    keep[bordering] = inside(points[triangles[bordering]].mean(1), polygons)
    triangles = triangles[keep]
    a, b, c = (points[triangles[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    triangles = np.where((area < 0)[:, None], triangles[:, ::-1], triangles)[np.abs(area) > 1e-9]
    return Plan(points, triangles, depth)


def plate(
    flat: Plan, top: np.ndarray, bottom: np.ndarray, uv_top: np.ndarray, uv_bottom: np.ndarray
) -> Solid:
    """The solid between heights `bottom` and `top` (P,) over a plan, walled where the plan ends. Each side
    has its own texture coordinates (P, 2); the walls take the top's."""
    n = len(flat.points)
    t = flat.triangles
    edges = np.concatenate([t[:, [0, 1]], t[:, [1, 2]], t[:, [2, 0]]])
    key = np.sort(edges, 1) @ np.array([n, 1])
    _, where, counts = np.unique(key, return_index=True, return_counts=True)
    a, b = edges[where[counts == 1]].T  # the solid lies left of a -> b
    foot = 2 * n  # the walls' own copies of the bottom's vertices
    walls = np.concatenate([np.stack([a + foot, b + foot, b], 1), np.stack([a + foot, b, a], 1)])
    low = np.column_stack([flat.points, bottom])
    vertices = np.concatenate([np.column_stack([flat.points, top]), low, low])
    return Solid(
        vertices, np.concatenate([uv_top, uv_bottom, uv_top]), np.concatenate([t, t[:, ::-1] + n, walls])
    )


def block(shape: Any, low: float, high: float) -> Solid:
    """A CrossSection from one height to another, exact to its narrowest gap; `box_mapped` textures it."""
    mesh = shape.extrude(high - low).to_mesh()
    vertices = np.asarray(mesh.vert_properties, np.float64)[:, :3] + [0, 0, low]
    return Solid(vertices, np.zeros((len(vertices), 2)), np.asarray(mesh.tri_verts, np.int64))


# booleans


def _manifold(solid: Solid) -> Any:
    from manifold3d import Manifold, Mesh

    properties = np.ascontiguousarray(np.column_stack([solid.vertices, solid.uv]), np.float32)
    mesh = Mesh(properties, np.ascontiguousarray(solid.faces, np.uint32))
    mesh.merge()
    return Manifold(mesh)


def _solid(manifold: Any) -> Solid:
    mesh = manifold.to_mesh()
    data = np.asarray(mesh.vert_properties, np.float64)
    return Solid(data[:, :3], data[:, 3:5], np.asarray(mesh.tri_verts, np.int64))


def cut(solid: Solid, *cutters: Solid) -> Solid:
    """`solid` without the cutters. Texture coordinates are kept."""
    body = _manifold(solid)
    for cutter in cutters:
        body = body - _manifold(cutter)
    return _solid(body)


# finishing


def box_mapped(solid: Solid, scale: float) -> Solid:
    """Texture coordinates from the side each face looks at, `scale` mm to one picture, vertices split
    there."""
    corners = solid.vertices[solid.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    axis = np.abs(normals).argmax(1)  # (F,)
    order, index = np.unique(solid.faces * 3 + axis[:, None], return_inverse=True)
    vertex, side = order // 3, order % 3
    p = solid.vertices[vertex] / scale + 0.5
    uv = np.stack([np.where(side == 0, p[:, 2], p[:, 0]), np.where(side == 1, p[:, 2], p[:, 1])], 1)
    return Solid(solid.vertices[vertex], uv, index.reshape(-1, 3))


def part(solid: Solid, material: Material, angle: float = 35.0) -> Part:
    """The solid in metres, with a material, its edges sharper than `angle` degrees creased."""
    made = creased(Part(solid.vertices / 1000, solid.faces, solid.uv, material), angle)
    normals = np.array(made.normals)
    # a face without area has no direction of its own
    normals[np.linalg.norm(normals, axis=1) < 0.5] = (0, 0, 1)
    return replace(made, normals=normals)
