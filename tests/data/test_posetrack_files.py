"""PoseTrack files of both years, a frame or two by hand."""

import json

import numpy as np
import pytest
from PIL import Image

from heatmark.data import formats, posetrack
from heatmark.errors import DataError, UserError
from heatmark.metrics.posetrack import mean_ap
from heatmark.types import HIDDEN, SEEN, Poses

NAMES = posetrack.LANDMARKS


def picture(path, size=(60, 80)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), 80, np.uint8)).save(path)


def video_2018(folder, **changes):
    """A frame with a person (nose at 10, 20, a hidden knee at 30, 40) and a region; one without labels."""
    picture(folder / "images" / "val" / "0001" / "000000.jpg")
    keypoints = np.zeros((17, 3))
    keypoints[NAMES.index("nose")] = 10, 20, 1
    keypoints[NAMES.index("left_knee")] = 30, 40, 0  # a place, and not visible
    image = {"file_name": "images/val/0001/000000.jpg", "id": 10, "vid_id": "0001", "frame_id": 10}
    label = {"id": 1000, "image_id": 10, "category_id": 1, "track_id": 3, "bbox": [5, 10, 40, 45]}
    raw = {
        "images": [
            image
            | {"is_labeled": True, "ignore_regions_x": [[50, 70, 70]], "ignore_regions_y": [[5, 5, 25]]},
            {"file_name": "images/val/0001/000001.jpg", "id": 11, "is_labeled": False},
        ],
        "annotations": [label | {"bbox_head": [6, 12, 30, 40], "keypoints": keypoints.reshape(-1).tolist()}],
        "categories": [{"id": 1, "name": "person", "keypoints": list(NAMES)}],
    } | changes
    file = folder / "annotations" / "val" / "0001.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(raw))
    return file


def test_a_2018_video_is_read_with_heads_tracks_and_ignored_regions(tmp_path):
    dataset = formats.read(video_2018(tmp_path))
    (record,) = dataset
    assert dataset.skeleton == posetrack.POSETRACK17 and record.size == (60, 80)
    assert record.poses.points[0, NAMES.index("nose")].tolist() == [10.5, 20.5]  # it counts from 0
    assert np.isfinite(record.poses.points).all(-1).sum() == 2
    seen = dict(zip(NAMES, record.poses.visibility[0].tolist()))
    assert (seen["nose"], seen["left_knee"], seen["right_knee"], seen["left_ear"]) == (SEEN, HIDDEN, 0, 0)
    assert record.poses.boxes[0].tolist() == [5, 10, 45, 55]
    assert posetrack.heads_of(record).tolist() == [[6, 12, 36, 52]]
    assert record.instances[0]["track_id"] == 3 and record.extra["vid_id"] == "0001"
    assert posetrack.regions_of(record)[0].tolist() == [[50.5, 5.5], [70.5, 5.5], [70.5, 25.5]]
    assert record.crowd[0]["bbox"] == [50, 5, 20, 20] and record.crowd[0]["iscrowd"] == 1


def test_a_folder_of_videos_is_one_dataset(tmp_path):
    file = video_2018(tmp_path)
    (file.parent / "0002.json").write_text(file.read_text())
    assert [r.id for r in formats.read(tmp_path / "annotations")] == [1, 2]


def test_what_is_written_for_poseval_is_read_again(tmp_path):
    (record,) = posetrack.read(video_2018(tmp_path))
    out = tmp_path / "found" / "0001.json"
    posetrack.write(out, [("images/val/0001/000000.jpg", record.poses)])
    raw = json.loads(out.read_text())["annolist"][0]
    points = {
        p["id"][0]: (p["x"][0], p["y"][0], p["score"][0])
        for p in raw["annorect"][0]["annopoints"][0]["point"]
    }
    assert points == {13: (10.0, 20.0, 1.0), 4: (30.0, 40.0, 1.0)}  # nose, left knee
    (again,) = posetrack.read(out, images=tmp_path)
    np.testing.assert_array_equal(again.poses.points, record.poses.points)
    assert again.instances[0]["track_id"] == 0


def test_2017s_labels_are_read_with_their_regions(tmp_path):
    picture(tmp_path / "images" / "a.jpg")
    person: dict = {"x1": [1], "y1": [2], "x2": [11], "y2": [12], "track_id": [7]}
    person["annopoints"] = [{"point": [{"id": [12], "x": [4], "y": [5], "is_visible": [0]}]}]
    frame = {"image": [{"name": "images/a.jpg"}], "annorect": [person], "is_labeled": [1], "imgnum": [9]}
    frame["ignore_regions"] = [{"point": [{"x": [0], "y": [0]}, {"x": [9], "y": [0]}, {"x": [9], "y": [9]}]}]
    unlabelled = {"image": [{"name": "images/b.jpg"}], "annorect": [], "is_labeled": [0]}
    (tmp_path / "v.json").write_text(json.dumps({"annolist": [frame, unlabelled]}))
    (record,) = formats.read(tmp_path / "v.json")
    k = NAMES.index("head_bottom")
    assert record.poses.points[0, k].tolist() == [4.5, 5.5] and record.poses.visibility[0, k] == 1
    assert posetrack.heads_of(record).tolist() == [[1, 2, 11, 12]] and record.extra["frame_id"] == 9
    assert len(posetrack.regions_of(record)) == 1


