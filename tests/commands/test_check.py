import json

import numpy as np
from PIL import Image

from heatmark.commands.check import check


def test_other_formats_are_checked_as_far_as_they_can_be_read(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    noise = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "images" / "a.png")
    (tmp_path / "data.yaml").write_text("train: images\nkpt_shape: [1, 3]\nnames: [dot]\n")
    label = tmp_path / "labels" / "a.txt"
    label.write_text("0 0.5 0.5 0.5 0.5 0.5 0.5 2")
    assert check(tmp_path).ok
    label.write_text("0 0.5 0.5 0 0.5 1.5 0.5 2")
    picture = tmp_path / "images" / "a.png"
    picture.write_bytes(picture.read_bytes()[:-40])
    lines = str(check(tmp_path)).splitlines()
    assert lines[0].startswith("a.png: the picture is truncated")
    assert lines[1:3] == [
        "a.png: instance 1: point_1: (60, 15) lies outside the picture's 40 x 30",
        "a.png: instance 1: box: has no area, or there is none",
    ]
    assert lines[3].endswith("3 faults; 1 pictures, 1 instances, 1 seen")
    label.write_text("0 0.5")
    assert "line 1: wanted 8 numbers" in str(check(tmp_path))


def test_check_says_what_a_dataset_holds_and_what_is_wrong(tmp_path):
    (tmp_path / "images").mkdir()
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / "images" / "a.png")
    label = {
        "id": 1,
        "image_id": 1,
        "category_id": 1,
        "bbox": [1, 1, 9, 9],
        "keypoints": [3, 3, 2],
        "num_keypoints": 1,
    }
    raw = {
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}],
        "annotations": [label],
        "categories": [{"id": 1, "name": "dot", "keypoints": ["middle"], "skeleton": []}],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(raw))
    checked = check(tmp_path)
    assert checked.ok and checked.counts["pictures"] == 1

    label["num_keypoints"] = 2
    (tmp_path / "annotations.json").write_text(json.dumps(raw))
    checked = check(tmp_path)
    assert not checked.ok
    assert checked.to_dict() == {
        "dataset": str(tmp_path),
        "ok": False,
        "faults": [
            {
                "file": "annotations.json",
                "where": "annotation 1",
                "field": "num_keypoints",
                "message": "says 2, but 1 have v > 0",
            }
        ],
        "counts": {"pictures": 1, "instances": 1, "seen": 1},
    }
    assert json.loads(json.dumps(checked.to_dict())) == checked.to_dict()
