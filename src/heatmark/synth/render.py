"""Scene -> Layers by path tracing with Mitsuba 3: the picture, who is where, how far, and the landmarks.

The same scene, size and number of samples give the same picture, bit by bit, on one machine and variant.
"""

import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from itertools import cycle

import numpy as np

from ..errors import UserError, require, unknown
from ..types import ABSENT, HIDDEN, SEEN, Skeleton
from . import lights
from .scene import Camera, Scene
from .stage import NOBODY, Stage, staged
from .tracer import NEAR, Tracer
from .world import World, assemble, blank

VARIANTS = ("cuda_ad_rgb", "llvm_ad_rgb", "scalar_rgb")  # fastest first
TIDY = 40  # pictures between two tidyings
PROBE = """
import mitsuba as mi
mi.set_variant({variant!r})
import drjit as dr
assert {variant!r} == "scalar_rgb" or dr.sum(dr.arange(mi.Float, 64) * 2)[0] == 4032
print("fine")
"""


@dataclass(frozen=True)
class Layers:
    """A drawn scene, before it is a photograph."""

    picture: np.ndarray  # (H, W, 3) float32 linear RGB; 1.0 is white at normal exposure, brighter exists
    alpha: np.ndarray  # (H, W) float32 in [0, 1]: covered by anything solid, so not by the background
    # (H, W) int16: index in scene.objects of what the pixel's centre sees; NOBODY -1, GROUND -2
    ids: np.ndarray
    mask: np.ndarray  # (H, W) uint8: instance of what the pixel's centre sees, 0 for none
    depth: np.ndarray  # (H, W) float32 metres along the camera's axis; inf where there is nothing
    skeleton: Skeleton
    # (N, K, 2) of the instances seen; float64, also where outside the picture; NaN behind the camera
    points: np.ndarray
    visibility: np.ndarray  # (N, K) uint8: 0 outside the picture, 1 hidden, 2 seen


