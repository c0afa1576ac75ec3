"""Tools in open cases, each in a bed of its own."""

import numpy as np
import pytest

from heatmark.synth import placing
from heatmark.synth.cases import bed
from heatmark.synth.invention import invent
from heatmark.synth.scene import Camera, rows
from heatmark.synth.settings import merged, settings_of
from heatmark.synth.solids import section
from heatmark.synth.things import outline

PACKED = {
    "clutter": {"case": 1.0, "count": [2, 4], "draws": 6, "kin": 0.7, "kin_count": [1, 2]},
    "object": {"poses": {"lying": 1.0}},
    "camera": {"top_down": 1.0},
}


def scenes(name: str, count: int, **changes):
    settings = settings_of(name, merged(PACKED, changes))
    return [invent(settings, 8, index) for index in range(count)]


def test_what_lies_in_a_case_lies_within_it_and_all_else_beside_it():
    held = beside = 0
    for scene in scenes("screwdriver", 12):
        assert scene.case is not None and scene.case.holds[0] == 0  # the object itself
        x1, y1, x2, y2 = scene.case.edges
        for i, thing in enumerate(scene.objects):
            points = outline(thing.source.kind, thing.source.name, thing.source.seed)
            turned = placing.carried(np.array(thing.matrix), points)[:, :2]
            turned = turned @ placing.turn([0, 0, 1], scene.case.turn_deg)[:2, :2]
            (low_x, low_y), (high_x, high_y) = turned.min(0), turned.max(0)
            if i in scene.case.holds:
                assert x1 < low_x and y1 < low_y and high_x < x2 and high_y < y2
                held += 1
            else:
                assert high_x <= x1 or high_y <= y1 or low_x >= x2 or low_y >= y2
                beside += 1
    assert held > 20 and beside > 0


def test_nobody_lies_in_a_case_where_none_is_wanted_or_nothing_lies():
    assert all(scene.case is None for scene in scenes("hammer", 8, clutter={"case": 0.0}))
    assert all(
        scene.case is None for scene in scenes("hammer", 8, object={"poses": {"lying": 0.0, "air": 1.0}})
    )
    empty = scenes("hammer", 8, clutter={"count": [0, 0], "kin": 0.0})  # what was not asked for is not there
    assert all(scene.case is not None and len(scene.objects) == 1 for scene in empty)


def test_a_case_covers_nothing_of_what_it_holds_seen_from_above(small_renderer):
    for scene in scenes("combination_wrench", 3):
        solid = placing.carried(
            np.array(scene.objects[0].matrix),
            outline("family", "combination_wrench", scene.objects[0].source.seed),
        )
        middle = (solid.min(0) + solid.max(0)) / 2
        eye = middle + [0, 0, 3 * np.ptp(solid, axis=0).max()]
        above = Camera(matrix=rows(placing.looking(eye, middle)), fov_deg=25.0)
        open_, bare = (
            small_renderer(scene.model_copy(update={"camera": above, "case": case}))
            for case in (scene.case, None)
        )
        assert (bare.mask == 1).sum() > 20
        np.testing.assert_array_equal(open_.mask == 1, bare.mask == 1)
        np.testing.assert_array_equal(open_.visibility, bare.visibility)
        assert (open_.depth < bare.depth - 0.002).mean() > 0.2  # and the case is there, about it


def test_a_bed_has_the_shape_of_its_thing():
    shaft = np.array([(x, y) for x in np.arange(0.0, 81, 2) for y in (-1, 1)])
    head = np.array([(x, y) for x in (80, 95) for y in (-9, 9)])
    cut = bed(np.concatenate([shaft, head]))
    assert cut.area() == pytest.approx(80 * 2 + 15 * 18, rel=0.1)
    stem = section([np.array([(0, -1), (80, -1), (80, 1), (0, 1)])])
    assert (stem - cut).area() == pytest.approx(0, abs=0.1)
