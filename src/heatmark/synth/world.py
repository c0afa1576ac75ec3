"""A Scene as one mesh and one texture atlas, in NumPy: what the path tracer is given.

One mesh with one material is all the renderer ever sees, whatever lies in the scene. So kernels are compiled
once, and no ray has to find out whose program to run. Which object a triangle belongs to is kept beside.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from .assets import Asset, Material, Part

Atlas = dict[str, np.ndarray]  # of (S, S, channels) float32, see PLANES
PLANES = {"base_color": 3, "roughness": 1, "metallic": 1, "clearcoat": 1, "bump": 1}  # linear; bump in metres
MAX_REPEATS = 8  # a texture that repeats more often than this over one part is squeezed


@dataclass(frozen=True)
class Item:
    """One object of a world: an asset, where it lies, and how fine its textures may be."""

    asset: Asset
    matrix: np.ndarray  # (4, 4)
    owner: int  # kept for each of its triangles
    texels: int = 256  # longest side of a texture in the atlas


@dataclass(frozen=True)
class World:
    """Everything solid. Vertices are not shared between parts."""

    vertices: np.ndarray  # (V, 3) float32, metres
    normals: np.ndarray  # (V, 3) float32
    uv: np.ndarray  # (V, 2) float32 in the atlas; (0, 0) is the corner of its first texel
    faces: np.ndarray  # (F, 3) uint32
    owner: np.ndarray  # (F,) int32, Item.owner
    atlas: Atlas


@dataclass
class Packer:
    """Shelves of rectangles in a square; they must come tallest first."""

    side: int
    x: int = 0
    y: int = 0
    shelf: int = 0
    places: list[tuple[int, int]] = field(default_factory=list)

    def put(self, h: int, w: int) -> tuple[int, int] | None:
        """The row and column of the new rectangle, or None when it is full."""
        if self.x + w > self.side:
            self.x, self.y, self.shelf = 0, self.y + self.shelf, 0
        if w > self.side or self.y + h > self.side:
            return None
        place = (self.y, self.x)
        self.x, self.shelf = self.x + w, max(self.shelf, h)
        return place


LINEAR = np.where(
    np.arange(256) / 255 <= 0.04045,
    np.arange(256) / 255 / 12.92,
    ((np.arange(256) / 255 + 0.055) / 1.055) ** 2.4,
).astype(np.float32)  # sRGB byte -> linear


def linear(color: np.ndarray) -> np.ndarray:
    """sRGB in [0, 1] -> linear."""
    color = np.asarray(color, np.float32)
    return np.where(color <= 0.04045, color / 12.92, ((np.maximum(color, 0) + 0.055) / 1.055) ** 2.4)


def blank(side: int) -> Atlas:
    """An empty atlas of `side` x `side` texels."""
    return {name: np.zeros((side, side, channels), np.float32) for name, channels in PLANES.items()}


def assemble(items: list[Item], atlas: Atlas) -> World:
    """All items as one mesh, their textures written into the atlas; what the atlas held before is lost."""
    side = len(atlas["base_color"])
    for plane in atlas.values():
        plane.fill(0)  # at the rim of a tile, filtering reads what lies beside it
    parts = [(item, part.shaded) for item in items for part in item.asset.parts]
    wrapped = [_wrapped(part) for _, part in parts]
    shrink, places = 1.0, None
    while places is None:
        sizes = [_texels(p.material, n, item.texels * shrink) for (item, p), (_, n) in zip(parts, wrapped)]
        places, shrink = _packed(sizes, side), shrink * 0.7
    vertices, normals, uvs, faces, owner = [], [], [], [], []
    start = 0
    for (item, part), (uv, repeats), (h, w), (row, column) in zip(parts, wrapped, sizes, places):
        _fill({n: a[row : row + h, column : column + w] for n, a in atlas.items()}, part.material, repeats)
        turn = item.matrix[:3, :3] / np.cbrt(np.linalg.det(item.matrix[:3, :3]))
        vertices.append(part.vertices @ item.matrix[:3, :3].T.astype(np.float32) + item.matrix[:3, 3])
        normals.append(part.normals @ turn.T)
        inset = np.array([w - 1, h - 1]) * np.clip(uv, 0, 1) + np.array([column + 0.5, row + 0.5])
        uvs.append(inset / side)
        faces.append(part.faces + start)
        owner.append(np.full(len(part.faces), item.owner, np.int32))
        start += len(part.vertices)
    return World(
        np.concatenate(vertices).astype(np.float32),
        np.concatenate(normals).astype(np.float32),
        np.concatenate(uvs).astype(np.float32),
        np.concatenate(faces).astype(np.uint32),
        np.concatenate(owner),
        atlas,
    )


def _wrapped(part: Part) -> tuple[np.ndarray, tuple[int, int]]:
    """(uv with v downwards in [0, 1], how often the texture repeats down and across)."""
    if part.uv is None or not part.material.textured:
        return np.full((len(part.vertices), 2), 0.5), (1, 1)
    uv = part.uv - np.floor(part.uv.min(0) + 1e-4)
    across, down = (int(n) for n in np.clip(np.ceil(uv.max(0) - 1e-3), 1, MAX_REPEATS))
    uv = uv / np.maximum([across, down], uv.max(0) if (uv.max(0) > MAX_REPEATS).any() else 1)
    return np.stack([uv[:, 0], 1 - uv[:, 1]], 1), (down, across)


def _texels(material: Material, repeats: tuple[int, int], most: float) -> tuple[int, int]:
    """(h, w) of a material's place in the atlas."""
    textures = [getattr(material, n) for n in ("base_color", "roughness", "metallic", "bump")]
    sizes = [t.shape[:2] for t in textures if isinstance(t, np.ndarray)]
    if not sizes:
        return 2, 2
    h = max(s[0] for s in sizes) * repeats[0]
    w = max(s[1] for s in sizes) * repeats[1]
    scale = min(1.0, most / max(h, w))
    return max(2, round(h * scale)), max(2, round(w * scale))