@lru_cache
def works(variant: str) -> str:
    """Empty if this machine renders with a variant, else why not.

    Asked in a process of its own: an unfit libLLVM does not raise, it aborts.
    """
    command = [sys.executable, "-c", PROBE.format(variant=variant)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return "no answer within 120 s"
    if done.returncode == 0 and "fine" in done.stdout:
        return ""
    if "backend hasn't been initialized" in done.stderr:  # as Dr.Jit says it when there is nothing to load
        return f"no {'NVIDIA driver' if variant.startswith('cuda') else 'LLVM library'} was found"
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return f"{said[-1] if said else 'it ended without a word'} (exit {done.returncode})"


@lru_cache
def probe_variant(wanted: str | None = None) -> str:
    """The fastest variant that works here, or `wanted` if it works. Raises a UserError if it does not."""
    require("mitsuba", to="render")
    if wanted is None:
        return next(variant for variant in VARIANTS if variant == VARIANTS[-1] or not works(variant))
    if wanted not in VARIANTS:
        raise unknown("variant", wanted, VARIANTS)
    if why := works(wanted):
        raise UserError(f"variant {wanted} does not work here: {why}. {mending(wanted)}")
    return wanted


def mending(variant: str) -> str:
    """How to get a variant, in one sentence; empty for the one that always works."""
    return {
        "cuda_ad_rgb": "It needs an NVIDIA GPU and its driver.",
        "llvm_ad_rgb": "It needs LLVM's shared library, 17 or later (Debian, Ubuntu: apt install libllvm19; "
        "macOS: brew install llvm); if several are installed, DRJIT_LIBLLVM_PATH names the one to take.",
        "scalar_rgb": "",
    }[variant]


def check_size(size: tuple[int, int], samples: int) -> None:
    """Raises a UserError where there is too little to draw: size is (H, W), samples are paths per pixel."""
    if min(size) < 8 or samples < 1:
        raise UserError(f"a picture needs at least 8 x 8 pixels and 1 sample, got {size} and {samples}")


@dataclass(frozen=True)
class Ready:
    """A scene put together for the tracer: all that Python and NumPy do before the first ray."""

    scene: Scene
    stage: Stage
    world: World
    light: np.ndarray  # (H, W, 3) float32 linear, as small as the tracer wants it


class Renderer:
    """Draws scenes of one size, one after the other: `renderer(scene)`.

    Or in two steps, `draw(prepare(scene))`: a thread may prepare one scene while another is drawn, since
    Mitsuba and the denoiser work without the interpreter. At most two may be ready at a time.

    Args:
        size: (H, W) of the pictures.
        samples: paths per pixel.
        variant: a Mitsuba variant; None takes the fastest that works here.
        denoise: None denoises if pyoidn is installed.

    Raises:
        UserError: Mitsuba is missing, or the variant does not work here.
    """

    def __init__(
        self,
        size: tuple[int, int] = (224, 224),
        samples: int = 16,
        variant: str | None = None,
        denoise: bool | None = None,
    ):
        check_size(size, samples)
        self.variant = probe_variant(variant)
        if denoise:
            require("pyoidn", to="denoise")
        self.size, self.samples, self.denoise = (int(size[0]), int(size[1])), samples, can_denoise(denoise)
        side = 1024 if max(size) <= 320 else 2048  # of the atlas: textures no finer than pixels can show
        self.atlases = cycle((blank(side), blank(side)))
        self.drawn = 0
        self.tracer = Tracer(self.variant, self.size, side, lights.TRACED)

    def __call__(self, scene: Scene) -> Layers:
        """Draws a scene. Raises a DataError if a file it names cannot be read."""
        return self.draw(self.prepare(scene))

    def prepare(self, scene: Scene) -> Ready:
        """Builds and lays out everything a scene names. Raises a DataError if a file cannot be read."""
        stage = staged(scene)
        return Ready(scene, stage, assemble(stage.items, next(self.atlases)), lights.shrunk(stage.light))

    def draw(self, ready: Ready) -> Layers:
        """Traces the rays."""
        self.drawn += 1
        if self.drawn % TIDY == 0:
            self.tracer.tidy()
        scene, stage, world = ready.scene, ready.stage, ready.world
        camera, (h, w) = scene.camera, self.size
        fov_x = 2 * np.rad2deg(np.arctan(w / 2 / focal(camera, self.size)))
        matrix = np.array(camera.matrix)
        self.tracer.update(world, ready.light, matrix, fov_x, camera.aperture_m, camera.focus_m)
        rgba = np.nan_to_num(
            self.tracer.trace(self.samples, scene.seed * 1_000_003 + scene.index & 0x7FFFFFFF)
        )
        picture, alpha = np.maximum(rgba[..., :3], 0), np.clip(rgba[..., 3], 0, 1)
        if self.denoise and not self.tracer.one_by_one:
            albedo, normal, seen = self.tracer.guides()
            picture, depth = (
                denoised(picture, albedo, normal),
                seen.distance / slants(camera, self.size) + NEAR,
            )
        else:
            picture = denoised(picture) if self.denoise else picture
            seen = self.tracer.hits(matrix[:3, 3], rays(camera, self.size))
            depth = seen.distance
        ids = np.where(seen.face < 0, NOBODY, world.owner[seen.face]).reshape(h, w).astype(np.int16)
        points, visibility = self._landmarks(scene, stage, world)
        instances, there = appearing(scene, ids)
        return Layers(
            picture=behind(picture, alpha, stage),
            alpha=alpha,
            ids=ids,
            mask=instances[np.maximum(ids, NOBODY)],
            depth=depth.reshape(h, w).astype(np.float32),
            skeleton=stage.skeleton,
            points=points[there],
            visibility=visibility[there],
        )

    def _landmarks(self, scene: Scene, stage: Stage, world: World) -> tuple[np.ndarray, np.ndarray]:
        """Points (N, K, 2) and visibility (N, K) of the labelled objects, in the order of their instances.

        All rays are sent at once: what a launch costs is the launch.
        """
        owners = np.array(
            [i for _, i in sorted((p.instance, i) for i, p in enumerate(scene.objects) if p.instance)]
        )
        assets = [stage.assets[i] for i in owners]
        matrices = np.array([scene.objects[i].matrix for i in owners])  # (N, 4, 4)
        scales = np.cbrt(np.linalg.det(matrices[:, :3, :3]))
        sizes = np.array([asset.size_m for asset in assets]) * scales  # (N,) metres
        placed = [a.landmarks @ m[:3, :3].T + m[:3, 3] for a, m in zip(assets, matrices)]
        marks = np.stack(placed)  # (N, K, 3)
        places = project(scene.camera, self.size, marks)
        eye, (h, w), shape = np.array(scene.camera.matrix)[:3, 3], self.size, marks.shape[:2]
        met = self.tracer.hits(eye, (marks - eye).reshape(-1, 3))  # 1.0 is the landmark itself
        own = ((met.face >= 0) & (world.owner[met.face] == owners.repeat(shape[1]))).reshape(shape)
        short = np.where(np.isfinite(met.distance), 1 - met.distance, 0).reshape(shape)
        gap = short * np.linalg.norm(marks - eye, axis=-1)  # metres from something in front
        within = np.empty(shape)  # metres of itself that may lie before it
        told = np.array([asset.depths is not None for asset in assets])
        for n in np.flatnonzero(told):
            within[n] = assets[n].depths * scales[n]
        if not told.all():
            n = ~told
            within[n] = self.thickness(world, owners[n], marks[n], sizes[n]) + 0.02 * sizes[n, None]
        allowed = np.where(own, within, 5e-3 * sizes[:, None])
        inside = (places >= 0).all(-1) & (places <= [w, h]).all(-1)
        seen = np.where(inside, np.where(gap <= allowed, SEEN, HIDDEN), ABSENT)
        return places, seen.astype(np.uint8)

    def thickness(self, world: World, owners: np.ndarray, marks: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """(N, K) metres of its object (N,) of sizes (N,) around each mark (N, K, 3): how far behind the first
        thing seen it may lie.

        Inside the solid nine of ten ways out are shorter; in a hole (a ring, a jaw) it is the hole's width.
        """
        way, count = sphere(96), marks.shape[1]
        step = 1e-4 * sizes.repeat(count * len(way))[:, None]
        starts, towards = marks.reshape(-1, 3).repeat(len(way), 0), np.tile(way, (marks[..., 0].size, 1))
        met = self.tracer.hits(starts + step * towards, towards)
        corners = world.vertices[world.faces[np.maximum(met.face, 0)]]  # (N * K * 96, 3, 3)
        outward = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        own = (met.face >= 0) & (world.owner[met.face] == owners.repeat(count * len(way)))
        leaving = own & ((outward * towards).sum(1) > 0)
        found = np.zeros(marks.shape[:2])
        rows = (a.reshape(-1, len(way)) for a in (met.distance, leaving, own))
        for k, (far, out, at) in enumerate(zip(*rows)):
            if out.any():
                found.flat[k] = np.quantile(far[out], 0.9)
            elif at.any():
                found.flat[k] = min(2 * np.median(far[at]), 0.1 * sizes[k // count])
        return found


def appearing(scene: Scene, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which labelled objects are in the picture: those of which a pixel is seen, or `scene.least_area`.

    Returns:
        (objects + 1,) uint8, the instance of each object numbered anew without gaps, 0 for those without a
        label and, last, for nobody; and (N,) bool, which of the labelled ones (by instance) are left.
    """
    labelled = sorted((placed.instance, i) for i, placed in enumerate(scene.objects) if placed.instance)
    pixels = np.bincount(ids[ids >= 0], minlength=len(scene.objects))
    there = np.array([pixels[i] >= max(scene.least_area * ids.size, 1) for _, i in labelled])
    instances = np.zeros(len(scene.objects) + 1, np.uint8)
    kept = [i for (_, i), is_there in zip(labelled, there) if is_there]
    instances[kept] = np.arange(1, len(kept) + 1)
    return instances, there


def behind(picture: np.ndarray, alpha: np.ndarray, stage: Stage) -> np.ndarray:
    """The picture with the background where nothing solid covers it."""
    if alpha.min() >= 1:
        return picture
    return (picture + (1 - alpha[..., None]) * stage.background(alpha.shape)).astype(np.float32)


def focal(camera: Camera, size: tuple[int, int]) -> float:
    """The focal length in pixels."""
    return max(size) / 2 / np.tan(np.deg2rad(camera.fov_deg) / 2)


def project(camera: Camera, size: tuple[int, int], points: np.ndarray) -> np.ndarray:
    """(..., 3) world metres -> (..., 2) picture pixels (see geometry); NaN behind the camera."""
    matrix, (h, w) = np.array(camera.matrix), size
    x, y, z = np.moveaxis((np.asarray(points) - matrix[:3, 3]) @ matrix[:3, :3], -1, 0)
    z = np.where(z > 1e-6, z, np.nan)
    return np.stack([x / z, y / z], -1) * focal(camera, size) + np.array([w / 2, h / 2])


def rays(camera: Camera, size: tuple[int, int], at: tuple[float, float] = (0.5, 0.5)) -> np.ndarray:
    """(H * W, 3) directions through the pixels, 1 along the camera's axis; (0.5, 0.5) is a pixel's centre."""
    (h, w), f = size, focal(camera, size)
    x, y = np.meshgrid((np.arange(w) + at[0] - w / 2) / f, (np.arange(h) + at[1] - h / 2) / f)
    return np.stack([x, y, np.ones_like(x)], -1).reshape(-1, 3) @ np.array(camera.matrix)[:3, :3].T


def slants(camera: Camera, size: tuple[int, int]) -> np.ndarray:
    """(H * W,) how much longer a ray through a pixel's middle is than its part along the camera's axis."""
    (h, w), f = size, focal(camera, size)
    x, y = (np.arange(w) + 0.5 - w / 2) / f, (np.arange(h) + 0.5 - h / 2) / f
    return np.sqrt(1 + x**2 + y[:, None] ** 2).reshape(-1)


def sphere(count: int) -> np.ndarray:
    """(count, 3) unit vectors spread evenly (a Fibonacci lattice)."""
    i = np.arange(count) + 0.5
    z, turn = 1 - 2 * i / count, np.pi * (1 + 5**0.5) * i
    r = np.sqrt(1 - z * z)
    return np.stack([r * np.cos(turn), r * np.sin(turn), z], 1)


def can_denoise(wanted: bool | None) -> bool:
    from importlib.util import find_spec

    return find_spec("pyoidn") is not None if wanted is None else wanted


def denoised(
    picture: np.ndarray, albedo: np.ndarray | None = None, normal: np.ndarray | None = None
) -> np.ndarray:
    """A linear picture (H, W, 3) float32 without its noise, guided by albedo and normals if there are any."""
    import pyoidn

    planes = [None if a is None else np.ascontiguousarray(a, np.float32) for a in (picture, albedo, normal)]
    return np.maximum(pyoidn.denoise(planes[0], albedo=planes[1], normal=planes[2], hdr=True), 0)
