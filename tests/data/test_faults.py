import json

import numpy as np
import pytest
from PIL import Image

from heatmark import data
from heatmark.data.check import faults
from heatmark.errors import DataError, UserError


def whole():
    """A dataset without a fault: two pictures of 40 x 30, one hammer in each."""
    return {
        "images": [{"id": i, "file_name": f"{i}.png", "width": 40, "height": 30} for i in (1, 2)],
        "annotations": [
            {"id": 10 * i, "image_id": i, "category_id": 1, "bbox": [2, 3, 30, 20], "num_keypoints": 2,
             "keypoints": [5, 6, 2, 20, 10, 1, 0, 0, 0]}
            for i in (1, 2)
        ],
        "categories": [
            {"id": 1, "name": "hammer", "keypoints": ["face", "claw", "end"], "skeleton": [[1, 2]],
             "mirror": [], "interchangeable": [], "parts": {"head": ["face"]}, "sigmas": {"end": 0.05}}
        ],
    }  # fmt: skip


def saved(folder, raw, pictures=("1.png", "2.png")):
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for name in pictures:
        Image.fromarray(np.full((30, 40, 3), 99, np.uint8)).save(folder / "images" / name)
    (folder / "annotations.json").write_text(raw if isinstance(raw, str) else json.dumps(raw))
    return folder


def told(folder):
    return [str(fault) for fault in faults(folder, threads=1)[0]]


def test_a_good_dataset_has_no_fault_and_is_counted(tmp_path):
    found, counts = faults(saved(tmp_path, whole()))
    assert found == []
    assert dict(counts) == {"pictures": 2, "instances": 2, "seen": 2, "hidden": 2, "absent": 2}


def picture(**fields):
    return lambda raw: raw["images"][0].update(fields)


def label(**fields):
    return lambda raw: raw["annotations"][0].update(fields)


def category(**fields):
    return lambda raw: raw["categories"][0].update(fields)


def without(where, field):
    return lambda raw: raw[where][0].pop(field)


CASES = [
    # what is done to a good dataset; what must be said: where and field, then a part of the message
    (picture(file_name="3.png"), "3.png", "the picture is missing"),
    (picture(file_name="\0.png"), "\0.png", "embedded null byte"),
    (picture(file_name="1.PNG"), "1.PNG", "there is '1.png'"),
    (picture(file_name="2.png"), "image '2.png': file_name", "used twice"),
    (picture(file_name="../1.png"), "image 1: file_name", "leaves the dataset's folder"),
    (picture(file_name=None), "image 1: file_name", "wanted a name, got None"),
    (picture(width=41), "1.png: width, height", "declared 41 x 30, but the picture is 40 x 30"),
    (picture(width=30, height=40), "1.png: width, height", "swapped"),
    (picture(width="40"), "image 1: width", "got '40'"),
    (picture(id=2), "image 2: id", "used twice"),
    (picture(id="a"), "image a: id", "wanted a whole number"),
    (label(id=20), "annotation 20: id", "used twice"),
    (label(image_id=7), "annotation 10: image_id", "no image has the id 7"),
    (label(category_id=3), "annotation 10: category_id", "no category has the id 3; there are: 1"),
    (label(bbox=[2, 3, 0, 20]), "annotation 10: bbox", "no area: 0 x 20"),
    (label(bbox=[2, 3, -5, 20]), "annotation 10: bbox", "no area: -5 x 20"),
    (label(bbox=[50, 3, 5, 20]), "annotation 10: bbox", "lies outside the picture's 40 x 30"),
    (label(bbox=[2, 3, 50, 20]), "annotation 10: bbox", "reaches beyond the picture's 40 x 30"),
    (label(bbox=[2, float("nan"), 5, 20]), "annotation 10: bbox", "four finite numbers"),
    (label(bbox="large"), "annotation 10: bbox", "four finite numbers"),
    (without("annotations", "bbox"), "annotation 10: bbox", "got None"),
    (label(keypoints=[1, 2, 2]), "annotation 10: keypoints", "3 x 3 numbers for face, claw, end, got 3"),
    (label(keypoints=[5, 6, 3, 20, 10, 1, 0, 0, 0]), "annotation 10: keypoints.face", "got 3"),
    (label(keypoints=[5, 6, 2, 41, 10, 1, 0, 0, 0]), "annotation 10: keypoints.claw", "(41, 10) with v=1"),
    (label(keypoints=[5, float("nan"), 2, 20, 10, 1, 0, 0, 0]), "annotation 10: keypoints.face", "finite"),
    (label(keypoints=[5, "6", 2, 20, 10, 1, 0, 0, 0]), "annotation 10: keypoints.face", "finite numbers"),
    (label(image_id=[1]), "annotation 10: image_id", "no image has the id [1]"),
    (label(category_id={}), "annotation 10: category_id", "no category has the id {}"),
    (label(keypoints=[5, 6, [2], 20, 10, 1, 0, 0, 0]), "annotation 10: keypoints.face", "got [2]"),
    (label(keypoints=[5, 10**400, 2, 20, 10, 1, 0, 0, 0]), "annotation 10: keypoints.face", "finite numbers"),
    (category(id=[1]), "category 'hammer': id", "whole number"),
    (label(area="a"), "annotation 10: area", "wanted a finite number of 0 or more, got 'a'"),
    (label(area=float("nan")), "annotation 10: area", "got nan"),
    (label(area=-5), "annotation 10: area", "got -5"),
    (label(iscrowd=2), "annotation 10: iscrowd", "wanted 0 or 1, got 2"),
    (label(num_keypoints=3), "annotation 10: num_keypoints", "says 3, but 2 have v > 0"),
    (category(skeleton=[[1, 4]]), "category 'hammer': skeleton", "[1, 4] is outside 1..3"),
    (category(skeleton=[[0, 1]]), "category 'hammer': skeleton", "counted from 1"),
    (category(keypoints=["face", "face", "end"]), "category 'hammer': keypoints", "names 'face' twice"),
    (category(mirror=[["face", "clawe"]]), "category 'hammer': mirror", "did you mean 'claw'"),
    (category(mirror=1.5), "category 'hammer': mirror", "wanted a list"),
    (category(interchangeable=True), "category 'hammer': interchangeable", "wanted a list"),
    (category(mirror=[["face", "claw", "end"]]), "category 'hammer': mirror", "wanted pairs"),
    (category(interchangeable=[["end", "bottom"]]), "category 'hammer': interchangeable", "'bottom'"),
    (category(interchangeable=[["face"]]), "category 'hammer': interchangeable", "wanted groups"),
    (category(interchangeable=[["face", "end"], ["end", "claw"]]), "'hammer': interchangeable", "twice"),
    (category(parts={"head": ["face", "neck"]}), "category 'hammer': parts.head", "'neck'"),
    (category(sigmas={"face": 0}), "category 'hammer': sigmas.face", "positive number, got 0"),
    (
        category(mirror=[["face", "claw"]], interchangeable=[["face", "end"]]),
        "category 'hammer': interchangeable",
        "(end, face) would mirror to (claw, end), which is no group",
    ),
    (lambda raw: raw.pop("images"), "images", "wanted a list, got nothing"),
    (lambda raw: raw.update(annotations=[]), "annotations", "is an empty list"),
    (lambda raw: raw["annotations"].append(7), "annotations[2]", "wanted an object, got 7"),
]  # fmt: skip


