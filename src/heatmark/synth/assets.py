"""What is put into pictures: meshes with materials and named landmarks, built or read from a folder.

Lengths are metres, colours are sRGB, uv (0, 0) is the bottom left of a texture. An asset may lie anywhere and
point anywhere in its own coordinates: scenes move it. A landmark lies on the surface, or inside the solid.
"""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, UserError, require, unknown
from ..types import Skeleton

UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254, "ft": 0.3048}
MESHES = (".obj", ".ply", ".stl", ".glb")
CREASE_DEG = 30.0  # faces that meet at a sharper angle keep an edge
OFF_SURFACE = 0.08  # of the size: how far outside a landmark may lie, as the middle of a mouth or a ring does
PLAUSIBLE_M = (0.001, 100.0)  # a size outside this is a wrong unit
MAX_TEXELS = 1024  # a texture is kept no larger: pictures do not show more
DESCRIPTION = ("name", "unit", "landmarks", "bones", "mirror", "interchangeable", "parts", "sigmas")


@dataclass(frozen=True)
class Material:
    """A physically based surface. A number is the same everywhere; a texture needs the part's uv."""

    base_color: tuple[float, float, float] | np.ndarray = (
        0.5,
        0.5,
        0.5,
    )  # sRGB in [0, 1], or (H, W, 3) uint8 sRGB
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
    normals: np.ndarray | None = (
        None  # (V, 3) float32; None: smooth wherever faces meet at less than CREASE_DEG
    )

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
    depths: np.ndarray | None = (
        None  # (K,) metres of itself that may hide a landmark inside it; None: measured
    )

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


def load(path: str | Path, *, landmarks: str | Path | None = None) -> Asset:
    """Reads a mesh and the landmarks.json beside it.

    Args:
        path: an OBJ, PLY, STL or GLB file, or a folder with one of them.
        landmarks: the landmark file; by default `MESH.landmarks.json` or `landmarks.json` beside the mesh.

    Raises:
        UserError: there is no such path. DataError: one line naming the file and what is wrong in it.
    """
    require("trimesh", to="read meshes")
    mesh = _mesh_of(Path(path))
    described = Path(landmarks) if landmarks is not None else _landmarks_of(mesh)
    description = read_description(described)
    scale = UNITS[description.get("unit", "m")]
    parts = read_parts(mesh, scale)
    skeleton = _skeleton(described, description)
    points = np.array([description["landmarks"][n] for n in skeleton.landmarks], np.float64) * scale
    asset = Asset(skeleton.name, skeleton, points, parts)
    _plausible(mesh, described, asset)
    return asset


def read_description(path: Path) -> dict[str, Any]:
    """landmarks.json, checked field by field. Raises a DataError naming file and field."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as JSON: {error}") from error
    if not isinstance(raw, dict):
        raise DataError(f"{path}: must hold an object with 'landmarks', got a {type(raw).__name__}")
    for key in raw:
        if key not in DESCRIPTION:
            raise DataError(f"{path}: {unknown('field', key, DESCRIPTION)}")
    if not isinstance(raw.get("name", ""), str):
        raise DataError(f"{path}: 'name' must be text, got {raw['name']!r}")
    if (unit := raw.get("unit", "m")) not in UNITS:
        raise DataError(f"{path}: 'unit': {unknown('unit', unit, UNITS)}")
    points = raw.get("landmarks")
    if not isinstance(points, dict) or not points:
        raise DataError(f"{path}: 'landmarks' must map names to [x, y, z], got {points!r}")
    for name, point in points.items():
        try:
            finite = np.shape(point) == (3,) and bool(np.isfinite(np.array(point, np.float64)).all())
        except (TypeError, ValueError):
            finite = False
        if not finite:
            raise DataError(f"{path}: landmark {name!r} must be three finite numbers, got {point!r}")
    return raw


def read_parts(path: Path, scale: float = 1.0) -> tuple[Part, ...]:
    """Every mesh in a file, its nodes' places applied. Raises a DataError naming the file and the fault."""
    import trimesh

    _textures_exist(path)
    try:
        loaded = trimesh.load(path, process=False)
    except Exception as error:  # trimesh raises whatever its readers meet
        said = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{path}: not readable as a {path.suffix[1:].upper()} mesh: {said}") from error
    meshes = loaded.dump() if isinstance(loaded, trimesh.Scene) else [loaded]
    parts = []
    for mesh in meshes if isinstance(meshes, (list, tuple)) else [meshes]:
        if not isinstance(mesh, trimesh.Trimesh) or not len(mesh.faces):
            continue  # a point cloud, a line, an empty node
        vertices = np.asarray(mesh.vertices, np.float64) * scale
        if bad := int((~np.isfinite(vertices).all(1)).sum()):
            raise DataError(f"{path}: {bad} of {len(vertices)} vertices are not finite")
        if mesh.faces.min() < 0 or mesh.faces.max() >= len(vertices):
            raise DataError(f"{path}: a face names vertex {int(mesh.faces.max())}; there are {len(vertices)}")
        parts.append(_part(path, mesh, vertices))
    if not parts:
        raise DataError(f"{path}: has no faces")
    return tuple(parts)


def _part(path: Path, mesh: Any, vertices: np.ndarray) -> Part:
    material, uv = _material(path, mesh.visual)
    if not material.textured or uv is None:
        return Part(vertices, mesh.faces, None, replace(material, base_color=_mean_color(material)))
    if len(uv) != len(vertices) or not np.isfinite(uv).all():
        raise DataError(
            f"{path}: texture coordinates must be finite, one per vertex; got {len(uv)} for {len(vertices)}"
        )
    return Part(vertices, mesh.faces, uv, material)


