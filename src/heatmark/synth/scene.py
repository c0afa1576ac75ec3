"""What is in one picture, as data: a Scene names what to build by (kind, name, seed) and says where it lies.

It holds no mesh and no pixel, so it can be saved as JSON, compared and drawn again. `invention.invent` draws
one from the ranges of a settings file.

World: metres, z up, the ground is z = 0. Camera: x right, y down, z forward, so that
`pixel = (f X/Z + W/2, f Y/Z + H/2)` with X, Y, Z in the camera's coordinates and no lens distortion.
"""

from typing import Literal

import numpy as np
from pydantic import ValidationError

from ..errors import DataError, first_fault
from .settings import Strict

Vector = tuple[float, float, float]
Matrix = tuple[tuple[float, float, float, float], ...]  # (4, 4), rows


def rows(matrix: np.ndarray) -> Matrix:
    return tuple(tuple(float(v) for v in row) for row in matrix)  # type: ignore[return-value]


class Source(Strict):
    """What to build: a built-in family, a mesh file or folder, one that lies about, clutter, a hand,
    furniture, somebody's seat, a product, a rack."""

    kind: Literal["family", "mesh", "distractor", "clutter", "hand", "furniture", "seat", "product", "rack"]
    name: str = ""  # of the family or the piece, the path of the mesh, the number of the product's maker
    seed: int = 0


class Placed(Strict):
    """An object where it lies."""

    source: Source
    matrix: Matrix  # object -> world, metres
    instance: int = 0  # 1, 2 ... of the labelled objects; 0 for everything else


class Camera(Strict):
    """A thin lens."""

    matrix: Matrix  # camera -> world
    fov_deg: float  # angle the longer side of the picture covers
    aperture_m: float = 0.0  # radius of the lens opening; 0 is a pinhole
    focus_m: float = 1.0  # distance along the axis that is sharp


def half_size(fov_deg: float, aspect: float) -> np.ndarray:
    """(2,) half the picture's width and height at distance 1."""
    return np.array([1, 1 / aspect] if aspect >= 1 else [aspect, 1]) * np.tan(np.deg2rad(fov_deg) / 2)


class Lamp(Strict):
    """A disc of light far away."""

    azimuth_deg: float
    elevation_deg: float
    radius_deg: float
    color: Vector  # linear RGB
    share: float  # of the irradiance that the rest of the light gives


class Light(Strict):
    """The light from all sides."""

    kind: Literal["sky", "studio", "workshop", "file"]
    path: str = ""  # of the environment map, for "file"
    seed: int = 0
    turn_deg: float = 0.0
    strength: float = 1.0  # a white floor far from everything appears this bright
    lamps: tuple[Lamp, ...] = ()


class Surface(Strict):
    """A textured plane: a ground or a wall."""

    kind: str  # a key of grounds.GROUNDS, or "photo"
    path: str = ""  # of the photograph, for "photo"
    seed: int = 0
    tile_m: float = 0.5  # metres that the texture covers
    turn_deg: float = 0.0


class Wall(Strict):
    """A vertical plane."""

    surface: Surface
    distance_m: float  # from the origin
    azimuth_deg: float  # direction in which it stands


class Case(Strict):
    """An open tool case on the ground, a bed in it for each of the things that it holds."""

    holds: tuple[int, ...]  # which of the scene's objects
    edges: tuple[float, float, float, float]  # x1 y1 x2 y2, metres, in a frame turned about the origin by
    turn_deg: float
    depth_m: float  # of the beds
    seed: int = 0


class Background(Strict):
    """What is seen where nothing stands."""

    kind: Literal["photo", "invented", "vista", "white", "environment"]
    path: str = ""  # of the photograph
    seed: int = 0  # of the part of it that is seen, or of what is invented


class Effects(Strict):
    """What the camera does to the picture after the light; compose.develop applies it."""

    exposure_ev: float = 0.0
    white_balance: Vector = (1.0, 1.0, 1.0)  # gains of linear RGB
    blur_px: float = 0.0  # sigma of a Gaussian
    motion_px: tuple[float, float] = (0.0, 0.0)  # x y
    noise: float = 0.0  # standard deviation at white of the sensor's shot noise, as a fraction of white
    contrast: float = 1.0
    saturation: float = 1.0
    vignette: float = 0.0  # light lost in the corners, in [0, 1]
    stretch: float = 1.0  # how much wider the picture is made; below 1, how much less high it was
    seed: int = 0  # of the noise


class Scene(Strict):
    """Everything a picture depends on except its size and number of samples."""

    seed: int
    index: int
    objects: tuple[Placed, ...]
    camera: Camera
    light: Light
    ground: Surface | None = None  # None: the object hangs in the air
    walls: tuple[Wall, ...] = ()
    case: Case | None = None
    background: Background = Background(kind="environment")
    effects: Effects = Effects()
    least_area: float = 0.0  # of the picture; an object of which less is seen is not labelled

    def to_json(self) -> str:
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> "Scene":
        """The inverse of to_json. Raises a DataError."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise DataError(f"not a scene: {first_fault(error, cls)}") from error
