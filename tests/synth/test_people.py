"""People are built like people, stand as joints let them, and carry their landmarks where their names say."""

from functools import cache

import numpy as np
import pytest

pytest.importorskip("manifold3d")

from heatmark.skeletons import COCO17, MPII16
from heatmark.synth import bodies, flesh, placing, postures, puppets, tailoring
from heatmark.synth.assets import Asset
from heatmark.synth.bodies import Build
from heatmark.synth.bones import BONES, INDEX, SIDES, mirrored, posed, skinned, swing_of, swung
from heatmark.synth.compose import develop
from heatmark.synth.figures import figure
from heatmark.synth.invention import invent
from heatmark.synth.people import FAMILIES, people, people_mpii, person, seat_of, stance_of
from heatmark.synth.render import Renderer, appearing
from heatmark.synth.scene import Camera, Light, Placed, Scene, Source
from heatmark.synth.settings import settings_of
from heatmark.synth.things import families, outline, sits, tools

GROWN = Build(male=1.0, age=30.0, stature_m=1.75, bmi=22.5)
STANCES = range(150)
PLAIN = {
    "object": {"closeup": 0.0, "truncated": 0.0},
    "background": {"kinds": {"environment": 1.0}},
    "ground": {"kinds": {"plain": 1.0}},
}


@cache
def drawn(seed: int) -> Asset:
    return people(np.random.default_rng([seed, 7]))


@cache
def puppet(seed: int) -> puppets.Puppet:
    rng = np.random.default_rng(seed)
    build = bodies.drawn(rng)
    return postures.drawn(rng, bodies.offsets(build), build)


def marks(asset: Asset) -> dict[str, np.ndarray]:
    assert asset.skeleton is not None
    return dict(zip(asset.skeleton.landmarks, asset.landmarks))


def seed_of(stance: str, start: int = 0) -> int:
    """The first seed that gives a stance."""
    return next(s for s in range(start, 10_000) if stance_of(np.random.default_rng([s, 7]))[1] == stance)


def upright(seed: int, toward: float, name: str = "people") -> Scene:
    """Somebody seen from an azimuth in degrees, 0 being before them."""
    points = outline("family", name, seed)
    matrix = placing.placed(np.eye(3), points, np.zeros(2))
    solid, a = placing.carried(matrix, points), np.deg2rad(toward)
    way = np.array([np.cos(a), np.sin(a), 0.05])
    camera = placing.framed(
        solid, way / np.linalg.norm(way), 0, np.tan(np.deg2rad([15, 15])), 0.9, np.zeros(2)
    )
    rows = [tuple(tuple(float(v) for v in row) for row in m) for m in (matrix, camera)]
    return Scene(
        seed=0,
        index=0,
        objects=(Placed(source=Source(kind="family", name=name, seed=seed), matrix=rows[0], instance=1),),  # type: ignore[arg-type]
        camera=Camera(matrix=rows[1], fov_deg=30.0),  # type: ignore[arg-type]
        light=Light(kind="studio"),
    )


# proportions


def test_segments_are_the_fractions_of_stature_that_drillis_and_contini_measured():
    joints = posed(bodies.offsets(GROWN), {}).joints / GROWN.stature_m

    def long(a: str, b: str) -> float:
        return float(np.linalg.norm(joints[INDEX[a]] - joints[INDEX[b]]))

    assert long("left_thigh", "left_shin") == pytest.approx(0.245, abs=0.002)
    assert long("left_shin", "left_foot") == pytest.approx(0.246, abs=0.002)
    assert long("left_forearm", "left_hand") == pytest.approx(0.146, abs=0.002)
    assert joints[INDEX["left_thigh"], 2] == pytest.approx(0.530, abs=0.005)  # trochanter
    assert joints[INDEX["left_shin"], 2] == pytest.approx(0.285, abs=0.005)  # knee
    assert joints[INDEX["left_forearm"], 2] == pytest.approx(0.630, abs=0.01)  # elbow, the arm hanging
    assert joints[INDEX["left_hand"], 2] == pytest.approx(0.485, abs=0.01)  # wrist


