"""What is put into pictures: meshes with materials and named landmarks, built here or read by `meshes`.

Lengths are metres, colours are sRGB, uv (0, 0) is the bottom left of a texture. An asset may lie anywhere and
point anywhere in its own coordinates: scenes move it. A landmark lies on the surface, or inside the solid.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..types import Skeleton

CREASE_DEG = 30.0  # faces that meet at a sharper angle keep an edge


@dataclass(frozen=True)
class Material:
    """A physically based surface. A number is the same everywhere; a texture needs the part's uv."""

    # sRGB in [0, 1], or (H, W, 3) uint8 sRGB
    base_color: tuple[float, float, float] | np.ndarray = (0.5, 0.5, 0.5)
    roughness: float | np.ndarray = 0.5  # in [0, 1], or (H, W) uint8 with 255 = 1
    metallic: float | np.ndarray = 0.0  # in [0, 1], or (H, W) uint8 with 255 = 1
    specular: float = 0.5  # highlight of what is not metal; below 0.5 it is drawn as a duller one
    clearcoat: float = 0.0  # a layer of varnish over all of it, in [0, 1]
    bump: np.ndarray | None = None  # (H, W) uint8: height, 255 highest
    bump_m: float = 0.0005  # metres from 0 to 255 of bump

    def __post_init__(self):
        if not isinstance(self.base_color, np.ndarray) or self.base_color.ndim == 1:
            color = tuple(float(c) for c in self.base_color)
            if len(color) != 3 or not all(0 <= c <= 1 for c in color):
                raise ValueError(
                    f"base_color must be 3 numbers in [0, 1] or a texture, got {self.base_color}"
                )
            object.__setattr__(self, "base_color", color)
        for name in ("base_color", "roughness", "metallic", "bump"):
            value = getattr(self, name)
            if isinstance(value, np.ndarray):
                wanted = 3 if name == "base_color" else 2
                if (
                    value.dtype != np.uint8
                    or value.ndim != wanted
                    or value.size == 0
                    or (wanted == 3 and value.shape[2] != 3)
                ):
                    shape = "(H, W, 3)" if wanted == 3 else "(H, W)"
                    raise ValueError(
                        f"{name} must be a {shape} uint8 texture, got {value.shape} {value.dtype}"
                    )
        for name in ("roughness", "metallic", "specular", "clearcoat"):
            value = getattr(self, name)
            if not isinstance(value, np.ndarray) and not 0 <= value <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {value}")

    @property
    def textured(self) -> bool:
        """Whether any field is a texture, so that uv are needed."""
        return any(
            isinstance(getattr(self, n), np.ndarray) for n in ("base_color", "roughness", "metallic", "bump")
        )


@dataclass(frozen=True)
class Part:
    """One mesh with one material."""

    vertices: np.ndarray  # (V, 3) float32, metres
    faces: np.ndarray  # (F, 3) int32, counter-clockwise seen from outside
    uv: np.ndarray | None = None  # (V, 2) float32
    material: Material = Material()
    normals: np.ndarray | None = None  # (V, 3) float32; None: smooth where faces meet at less than CREASE_DEG

    def __post_init__(self):
        shapes = {
            "vertices": (np.float32, 3),
            "faces": (np.int32, 3),
            "uv": (np.float32, 2),
            "normals": (np.float32, 3),
        }
        for name, (kind, width) in shapes.items():
            value = getattr(self, name)
            if value is None:
                continue
            value = np.ascontiguousarray(value, kind)
            if value.ndim != 2 or value.shape[1] != width:
                raise ValueError(f"{name} of a part must be (N, {width}), got {value.shape}")
            object.__setattr__(self, name, value)
        for name in ("uv", "normals"):
            value = getattr(self, name)
            if value is not None and len(value) != len(self.vertices):
                raise ValueError(
                    f"{name} of a part must be one per vertex ({len(self.vertices)}), got {len(value)}"
                )
        if not len(self.faces):
            raise ValueError("a part has no faces")
        if self.faces.min() < 0 or self.faces.max() >= len(self.vertices):
            raise ValueError(f"a face names vertex {self.faces.max()}; there are {len(self.vertices)}")
        if not np.isfinite(self.vertices).all():
            raise ValueError("a part has a vertex that is not finite")
        if self.material.textured and self.uv is None:
            raise ValueError("a part with a texture needs uv")

    @cached_property
    def shaded(self) -> "Part":
        """The same part with normals, its vertices doubled along creases."""
        return self if self.normals is not None else creased(self)


