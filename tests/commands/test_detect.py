"""detect gives one Detection a picture in the stable form, looks inside given boxes, and names what is
wrong."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from toys import SPOTS, spots

from heatmark.commands import detect as detecting
from heatmark.commands import progress
from heatmark.commands.boxfile import Boxfile
from heatmark.commands.detect import Detection, detect
from heatmark.commands.overlays import Overlays
from heatmark.errors import DataError, UserError
from heatmark.imaging import encode_png
from heatmark.runtime import Predictor, Shot, load
from heatmark.types import Poses

LEFT, RIGHT = ((30, 40), (70, 20), (50, 80)), ((230, 60), (260, 80), (290, 30))
BOXES = ([225, 20, 70, 70], [20, 10, 60, 80])  # x y w h: right, left


def two_tools() -> bytes:
    return encode_png(np.maximum(spots((100, 320), *LEFT, radius=6), spots((100, 320), *RIGHT, radius=6)))


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two pictures of two tools each, and annotations of one of them."""
    home = tmp_path / "tools"
    (home / "images").mkdir(parents=True)
    for name in ("12.png", "13.png"):
        (home / "images" / name).write_bytes(two_tools())
    images = [{"id": 7, "file_name": "12.png"}, {"id": 8, "file_name": "13.png"}]
    rows = [{"image_id": 7, "bbox": box} for box in BOXES]
    (home / "annotations.json").write_text(json.dumps({"images": images, "annotations": rows}))
    return home


def test_a_picture_gives_one_line_in_the_stable_form(folder, spots_onnx):
    (found,) = detect(folder / "images" / "12.png", spots_onnx)
    line = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert list(line) == ["source", "frame", "size", "model", "instances", "latency_ms"]
    assert line["source"] == str(folder / "images" / "12.png") and line["model"] == str(spots_onnx)
    assert line["frame"] == 0 and line["size"] == [100, 320]
    (instance,) = line["instances"]
    assert set(instance) == {"score", "box", "points"} and instance["box"] is None
    assert list(instance["points"]) == list(SPOTS.landmarks)
    assert set(instance["points"]["red"]) == {"x", "y", "score", "visibility"}
    assert set(line["latency_ms"]) == {"decode", "network", "points"} and line["latency_ms"]["decode"] > 0


def test_a_model_of_points_says_that_it_takes_no_tiles(folder, spots_onnx):
    with pytest.raises(UserError, match="tiles are for models of boxes; this one finds points"):
        detect(folder / "images" / "12.png", spots_onnx, tiles=True)


def test_points_below_the_threshold_are_null_in_json_and_not_found_in_words(folder, spots_onnx):
    (found,) = detect(folder / "images" / "12.png", spots_onnx, threshold=1.0)
    assert np.isnan(found.poses.points).all()
    red = found.to_dict()["instances"][0]["points"]["red"]
    assert (red["x"], red["y"], red["visibility"]) == (None, None, 0) and red["score"] > 0.3
    assert "red not found" in str(found)


def test_given_boxes_are_one_instance_each_in_the_files_order(folder, spots_onnx):
    first, second = detect(folder / "images", spots_onnx, boxes=folder / "annotations.json")
    np.testing.assert_allclose(first.poses.points, [RIGHT, LEFT], atol=0.6)
    assert [i["box"] for i in first.to_dict()["instances"]] == [[225, 20, 295, 90], [20, 10, 80, 90]]
    assert second.to_dict()["instances"] == []