def _mean_color(material: Material) -> tuple[float, float, float]:
    if isinstance(material.base_color, np.ndarray):
        r, g, b = material.base_color.reshape(-1, 3).mean(0) / 255
        return float(r), float(g), float(b)
    return material.base_color


def _material(path: Path, visual: Any) -> tuple[Material, np.ndarray | None]:
    """A trimesh visual as our material, and its uv if it has any."""
    uv = getattr(visual, "uv", None)
    uv = None if uv is None else np.asarray(uv, np.float32)
    source = getattr(visual, "material", None)
    if source is None:  # vertex or face colours, or none at all
        color = np.asarray(visual.vertex_colors if visual.kind == "vertex" else visual.main_color).reshape(
            -1, 4
        )
        r, g, b = color[:, :3].mean(0) / 255
        return Material((float(r), float(g), float(b))), None
    if hasattr(source, "baseColorTexture"):  # glTF
        picture, tint = source.baseColorTexture, source.baseColorFactor
        rough, metal = source.roughnessFactor, source.metallicFactor
        packed = source.metallicRoughnessTexture  # green: roughness, blue: metallic
        rough, metal = 1.0 if rough is None else float(rough), 1.0 if metal is None else float(metal)
        if packed is not None and uv is not None:
            planes = np.asarray(packed.convert("RGB"))
            rough = np.round(planes[..., 1] * rough).astype(np.uint8)
            metal = np.round(planes[..., 2] * metal).astype(np.uint8)
    else:
        picture, tint, rough, metal = (
            getattr(source, "image", None),
            getattr(source, "diffuse", None),
            0.5,
            0.0,
        )
    color = np.ones(3) if tint is None else np.asarray(tint, np.float64).reshape(-1)[:3] / 255
    if picture is None or uv is None:
        return Material((float(color[0]), float(color[1]), float(color[2])), rough, metal), uv
    try:
        if max(picture.size) > MAX_TEXELS:
            picture.thumbnail((MAX_TEXELS, MAX_TEXELS))
        texture = np.asarray(picture.convert("RGB"))
    except OSError as error:
        raise DataError(f"{path}: its texture is not readable: {error}") from error
    if hasattr(source, "baseColorTexture") and (color < 1).any():
        texture = np.round(texture * color).astype(np.uint8)
    return Material(texture, rough, metal), uv


def _textures_exist(path: Path) -> None:
    """Raises a DataError if an OBJ names a material file or a texture that is not there, or is not one."""
    from PIL import Image, UnidentifiedImageError

    if path.suffix.lower() != ".obj":
        return
    for line in _lines(path, "mtllib"):
        library = path.parent / line
        if not library.is_file():
            raise DataError(f"{path}: 'mtllib' names {line!r}, which is not there")
        for words in [*_lines(library, "map_Kd"), *_lines(library, "map_kd")]:
            name = (
                words if (path.parent / words).is_file() else words.split()[-1]
            )  # options stand before the name
            picture = path.parent / name
            if not picture.is_file():
                raise DataError(f"{library}: 'map_Kd' names the texture {name!r}, which is not there")
            try:
                Image.open(picture).close()
            except (OSError, UnidentifiedImageError) as error:
                raise DataError(
                    f"{picture}: is named as a texture by {library.name} and is not a picture"
                ) from error


def _lines(path: Path, keyword: str) -> list[str]:
    """What follows `keyword` in the lines of a text file that begin with it."""
    with open(path, encoding="utf-8", errors="replace") as lines:
        found = [
            line.strip().partition(" ")[2].strip()
            for line in lines
            if line.lstrip().startswith(keyword + " ")
        ]
    return [words for words in found if words]


def _mesh_of(path: Path) -> Path:
    if not path.exists():
        raise UserError(f"{path}: no such mesh or folder")
    if path.is_dir():
        found = sorted(p for p in path.iterdir() if p.suffix.lower() in MESHES)
        if len(found) != 1:
            names = ", ".join(p.name for p in found) or "none"
            raise DataError(f"{path}: must hold one mesh ({', '.join(MESHES)}), found {names}")
        return found[0]
    if path.suffix.lower() not in MESHES:
        raise DataError(f"{path}: no reader for {path.suffix!r}; there are: {', '.join(MESHES)}")
    return path


def _landmarks_of(mesh: Path) -> Path:
    own, shared = mesh.with_suffix(".landmarks.json"), mesh.with_name("landmarks.json")
    if own.is_file():
        return own
    if not shared.is_file():
        raise DataError(f"{shared}: not there; `heatmark landmarks {mesh}` writes it")
    return shared


def _skeleton(path: Path, description: dict[str, Any]) -> Skeleton:
    fields = {
        k: description[k]
        for k in ("bones", "mirror", "interchangeable", "parts", "sigmas")
        if k in description
    }
    try:
        return Skeleton(
            description.get("name") or path.parent.name, tuple(description["landmarks"]), **fields
        )
    except (ValueError, TypeError, AttributeError) as error:  # UserError is a ValueError
        raise DataError(f"{path}: {error}") from error


def _plausible(mesh: Path, described: Path, asset: Asset) -> None:
    size = asset.size_m
    if not PLAUSIBLE_M[0] <= size <= PLAUSIBLE_M[1]:
        raise DataError(
            f"{mesh}: is {size:.3g} m long; 'unit' in {described.name} must be one of {', '.join(UNITS)}"
        )
    distance = depth_outside(asset)
    for name, far in zip(asset.skeleton.landmarks, distance):  # type: ignore[union-attr]
        if far > OFF_SURFACE * size:
            raise DataError(
                f"{described}: landmark {name!r} lies {far * 100:.2g} cm outside the surface of {mesh.name} "
                f"({size * 100:.3g} cm long; {OFF_SURFACE * 100:.0f} % is allowed)"
            )


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