@dataclass(frozen=True)
class Asset:
    """An object that can be put into a scene. Without landmarks of interest it is a distractor."""

    name: str
    skeleton: Skeleton | None
    landmarks: np.ndarray  # (K, 3) float64, metres; (0, 3) without a skeleton
    parts: tuple[Part, ...]
    depths: np.ndarray | None = None  # (K,) metres of itself that may hide a landmark inside; None: measured

    def __post_init__(self):
        k = len(self.skeleton) if self.skeleton else 0
        landmarks = np.asarray(self.landmarks, np.float64).reshape(-1, 3)
        if landmarks.shape != (k, 3):
            raise ValueError(f"{self.name} has {k} landmarks by its skeleton, got {landmarks.shape}")
        if not np.isfinite(landmarks).all():
            raise ValueError(f"{self.name} has a landmark that is not finite")
        if not self.parts:
            raise ValueError(f"{self.name} has no parts")
        object.__setattr__(self, "landmarks", landmarks)
        object.__setattr__(self, "parts", tuple(self.parts))

    @cached_property
    def bounds(self) -> np.ndarray:
        """(2, 3) lowest and highest corner, metres."""
        low = np.min([part.vertices.min(0) for part in self.parts], 0)
        high = np.max([part.vertices.max(0) for part in self.parts], 0)
        return np.stack([low, high]).astype(np.float64)

    @property
    def size_m(self) -> float:
        """The longest side of its bounds."""
        return float((self.bounds[1] - self.bounds[0]).max())

    @cached_property
    def triangles(self) -> np.ndarray:
        """(F, 3, 3) float64 of all parts."""
        return np.concatenate([part.vertices[part.faces] for part in self.parts]).astype(np.float64)

    def moved(self, matrix: np.ndarray) -> "Asset":
        """The asset carried by a rigid or uniformly scaling (4, 4) matrix."""
        linear, shift = np.asarray(matrix, np.float64)[:3, :3], np.asarray(matrix, np.float64)[:3, 3]
        turn = linear / np.cbrt(np.linalg.det(linear))
        parts = tuple(
            replace(
                part,
                vertices=part.vertices @ linear.T + shift,
                normals=None if part.normals is None else part.normals @ turn.T,
            )
            for part in self.parts
        )
        depths = None if self.depths is None else self.depths * float(np.cbrt(np.linalg.det(linear)))
        return replace(self, landmarks=self.landmarks @ linear.T + shift, parts=parts, depths=depths)


def creased(part: Part, degrees: float = CREASE_DEG) -> Part:
    """The part with vertex normals: smooth where faces meet at less than `degrees`, with an edge elsewhere.

    Vertices at the same place count as one, whatever their uv. Most places are smooth all round and get one
    normal from all their corners; only at the others every pair of corners is looked at.
    """
    faces = part.faces
    cross = _face_normals(part)  # (F, 3), twice the area long
    length = np.sqrt(np.einsum("ij,ij->i", cross, cross))[:, None]
    flat = np.where(length > 1e-20, cross / np.maximum(length, 1e-20), [0, 0, 1.0])
    place = _places(part.vertices)[faces]  # (F, 3) welded vertex
    whole = _summed(cross, place)
    whole = whole / np.maximum(np.sqrt(np.einsum("ij,ij->i", whole, whole)), 1e-20)[:, None]  # (places, 3)
    # all within half the angle of the mean: any two of them are within the angle
    close = np.einsum("fki,fi->fk", whole[place], flat) >= np.cos(np.deg2rad(degrees / 2))
    smooth = np.ones(len(whole), bool)
    smooth[place[~close]] = False
    corners = np.flatnonzero(~smooth[place])  # of 3F
    edged = _edged(corners, place.reshape(-1)[corners], flat, cross, np.cos(np.deg2rad(degrees)))
    # corners at an edge that agree in vertex and normal become one vertex again
    x, y, z = np.round(edged * 1000 + 1000).astype(np.int64).T  # each below 2 ** 11
    key = faces.reshape(-1)[corners].astype(np.int64) << 33 | x << 22 | y << 11 | z
    _, first, again = np.unique(key, return_index=True, return_inverse=True)
    plain = np.zeros(len(part.vertices), bool)  # vertices of smooth places
    plain[faces[smooth[place]]] = True
    kept = np.flatnonzero(plain)
    number = np.cumsum(plain) - 1
    renamed = number[faces].reshape(-1)
    renamed[corners] = len(kept) + again.reshape(-1)
    source = np.concatenate([kept, faces.reshape(-1)[corners[first]]])
    there = np.empty(len(part.vertices), np.int64)
    there[faces] = place
    return Part(
        part.vertices[source],
        renamed.reshape(-1, 3),
        None if part.uv is None else part.uv[source],
        part.material,
        np.concatenate([whole[there[kept]], edged[first]]),
    )


