"""Meshes with named landmarks, read: an OBJ, PLY, STL or GLB file and the landmarks.json beside it.

Lengths in the files are in the `unit` that the description names; what comes out is in metres.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from os.path import relpath
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, UserError, require, unknown
from ..types import Skeleton
from .assets import Asset, Material, Part, depth_outside

UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254, "ft": 0.3048}
MESHES = (".obj", ".ply", ".stl", ".glb")
OFF_SURFACE = 0.08  # of the size: how far outside a landmark may lie, as the middle of a mouth or a ring does
PLAUSIBLE_M = (0.001, 100.0)  # a size outside this is a wrong unit
MAX_TEXELS = 1024  # a texture is kept no larger: pictures do not show more
DESCRIPTION = ("name", "unit", "landmarks", "bones", "mirror", "interchangeable", "parts", "sigmas")


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
    if not described.is_file():
        raise DataError(f"{described}: not there; `heatmark landmarks {mesh}` writes it")
    description = read_description(described)
    scale = UNITS[description.get("unit", "m")]
    parts = read_parts(mesh, scale)
    skeleton = _skeleton(described, description)
    points = np.array([description["landmarks"][n] for n in skeleton.landmarks], np.float64) * scale
    asset = Asset(skeleton.name, skeleton, points, parts)
    _plausible(mesh, described, asset)
    return asset


def distractor(path: str | Path) -> Asset:
    """A mesh to lie about: in the unit of its landmark file, or, where it has none, in metres. Raises as
    `load` does.
    """
    require("trimesh", to="read meshes")
    mesh = _mesh_of(Path(path))
    described = _landmarks_of(mesh)
    if described.is_file():
        return load(mesh)
    asset = Asset(mesh.stem, None, np.empty((0, 3)), read_parts(mesh))
    _plausible(mesh, described, asset)
    return asset


def files_of(path: Path) -> list[Path]:
    """The files that a mesh is read from, sorted: its own, its landmarks', and those of an OBJ's materials
    and textures.
    """
    mesh = _mesh_of(path)
    materials = [file for library, textures in _materials(mesh) for file in (library, *textures)]
    return sorted({file for file in (mesh, _landmarks_of(mesh), *materials) if file.is_file()})


def read_description(path: Path) -> dict[str, Any]:
    """landmarks.json, checked field by field. Raises a DataError naming file and field."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not readable as JSON: {error}") from error
    if not isinstance(raw, dict):
        raise DataError(f"{path}: must hold an object with 'landmarks', got a {type(raw).__name__}")
    for key in raw:
        if key not in DESCRIPTION:
            raise DataError(f"{path}: {unknown('field', key, DESCRIPTION)}")
    if not isinstance(raw.get("name", ""), str):
        raise DataError(f"{path}: 'name' must be text, got {raw['name']!r}")
    if (unit := raw.get("unit", "m")) not in tuple(UNITS):
        raise DataError(f"{path}: 'unit': {unknown('unit', unit, UNITS)}")
    points = raw.get("landmarks")
    if not isinstance(points, dict) or not points:
        raise DataError(f"{path}: 'landmarks' must map names to [x, y, z], got {points!r}")
    for name, point in points.items():
        try:
            finite = np.shape(point) == (3,) and bool(np.isfinite(np.array(point, np.float64)).all())
        except (TypeError, ValueError, OverflowError):
            finite = False
        if not finite:
            raise DataError(f"{path}: landmark {name!r} must be three finite numbers, got {point!r:.200}")
    for key, (is_one, wanted) in FORMS.items():
        if key in raw and not is_one(raw[key]):
            raise DataError(f"{path}: {key!r} must {wanted}, got {raw[key]!r:.200}")
    return raw


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _groups(value: Any) -> bool:
    return isinstance(value, list) and all(map(_names, value))


def _named_groups(value: Any) -> bool:
    return isinstance(value, dict) and _groups([*value.values()])


def _named_numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(type(number) in (int, float) for number in value.values())


FORMS: dict[str, tuple[Callable[[Any], bool], str]] = {  # field -> is it one, and what it must do
    "bones": (_groups, "hold pairs of landmark names"),
    "mirror": (_groups, "hold pairs of landmark names"),
    "interchangeable": (_groups, "hold lists of landmark names"),
    "parts": (_named_groups, "map names to lists of landmark names"),
    "sigmas": (_named_numbers, "map landmark names to numbers"),
}


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
        picture, tint = getattr(source, "image", None), getattr(source, "diffuse", None)
        rough, metal = 0.5, 0.0
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

    for library, textures in _materials(path):
        if not library.is_file():
            raise DataError(f"{path}: 'mtllib' names {relpath(library, path.parent)!r}, which is not there")
        for picture in textures:
            if not picture.is_file():
                name = relpath(picture, path.parent)
                raise DataError(f"{library}: 'map_Kd' names the texture {name!r}, which is not there")
            try:
                Image.open(picture).close()
            except (OSError, UnidentifiedImageError) as error:
                raise DataError(
                    f"{picture}: is named as a texture by {library.name} and is not a picture"
                ) from error


def _materials(path: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Each material file that an OBJ names, and the textures named there."""
    for line in _lines(path, "mtllib") if path.suffix.lower() == ".obj" else ():
        library = path.parent / line
        named = [*_lines(library, "map_Kd"), *_lines(library, "map_kd")] if library.is_file() else []
        # options stand before the name
        names = [words if (path.parent / words).is_file() else words.split()[-1] for words in named]
        yield library, [path.parent / name for name in names]


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
    """Where a mesh's landmarks stand, or would."""
    own = mesh.with_suffix(".landmarks.json")
    return own if own.is_file() else mesh.with_name("landmarks.json")


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
    if asset.skeleton is None:
        return
    for name, far in zip(asset.skeleton.landmarks, depth_outside(asset)):
        if far > OFF_SURFACE * size:
            raise DataError(
                f"{described}: landmark {name!r} lies {far * 100:.2g} cm outside the surface of {mesh.name} "
                f"({size * 100:.3g} cm long; {OFF_SURFACE * 100:.0f} % is allowed)"
            )