def _packed(sizes: list[tuple[int, int]], side: int) -> list[tuple[int, int]] | None:
    packer, places = Packer(side), {}
    for i in sorted(range(len(sizes)), key=lambda i: (-sizes[i][0], -sizes[i][1], i)):
        if (place := packer.put(*sizes[i])) is None:
            return None
        places[i] = place
    return [places[i] for i in range(len(sizes))]


def _fill(tile: Atlas, material: Material, repeats: tuple[int, int]) -> None:
    """Writes a material into its place, (h, w, channels) each, of the atlas."""
    size = tile["bump"].shape[:2]
    color, bump = material.base_color, material.bump
    textured = isinstance(color, np.ndarray)
    tile["base_color"][:] = LINEAR[_fitted(color, size, repeats)] if textured else linear(np.array(color))
    for name in ("roughness", "metallic"):
        value = getattr(material, name)
        if isinstance(value, np.ndarray):
            value = _fitted(value, size, repeats)[..., None] * np.float32(1 / 255)
        tile[name][:] = value
    if (
        material.specular < 0.5
    ):  # the renderer has one strength of highlight: a weaker one is drawn as a wider one
        tile["roughness"][:] = 1 - (1 - tile["roughness"]) * np.float32(material.specular / 0.5)
    tile["clearcoat"][:] = material.clearcoat
    tile["bump"][:] = (
        0 if bump is None else _fitted(bump, size, repeats)[..., None] * np.float32(material.bump_m / 255)
    )


def _fitted(texture: np.ndarray, size: tuple[int, int], repeats: tuple[int, int]) -> np.ndarray:
    """A uint8 texture repeated and resized to (h, w)."""
    if repeats != (1, 1):
        once = (max(1, size[0] // repeats[0]), max(1, size[1] // repeats[1]))
        texture = np.tile(_resized(texture, once), (*repeats, *(1,) * (texture.ndim - 2)))
    return _resized(texture, size)


def _resized(texture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if texture.shape[:2] == size:
        return texture
    shrinks = size[0] < texture.shape[0] or size[1] < texture.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(texture), size[::-1], interpolation=how)