@pytest.mark.parametrize(
    "build", [GROWN, Build(0.0, 40.0, 1.58, 30.0), Build(0.5, 4.0, 1.02, 15.5), Build(1.0, 25.0, 1.95, 21.0)]
)
def test_somebody_is_as_tall_as_their_stature(build):
    made = figure(build)
    standing = posed(made.offsets, {})
    top = made.moved(made.head, standing)[:, 2].max()
    sole = made.moved(made.body, standing)[:, 2].min()
    assert top - sole == pytest.approx(build.stature_m, rel=0.012)


def test_a_child_has_a_larger_head_and_shorter_legs_than_its_parents():
    child = Build(0.5, 4.0, 1.02, 15.5)
    assert bodies.lengths(child)["head"] / 1.02 == pytest.approx(0.19, abs=0.01)
    assert bodies.lengths(GROWN)["head"] / 1.75 == pytest.approx(0.13)
    assert bodies.lengths(child)["leg"] / 1.02 < 0.49 < bodies.lengths(GROWN)["leg"] / 1.75


def test_mass_shows_round_the_waist():
    girth = {bmi: np.ptp(_waist(Build(1.0, 35.0, 1.75, bmi)), axis=0) for bmi in (19.0, 24.0, 34.0)}
    assert (girth[19.0] < girth[24.0]).all() and (girth[24.0] < girth[34.0]).all()
    assert 0.24 < girth[24.0][1] < 0.36  # metres across: ANSUR II has 0.29 to 0.33 for most men


def _waist(build: Build) -> np.ndarray:
    body, lay = figure(build).body, tailoring.layout()
    here = (np.abs(lay.place[:, 2] - 1.06) < 0.02) & (lay.arm < 0.05)
    return body.vertices[here][:, :2]


def test_many_draws_are_of_both_sexes_and_all_ages():
    builds = [bodies.drawn(np.random.default_rng(s)) for s in range(300)]
    assert 0.4 < np.mean([b.male > 0.5 for b in builds]) < 0.6
    assert 0.12 < np.mean([b.age < 16 for b in builds]) < 0.28 and max(b.age for b in builds) > 65
    men = [b.stature_m for b in builds if b.male > 0.5 and b.age > 18]
    assert np.mean(men) == pytest.approx(1.75, abs=0.02) and 0.8 <= min(b.stature_m for b in builds)


# joints


def test_a_swing_is_read_back():
    for y in (1, -1):
        assert swing_of(swung(40, 100, -35, y), y) == pytest.approx((40, 100, -35))
    assert swung(90, 90) @ [0, 0, -1] == pytest.approx([0, 1, 0])  # a left arm held out to its side
    assert mirrored(swung(90, 90)) @ [0, 0, -1] == pytest.approx([0, -1, 0])


def test_joints_keep_to_their_ranges():
    for seed in STANCES:
        for name, angle in puppets.angles(puppet(seed)).items():
            low, high = puppets.LIMITS[name.partition("/")[0]]
            assert low - 6 <= angle <= high + 6, (seed, name)


def test_no_limb_goes_through_flesh_in_most_stances():
    depths = [puppets.depth(puppet(seed)) / puppet(seed).size for seed in STANCES]
    assert np.mean(np.array(depths) > 0.01) < 0.1 and max(depths) < 0.03


def test_a_hand_comes_where_it_is_sent():
    p = puppets.Puppet(bodies.offsets(GROWN), GROWN)
    for side, y in (("left", 1), ("right", -1)):
        goal = p.now().joints[INDEX[f"{side}_arm"]] + [0.3, 0.1 * y, -0.2]
        p.reach(side, goal, np.array([0, y, -1.0]))
        # the shoulder blade goes along with the arm, and the arm is aimed once it has
        assert np.linalg.norm(p.now().joints[INDEX[f"{side}_hand"]] - goal) < 0.002
        assert 5 < puppets.angles(p)[f"elbow/{side}"] < 140


def test_skin_follows_a_bone_stiffly_and_an_elbow_keeps_its_girth():
    rest = posed(bodies.offsets(GROWN), {})
    now = posed(bodies.offsets(GROWN), {"left_forearm": swung(0, 90)})
    elbow, wrist = (rest.joints[INDEX[f"left_{b}"]] for b in ("forearm", "hand"))
    only = np.eye(len(BONES))[[INDEX["left_forearm"]]]
    assert skinned(wrist[None], only, rest, now)[0] == pytest.approx(now.joints[INDEX["left_hand"]])
    half = (np.eye(len(BONES))[[INDEX["left_forearm"]]] + np.eye(len(BONES))[[INDEX["left_arm"]]]) / 2
    outside = skinned(elbow[None] + [-0.04, 0, 0], half, rest, now)[0]
    assert np.linalg.norm(outside - elbow) == pytest.approx(0.04, abs=1e-6)