def _face_normals(part: Part) -> np.ndarray:
    """(F, 3) across each face, twice its area long."""
    a, b, c = (part.vertices[part.faces[:, k]].astype(np.float64) for k in range(3))
    (ax, ay, az), (bx, by, bz) = (b - a).T, (c - a).T
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], 1)


def _places(vertices: np.ndarray) -> np.ndarray:
    """(V,) numbers from 0, the same for vertices at the same place."""
    low = vertices.min(0).astype(np.float64)
    step = max(float(np.ptp(vertices, axis=0).max()) * 1e-6, 1e-12)
    x, y, z = np.round((vertices - low) / step).astype(np.int64).T  # each below 2 ** 20
    return np.unique(x << 42 | y << 21 | z, return_inverse=True)[1].reshape(-1)


def _summed(values: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(places, 3) the sum at each place of the faces' values (F, 3) that meet there; place is (F, 3)."""
    at, count = place.T.reshape(-1), int(place.max()) + 1
    return np.stack([np.bincount(at, np.tile(values[:, i], 3), minlength=count) for i in range(3)], 1)


def _edged(
    corners: np.ndarray, place: np.ndarray, flat: np.ndarray, cross: np.ndarray, cosine: float
) -> np.ndarray:
    """(C, 3) normals of corners (C,) at places (C,): of the faces there within the angle, by their area."""
    order = np.argsort(place, kind="stable")
    count = np.bincount(place)
    start = np.cumsum(count) - count
    repeat = count[place[order]]
    one = np.repeat(order, repeat)  # every pair (one, other) of corners at the same place
    within = np.arange(len(one)) - np.repeat(np.cumsum(repeat) - repeat, repeat)
    other = corners[order[np.repeat(start[place[order]], repeat) + within]] // 3
    own = corners // 3
    near = np.einsum("ij,ij->i", flat[own[one]], flat[other]) >= cosine
    weights, to = cross[other[near]], one[near]
    normals = np.stack([np.bincount(to, weights[:, i], minlength=len(corners)) for i in range(3)], 1)
    length = np.sqrt(np.einsum("ij,ij->i", normals, normals))[:, None]
    return np.where(length > 1e-20, normals / np.maximum(length, 1e-20), flat[own])


def depth_outside(asset: Asset) -> np.ndarray:
    """(K,) metres from each landmark to the surface; 0 for one inside the solid."""
    from trimesh.triangles import closest_point

    triangles = asset.triangles
    away = np.empty(len(asset.landmarks))
    for k, point in enumerate(asset.landmarks):
        nearest = closest_point(triangles, np.broadcast_to(point, (len(triangles), 3)))
        away[k] = 0.0 if winding(triangles, point) > 0.5 else np.linalg.norm(nearest - point, axis=1).min()
    return away


def winding(triangles: np.ndarray, point: np.ndarray) -> float:
    """How often triangles (F, 3, 3) go round a point: 1 inside, 0 outside, between for a mesh with holes."""
    a, b, c = (triangles - point).transpose(1, 0, 2)
    la, lb, lc = (np.linalg.norm(v, axis=1) for v in (a, b, c))
    above = (a * np.cross(b, c)).sum(1)
    below = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
    return float(abs(np.arctan2(above, below).sum()) / (2 * np.pi))
