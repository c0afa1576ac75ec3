"""Pictures come from files, folders, videos and standard input; what cannot be read is named."""

import io
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from heatmark.errors import DataError, UserError
from heatmark.imaging import encode_jpeg, encode_png
from heatmark.runtime import shots


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)


@pytest.fixture
def folder(tmp_path, picture) -> Path:
    for name in ("b.png", "a.PNG"):
        (tmp_path / name).write_bytes(encode_png(picture))
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / ".hidden.png").write_bytes(b"junk")
    (tmp_path / "inner.png").mkdir()
    return tmp_path


def test_a_picture_is_one_shot(folder, picture):
    (shot,) = shots(folder / "b.png")
    assert shot.name == str(folder / "b.png") and shot.frame == 0 and shot.decode_ms > 0
    assert np.array_equal(shot.picture, picture)


def test_a_folder_gives_its_pictures_in_order_and_passes_over_the_rest(folder):
    assert [Path(shot.name).name for shot in shots(folder)] == ["a.PNG", "b.png"]


def test_a_bad_picture_in_a_folder_is_reported_and_the_rest_goes_on(folder, picture):
    (folder / "aa.jpg").write_bytes(encode_jpeg(picture)[:-300])
    with pytest.raises(DataError, match="aa.jpg"):
        list(shots(folder))
    reported: list[DataError] = []
    assert [Path(s.name).name for s in shots(folder, reported.append)] == ["a.PNG", "b.png"]
    assert len(reported) == 1 and "aa.jpg: the picture is truncated" in str(reported[0])


def test_a_video_gives_its_frames(tmp_path, picture):
    path = tmp_path / "clip.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    if not video.isOpened():
        pytest.skip("this OpenCV writes no video")
    for value in (20, 120, 220):
        video.write(np.full((48, 64, 3), (0, 0, value), np.uint8))  # BGR
    video.release()
    found = list(shots(path))
    assert [shot.frame for shot in found] == [0, 1, 2] and found[0].picture.shape == (48, 64, 3)
    assert [round(float(shot.picture[..., 0].mean()) / 10) for shot in found] == [2, 12, 22]  # red


def test_standard_input_and_bytes_are_pictures(picture, monkeypatch):
    data = encode_png(picture)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert [shot.name for shot in shots("-")] == ["stdin"]
    (shot,) = shots(data)
    assert np.array_equal(shot.picture, picture)
    monkeypatch.setattr(sys, "stdin", None)  # closed, as by `<&-`
    with pytest.raises(UserError, match="standard input, which is closed"):
        shots("-")


@pytest.mark.parametrize(
    "source, error, text",
    [
        ("missing.jpg", UserError, "missing.jpg: no such picture, folder, video or camera"),
        ("https://example.org/a.jpg", UserError, "nothing is fetched"),
        ("987", UserError, "camera 987 cannot be opened"),
        ("9" * 14, UserError, "camera 99999999999999 cannot be opened"),
        (b"", DataError, "the file is empty"),
    ],
)
def test_a_source_that_is_none_is_named(source, error, text, capfd):
    with pytest.raises(error, match=text):
        list(shots(source))


@pytest.mark.parametrize(
    "name, data, text",
    [
        ("page.jpg", b"<!doctype html><html></html>", "page.jpg: not a picture; it is an HTML page"),
        ("empty.jpg", b"", "empty.jpg: the file is empty"),
        ("empty.mp4", b"", "empty.mp4: the file is empty"),
        ("junk.mp4", b"junk" * 100, "junk.mp4: not a video"),
    ],
)
def test_a_file_that_is_no_picture_or_video_is_named(tmp_path, name, data, text, capfd):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=text):
        list(shots(tmp_path / name))


def test_a_folder_of_folders_says_where_pictures_are(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.jpg").write_bytes(b"")
    with pytest.raises(DataError, match="no picture in this folder; .*images holds some"):
        list(shots(tmp_path))


def test_an_empty_text_is_no_source():
    with pytest.raises(UserError, match="empty text"):
        shots("")


def test_a_folder_without_pictures_is_named(tmp_path):
    with pytest.raises(DataError, match="no picture in this folder"):
        list(shots(tmp_path))
