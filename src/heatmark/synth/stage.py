"""From a Scene's names to things: assets built, textures painted, the light and the background made."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import cv2
import numpy as np

from ..errors import UserError, unknown
from ..types import Skeleton
from . import cases, grounds, lights, scraps, vistas
from .assets import Asset, Part
from .scene import Background, Camera, Light, Placed, Scene, Surface, Wall
from .things import build
from .world import LINEAR, Item

GROUND = -2  # owner of the ground and of walls
NOBODY = -1
WHITE = 3.0  # of a thing cut out and put on nothing: white at any exposure
# texels along a labelled object's texture, clutter's, a ground's; at 224 pixels
FINE, COARSE, PLANE = 512, 128, 512
GROUND_TILES = (-12, 13, -12, 13)  # first and last but one, along x and y
WALL_TILES = (-2, 3, 0, 2)  # few: rays are slow among large slanting triangles


@dataclass(frozen=True)
class Stage:
    """A Scene made real."""

    items: list[Item]
    light: np.ndarray  # (H, W, 3) float32 linear, see lights.py
    background: Callable[[tuple[int, int]], np.ndarray]  # size -> (H, W, 3) float32 linear
    assets: list[Asset]  # one for each of scene.objects
    skeleton: Skeleton


def staged(scene: Scene) -> Stage:
    """Everything a scene names. Raises a DataError if a file it names cannot be read."""
    assets = [build(placed.source.kind, placed.source.name, placed.source.seed) for placed in scene.objects]
    items = [
        Item(asset, np.array(placed.matrix), i, _texels(placed))
        for i, (placed, asset) in enumerate(zip(scene.objects, assets))
    ]
    if scene.ground is not None:
        items.append(Item(plane(scene.ground, GROUND_TILES), np.eye(4), GROUND, PLANE))
    items += [Item(plane(wall.surface, WALL_TILES), upright(wall), GROUND, PLANE) for wall in scene.walls]
    if scene.case is not None:
        held = [(assets[i], np.array(scene.objects[i].matrix)) for i in scene.case.holds]
        items.append(Item(cases.built(scene.case, held), np.eye(4), GROUND, FINE))
    light = light_of(scene.light)
    skeletons = [a.skeleton for a, p in zip(assets, scene.objects) if p.instance]
    if not skeletons or skeletons[0] is None:
        raise UserError("a scene needs an object with landmarks")
    return Stage(items, light, partial(backdrop, scene.background, scene.camera, light), assets, skeletons[0])


def _texels(placed: Placed) -> int:
    """How fine an object is painted: a rack's strip of prices is as long as the rack."""
    return 2 * FINE if placed.source.kind == "rack" else FINE if placed.instance else COARSE


def plane(surface: Surface, tiles: tuple[int, int, int, int]) -> Asset:
    """A level plane of mirrored tiles about the origin, so that any texture goes on without a seam.

    Args:
        tiles: first and last but one along x, then along y.
    """
    if surface.kind == "photo":
        material = grounds.photo(Path(surface.path), surface.seed)
    elif surface.kind in grounds.GROUNDS:
        material = grounds.GROUNDS[surface.kind](
            np.random.default_rng([surface.seed, 11]), surface.tile_m, PLANE
        )
    else:
        raise unknown("ground", surface.kind, grounds.GROUNDS)
    column, row = (a.reshape(-1, 1) for a in np.meshgrid(np.arange(*tiles[:2]), np.arange(*tiles[2:])))
    dx, dy = np.array([0, 1, 1, 0]), np.array([0, 0, 1, 1])
    x, y = column + dx - 0.5, row + dy - (0.5 if tiles[2] < 0 else 0.0)
    u, v = np.where(column % 2, 1 - dx, dx), np.where(row % 2, 1 - dy, dy)
    turn = np.deg2rad(surface.turn_deg if tiles[2] < 0 else 0.0)  # a wall stays upright
    flat = np.stack([x.ravel(), y.ravel()], 1) * surface.tile_m
    flat = flat @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    vertices = np.concatenate([flat, np.zeros((len(flat), 1))], 1)
    corner = 4 * np.arange(len(column))[:, None]
    faces = np.concatenate([corner + [0, 1, 2], corner + [0, 2, 3]])
    normals = np.tile([0, 0, 1.0], (len(vertices), 1))
    uv = np.stack([u.ravel(), v.ravel()], 1)
    return Asset("ground", None, np.empty((0, 3)), (Part(vertices, faces, uv, material, normals),))


