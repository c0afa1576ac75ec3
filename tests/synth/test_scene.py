"""A scene is a function of settings, seed and index, and holds what the settings promise."""

import numpy as np
import pytest
from PIL import Image

from heatmark import DataError, UserError
from heatmark.synth import grounds, placing
from heatmark.synth.invention import invent
from heatmark.synth.scene import Background, Camera, Scene, rows
from heatmark.synth.settings import GROUNDS, SceneSettings, merged, relevant, settings_of, to_yaml
from heatmark.synth.stage import backdrop, photo_behind
from heatmark.synth.things import build, outline

FEW = {"clutter": {"count": [0, 3], "draws": 4, "tools": 0.0}}


def of(bar: str, **changes) -> SceneSettings:
    return settings_of(bar, merged(FEW, changes))


def shown(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """(lowest, highest) corner of the labelled object's box in the picture, in parts of its width."""
    thing, camera = scene.objects[0], scene.camera
    points = outline(thing.source.kind, thing.source.name, thing.source.seed)
    flat = placing.seen(np.array(camera.matrix), placing.carried(np.array(thing.matrix), points))
    flat = flat / (2 * np.tan(np.deg2rad(camera.fov_deg) / 2)) + 0.5
    return flat.min(0), flat.max(0)


def test_a_scene_depends_on_settings_seed_and_index_alone(bar):
    settings = of(bar)
    first = [invent(settings, 3, i) for i in range(4)]
    again = [invent(settings, 3, i) for i in (3, 1, 0, 2)]
    assert first == [again[2], again[1], again[3], again[0]]
    assert invent(settings, 4, 0) != first[0] and len({s.to_json() for s in first}) == 4


def test_a_scene_survives_json(bar):
    scene = invent(of(bar), 0, 5)
    assert Scene.from_json(scene.to_json()) == scene
    with pytest.raises(DataError, match="not a scene: seed: field required"):
        Scene.from_json("{}")
    with pytest.raises(Exception, match="frozen"):
        scene.seed = 3  # type: ignore[misc]


def test_the_object_fills_as_much_of_the_picture_as_was_asked(bar):
    settings = of(
        bar, object={"extent": [0.5, 0.7], "small": 0.0, "truncated": 0.0}, clutter={"count": [0, 0]}
    )
    for index in range(25):
        low, high = shown(invent(settings, 0, index))
        assert 0.42 < (high - low).max() < 0.81
        assert low.min() > -0.06 and high.max() < 1.06


def test_a_truncated_object_crosses_the_edge_and_is_not_lost(bar):
    settings = of(bar, object={"truncated": 1.0}, clutter={"count": [0, 0]})
    for index in range(15):
        low, high = shown(invent(settings, 0, index))
        assert low.min() < 0.05 or high.max() > 0.95
        left = np.minimum(high, 1) - np.maximum(low, 0)
        assert np.prod(left) > 0.5 * np.prod(high - low)


@pytest.mark.parametrize("how", ["lying", "rolled", "leaning", "standing"])
def test_what_is_not_in_the_air_touches_the_ground(bar, how):
    for index in range(6):
        scene = invent(of(bar, object={"poses": {how: 1.0}}), 1, index)
        for thing in scene.objects:
            points = outline(thing.source.kind, thing.source.name, thing.source.seed)
            if thing.source.kind != "hand":
                assert placing.carried(np.array(thing.matrix), points)[:, 2].min() == pytest.approx(
                    0, abs=1e-6
                )
        assert scene.ground is not None and scene.camera.matrix[2][3] > 0


def test_a_bar_lies_on_a_broad_side_and_stands_on_its_end(bar):
    points = outline("mesh", bar, 0)
    rng = np.random.default_rng(0)
    lying = [np.ptp(points @ placing.posed(rng, "lying", points, (0, 0)).T, axis=0)[2] for _ in range(40)]
    assert 0.019 < min(lying) and max(lying) < 0.041 and np.median(lying) < 0.021
    standing = [
        np.ptp(points @ placing.posed(rng, "standing", points, (0, 0)).T, axis=0)[2] for _ in range(9)
    ]
    assert min(standing) > 0.19


def test_only_the_pieces_that_were_named_lie_about(bar):
    clutter = {"count": [6, 6], "hand": 0.0, "kin": 0.0, "tools": 0.0, "pieces": ["pliers", "knife"]}
    lying = [one.source for i in range(4) for one in invent(of(bar, clutter=clutter), 2, i).objects[1:]]
    assert {source.name for source in lying} == {"pliers", "knife"}
    assert build("clutter", "pliers", 3).name == "pliers" != build("clutter", "", 3).name
    with pytest.raises(UserError, match="'plier'.*did you mean 'pliers'"):
        of(bar, clutter={"pieces": ["plier"]})


def test_a_mesh_without_landmarks_lies_about(bar, tmp_path):
    (tmp_path / "wedge.obj").write_text("v 0 0 0\nv 0.1 0 0\nv 0 0.1 0\nv 0 0 0.1\nf 1 2 3\nf 1 4 2\n")
    settings = of(bar, clutter={"count": [4, 4], "meshes": [str(tmp_path / "wedge.obj")]})
    sources = [o.source for i in range(4) for o in invent(settings, 0, i).objects]
    assert str(tmp_path / "wedge.obj") in {source.name for source in sources}


def test_clutter_keeps_clear_of_the_object(bar):
    pieces = 0
    for index in range(12):
        first, *others = invent(of(bar, clutter={"count": [3, 3], "hand": 0.0, "kin": 0.0}), 2, index).objects
        solid = placing.carried(
            np.array(first.matrix), outline(first.source.kind, first.source.name, first.source.seed)
        )
        for other in others:
            points = outline(other.source.kind, other.source.name, other.source.seed)
            assert placing.free(placing.carried(np.array(other.matrix), points), [solid])
            assert other.instance == 0
            pieces += 1
    assert pieces > 12


def test_others_of_its_kind_lie_beside_the_object_and_are_labelled(bar):
    beside = 0
    for index in range(12):
        settings = of(bar, object={"poses": {"lying": 1}}, clutter={"count": [0, 0], "kin": 1.0, "sets": 1.0})
        objects = [o for o in invent(settings, 5, index).objects if o.instance]
        assert [o.instance for o in objects] == list(range(1, len(objects) + 1))
        carried = [placing.carried(np.array(o.matrix), outline("mesh", bar, 0)) for o in objects]
        ways = [placing.long_axis(c)[:2] for c in carried]
        for i in range(1, len(objects)):
            assert placing.free(carried[i], carried[:i])
            assert abs(ways[i] @ ways[0]) > np.cos(np.deg2rad(15))  # a set lies in parallel
            beside += 1
    assert beside > 12


def test_no_hand_comes_between_the_eye_and_the_object():
    held = 0
    for index in range(40):
        scene = invent(
            of("combination_wrench", clutter={"hand": 1.0, "count": [0, 0], "kin": 0.0}), 21, index
        )
        first, *hands = scene.objects
        for hand in hands:
            eye, ahead = np.array(scene.camera.matrix)[:3, 3], np.array(scene.camera.matrix)[:3, 2]
            points = [outline(o.source.kind, o.source.name, o.source.seed) for o in (hand, first)]
            near, far = (
                (placing.carried(np.array(o.matrix), p) - eye) @ ahead for o, p in zip((hand, first), points)
            )
            assert near.min() > 0.25 * far.min() > 0
            held += 1
    assert held > 10


def test_a_scene_may_ask_for_every_ground_there_is():
    assert set(GROUNDS) == {*grounds.GROUNDS, "photo"}


def test_settings_go_to_yaml_and_back(bar, tmp_path):
    settings = of(bar, camera={"fov_deg": [30, 31]})
    path = tmp_path / "scene.yaml"
    path.write_text(to_yaml(settings))
    assert settings_of(path) == settings
    assert settings_of(path, {"camera": {"fov_deg": [40, 41]}}).camera.fov_deg == (40, 41)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("objects: hammer\ncamra: {}", "scene.yaml: no field is called 'camra' .did you mean 'camera'"),
        ("objects: hammer\ncamera: {fov: [1, 2]}", "scene.yaml: camera: no field is called 'fov'"),
        ("objects: hammer\ncamera: {fov_deg: [50, 20]}", "camera.fov_deg: .*low <= high"),
        ("objects: hammer\nlight: {kinds: {sky: -1}}", "light.kinds: .*weights must be >= 0"),
        ("objects: hammer\ncamera: {fov_deg: [0, 20]}", "camera.fov_deg: a range within 1 and 170 is wanted"),
        ("objects: hammer\nclutter: {count: [5, 2]}", "clutter.count: .*low <= high"),
        ("objects: hammer\nclutter: {kin_count: [-1, 2]}", "clutter.kin_count: a range within 0 and inf"),
        (
            "objects: hammer\nobject: {truncated: 50}",
            "object.truncated: input should be less than or equal to 1",
        ),
        ("objects: hammer\neffects: {noise: [-1, 0]}", "effects.noise: a range within 0"),
        ("objects: hammer\nobject: {poses: {lying: .nan}}", "object.poses: weights must be >= 0, finite"),
        ("objects: hammer\nobject: {poses: {lying: 1e308, air: 1e308}}", "object.poses: weights .* finite"),
        ("objects: hammer\nobject: {poses: {flying: 1}}", "object.poses: no kind is called 'flying'"),
        (
            "objects: hammer\nlight: {kinds: {sun: 1}}",
            "light.kinds: no kind is called 'sun'; there are: file",
        ),
        ("objects: hammer\nground: {kinds: {lava: 1}}", "ground.kinds: no kind is called 'lava'"),
        ("objects: hammer\nbackground: {kinds: {moon: 1}}", "background.kinds: no kind is called 'moon'"),
        ("objects: hammer\nobject: {least_area: .nan}", "object.least_area: .*got nan"),
        (f"objects: hammer\nobject: {{draws: {10**24}}}", "object.draws: input should be less than"),
        ("objects: shelf\nshelf: {yaw_deg: .nan}", "shelf.yaw_deg: .*got nan"),
        ("objects: []", "objects: .*at least 1 item"),
        ("objects: " + "[" * 3000, "not readable as YAML"),
        ("camera: {}", "objects: field required"),
        ("[1, 2", "not readable as YAML"),
        ("just words", "must hold the fields of a scene"),
    ],
)
def test_a_fault_in_a_scene_file_is_named(tmp_path, text, words):
    path = tmp_path / "scene.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=words) as caught:
        settings_of(path)
    assert "\n" not in str(caught.value)