# the surface


def test_the_neutral_surface_is_even_on_both_sides_and_looks_outwards():
    body = flesh.body()
    assert body.vertices[:, 1].max() == pytest.approx(-body.vertices[:, 1].min(), abs=0.01)
    assert body.weights.sum(1) == pytest.approx(1)
    corners = flesh.head().vertices[flesh.head().faces]
    outward = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert ((corners.mean(1) - corners.mean((0, 1))) * outward).sum() > 0


def test_a_hem_is_cut_through_triangles_at_the_very_line():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    kept, left = tailoring.clipped(vertices, faces, vertices[:, 0] - 0.25)
    assert kept[:, 0].max() == pytest.approx(0.25)
    (ax, ay), (bx, by) = ((kept[left[:, k]] - kept[left[:, 0]])[:, :2].T for k in (1, 2))
    assert (ax * by - ay * bx).sum() / 2 == pytest.approx(0.25)  # and they still look up
    assert len(tailoring.clipped(vertices, faces, np.ones(4))[1]) == 0


# landmarks


@pytest.mark.parametrize("seed", range(4))
def test_landmarks_lie_on_the_face_and_inside_the_limbs(seed):
    asset = drawn(seed)
    assert asset.skeleton == COCO17 and asset.depths is not None
    surface = np.concatenate([part.vertices for part in asset.parts])
    for name, place, depth in zip(COCO17.landmarks, asset.landmarks, asset.depths):
        near = float(np.linalg.norm(surface - place, axis=1).min())
        assert near < depth + 0.02, name
        if name in ("nose", "left_eye", "right_eye"):
            assert near < 0.015, name


def test_left_is_on_the_right_of_a_picture_taken_from_before():
    seed = seed_of("standing")
    scene, points = upright(seed, 0.0), marks(drawn(seed))
    camera = np.array(scene.camera.matrix)
    shown = {n: placing.seen(camera, p[None])[0] for n, p in points.items()}
    for name in ("shoulder", "hip", "eye", "ear"):
        assert shown[f"left_{name}"][0] > shown[f"right_{name}"][0]
    assert shown["nose"][1] < shown["left_hip"][1] < shown["left_ankle"][1]  # y grows downwards


def test_one_seed_is_one_person_in_both_skeletons_and_every_time():
    coco, mpii, again = (
        drawn(3),
        people_mpii(np.random.default_rng([3, 7])),
        people(np.random.default_rng([3, 7])),
    )
    for one in (mpii, again):
        for a, b in zip(coco.parts, one.parts):
            np.testing.assert_array_equal(a.vertices, b.vertices)
            np.testing.assert_array_equal(a.material.base_color, b.material.base_color)
    assert mpii.skeleton == MPII16
    ours, theirs = marks(coco), marks(mpii)
    for name in set(ours) & set(theirs):
        np.testing.assert_array_equal(ours[name], theirs[name])
    hips = (theirs["left_hip"] + theirs["right_hip"]) / 2
    np.testing.assert_allclose(theirs["pelvis"], hips)
    assert (
        theirs["head_top"][2] > theirs["upper_neck"][2]
        or stance_of(np.random.default_rng([3, 7]))[1] == "lying"
    )
    assert not np.array_equal(drawn(0).landmarks, coco.landmarks)


@pytest.mark.parametrize("seed", range(4))
def test_a_person_is_finite_lit_from_outside_and_light_enough(seed):
    asset = drawn(seed)
    assert 10_000 < sum(len(part.faces) for part in asset.parts) < 90_000
    for part in asset.parts:
        assert part.normals is not None and np.isfinite(part.normals).all()
        assert part.uv is not None and -1e-6 <= part.uv.min() and part.uv.max() <= 1 + 1e-6


