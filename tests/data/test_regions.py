"""Crowds and persons without labels as planes: boxes, polygons, run-length codes."""

import numpy as np
import pytest

from heatmark.data.records import Record
from heatmark.data.regions import counted, filled, unpacked
from heatmark.errors import DataError
from heatmark.types import Poses, Skeleton

DOT = Skeleton("dot", ("middle",))
SIZE = (4, 6)


def test_a_box_a_polygon_and_a_code_say_the_same():
    wanted = np.zeros(SIZE, np.uint8)
    wanted[1:3, 2:5] = 1
    runs = [2 * 4 + 1, 2, 2, 2, 2, 2, 5 + 2]  # down the columns: two empty ones, then rows 1 and 2 of three
    code = {"size": list(SIZE), "counts": [9, 2, 2, 2, 2, 2, 5]}
    np.testing.assert_array_equal(filled({"bbox": [2, 1, 3, 2]}, SIZE), wanted)
    np.testing.assert_array_equal(filled({"segmentation": code}, SIZE), wanted)
    np.testing.assert_array_equal(
        filled({"segmentation": [[2.5, 1.5, 4.5, 1.5, 4.5, 2.5, 2.5, 2.5]]}, SIZE), wanted
    )
    assert sum(runs[:-1]) == 19
    assert not filled({}, SIZE).any()


def packed(runs: list[int]) -> str:
    """COCO's text for counts, written naively."""
    text = ""
    for i, run in enumerate(runs):
        x, more = run - (runs[i - 2] if i > 2 else 0), True
        while more:
            bits, x = x & 0x1F, x >> 5
            more = x != -1 if bits & 0x10 else x != 0
            text += chr((bits | 0x20 if more else bits) + 48)
    return text


@pytest.mark.parametrize("runs", [[9, 2, 2, 2, 2, 2, 5], [0, 24], [24], [1, 1, 1, 1, 1, 1, 18]])
def test_a_packed_code_is_the_list_it_was_packed_from(runs):
    listed = unpacked({"size": list(SIZE), "counts": runs})
    np.testing.assert_array_equal(unpacked({"size": list(SIZE), "counts": packed(runs)}), listed)


def test_a_long_packed_code_is_read_too():
    runs = [1000, 40, 900, 77, 700, 100000 - 2717]
    plane = unpacked({"size": [250, 400], "counts": packed(runs)})
    assert plane.sum() == 40 + 77 + 97283 and plane.T.reshape(-1)[1000] == 1


def test_codes_and_outlines_that_cannot_be_are_told():
    with pytest.raises(DataError, match="a.jpg: segmentation or bbox of a region: the code is of 3 pixels"):
        filled({"segmentation": {"size": [2, 2], "counts": [1, 2]}}, SIZE, "a.jpg")
    with pytest.raises(DataError, match="a region"):
        filled({"segmentation": [[1.0, 2.0, 3.0]]}, SIZE)
    with pytest.raises(DataError, match="a region"):
        filled({"bbox": [1, 2]}, SIZE)
    with pytest.raises(
        DataError, match="a.jpg: .* the code is of \\(2, 2\\) pixels, the picture of \\(4, 6\\)"
    ):
        filled({"segmentation": {"size": [2, 2], "counts": [4]}}, SIZE, "a.jpg")
    with pytest.raises(DataError, match="a region: the code is of 1000"):  # before so much is laid out
        filled({"segmentation": {"size": list(SIZE), "counts": [10**18]}}, SIZE)
    for corners in ([], [1.0, 2.0, np.nan, 3.0, 4.0, 4.0], [1.0, 2.0, 1e300, 3.0, 4.0, 4.0]):
        with pytest.raises(DataError, match="a polygon without corners, or not of numbers of pixels"):
            filled({"segmentation": [corners]}, SIZE)
    with pytest.raises(DataError, match="a region"):
        filled({"bbox": [1, 2, 10**400, 4]}, SIZE)


def test_crowds_and_unlabelled_persons_do_not_count_and_labelled_ones_do(tmp_path):
    points = np.array([[[1.5, 1.5]], [[np.nan, np.nan]], [[np.nan, np.nan]]])
    boxes = np.array([[0, 0, 2, 2], [2, 0, 4, 2], [np.nan] * 4])
    record = Record(
        tmp_path / "a.jpg", SIZE, Poses(DOT, points, boxes=boxes), crowd=({"bbox": [4, 2, 2, 2]},)
    )
    plane = counted(record)
    assert (
        plane[:2, :2].all() and not plane[:2, 2:4].any() and not plane[2:, 4:].any() and plane.sum() == 24 - 8
    )
