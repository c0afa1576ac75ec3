"""Shelves: every product is as large as its design, its corners are its outline's, and racks are filled by
runs that stand on boards, side by side, in the picture.
"""

from functools import cache

import numpy as np
import pytest

from heatmark.skeletons import PRODUCT
from heatmark.synth import labels, products, racks
from heatmark.synth.assets import Asset
from heatmark.synth.compose import _stretched
from heatmark.synth.invention import invent
from heatmark.synth.products import KINDS, SHELF, VARIETIES, design, product
from heatmark.synth.scene import Scene
from heatmark.synth.settings import settings_of
from heatmark.types import Poses, Sample

MAKERS = range(40)


@cache
def made(maker: int) -> Asset:
    return product(maker, maker % VARIETIES)


@cache
def scene(index: int) -> Scene:
    return invent(settings_of("shelf"), 5, index, 4 / 3)


def test_every_form_is_met():
    assert {design(maker).kind for maker in MAKERS} == set(KINDS)


@pytest.mark.parametrize("maker", MAKERS)
def test_a_product_fills_its_corners_and_stands_on_the_board(maker):
    drawn, asset = design(maker), made(maker)
    low, high = asset.bounds
    assert low[2] == pytest.approx(0, abs=1e-6) and high[2] == pytest.approx(drawn.height, rel=1e-3)
    assert high[0] - low[0] == pytest.approx(drawn.width, rel=0.06)
    assert high[1] - low[1] <= drawn.depth * 1.25
    assert asset.skeleton == SHELF and SHELF.landmarks == PRODUCT.landmarks
    top_left, top_right, bottom_right, bottom_left = asset.landmarks
    np.testing.assert_allclose(top_right - top_left, [drawn.width, 0, 0], atol=1e-9)
    np.testing.assert_allclose(top_left - bottom_left, [0, 0, drawn.height], atol=1e-9)
    np.testing.assert_allclose(bottom_right, [drawn.width / 2, top_left[1], 0], atol=1e-9)


@pytest.mark.parametrize("maker", MAKERS)
def test_faces_look_outwards_and_carry_a_print(maker):
    asset = made(maker)
    assert any(part.material.textured for part in asset.parts)
    for part in asset.parts:
        assert part.normals is not None
        corners = part.vertices[part.faces].astype(np.float64)
        flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        real = np.linalg.norm(flat, axis=1) > 1e-9
        assert ((flat * part.normals[part.faces[:, 0]]).sum(1)[real] > -1e-12).mean() > 0.97


def test_the_print_of_a_front_is_not_mirrored_and_not_upside_down():
    carton = next(made(m) for m in MAKERS if design(m).kind == "carton")
    front = carton.parts[0]
    assert front.uv is not None
    by_place = {(x < 0, z < 0.001): tuple(uv) for (x, y, z), uv in zip(front.vertices, front.uv) if y < 0}
    assert by_place == {
        (True, True): (0, 0),
        (False, True): (1, 0),
        (False, False): (1, 1),
        (True, False): (0, 1),
    }


def test_varieties_share_their_maker_and_differ_in_print():
    one, other = design(3, 0), design(3, 1)
    assert (one.kind, one.width, one.brand.name) == (other.kind, other.width, other.brand.name)
    first, second = (labels.face(np.random.default_rng(0), one.brand, 0.7, turn) for turn in (0, 1))
    assert not np.array_equal(first, second)


def test_the_same_numbers_make_the_same_product():
    once, again = product(11, 2), product(11, 2)
    for a, b in zip(once.parts, again.parts):
        assert np.array_equal(a.vertices, b.vertices)
        assert np.array_equal(a.material.base_color, b.material.base_color)


def test_products_stand_on_boards_below_the_next_and_do_not_cut_into_each_other():
    frame, ours = racks.frame(8), settings_of("shelf").shelf
    stock = racks.filled(np.random.default_rng(0), frame, ours)
    assert len(stock) > 60
    boards = np.array([*frame.boards, frame.top + 0.3])
    for piece, _, there in stock:
        board = np.searchsorted(boards, there[2] + 1e-6) - 1
        assert there[2] + piece.height <= boards[board + 1]
    for z in frame.boards:
        row = sorted((t[0], p.width) for p, _, t in stock if t[2] == z)
        assert all(a + aw / 2 <= b - bw / 2 + 1e-9 for (a, aw), (b, bw) in zip(row, row[1:]))
        assert row[0][0] - row[0][1] / 2 >= -frame.width / 2 and row[-1][0] <= frame.width / 2


@pytest.mark.parametrize("index", range(4))
def test_a_scene_is_a_function_of_its_numbers_and_shows_some_sixty_to_two_hundred_and_fifty(index):
    drawn = scene(index)
    assert drawn == invent(settings_of("shelf"), 5, index, 4 / 3)
    assert Scene.from_json(drawn.to_json()) == drawn
    labelled = [p.instance for p in drawn.objects if p.instance]
    assert labelled == list(range(1, len(labelled) + 1))
    assert 40 <= len(labelled) <= racks.MOST
    assert [p.source.kind for p in drawn.objects if not p.instance] == ["rack"]


def test_settings_say_how_many():
    few = invent(settings_of("shelf", {"shelf": {"products": [12, 14]}}), 5, 0, 4 / 3)
    assert len([p for p in few.objects if p.instance]) < 45


def test_shelf_is_a_family():
    assert products.FAMILIES["shelf"](np.random.default_rng(0)).name == "shelf"


def test_boxes_and_masks_are_exact_and_corners_lie_in_them():
    """A tiny drawing: every pixel of a product lies in its box, and the box is no wider than pixels and
    corners."""
    pytest.importorskip("mitsuba")
    from heatmark.synth.compose import _poses
    from heatmark.synth.render import Renderer

    few = settings_of("shelf", {"shelf": {"products": [8, 9], "yaw_deg": 0.0}})
    layers = Renderer((36, 48), samples=1, variant="scalar_rgb", denoise=False)(invent(few, 5, 1, 4 / 3))
    poses = _poses(layers)
    assert len(poses) == layers.mask.max() > 4
    for n, (box, points) in enumerate(zip(poses.boxes, poses.points), 1):
        ys, xs = np.nonzero(layers.mask == n)
        own = points[np.isfinite(points).all(-1)]
        low = np.min([[xs.min(), ys.min()], *own], 0)
        high = np.max([[xs.max() + 1, ys.max() + 1], *own], 0)
        np.testing.assert_allclose(box, [*low, *high])


def test_what_a_stretched_picture_loses_is_no_instance_of_it():
    """Three things from the left to the right edge; a stretch shows less than all of that width."""
    h, w, corners = 40, 90, np.array([[0.0, 0], [9, 0], [9, 9], [0, 9]])
    mask, points = np.zeros((h, w), np.uint8), []
    for n, x in enumerate((0, 40, 81)):
        mask[5:14, x : x + 9] = n + 1
        points.append(corners + [x, 5])
    poses = Poses(SHELF, np.array(points), boxes=np.array([[x, 5.0, x + 9, 14] for x in (0, 40, 81)]))
    whole = Sample(
        np.zeros((h, w, 3), np.uint8), poses, "three", mask=mask, depth=np.ones((h, w), np.float32)
    )
    counts = set()
    for seed in range(20):
        seen = _stretched(whole, 1.3 if seed % 2 else 1.15, np.random.default_rng(seed))
        counts.add(len(seen.poses))
        assert np.isfinite(seen.poses.boxes).all()
        assert seen.mask is not None and set(np.unique(seen.mask)) - {0} == set(range(1, len(seen.poses) + 1))
    assert 2 in counts