def test_who_sits_has_a_seat_below_the_hips_that_stands_on_the_floor():
    seed = seed_of("sitting")
    assert sits("people", seed) and not sits("hammer", seed)
    body, seat = drawn(seed), seat_of(np.random.default_rng([seed, 7]))
    hips = (marks(body)["left_hip"] + marks(body)["right_hip"]) / 2
    tall = person(np.random.default_rng([seed, 7])).figure.build.stature_m
    assert abs(seat.bounds[0][2] - body.bounds[0][2]) < 0.04
    over = seat.bounds.mean(0)[:2] - hips[:2]
    assert np.linalg.norm(over) < 0.25 * tall
    assert body.bounds[0][2] + 0.15 * tall < hips[2] < body.bounds[0][2] + 0.40 * tall


# pictures


def test_people_are_families_but_no_tools_that_lie_about():
    assert set(FAMILIES) <= set(families()) and not set(FAMILIES) & set(tools())


def test_people_stand_upright_unless_a_scene_says_otherwise():
    settings = settings_of("people")
    assert settings.object.poses == {"upright": 1.0} and settings.clutter.what == "furniture"
    assert settings_of("people", {"object": {"closeup": 0.5}}).object.closeup == 0.5
    assert settings_of("hammer").clutter.what == "workshop"
    for index in range(3):
        scene = invent(settings_of("people", {"clutter": {"kin": 1.0}}), 2, index)
        for placed in scene.objects:
            assert np.array(placed.matrix)[2, :3] == pytest.approx([0, 0, 1])


def test_a_closeup_shows_the_head_and_not_the_feet():
    settings = settings_of(
        "people", {"object": {"closeup": 1.0, "truncated": 0.0}, "clutter": {"kin": 0.0, "count": [0, 0]}}
    )
    heads = feet = 0
    for index in range(6):
        scene = invent(settings, 5, index)
        first, camera = scene.objects[0], scene.camera
        asset = drawn(first.source.seed)
        flat = placing.seen(np.array(camera.matrix), placing.carried(np.array(first.matrix), asset.landmarks))
        shown = dict(zip(COCO17.landmarks, np.abs(flat / np.tan(np.deg2rad(camera.fov_deg) / 2)).max(1) < 1))
        heads += shown["nose"]
        feet += shown["left_ankle"] and shown["right_ankle"]
    assert heads >= 4 and feet <= 2


@pytest.fixture(scope="module")
def plain_renderer() -> Renderer:
    return Renderer((48, 48), samples=1, variant="scalar_rgb", denoise=False)


def test_a_face_is_seen_from_before_and_hidden_from_behind_while_shoulders_are_seen_from_both(plain_renderer):
    seed = seed_of("walking", 3)
    before, behind = (plain_renderer(upright(seed, turn)) for turn in (0.0, 180.0))
    states = [dict(zip(COCO17.landmarks, layers.visibility[0])) for layers in (before, behind)]
    assert states[0]["nose"] == 2 and states[1]["nose"] == 1
    assert states[1]["left_eye"] == states[1]["right_eye"] == 1
    for state in states:
        assert state["left_shoulder"] == state["right_shoulder"] == 2


def test_in_a_crowd_everybody_seen_has_a_number_and_a_box_round_what_is_seen(plain_renderer):
    settings = settings_of("people", PLAIN | {"clutter": {"kin": 1.0, "kin_count": [4, 4], "count": [0, 0]}})
    crowds = 0
    for index in range(3):
        scene = invent(settings, 1, index)
        layers = plain_renderer(scene)
        sample = develop(layers, scene.effects)
        count = len(sample.poses)
        assert sample.mask is not None and set(np.unique(layers.mask)) == set(range(count + 1)) | set(
            np.unique(layers.mask)
        ) - {0} | {0}
        assert sorted(set(np.unique(layers.mask)) - {0}) == list(range(1, count + 1))
        for n, (x1, y1, x2, y2) in enumerate(sample.poses.boxes):
            ys, xs = np.nonzero(sample.mask == n + 1)
            if len(xs):
                assert x1 <= xs.min() and y1 <= ys.min() and x2 >= xs.max() + 1 and y2 >= ys.max() + 1
        crowds += count > 1
        instances, there = appearing(scene, layers.ids)
        assert there.sum() == count and instances.max() == count
    assert crowds >= 2


def test_everybody_has_two_of_each_limb():
    assert [bone for bone in BONES if bone.startswith("left_")] == [
        bone.replace("right_", "left_") for bone in BONES if bone.startswith("right_")
    ]
    assert SIDES == ("left", "right")
