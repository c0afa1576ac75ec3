"""Rings, outlines and booleans make closed bodies of the volume that geometry says."""

import numpy as np
import pytest

pytest.importorskip("manifold3d")

from heatmark.synth import solids
from heatmark.synth.assets import Material


def volume(solid: solids.Solid) -> float:
    a, b, c = solid.vertices[solid.faces].transpose(1, 0, 2)
    return float((a * np.cross(b, c)).sum() / 6)


def test_a_lathe_turns_a_cylinder():
    cylinder = solids.lathe([0, 10], [3, 3], sides=200)
    assert volume(cylinder) == pytest.approx(np.pi * 9 * 10, rel=1e-3)
    assert cylinder.uv.min() == 0 and cylinder.uv.max() == 1


def test_a_sweep_round_a_bend_keeps_its_thickness():
    t = np.linspace(0, np.pi / 2, 60)
    path = 20 * np.stack([np.cos(t), np.sin(t), 0 * t], 1)
    across = np.stack([np.cos(t), np.sin(t), 0 * t], 1)
    up = np.tile([0.0, 0.0, 1.0], (60, 1))
    size = np.full(60, 2.0)
    ahead = np.gradient(path, axis=0)
    assert ((np.cross(across, up) * ahead).sum(1) < 0).all()  # so up must point the other way
    ring = solids.sweep(path, across, -up, size, size, np.ones(64))
    assert volume(ring) == pytest.approx(np.pi * 4 * 20 * np.pi / 2, rel=1e-2)


def test_a_box_has_its_sizes():
    box = solids.box((10, 6, 4), bevel=0.5)
    np.testing.assert_allclose(np.ptp(box.vertices, axis=0), (10, 6, 4))
    assert 0.9 * 240 < volume(box) < 240


def test_a_cut_takes_away_and_joining_keeps_all():
    a, b = solids.lathe([0, 10], [3, 3]), solids.lathe([5, 15], [3, 3])
    assert volume(solids.cut(a, b)) == pytest.approx(0.5 * volume(a), rel=1e-3)
    assert volume(solids.joined(a, b)) == pytest.approx(2 * volume(a))


def test_a_plate_with_a_hole_has_the_hole():
    shape = solids.disc(0, 0, 10) - solids.disc(0, 0, 4)
    flat = solids.plan(shape, spacing=0.5, rims=(0.5,))
    high = np.full(len(flat.points), 1.0)
    plate = solids.plate(flat, high, -high, flat.points, flat.points)
    assert volume(plate) == pytest.approx(np.pi * (100 - 16) * 2, rel=5e-3)
    assert np.linalg.norm(flat.points, axis=1).min() > 3.98


def test_depth_is_the_distance_to_the_outline():
    flat = solids.plan(solids.disc(0, 0, 10), spacing=0.4)
    np.testing.assert_allclose(flat.depth, 10 - np.linalg.norm(flat.points, axis=1), atol=0.03)


def test_rounding_fills_inner_corners_and_cuts_outer_ones():
    corner = solids.section([np.array([(0, 0), (10, 0), (10, 4), (4, 4), (4, 10), (0, 10)])])
    assert solids.rounded(corner, inside=2).area() > corner.area() > solids.rounded(corner, outside=1).area()


def test_a_profile_passes_through_its_controls_without_overshoot():
    table = solids.profile([[0, 1], [4, 3], [4.5, 3], [10, 0.5]], 30)
    assert (np.diff(table[:, 0]) > 0).all()
    for station, value in ((0, 1), (4, 3), (4.5, 3), (10, 0.5)):
        assert table[np.abs(table[:, 0] - station).argmin(), 1] == pytest.approx(value)
    assert table[:, 1].max() <= 3 + 1e-12


def test_a_part_is_in_metres_with_an_edge_at_every_sharp_corner():
    part = solids.part(solids.lathe([0, 10], [3, 3], sides=64), Material())
    assert np.ptp(part.vertices, axis=0) == pytest.approx([0.010, 0.006, 0.006])
    assert part.normals is not None
    flat = np.abs(part.normals[:, 0]) > 0.99
    round_ = np.abs(part.normals[:, 0]) < 0.01
    assert (flat | round_).all() and flat.any() and round_.any()