def test_labels_scored_against_themselves_are_perfect_where_labelled(tmp_path):
    (record,) = posetrack.read(video_2018(tmp_path))
    result = mean_ap(
        [record.poses], [record.poses], [posetrack.heads_of(record)], [posetrack.regions_of(record)]
    )
    assert result.metrics()["mAP"] == 1.0 and np.isnan(result.ap["head_top"])


def test_files_that_are_none_are_told(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(UserError, match="no PoseTrack file"):
        posetrack.read(tmp_path)
    with pytest.raises(UserError, match="persons only, got category 'dog'"):
        posetrack.read(tmp_path, "dog")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(DataError, match="not valid JSON"):
        posetrack.read(tmp_path)
    file = video_2018(tmp_path / "b", annotations=[{"image_id": 10}])
    with pytest.raises(DataError, match=r"0001.json: annotations\[0\]: not as PoseTrack writes it"):
        posetrack.read(file)
    file = video_2018(tmp_path / "c")
    (tmp_path / "c" / "images" / "val" / "0001" / "000000.jpg").unlink()
    with pytest.raises(DataError, match="'000000.jpg' is neither beside it"):
        posetrack.read(file)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1e300])
@pytest.mark.parametrize("field", ["nose", "box", "head", "ignored region"])
def test_a_place_that_is_none_is_told_with_its_frame(tmp_path, field, wrong):
    raw = json.loads(video_2018(tmp_path).read_text())
    image, label = raw["images"][0], raw["annotations"][0]
    places = {"nose": label["keypoints"], "box": label["bbox"], "head": label["bbox_head"]}
    (places | {"ignored region": image["ignore_regions_x"][0]})[field][0] = wrong
    with pytest.raises(
        DataError, match=f"0001.json: images/val/0001/000000.jpg: {field}: wanted numbers of pixels, got .*, "
    ):
        posetrack.read(video_2018(tmp_path, images=raw["images"], annotations=raw["annotations"]))


@pytest.mark.parametrize("categories", [True, 1.5, "x", None])
def test_another_json_is_no_posetrack_whatever_it_calls_categories(tmp_path, categories):
    assert not posetrack.is_mine({"images": [], "categories": categories})


def test_a_person_without_a_head_cannot_be_scored(tmp_path):
    (record,) = posetrack.read(video_2018(tmp_path, annotations=[]))
    assert len(record.poses) == 0 and posetrack.heads_of(record).shape == (0, 4)
    raw = json.loads(video_2018(tmp_path).read_text())
    del raw["annotations"][0]["bbox_head"]
    (record,) = posetrack.read(video_2018(tmp_path, annotations=raw["annotations"]))
    with pytest.raises(DataError, match="without bbox_head"):
        posetrack.heads_of(record)
    raw = json.loads(video_2018(tmp_path).read_text())
    raw["annotations"][0]["bbox_head"] = [6, 12, 0, 0]
    (record,) = posetrack.read(video_2018(tmp_path, annotations=raw["annotations"]))
    with pytest.raises(
        DataError, match=r"000000.jpg: a person whose head \[6.0, 12.0, 6.0, 12.0\] has no size"
    ):
        posetrack.heads_of(record)
    posetrack.write(tmp_path / "n.json", [("x.jpg", Poses.empty(posetrack.POSETRACK17))])
    assert json.loads((tmp_path / "n.json").read_text())["annolist"][0]["annorect"] == []


def test_every_faulty_person_and_frame_is_named(tmp_path):
    file = video_2018(tmp_path)
    raw = json.loads(file.read_text())
    raw["images"].append({"file_name": "images/val/0001/000002.jpg", "id": 12, "is_labeled": True})
    raw["annotations"] += [{"image_id": 10}, raw["annotations"][0] | {"keypoints": [1, 2]}]
    file.write_text(json.dumps(raw))
    dataset, faults = formats.judged(file, "posetrack")
    assert [fault.where for fault in faults] == [
        "annotations[1]",
        "annotations[2]",
        "images/val/0001/000002.jpg",
    ]
    assert dataset is not None and len(dataset) == 1 and len(dataset[0].poses) == 1
