"""A drawn scene: landmarks are where an analytic camera has them, and the same scene is the same picture."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import trimesh

from heatmark import UserError
from heatmark.synth import lights, render, stage
from heatmark.synth.assets import Material
from heatmark.synth.grounds import GROUNDS
from heatmark.synth.invention import invent
from heatmark.synth.placing import looking
from heatmark.synth.scene import Camera, Lamp, Light, Placed, Scene, Source, Surface
from heatmark.synth.settings import settings_of
from heatmark.synth.world import Item, assemble, blank
from heatmark.types import ABSENT, HIDDEN, SEEN

STILL = ((1.0, 0, 0, 0), (0, 1.0, 0, 0), (0, 0, 1.0, 0), (0, 0, 0, 1.0))
PAPER = Surface(kind="painted", seed=1, tile_m=0.3)


def camera(eye, target=(0, 0, 0), **more) -> Camera:
    matrix = looking(np.array(eye, float), np.array(target, float))
    rows = tuple(tuple(row) for row in matrix.tolist())
    return Camera(matrix=rows, **{"fov_deg": 40.0, **more})  # type: ignore[arg-type]


def scene_of(path: str, eye, *others: Placed, ground: Surface | None = None, matrix=STILL, **more) -> Scene:
    thing = Placed(source=Source(kind="mesh", name=path), matrix=matrix, instance=1)
    view = more.pop("camera", None) or camera(eye)
    light = more.pop("light", Light(kind="studio", seed=2))
    return Scene(seed=0, index=0, objects=(thing, *others), camera=view, light=light, ground=ground, **more)


def raised(height: float, x: float = 0.0):
    return ((1.0, 0, 0, x), (0, 1.0, 0, 0), (0, 0, 1.0, height), (0, 0, 0, 1.0))


def test_the_layers_of_a_bar_on_the_ground(small_renderer, bar):
    layers = small_renderer(scene_of(bar, (0, 0, 0.5), ground=PAPER, matrix=raised(0.01)))
    assert layers.picture.shape == (32, 32, 3) and layers.picture.dtype == np.float32
    assert np.isfinite(layers.picture).all() and layers.picture.min() >= 0 and layers.picture.max() > 0.05
    assert layers.alpha.min() == 1 and set(np.unique(layers.mask)) == {0, 1}
    assert layers.ids[16, 16] == 0 and layers.ids[2, 2] == stage.GROUND
    assert layers.depth[16, 16] == pytest.approx(0.48, abs=1e-4)
    assert layers.depth[2, 2] == pytest.approx(0.5, abs=1e-4)
    red = layers.picture[16, 16]
    assert red[0] > 2 * red[1]  # its texture
    rows, columns = np.nonzero(layers.mask)
    half = 16 / np.tan(np.deg2rad(20))
    assert columns.max() + 1 - columns.min() == pytest.approx(0.2 * half / 0.48, abs=1.5)
    assert rows.max() + 1 - rows.min() == pytest.approx(0.04 * half / 0.48, abs=1.5)


def test_the_same_scene_is_the_same_picture_whatever_came_between(small_renderer, bar):
    one, other = scene_of(bar, (0.1, -0.3, 0.3), ground=PAPER), scene_of(bar, (0, 0.2, 0.4))
    first = small_renderer(one)
    small_renderer(other)
    again = small_renderer(one)
    for name in ("picture", "alpha", "ids", "mask", "depth", "points", "visibility"):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name), err_msg=name)


@pytest.fixture(scope="module")
def ball(tmp_path_factory) -> str:
    """A ball of 1 mm with its landmark in the middle: its picture's middle is the landmark's place."""
    folder = tmp_path_factory.mktemp("ball")
    trimesh.creation.icosphere(3, 0.001).export(folder / "ball.ply")
    (folder / "landmarks.json").write_text(json.dumps({"landmarks": {"middle": [0, 0, 0]}}))
    return str(folder)


@pytest.mark.parametrize("size", [(48, 48), (40, 56)])
@pytest.mark.parametrize("eye", [(0.0, -0.02, 0.008), (0.012, 0.009, 0.011)])
def test_landmarks_are_where_an_analytic_camera_sees_them(ball, size, eye):
    renderer = render.Renderer(size, samples=100, variant="scalar_rgb", denoise=False)
    # the ball stands off the axis, so that a wrong focal length or centre would show
    view = camera(eye, target=(0.0025, 0.0, -0.002))
    layers = renderer(scene_of(ball, eye, camera=view))
    h, w = size
    y, x = np.mgrid[:h, :w] + 0.5
    weight = layers.alpha.sum()
    middle = np.array([(layers.alpha * x).sum(), (layers.alpha * y).sum()]) / weight
    # a ball's picture is a little farther out than its middle: (r/d)^2 of the way from the picture's centre
    away = np.linalg.norm(np.array(eye)) / 0.001
    expected = layers.points[0, 0]
    out = (expected - [w / 2, h / 2]) * (1 / away**2)
    assert weight > 20 and np.abs(expected - [w / 2, h / 2]).max() > 3
    np.testing.assert_allclose(middle, expected + out, atol=0.05)


def test_rays_and_projection_agree(bar):
    view, size = camera((0.3, -0.2, 0.4), fov_deg=55.0), (20, 30)
    towards = render.rays(view, size).reshape(20, 30, 3)
    points = np.array(view.matrix)[:3, 3] + towards * np.linspace(0.5, 2, 30)[None, :, None]
    y, x = np.mgrid[:20, :30] + 0.5
    np.testing.assert_allclose(render.project(view, size, points), np.stack([x, y], -1), atol=1e-9)
    assert np.isnan(render.project(view, size, np.array([[0.6, -0.4, 0.8]]))).all()  # behind it


def test_visibility_knows_seen_hidden_and_outside(small_renderer, bar):
    above = small_renderer(scene_of(bar, (0, 0, 0.5)))
    assert above.visibility.tolist() == [
        [SEEN, SEEN, SEEN, SEEN]
    ]  # "under" is 2 cm of the bar's own thickness away
    box = Placed(source=Source(kind="mesh", name=bar), matrix=raised(0.1, 0.1))
    covered = small_renderer(scene_of(bar, (0.1, 0, 0.6), box, camera=camera((0.1, 0, 0.6), (0.1, 0, 0))))
    assert covered.visibility.tolist() == [[SEEN, HIDDEN, HIDDEN, HIDDEN]]
    near = small_renderer(scene_of(bar, (0, 0, 0.2), camera=camera((0.06, 0, 0.2), (0.06, 0, 0))))
    assert near.visibility[0].tolist() == [ABSENT, SEEN, SEEN, SEEN]
    assert np.isfinite(near.points).all() and near.points[0, 0, 0] < 0
    end_on = small_renderer(scene_of(bar, (0.5, 0.003, 0.002)))
    assert end_on.visibility[0, :2].tolist() == [HIDDEN, SEEN]  # the far end, through 20 cm of bar


def test_light_comes_from_where_it_is_said_to_and_is_seen_there(small_renderer, bar):
    def shone(azimuth: float) -> np.ndarray:
        lamp = Lamp(azimuth_deg=azimuth, elevation_deg=30, radius_deg=8, color=(1, 1, 1), share=20.0)
        light = Light(kind="studio", seed=2, lamps=(lamp,))
        return small_renderer(scene_of(bar, (0.4, 0, 0), light=light)).picture[14:18, 12:20].mean()

    assert shone(0) > 3 * shone(180)  # the end that faces +x
    lamp = Lamp(azimuth_deg=90, elevation_deg=40, radius_deg=4, color=(1, 1, 1), share=50.0)
    light = stage.light_of(Light(kind="studio", seed=2, lamps=(lamp,)))
    towards = np.array([0, np.cos(np.deg2rad(40)), np.sin(np.deg2rad(40))])
    looked = stage.backdrop(stage.Background(kind="environment"), camera((0, 0, 0), towards), light, (64, 64))
    row, column = np.unravel_index(looked.sum(-1).argmax(), (64, 64))
    assert abs(row - 32) < 8 and abs(column - 32) < 8


def test_a_white_floor_is_as_bright_as_the_light_is_strong(small_renderer, bar, monkeypatch):
    monkeypatch.setitem(GROUNDS, "white", lambda rng, metres, size: Material((1.0, 1.0, 1.0), 1.0))
    ground = Surface(kind="white", tile_m=1.0)
    for kind in ("sky", "studio", "workshop"):
        scene = scene_of(bar, (0, 0, 3.0), ground=ground, light=Light(kind=kind, seed=5, strength=0.8))
        floor = small_renderer(scene).picture[:10].mean()
        assert floor == pytest.approx(0.8, rel=0.25), kind


@pytest.mark.parametrize("kind", sorted(lights.LIGHTS))
def test_invented_lights_are_finite_and_never_negative(kind):
    for seed in range(6):
        light = lights.LIGHTS[kind](np.random.default_rng(seed), (32, 64))
        assert light.shape == (32, 64, 3) and light.dtype == np.float32
        assert np.isfinite(light).all() and light.min() >= 0
        assert lights.irradiance(lights.scaled(light, 0.7)) <= 0.7 + 1e-5


@pytest.mark.parametrize("kind", sorted(GROUNDS))
def test_grounds_differ_and_come_again(kind):
    one, again, other = (GROUNDS[kind](np.random.default_rng(seed), 0.5, 64) for seed in (1, 1, 2))
    assert isinstance(one.base_color, np.ndarray) and one.base_color.shape == (64, 64, 3)
    np.testing.assert_array_equal(one.base_color, again.base_color)
    assert (one.base_color != other.base_color).any()


def test_an_environment_map_is_read_and_a_broken_one_named(small_renderer, tmp_path):
    import mitsuba as mi

    raw = np.full((8, 16, 3), 0.5, np.float32)
    raw[2, 4] = -1.0
    mi.Bitmap(raw).write(str(tmp_path / "room.exr"))
    light = lights.read(tmp_path / "room.exr", (16, 32))
    assert light.shape == (16, 32, 3) and light.min() == 0 and light.max() == pytest.approx(0.5, abs=0.2)
    (tmp_path / "bad.exr").write_bytes(b"not a map")
    with pytest.raises(ValueError, match="bad.exr: not readable as an environment map"):
        lights.read(tmp_path / "bad.exr")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores are not given out here")
def test_a_machine_of_one_core_reads_an_environment_map(small_renderer, tmp_path):
    import mitsuba as mi

    mi.Bitmap(np.ones((8, 16, 3), np.float32)).write(str(tmp_path / "room.exr"))
    reading = (
        f"import os; os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[:1]})\n"
        "import mitsuba as mi; mi.set_variant('scalar_rgb')\n"
        "from pathlib import Path; from heatmark.synth import lights\n"
        f"print(lights.read(Path({str(tmp_path / 'room.exr')!r}), (4, 8)).shape)"
    )
    done = subprocess.run([sys.executable, "-c", reading], capture_output=True, text=True, timeout=60)
    assert done.stdout.split("\n")[0] == "(4, 8, 3)", done.stderr


def test_every_part_of_an_invented_scene_can_be_drawn(small_renderer, bar):
    changes = {
        "clutter": {"count": [1, 2], "draws": 3, "tools": 0.0, "hand": 1.0},
        "object": {"poses": {"air": 1}},
    }
    for index in range(3):
        layers = small_renderer(invent(settings_of(bar, changes), 1, index))
        assert np.isfinite(layers.picture).all() and layers.points.shape[1:] == (4, 2)


def test_instances_of_which_nothing_is_seen_are_left_out_and_the_rest_numbered_anew():
    scene = invent(settings_of("hammer", {"clutter": {"kin": 0.0, "count": [2, 2], "hand": 0.0}}), 0, 0)
    objects = [o.model_copy(update={"instance": i}) for o, i in zip([scene.objects[0]] * 4, (2, 0, 3, 1))]
    ids = np.array([[-1, 0], [2, -2]])  # the object with instance 1 is not among them
    instances, there = render.appearing(scene.model_copy(update={"objects": tuple(objects)}), ids)
    assert instances.tolist() == [1, 0, 2, 0, 0] and there.tolist() == [False, True, True]


def test_an_object_of_which_less_is_seen_than_the_scene_asks_for_is_not_labelled(small_renderer, bar):
    other = Placed(source=Source(kind="mesh", name=bar), matrix=raised(0.01, 0.35), instance=2)
    scene = scene_of(bar, (0, 0, 0.5), other, ground=PAPER, matrix=raised(0.01))
    layers = small_renderer(scene)
    assert len(layers.points) == layers.mask.max() == 1  # the other is outside
    seen = int((layers.mask == 1).sum())
    for share, count in ((seen / 32**2, 1), ((seen + 1) / 32**2, 0)):
        layers = small_renderer(scene.model_copy(update={"least_area": share}))
        assert len(layers.points) == len(layers.visibility) == layers.mask.max() == count


def test_textures_keep_to_their_own_place_in_the_atlas(bar):
    from heatmark.synth.meshes import load

    red = load(bar)
    world = assemble([Item(red, np.eye(4), 0), Item(red, np.eye(4), 1)], blank(32))
    assert len(world.faces) == 24 and set(world.owner) == {0, 1}
    row, column = (np.floor(world.uv * 32).astype(int).clip(0, 31)).T[::-1]
    np.testing.assert_allclose(
        world.atlas["base_color"][row, column, 1], 0.0212, atol=1e-3
    )  # 40 of 255, linear


def test_a_variant_that_does_not_work_says_how_to_mend_it(monkeypatch):
    with pytest.raises(UserError, match="no variant is called 'metal'"):
        render.probe_variant("metal")
    failed = subprocess.CompletedProcess([], -6, "", "LLVM ERROR: cannot select\n")
    monkeypatch.setattr(render.subprocess, "run", lambda *a, **k: failed)
    render.works.cache_clear()
    render.probe_variant.cache_clear()
    try:
        with pytest.raises(UserError, match="llvm_ad_rgb does not work here: LLVM ERROR.*exit -6.*libllvm19"):
            render.probe_variant("llvm_ad_rgb")
        assert render.probe_variant() == "scalar_rgb"
    finally:
        render.works.cache_clear()
        render.probe_variant.cache_clear()


def test_a_renderer_refuses_what_cannot_be():
    with pytest.raises(UserError, match="at least 8 x 8 pixels and 1 sample"):
        render.Renderer((4, 4), 1, "scalar_rgb")