def test_what_is_not_there_is_the_users_mistake(bar, tmp_path):
    with pytest.raises(UserError, match="no such scene file"):
        settings_of(tmp_path / "scene.yaml")
    with pytest.raises(UserError, match="hamer"):
        invent(settings_of("hamer"), 0, 0)
    with pytest.raises(
        UserError, match="scene settings: no field is called 'objcts' .did you mean 'objects'"
    ):
        settings_of(bar, {"objcts": 1})
    with pytest.raises(UserError, match="must be a folder with .exr, .hdr files"):
        invent(of(bar, light={"kinds": {"file": 1}, "folder": str(tmp_path)}), 0, 0)
    with pytest.raises(UserError, match="the only kind wanted is 'photo'"):
        invent(of(bar, background={"kinds": {"photo": 1}}), 0, 0)


def test_only_what_scenes_are_drawn_from_is_relevant():
    hammers, shelves = (settings_of(name).model_dump() for name in ("hammer", "shelf"))
    assert set(hammers) - set(relevant(hammers)) == {"shelf"}
    assert set(shelves) - set(relevant(shelves)) == {"object", "clutter"}


def test_pictures_of_tools_are_stretched_now_and_then_and_those_of_people_never(bar):
    wider = [invent(of(bar), 0, index).effects.stretch for index in range(60)]
    changed = [w for w in wider if w != 1]
    assert 6 < len(changed) < 26 and 1 / 1.31 < min(changed) < 1 < max(changed) < 1.31
    assert settings_of("people").effects.stretched == 0