@pytest.mark.parametrize("change, where, what", CASES)
def test_each_fault_is_named_where_it_is(tmp_path, change, where, what):
    raw = whole()
    change(raw)
    lines = told(saved(tmp_path, raw))
    assert any(where in line and what in line for line in lines), lines


@pytest.mark.parametrize("change, where, what", CASES)
def test_what_the_reader_refuses_has_a_fault(tmp_path, change, where, what):
    raw = whole()
    change(raw)
    folder = saved(tmp_path, raw)
    try:
        data.open_dataset(folder)
    except (DataError, TypeError, OverflowError):
        assert told(folder)


def test_one_mistake_is_told_once(tmp_path):
    raw = whole()
    label(keypoints=[5, 6, 3, 20, 10, 1, 0, 0, 0], num_keypoints=1)(raw)
    assert len(told(saved(tmp_path, raw))) == 1


def test_all_faults_are_told_and_not_only_the_first(tmp_path):
    raw = whole()
    for change in (picture(width=41), label(bbox=[2, 3, 0, 0], num_keypoints=9), category(sigmas={"x": 1})):
        change(raw)
    assert len(told(saved(tmp_path, raw))) == 4


@pytest.mark.parametrize(
    "content, what",
    [
        (b"", "empty"),
        (b"<!doctype html><html>", "HTML"),
        (b"\x89PNG\r\n\x1a\n", ""),
        (b"\xff\xd8\xff\xe0 nonsense", ""),
    ],
)
def test_a_picture_that_is_none_is_named(tmp_path, content, what):
    folder = saved(tmp_path, whole())
    (folder / "images" / "2.png").write_bytes(content)
    (line,) = told(folder)
    assert line.startswith("2.png: ") and what in line


def test_a_truncated_picture_is_named(tmp_path):
    folder = saved(tmp_path, whole())
    path = folder / "images" / "1.png"
    path.write_bytes(path.read_bytes()[:-30])
    (line,) = told(folder)
    assert line.startswith("1.png: ") and "truncated" in line


def test_masks_must_fit_their_picture_and_its_instances(tmp_path):
    folder = saved(tmp_path, whole())
    (folder / "masks").mkdir()
    Image.fromarray(np.zeros((30, 39), np.uint8)).save(folder / "masks" / "1.png")
    Image.fromarray(np.full((30, 40), 2, np.uint8)).save(folder / "masks" / "2.png")
    assert told(folder) == ["masks/1.png: is 39 x 30, its picture 40 x 30",
                            "masks/2.png: marks instance 2, but the picture has 1"]  # fmt: skip


@pytest.mark.parametrize("images", ["images", "."])
def test_the_mask_that_is_judged_is_the_one_that_is_read(tmp_path, images):
    raw = whole()
    raw["images"][0]["file_name"] = "left/1.png"
    folder = saved(tmp_path, raw)
    for home in (folder / images / "left", folder / "masks" / "left"):
        home.mkdir(parents=True)
    (folder / "images" / "1.png").rename(folder / images / "left" / "1.png")
    if images == ".":
        (folder / "images" / "2.png").rename(folder / "2.png")
        (folder / "images").rmdir()
    (folder / "masks" / "1.png").write_bytes(b"another picture's")
    assert data.open_dataset(folder)[0].mask is None and told(folder) == []
    mask = folder / "masks" / "left" / "1.png"
    mask.write_bytes(b"none")
    assert data.open_dataset(folder)[0].mask == mask
    assert told(folder) == ["masks/left/1.png: wanted a PNG, this begins with b'none'"]


@pytest.mark.parametrize(
    "text, what",
    [
        ("", "empty"),
        ("{'a': 1}", "not valid JSON (Expecting property"),
        ("[]", "got a list"),
    ],
)
def test_a_file_that_is_no_dataset_is_one_fault(tmp_path, text, what):
    (line,) = told(saved(tmp_path, text))
    assert line.startswith("annotations.json: ") and what in line


def test_no_dataset_at_all_is_the_users_mistake(tmp_path):
    with pytest.raises(UserError, match="annotations.json"):
        faults(tmp_path)
