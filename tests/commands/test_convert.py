import json

import numpy as np
import pytest
from PIL import Image

from heatmark import data
from heatmark.commands.check import check
from heatmark.commands.convert import convert
from heatmark.data import posetrack, yolo
from heatmark.data.records import held
from heatmark.errors import DataError, UserError


@pytest.fixture
def source(tmp_path):
    """Two folders with a picture of the same name each, one hammer in each, as labelme."""
    for i, folder in enumerate(("left", "right")):
        (tmp_path / "hammer" / folder).mkdir(parents=True)
        Image.fromarray(np.full((20, 40, 3), 100 * i, np.uint8)).save(tmp_path / "hammer" / folder / "a.png")
        shapes = [
            {"label": name, "shape_type": "point", "points": [[x + i, 8.25]], "group_id": None}
            for name, x in (("face", 10), ("claw", 30))
        ]
        page = {"shapes": shapes, "imagePath": "a.png"}
        (tmp_path / "hammer" / folder / "a.json").write_text(json.dumps(page))
    return tmp_path / "hammer"


def test_what_is_converted_reads_the_same_and_has_no_fault(source, tmp_path):
    done = convert(source, tmp_path / "coco")
    assert done.to_dict() == {
        "source": str(source), "out": str(tmp_path / "coco"), "read_as": "labelme", "written_as": "coco",
        "pictures": 2, "instances": 2, "landmarks": ["face", "claw"],
    }  # fmt: skip
    assert check(tmp_path / "coco").ok
    dataset = data.open_dataset(tmp_path / "coco")
    np.testing.assert_allclose(dataset[0].poses.points[0], [[10, 8.25], [30, 8.25]])
    assert [data.sample(record).picture[0, 0, 0] for record in dataset] == [0, 100]


def test_coco_to_yolo_and_back_moves_no_point(source, tmp_path):
    convert(source, tmp_path / "coco")
    assert convert(tmp_path / "coco", tmp_path / "yolo", to="yolo").read_as == "coco"
    assert convert(tmp_path / "yolo", tmp_path / "back").read_as == "yolo"
    first, last = data.open_dataset(tmp_path / "coco"), data.open_dataset(tmp_path / "back")
    assert last.skeleton.landmarks == first.skeleton.landmarks
    for a, b in zip(first, yolo.read(tmp_path / "yolo")):
        np.testing.assert_allclose(a.poses.points, b.poses.points, atol=1e-3)
    for a, b in zip(first, last):
        np.testing.assert_allclose(a.poses.points, b.poses.points, atol=2e-3)
        np.testing.assert_allclose(a.poses.boxes, b.poses.boxes, atol=2e-3)


def test_masks_and_depths_come_along(source, tmp_path):
    convert(source, tmp_path / "coco")
    for folder, shade in (("masks", 1), ("depth", 7)):
        (tmp_path / "coco" / folder).mkdir()
        Image.fromarray(np.full((20, 40), shade, np.uint8)).save(tmp_path / "coco" / folder / "right_a.png")
    convert(tmp_path / "coco", tmp_path / "again")
    sample = data.sample(data.open_dataset(tmp_path / "again")[1], planes=True)
    assert sample.mask is not None and sample.mask.max() == 1
    assert sample.depth is not None and np.isclose(sample.depth, 0.007).all()


def test_regions_to_be_ignored_come_along(tmp_path):
    keypoints = np.zeros((17, 3))
    keypoints[0] = 10, 12, 1
    person = {"id": 1, "image_id": 5, "bbox": [5, 5, 20, 10], "keypoints": keypoints.ravel().tolist()}
    frame = {"id": 5, "file_name": "0.png", "ignore_regions_x": [[1, 9, 9]], "ignore_regions_y": [[1, 1, 9]]}
    category = {"id": 1, "name": "person", "keypoints": list(posetrack.LANDMARKS)}
    page = {"images": [frame], "annotations": [person], "categories": [category]}
    (tmp_path / "video").mkdir()
    Image.fromarray(np.zeros((20, 40, 3), np.uint8)).save(tmp_path / "video" / "0.png")
    (tmp_path / "video" / "0.json").write_text(json.dumps(page))
    assert convert(tmp_path / "video", tmp_path / "coco").read_as == "posetrack"
    (record,) = data.open_dataset(tmp_path / "coco")
    assert record.crowd[0]["segmentation"] == [[1, 1, 9, 1, 9, 9]] and check(tmp_path / "coco").ok


def test_a_target_in_use_is_left_alone(source, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.txt").write_text("precious")
    with pytest.raises(UserError, match="not empty"):
        convert(source, tmp_path / "there")
    assert [f.name for f in (tmp_path / "there").iterdir()] == ["mine.txt"]


def test_a_link_to_an_empty_folder_is_one_and_the_folder_one_is_in_is_refused(source, tmp_path, monkeypatch):
    (tmp_path / "far").mkdir()
    (tmp_path / "near").symlink_to(tmp_path / "far")
    monkeypatch.chdir(tmp_path / "far")
    for there in (".", "../near"):
        with pytest.raises(UserError, match=f"^{there}: is the folder you are in"):
            convert(source, there)
    monkeypatch.chdir(tmp_path)
    assert convert(source, "near").out == "near"
    assert check(tmp_path / "far").ok and sorted(f.name for f in tmp_path.iterdir()) == [
        "far",
        "hammer",
        "near",
    ]


def test_a_source_that_fails_leaves_nothing_behind(source, tmp_path):
    (source / "right" / "a.png").unlink()
    with pytest.raises(DataError, match="a.png"):
        convert(source, tmp_path / "out")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["hammer"]


def test_a_broken_picture_is_named_and_nothing_is_written(source, tmp_path):
    coco = tmp_path / "coco"  # which, unlike labelme, is read without its pictures
    convert(source, coco)
    (coco / "images" / "a.png").write_bytes((coco / "images" / "a.png").read_bytes()[:40])
    with pytest.raises(DataError, match="images.a.png: not a picture"):
        convert(coco, tmp_path / "out")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["coco", "hammer"]


def test_what_a_killed_conversion_left_is_not_there_after_the_next(source, tmp_path):
    left = tmp_path / ".out.part" / "labels"
    left.mkdir(parents=True)
    (left / "a.txt").write_text("half a lab")
    convert(source, tmp_path / "out")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["hammer", "out"]
    assert not (tmp_path / "out" / "labels").exists()
    with held(tmp_path / ".other.part"), pytest.raises(UserError, match="another process works in it"):
        convert(source, tmp_path / "other")
    assert (tmp_path / ".other.part").is_dir()


def test_an_unknown_format_is_named(source, tmp_path):
    with pytest.raises(UserError, match="did you mean 'yolo'"):
        convert(source, tmp_path / "out", to="yollo")
