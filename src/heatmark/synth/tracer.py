"""Mitsuba behind one door: one mesh, one material, one environment map, one camera, all changed in place.

Everything that differs between scenes reaches Mitsuba as an array or an opaque number, never as a literal:
a new literal is a new kernel (0.2 to 0.7 s).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .world import PLANES, World

MAX_DEPTH = 4  # of a path: three bounces
ROULETTE = 2  # bounces after which dim paths end by chance: a quarter less time, 1 % more noise once denoised
NEAR = 1e-3  # metres before the eye, along the axis, from where its rays start
LIGHT_TO_WORLD = np.array([[0, 0, -1, 0], [-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])  # Mitsuba's up is y
NESTED = {"bump": "nested_texture"}  # what Mitsuba calls them, where it differs
MITSUBA_CAMERA = np.diag([-1.0, -1.0, 1.0, 1.0])  # its camera: x left, y up, z forward


@dataclass(frozen=True)
class Hits:
    """Where rays met the world first."""

    distance: np.ndarray  # (N,) float32 in lengths of the ray's direction; inf where nothing was met
    face: np.ndarray  # (N,) int64; -1 where nothing was met


class Tracer:
    """A Mitsuba scene of one picture size. Made once; `update` and `trace` for every picture.

    Args:
        size: (H, W) of the pictures.
        side: of the texture atlas, texels.
        light_size: (H, W) of the environment maps.
    """

    def __init__(self, variant: str, size: tuple[int, int], side: int, light_size: tuple[int, int]):
        import mitsuba as mi

        mi.set_variant(variant)
        two_threads()
        mi.set_log_level(mi.LogLevel.Error)  # it warns of triangles without an area, which are allowed
        self.mi, self.size, self.light_size = mi, size, light_size
        self.one_by_one = variant.startswith("scalar")
        self.color = mi.load_dict(_plane(mi, side, 3))
        self.surface = mi.load_dict(_surface(mi, side, self.color))
        self._make(np.eye(3, dtype=np.float32), np.arange(3, dtype=np.uint32))

    def _make(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        """The Mitsuba scene, round a mesh of so many vertices and faces."""
        mi, (h, w), props = self.mi, self.size, self.mi.Properties()
        props["mesh_bsdf"] = self.surface
        mesh = mi.Mesh(
            "world",
            vertices.size // 3,
            faces.size // 3,
            props,
            has_vertex_normals=True,
            has_vertex_texcoords=True,
        )
        corners = mi.traverse(mesh)
        corners["vertex_positions"], corners["faces"] = vertices.ravel().tolist(), faces.ravel().tolist()
        corners.update()
        numbered = np.tile(
            np.arange(self.light_size[1], dtype=np.float32)[None, :, None], (self.light_size[0], 1, 3)
        )
        film = {
            "type": "hdrfilm", "width": w, "height": h, "rfilter": {"type": "box"}, "pixel_format": "rgba",
            "component_format": "float32",
        }  # fmt: skip
        self.scene = mi.load_dict({
            "type": "scene",
            "world": mesh,
            "light": {
                "type": "envmap", "bitmap": mi.Bitmap(numbered),
                "to_world": mi.ScalarTransform4f(LIGHT_TO_WORLD),
            },
            "sensor": {
                "type": "thinlens", "fov": 40.0, "aperture_radius": 1e-6, "focus_distance": 1.0,
                "near_clip": NEAR, "film": film, "sampler": {"type": "independent"},
            },
            "integrator": {
                "type": "path", "max_depth": MAX_DEPTH, "rr_depth": ROULETTE, "hide_emitters": True,
            },
        })  # fmt: skip
        self.params = mi.traverse(self.scene)
        # some columns stand twice, to wrap round
        self.columns = np.array(self.params["light.data"])[0, :, 0].astype(int)
        keys = {name: f".{NESTED.get(name, name)}.data" for name in PLANES}
        self.planes = {n: next(k for k in self.params.keys() if k.endswith(end)) for n, end in keys.items()}

    def update(
        self,
        world: World,
        light: np.ndarray,
        camera: np.ndarray,
        fov_x_deg: float,
        aperture_m: float,
        focus_m: float,
    ) -> None:
        """Puts a new world, light (H, W, 3) and camera (4, 4), see scene.py, in the place of the last."""
        if self.one_by_one:  # there, arrays of another length cannot take the place of the last
            self._make(world.vertices, world.faces)
        flat = {
            "vertex_positions": world.vertices, "vertex_normals": world.normals, "vertex_texcoords": world.uv,
            "faces": world.faces,
        }  # fmt: skip
        for name, key in self.planes.items():
            self._set(key, world.atlas[name])
        for name, array in flat.items():
            self._set(f"world.{name}", array.reshape(-1))
        self._set("light.data", light[:, ::-1][:, self.columns])  # its columns run clockwise
        self._set("sensor.to_world", camera @ MITSUBA_CAMERA)
        for name, number in (
            ("x_fov", fov_x_deg),
            ("aperture_radius", max(aperture_m, 1e-6)),
            ("focus_distance", focus_m),
        ):
            self._set(f"sensor.{name}", number)
        self.params.update()
        # the environment would keep the last world's bounding sphere, and rays would round differently
        self.scene.environment().set_scene(self.scene)

    def _set(self, name: str, value: Any) -> None:
        new = type(self.params[name])(np.ascontiguousarray(value) if isinstance(value, np.ndarray) else value)
        if not self.one_by_one and (np.ndim(value) == 0 or np.shape(value) == (4, 4)):
            import drjit as dr

            dr.make_opaque(new)
        self.params[name] = new

    def trace(self, samples: int, seed: int) -> np.ndarray:
        """(H, W, 4) float32 linear RGB, times alpha, and alpha: what is solid, without the light behind."""
        picture = self.mi.render(self.scene, spp=samples, seed=seed)
        return np.array(picture, dtype=np.float32)

    def tidy(self) -> None:
        """Gives memory back to the system: circles of objects, Dr.Jit's store, what lies free in glibc's."""
        import ctypes
        import gc

        import drjit as dr

        gc.collect()  # a megabyte a picture hangs in circles that Python looks for too seldom
        dr.flush_malloc_cache()
        try:
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        except (OSError, AttributeError):  # another system, another C library
            pass

    def guides(self) -> tuple[np.ndarray, np.ndarray, Hits]:
        """(albedo, normal) for the denoiser, each (H, W, 3) float32: four rays a pixel; and what a fifth ray,
        through the pixel's middle, meets, with distances (H * W,) in metres along it from NEAR on."""
        import drjit as dr

        mi, (h, w) = self.mi, self.size
        i = dr.arange(mi.UInt32, 5 * h * w)
        pixel, which = i // 5, i % 5
        x, y = mi.Float(which & 1) * 0.5 + 0.25, mi.Float(which >> 1) * 0.5 + 0.25
        x, y = dr.select(which == 4, 0.5, x), dr.select(which == 4, 0.5, y)
        film = mi.Point2f((mi.Float(pixel % w) + x) / w, (mi.Float(pixel // w) + y) / h)
        ray, _ = self.scene.sensors()[0].sample_ray(0.0, 0.5, film, mi.Point2f(y, 1 - x))
        met = self.scene.ray_intersect(ray)
        color = self.color.eval(met, met.is_valid())
        planes = (*color, *(dr.select(met.is_valid(), v, 0.0) for v in met.sh_frame.n))
        distance, face = dr.select(met.is_valid(), met.t, dr.inf), met.prim_index
        dr.eval(planes, distance, face)  # together: each alone would trace the rays again
        means = [np.array(plane).reshape(h, w, 5)[..., :4].mean(-1) for plane in planes]
        far = np.array(distance).reshape(-1, 5)[:, 4]
        faces = np.array(face).reshape(-1, 5)[:, 4].astype(np.int64)
        seen = Hits(far, np.where(np.isfinite(far), faces, -1))
        return np.stack(means[:3], -1), np.stack(means[3:], -1), seen

    def hits(self, origins: np.ndarray, directions: np.ndarray) -> Hits:
        """Where rays from `origins` (N, 3) or (3,) along `directions` (N, 3) first meet the world."""
        origins = np.broadcast_to(origins, directions.shape).astype(np.float32)
        directions = directions.astype(np.float32)
        found = self._singly if self.one_by_one else self._at_once
        distance, face = found(origins, directions)
        return Hits(distance.astype(np.float32), np.where(np.isfinite(distance), face.astype(np.int64), -1))

    def _at_once(self, origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        import drjit as dr

        mi = self.mi
        ray = mi.Ray3f(
            mi.Point3f(np.ascontiguousarray(origins.T)), mi.Vector3f(np.ascontiguousarray(directions.T))
        )
        met = self.scene.ray_intersect_preliminary(ray, coherent=True)
        distance, face = dr.select(met.is_valid(), met.t, dr.inf), met.prim_index
        dr.eval(distance, face)  # together: each alone would trace the rays again
        return np.array(distance), np.array(face)

    def _singly(self, origins: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        distance, face = np.full(len(origins), np.inf), np.zeros(len(origins), np.int64)
        for i, (o, d) in enumerate(zip(origins.tolist(), directions.tolist())):
            met = self.scene.ray_intersect_preliminary(self.mi.Ray3f(o, d), coherent=True)
            if met.is_valid():
                distance[i], face[i] = met.t, met.prim_index
        return distance, face


def two_threads() -> None:
    """Let Dr.Jit have two threads at least: on one core some of its work, and Mitsuba's reader of pictures,
    waits for another thread and would wait for ever.
    """
    import drjit as dr

    if dr.thread_count() < 2:
        dr.set_thread_count(2)


def _plane(mi: Any, side: int, channels: int) -> dict[str, Any]:
    start = mi.TensorXf(np.full((side, side, channels), 0.5, np.float32))
    return {"type": "bitmap", "raw": True, "wrap_mode": "clamp", "filter_type": "bilinear", "data": start}


def _surface(mi: Any, side: int, color: Any) -> dict[str, Any]:
    """The one material: Disney's principled one, all of its numbers from the atlas."""
    numbers = {name: _plane(mi, side, 1) for name in ("roughness", "metallic", "clearcoat")}
    surface = {"type": "principled", "base_color": color, **numbers}
    bumped = {"type": "bumpmap", "bump": _plane(mi, side, 1), "nested": surface, "scale": 1.0}
    return {"type": "twosided", "bsdf": bumped}
