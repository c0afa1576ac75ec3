"""Every draw of every family is a solid tool of a real size whose landmarks lie where their names say."""

from functools import cache

import numpy as np
import pytest

pytest.importorskip("manifold3d")

from heatmark.synth.assets import Asset, winding
from heatmark.synth.clutter import PIECES, distractors
from heatmark.synth.fist import hand
from heatmark.synth.tools import FAMILIES, SKELETONS

SEEDS = range(20)
SLOTS = 4  # parts the renderer keeps places for
SIZES_M = {
    "hammer": (0.18, 0.48),
    "screwdriver": (0.06, 0.45),
    "wrench": (0.06, 0.40),
    "combination_wrench": (0.07, 0.45),
}


@cache
def drawn(family: str) -> tuple[Asset, ...]:
    return tuple(FAMILIES[family](np.random.default_rng(seed)) for seed in SEEDS)


def open_edges(asset: Asset) -> int:
    """How many edges, over all parts, an odd number of faces share once equal places are one vertex."""
    odd = 0
    for part in asset.parts:
        place = np.unique(np.round(part.vertices / 1e-7).astype(np.int64), axis=0, return_inverse=True)[
            1
        ].reshape(-1)
        faces = place[part.faces]
        edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
        edges = edges[edges[:, 0] != edges[:, 1]]
        odd += int((np.unique(edges, axis=0, return_counts=True)[1] % 2).sum())
    return odd


def nearest_vertex(asset: Asset, point: np.ndarray) -> float:
    return min(float(np.linalg.norm(part.vertices - point, axis=1).min()) for part in asset.parts)


def volume(asset: Asset) -> float:
    a, b, c = asset.triangles.transpose(1, 0, 2)
    return float((a * np.cross(b, c)).sum() / 6)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_and_its_skeleton_share_a_name(family):
    assert SKELETONS[family].name == family
    assert all(asset.skeleton == SKELETONS[family] and asset.name == family for asset in drawn(family))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_draw_is_closed_finite_and_small_enough_for_the_renderer(family):
    for asset in drawn(family):
        assert 1 <= len(asset.parts) <= SLOTS
        assert 1_000 < sum(len(part.faces) for part in asset.parts) < 60_000
        assert open_edges(asset) == 0
        assert volume(asset) > 0  # faces look outwards
        for part in asset.parts:
            assert part.uv is not None and np.isfinite(part.uv).all()
            assert part.normals is not None
            np.testing.assert_allclose(np.linalg.norm(part.normals, axis=1), 1, atol=1e-3)
            assert max(np.shape(part.material.base_color)) <= 512


@pytest.mark.parametrize("family", FAMILIES)
def test_every_draw_has_a_size_that_shops_sell_and_lies_flat(family):
    low, high = SIZES_M[family]
    for asset in drawn(family):
        size = asset.bounds[1] - asset.bounds[0]
        assert low < asset.size_m < high
        assert size.argmin() == 2 or family == "screwdriver"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_seed_is_a_tool_and_another_seed_another_tool(family):
    again = FAMILIES[family](np.random.default_rng(3))
    first = drawn(family)[3]
    assert all(np.array_equal(a.vertices, b.vertices) for a, b in zip(again.parts, first.parts))
    assert all(
        np.array_equal(a.material.base_color, b.material.base_color) for a, b in zip(again.parts, first.parts)
    )
    assert len({round(asset.size_m, 6) for asset in drawn(family)}) == len(SEEDS)


@pytest.mark.parametrize("family", ["hammer", "screwdriver"])
def test_landmarks_lie_on_the_surface(family):
    for asset in drawn(family):
        for name, point in zip(SKELETONS[family].landmarks, asset.landmarks):
            away = nearest_vertex(asset, point)
            assert away < 0.025 * asset.size_m, (name, away)


def test_a_hammers_landmarks_are_its_three_ends():
    for asset in drawn("hammer"):
        face, claw, end = asset.landmarks
        low, high = asset.bounds
        assert face[0] == pytest.approx(high[0], abs=0.002)
        assert claw[0] == pytest.approx(low[0], abs=0.006)
        assert end[1] == pytest.approx(low[1], abs=0.001)
        assert np.abs(asset.landmarks[:, 2]).max() < 1e-9


def test_a_screwdrivers_landmarks_are_its_two_ends():
    for asset in drawn("screwdriver"):
        tip, end = asset.landmarks
        assert tip[0] == pytest.approx(asset.bounds[1, 0], abs=1e-5)
        assert end[0] == pytest.approx(asset.bounds[0, 0], abs=1e-5)
        assert np.abs(asset.landmarks[:, 1:]).max() < 1e-9


@pytest.mark.parametrize("family", ["wrench", "combination_wrench"])
def test_jaws_and_rings_are_marked_in_the_air_where_the_nut_sits(family):
    for asset in drawn(family)[:8]:
        for point in asset.landmarks:
            assert winding(asset.triangles, point) < 0.5  # a hole is a hole
            assert 0.002 < nearest_vertex(asset, point) < 0.1 * asset.size_m
            assert (point > asset.bounds[0] - 1e-6).all() and (point < asset.bounds[1] + 1e-6).all()


def test_a_ring_is_closed_round_its_landmark_and_a_jaw_is_not():
    for asset in drawn("combination_wrench")[:8]:
        directions = [_surrounded(asset, point) for point in asset.landmarks]
        assert directions[1] > 0.97 > 0.9 > directions[0]


def _surrounded(asset: Asset, point: np.ndarray) -> float:
    """The share of 72 directions in the plane in which some metal lies near."""
    offset = np.concatenate([part.vertices for part in asset.parts])[:, :2] - point[:2]
    near = offset[np.linalg.norm(offset, axis=1) < 0.12 * asset.size_m]
    angle = np.floor(np.arctan2(near[:, 1], near[:, 0]) / (2 * np.pi) * 24).astype(int)
    return len(np.unique(angle)) / 24


def test_the_jaws_of_a_wrench_are_interchangeable():
    assert SKELETONS["wrench"].interchangeable == (("jaw_a", "jaw_b"),)
    assert SKELETONS["wrench"].channels == ((0, 1),)


@pytest.mark.parametrize("name", PIECES)
def test_every_piece_of_clutter_is_a_closed_thing(name):
    for seed in range(3):
        piece = Asset(name, None, np.empty((0, 3)), PIECES[name](np.random.default_rng(seed)))
        assert len(piece.parts) <= 3
        assert 0.003 < piece.size_m < 0.5
        assert open_edges(piece) == 0
        assert volume(piece) > 0


def test_clutter_and_hands_have_no_landmarks_and_differ_by_seed():
    pieces = [distractors(np.random.default_rng(seed)) for seed in range(30)]
    assert len({piece.name for piece in pieces}) > 8
    assert all(piece.skeleton is None for piece in pieces)
    one, other = hand(np.random.default_rng(0)), hand(np.random.default_rng(1))
    assert one.skeleton is None and len(one.parts) == 1
    assert 0.12 < one.size_m < 0.45
    assert not np.array_equal(one.parts[0].vertices, other.parts[0].vertices)


def test_a_hand_leaves_room_for_a_handle():
    for seed in range(5):
        asset = hand(np.random.default_rng(seed))
        middle = np.concatenate([part.vertices for part in asset.parts])
        assert np.linalg.norm(middle[np.abs(middle[:, 0]) < 0.02][:, 1:], axis=1).min() > 0.004
