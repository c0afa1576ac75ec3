import json

import numpy as np
from PIL import Image

from heatmark.commands.check import check


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