def test_folders_of_photographs_are_used(bar, tmp_path):
    for name in ("a.jpg", "b.png"):
        Image.new("RGB", (40, 30)).save(tmp_path / name)
    folder = {"kinds": {"photo": 1}, "folder": str(tmp_path)}
    settings = of(bar, background=folder, ground=folder, object={"poses": {"lying": 1}})
    scenes = [invent(settings, 0, i) for i in range(8)]
    assert {s.background.path for s in scenes} == {str(tmp_path / "a.jpg"), str(tmp_path / "b.png")}
    assert all(s.ground and s.ground.kind == "photo" and s.ground.path for s in scenes)


def test_photographs_in_folders_within_are_used_too_and_hidden_files_are_none(bar, tmp_path):
    (tmp_path / "bench").mkdir()
    Image.new("RGB", (40, 30)).save(tmp_path / "bench" / "a.jpg")
    (tmp_path / "._a.jpg").write_bytes(b"of another system")
    folder = {"kinds": {"photo": 1}, "folder": str(tmp_path)}
    scene = invent(of(bar, background=folder, ground=folder, object={"poses": {"lying": 1}}), 0, 0)
    assert scene.background.path == str(tmp_path / "bench" / "a.jpg")
    assert scene.ground and scene.ground.path == scene.background.path