def upright(wall: Wall) -> np.ndarray:
    """(4, 4) that stands a level plane up at its distance, facing the origin."""
    a = np.deg2rad(wall.azimuth_deg)
    away = np.array([np.cos(a), np.sin(a), 0])
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([np.cross([0, 0, 1.0], -away), [0, 0, 1.0], -away], 1)
    matrix[:3, 3] = away * wall.distance_m
    return matrix


@lru_cache(maxsize=64)
def environment(path: str, size: tuple[int, int]) -> np.ndarray:
    return lights.read(Path(path), size)


def light_of(light: Light) -> np.ndarray:
    """The environment map of a Light, its lamps added, as bright as it says."""
    if light.kind == "file":
        raw = environment(light.path, lights.SIZE)
    else:
        raw = lights.LIGHTS[light.kind](np.random.default_rng([light.seed, 13]))
    raw = lights.turned(raw, light.turn_deg)
    for lamp in light.lamps:
        raw = lights.with_lamp(
            raw, lamp.azimuth_deg, lamp.elevation_deg, lamp.radius_deg, lamp.color, lamp.share
        )
    return lights.scaled(raw, light.strength).astype(np.float32)


def backdrop(background: Background, camera: Camera, light: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) float32 linear: what is seen where nothing stands."""
    h, w = size
    if background.kind == "invented":
        return LINEAR[scraps.invented(np.random.default_rng([background.seed, 23]), size)]
    if background.kind == "white":
        return np.full((h, w, 3), WHITE, np.float32)
    if background.kind == "photo":
        return photo_behind(Path(background.path), background.seed, size)
    f = max(h, w) / 2 / np.tan(np.deg2rad(camera.fov_deg) / 2)
    x, y = np.meshgrid((np.arange(w) + 0.5 - w / 2) / f, (np.arange(h) + 0.5 - h / 2) / f)
    towards = np.stack([x, y, np.ones_like(x)], -1) @ np.array(camera.matrix)[:3, :3].T
    towards /= np.linalg.norm(towards, axis=-1, keepdims=True)
    if background.kind == "vista":
        return LINEAR[vistas.seen(np.random.default_rng([background.seed, 23]), towards)]
    u = np.arctan2(towards[..., 1], towards[..., 0]) / (2 * np.pi) % 1 * light.shape[1]
    v = np.arccos(np.clip(towards[..., 2], -1, 1)) / np.pi * light.shape[0]
    v = np.clip(v, 0.5, light.shape[0] - 0.5)  # rows do not go round: below the floor is no ceiling
    return cv2.remap(
        light,
        (u - 0.5).astype(np.float32),
        (v - 0.5).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )


def photo_behind(path: Path, seed: int, size: tuple[int, int]) -> np.ndarray:
    """A part of a photograph, filling the picture; linear."""
    rng, picture = np.random.default_rng([seed, 17]), scraps.photograph(path)
    (h, w), (ph, pw) = size, picture.shape[:2]
    part = min(ph / h, pw / w) * rng.uniform(0.5, 1.0)
    ch, cw = max(1, int(part * h)), max(1, int(part * w))
    top, left = rng.integers(0, ph - ch + 1), rng.integers(0, pw - cw + 1)
    cut = picture[top : top + ch, left : left + cw]
    if rng.random() < 0.5:
        cut = cut[:, ::-1]
    how = cv2.INTER_AREA if ch > h else cv2.INTER_LINEAR
    return LINEAR[np.asarray(cv2.resize(np.ascontiguousarray(cut), (w, h), interpolation=how), np.uint8)]