def test_a_crowd_is_no_box_to_look_into(tmp_path):
    rows = [{"image_id": 1, "bbox": [n, n, 9, 9], "iscrowd": n} for n in (0, 1)]
    page = {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": rows}
    (tmp_path / "boxes.json").write_text(json.dumps(page))
    assert Boxfile(tmp_path / "boxes.json", "1.jpg").of("1.jpg").tolist() == [[0, 0, 9, 9]]


def test_pictures_of_one_name_in_several_folders_have_boxes_of_their_own(tmp_path, monkeypatch):
    images = [{"id": n, "file_name": f"{home}/1.jpg"} for n, home in enumerate("ab")]
    rows = [{"image_id": n, "bbox": [n, n, 9, 9]} for n in (0, 1)]
    (tmp_path / "boxes.json").write_text(json.dumps({"images": images, "annotations": rows}))
    file = Boxfile(tmp_path / "boxes.json", str(tmp_path / "b"))
    assert file.of(str(tmp_path / "b" / "1.jpg")).tolist() == [[1, 1, 10, 10]]
    monkeypatch.chdir(tmp_path)
    assert file.of("a/1.jpg").tolist() == [[0, 0, 9, 9]]
    with pytest.raises(UserError, match="says nothing of .*1.jpg; it speaks of a/1.jpg, b/1.jpg"):
        file.of("1.jpg")  # either


@pytest.mark.parametrize(
    "image_id, source", [(7, "images"), (7, "images/12.png"), (12, "elsewhere"), (99, "12.png")]
)
def test_results_are_given_to_pictures_by_the_annotations_beside_them_by_number_or_to_the_only_one(
    tmp_path, folder, spots_onnx, image_id, source
):
    if image_id != 7:
        (folder / "annotations.json").unlink()
    results = tmp_path / "results.json"
    results.write_text(json.dumps([{"image_id": image_id, "bbox": box, "score": 0.5} for box in BOXES]))
    (folder / "images").rename(folder / "elsewhere") if source == "elsewhere" else None
    path = folder / "images" / "12.png" if source == "12.png" else folder / source
    found = next(detect(path, spots_onnx, boxes=results))
    np.testing.assert_allclose(found.poses.points, [RIGHT, LEFT], atol=0.6)


@pytest.mark.parametrize(
    "content, error, text",
    [
        (None, UserError, "no such box file"),
        (b"", DataError, "the file is empty"),
        (b"<html>", DataError, "not valid JSON"),
        (b"7", DataError, "wanted COCO annotations"),
        (b'{"images": []}', DataError, "wanted COCO annotations"),
        (b'{"images": [{"id": 1}], "annotations": []}', DataError, "an id and a file_name"),
        (
            b'{"images": [], "annotations": [{"image_id": 3, "bbox": [1, 2, 3, 4]}]}',
            DataError,
            "no image has the id 3",
        ),
        (b'[{"image_id": 7}]', DataError, "entry 0: wanted an object with image_id and bbox"),
        (
            b'[{"image_id": 7, "bbox": [1, 2, 3]}]',
            DataError,
            "entry 0: bbox: wanted finite x, y, w, h with an area",
        ),
        (
            b'[{"image_id": 7, "bbox": [1, 2, 0, 5]}]',
            DataError,
            "entry 0: bbox: wanted finite x, y, w, h with an area",
        ),
        (b'[{"image_id": 5, "bbox": [1, 2, 3, 5]}]', DataError, "entry 0: no image has the id 5"),
        (
            b'{"images": [{"id": 1, "file_name": "x.jpg"}], "annotations": []}',
            UserError,
            "it speaks of x.jpg",
        ),
    ],
)
def test_a_wrong_box_file_is_named(tmp_path, folder, spots_onnx, content, error, text):
    boxes = tmp_path / "boxes.json"
    if content is not None:
        boxes.write_bytes(content)
    with pytest.raises(error, match=f"boxes.json: .*{text}"):
        list(detect(folder / "images", spots_onnx, boxes=boxes))


def test_a_bad_picture_is_named_at_once_and_in_the_end_and_the_rest_is_found(folder, spots_onnx, capsys):
    (folder / "images" / "12a.jpg").write_bytes(b"<html>not found</html>")
    found: list[Detection] = []
    with pytest.raises(DataError, match="1 of 3 pictures could not be read: .*12a.jpg: not a picture"):
        found.extend(detect(folder / "images", spots_onnx))
    assert len(found) == 2 and "12a.jpg" in capsys.readouterr().err


def test_of_many_bad_pictures_each_has_a_line_and_the_end_is_short(folder, spots_onnx, capsys):
    for n in range(30):
        (folder / "images" / f"{n:03d}.jpg").write_bytes(b"")
    with (
        progress.quiet(),  # as with --json: no progress, but what is wrong
        pytest.raises(DataError, match=r"^30 of 32 .*000.jpg: the file is empty, and 29 more$"),
    ):
        list(detect(folder / "images", spots_onnx))
    assert len(capsys.readouterr().err.splitlines()) == 30


def test_overlays_are_written_and_never_over_the_pictures(tmp_path, folder, spots_onnx):
    (folder / "images" / "12.jpg").write_bytes(two_tools())
    out = tmp_path / "deep" / "overlays"
    assert len(list(detect(folder / "images", spots_onnx, out=out, limit=2))) == 2
    assert sorted(p.name for p in out.iterdir()) == ["12.jpg", "12.png.jpg"]
    drawn = cv2.imread(str(out / "12.jpg"))
    assert drawn is not None and drawn.shape[1] == 640
    with pytest.raises(UserError, match="among the pictures"):
        detect(folder / "images", spots_onnx, out=folder / "images")
    with pytest.raises(FileExistsError, match="annotations.json"):  # which the command line tells in a line
        detect(folder / "images", spots_onnx, out=folder / "annotations.json")


def test_several_pictures_are_looked_at_in_the_order_given(tmp_path, folder, spots_onnx, capsys):
    picture, other = folder / "images" / "12.png", tmp_path / "12.png"
    other.write_bytes(picture.read_bytes())
    found = list(detect([other, picture, str(other)], spots_onnx, out=tmp_path / "out"))
    assert [f.source for f in found] == [str(other), str(picture), str(other)]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["12-2.jpg", "12.jpg", "12.png.jpg"]
    other.write_bytes(b"")
    with pytest.raises(DataError, match="1 of 2 pictures could not be read"):
        list(detect([other, picture], spots_onnx))
    for what, said in ((folder, "is a folder"), (tmp_path / "no.jpg", "is not there")):
        with pytest.raises(UserError, match=f"{what}: {said}; of several sources each must be a picture"):
            detect([picture, what], spots_onnx)
    with pytest.raises(UserError, match="among the pictures"):
        detect([picture, other], spots_onnx, out=tmp_path)
    with pytest.raises(UserError, match="no picture was given"):
        detect([], spots_onnx)


def test_a_video_gives_a_line_a_frame_and_an_overlay_video(tmp_path, spots_onnx):
    path = tmp_path / "clip.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    if not video.isOpened():
        pytest.skip("this OpenCV writes no video")
    for x in (20, 30, 40):
        video.write(spots((48, 64), (x, 10), (50, 12), (30, 40))[..., ::-1].copy())
    video.release()
    found = list(detect(path, spots_onnx, out=tmp_path / "out"))
    assert [f.frame for f in found] == [0, 1, 2] and "frame 2" in str(found[2])
    np.testing.assert_allclose([f.poses.points[0, 0, 0] for f in found], [20, 30, 40], atol=1)
    assert (tmp_path / "out" / "clip.mp4").stat().st_size > 500


def test_frames_of_a_video_are_looked_at_again_live_and_pictures_until_an_answer_holds(
    tmp_path, spots_onnx, monkeypatch
):
    asked = []
    predictor = load(spots_onnx)
    monkeypatch.setattr(
        Predictor, "__call__", lambda self, p, b, look: asked.append(look) or Poses.empty(self.skeleton)
    )
    picture = spots((48, 64), (10, 10), (50, 10), (30, 40))
    for fps in (None, 25.0):
        shot = Shot("street", 0, picture, fps=fps)
        monkeypatch.setattr(detecting, "shots", lambda *_, shot=shot: iter([shot]))
        for look in (False, True):
            list(detect("street.mp4", predictor, second_look=look))
    assert asked == [False, True, False, "live"]


def test_an_overlay_video_has_its_name_only_when_it_is_whole(tmp_path, monkeypatch):
    frame = spots((48, 64), (20, 10), (50, 12), (30, 40))
    overlays = Overlays(tmp_path)
    overlays.add(Shot("clip.avi", 0, frame, fps=10.0), frame)
    assert not (tmp_path / "clip.mp4").exists()
    overlays.frames = 7  # as if six had not come through
    with pytest.raises(DataError, match="clip.mp4: only 1 of 7 frames were written; is the disk full?"):
        overlays.close()
    assert not any(tmp_path.iterdir())


def test_a_missing_model_or_source_is_the_users_mistake(tmp_path, spots_onnx):
    for source, model, text in (
        ("missing.jpg", spots_onnx, "no such picture"),
        ("missing.jpg", "hamer", "did you mean 'hammer'"),
        ("missing.jpg", tmp_path / "m.onnx", "no such model file"),
    ):
        with pytest.raises(UserError, match=text):
            detect(source, model, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