def test_a_photograph_is_the_same_on_the_ground_behind_and_in_front(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # as a telephone held upright says
    Image.fromarray(np.arange(2400, dtype=np.uint16).reshape(40, 60) * 27).save(tmp_path / "deep.png")
    Image.new("RGB", (60, 40), "red").save(tmp_path / "upright.jpg", exif=exif)
    upright = grounds.photo(tmp_path / "upright.jpg", 0).base_color
    deep = grounds.photo(tmp_path / "deep.png", 0).base_color
    assert isinstance(upright, np.ndarray) and upright.shape == (60, 40, 3)
    assert isinstance(deep, np.ndarray) and 100 < deep.mean() < 150  # not white: the upper eight bits
    Image.new("RGB", (60, 1), "red").save(tmp_path / "line.png")
    assert photo_behind(tmp_path / "line.png", 0, (8, 8)).shape == (8, 8, 3)
    (tmp_path / "bad.png").write_text("<html>")
    with pytest.raises(DataError, match="bad.png"):
        grounds.photo(tmp_path / "bad.png", 0)


def test_who_looks_straight_down_sees_nothing_of_the_light_above():
    light = np.full((256, 512, 3), 0.1, np.float32)
    light[0] = 50.0
    downwards = Camera(matrix=rows(np.diag([1.0, -1, -1, 1])), fov_deg=30)
    seen = backdrop(Background(kind="environment"), downwards, light, (65, 65))
    np.testing.assert_allclose(seen, 0.1, rtol=1e-5)


def test_grass_lies_and_no_wall_is_made_of_it(bar):
    settings = of(bar, background={"kinds": {"walls": 1.0}}, ground={"kinds": {"grass": 3.0, "wood": 1.0}})
    scenes = [invent(settings, 0, index) for index in range(12)]
    walls = [wall.surface.kind for scene in scenes for wall in scene.walls]
    assert "grass" not in walls and "wood" in walls
    assert "grass" in [scene.ground.kind for scene in scenes if scene.ground is not None]
