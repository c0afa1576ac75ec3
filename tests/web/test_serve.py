"""A picture posted to the service comes back as the points `heatmark detect --json` prints."""

import struct
import zlib

import cv2
import numpy as np
import pytest

from heatmark import runtime
from heatmark.card import Card
from heatmark.errors import UserError
from heatmark.runtime.dense import DensePredictor
from heatmark.skeletons import PRODUCT
from heatmark.types import Skeleton
from heatmark.web import guard, serve

PLACES = (100, 60), (240, 100), (160, 200)
SPOTS = Skeleton("spots", ("red", "green", "blue"), bones=(("red", "green"),))
FACTS = {"name": "spots", "skeleton": SPOTS, "size": (48, 64), "model": "spots", "strides": (1,)}
CARD = Card.model_validate(FACTS)


def brightest(pictures: np.ndarray) -> dict[str, np.ndarray]:
    """An engine whose answer is known: the middle of the brightest pixel of each colour."""
    flat = pictures.reshape(*pictures.shape[:2], -1)
    y, x = np.divmod(flat.argmax(-1), pictures.shape[-1])
    return {"points": np.stack([x, y], -1) + 0.5, "scores": flat.max(-1)}


@pytest.fixture
def detectors():
    return {"spots": runtime.Predictor(brightest, CARD)}


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """Black, (240, 320, 3), with a soft red, green and blue spot."""
    y, x = np.mgrid[:240, :320] + 0.5
    spots = [250 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 512) for px, py in PLACES]
    return np.stack(spots, -1).round().astype(np.uint8)


def huge_png() -> bytes:
    """The beginning of a picture of 13,000 x 13,000 pixels."""
    chunks = [
        b"IHDR" + struct.pack(">IIBBBBB", 13000, 13000, 8, 2, 0, 0, 0),
        b"IDAT" + zlib.compress(b"\0" * 99),
    ]
    packed = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


@pytest.fixture
def client(detectors, browser):
    return browser(serve.app_of(detectors, guard.LOOPBACK))


def jpeg(picture) -> bytes:
    return cv2.imencode(".jpg", picture[..., ::-1])[1].tobytes()


def test_a_threshold_leaves_out_boxes_of_a_model_of_boxes_and_the_page_is_told_of_them(browser, picture):
    def two(pictures: np.ndarray) -> dict[str, np.ndarray]:
        boxes, scores = np.array([[4.0, 4, 20, 20], [30, 4, 50, 20]]), np.array([0.9, 0.2])
        return {"boxes": boxes, "scores": scores, "candidates": np.array(2)}

    how = {"task": "dense", "skeleton": PRODUCT, "decoding": {"method": "boxes"}}
    shelf = DensePredictor(two, Card.model_validate(FACTS | how))
    client = browser(serve.app_of({"shelf": shelf}, guard.LOOPBACK))
    for threshold, count in ((0, 2), (0.5, 1)):
        found = client.post(f"/detect?threshold={threshold}", content=jpeg(picture)).json()["instances"]
        assert len(found) == count and found[0]["score"] == pytest.approx(0.9)
    assert client.get("/models").json()[0]["task"] == "dense"


def test_a_posted_picture_comes_back_as_points(client, picture):
    answer = client.post("/detect?model=spots", content=jpeg(picture)).json()
    assert answer["size"] == [240, 320] and answer["model"] == "spots"
    points = answer["instances"][0]["points"]
    found = [[points[name]["x"], points[name]["y"]] for name in ("red", "green", "blue")]
    np.testing.assert_allclose(found, PLACES, atol=3)
    assert set(answer["latency_ms"]) == {"decode", "network", "points"}


def test_a_form_does_as_well_and_keeps_the_file_name(client, picture):
    bare = client.post("/detect", content=jpeg(picture)).json()
    form = client.post("/detect", files={"picture": ("bench.jpg", jpeg(picture), "image/jpeg")}).json()
    assert form["source"] == "bench.jpg" and form["instances"] == bare["instances"]
    head = b'--B\r\nContent-Disposition: form-data; name="picture"; filename="bench.jpg"\r\n\r\n'
    loud = {"content-type": "Multipart/Form-Data; boundary=B"}
    again = client.post("/detect", content=head + jpeg(picture) + b"\r\n--B--\r\n", headers=loud).json()
    assert again["source"] == "bench.jpg"


@pytest.mark.parametrize("look", ["false", "true", "live"])
def test_a_threshold_leaves_points_out_and_a_second_look_may_be_asked_for(client, picture, look):
    answer = client.post(f"/detect?threshold=1&second_look={look}", content=jpeg(picture)).json()
    left_out = answer["instances"][0]["points"]["red"]
    assert left_out["x"] is None and left_out["visibility"] == 0  # as `detect --json` says it


@pytest.mark.parametrize(
    ("query", "content", "fault"),
    [
        ("", b"", "picture: the file is empty"),
        ("", b"<!DOCTYPE html><html>", "is an HTML page"),
        ("", "truncated", "truncated"),
        ("", "huge", "13000 x 13000 pixels are more than"),
        ("?model=spot", b"x", "no model is called 'spot' (did you mean 'spots'?)"),
        ("?threshold=2", "whole", "threshold must be in [0, 1], got 2.0"),
        ("?threshold=high", "whole", "threshold: input should be a valid number"),
    ],
)
def test_a_bad_request_is_one_line(client, picture, query, content, fault):
    if isinstance(content, str):
        whole = jpeg(picture)
        content = {"truncated": whole[:-400], "huge": huge_png(), "whole": whole}[content]
    answer = client.post(f"/detect{query}", content=content)
    assert answer.status_code == 422, answer.text
    assert fault in answer.json()["error"] and "\n" not in answer.json()["error"]


def test_a_bad_form_is_one_line(client):
    answer = client.post("/detect", files={"a": b"x", "b": b"y"})
    assert answer.status_code == 422 and "the form cannot be read" in answer.json()["error"]
    answer = client.post(
        "/detect", data={"a": "x"}, headers={"content-type": "multipart/form-data; boundary=-"}
    )
    assert answer.status_code == 422


def test_a_picture_file_may_only_be_so_large(client, monkeypatch):
    answer = client.post("/detect", content=b"x", headers={"content-length": str(serve.BODY_LIMIT + 1)})
    assert answer.status_code == 413


def test_the_service_says_what_it_can_find_and_that_it_is_up(client):
    (model,) = client.get("/models").json()
    assert model["name"] == "spots" and model["landmarks"] == ["red", "green", "blue"]
    assert client.get("/health").json()["status"] == "ok"
    assert client.get("/examples").json() == {"spots": []}
    assert client.get("/examples/..%2Fzoo.py").status_code in (404, 422)


def test_the_page_and_what_it_loads_are_there(client):
    assert "static/serve.js" in client.get("/").text
    assert client.get("/static/serve.js").status_code == 200
    assert client.get("/docs").status_code == 404  # it would load scripts from elsewhere


def test_a_model_is_asked_for_by_the_name_on_its_card_and_no_name_stands_twice(monkeypatch, detectors):
    monkeypatch.setattr(runtime, "load", lambda name, engine, threads: detectors["spots"])
    assert list(serve.loaded(["runs/last/model.onnx"], "auto", 1)) == ["spots"]
    with pytest.raises(UserError, match="two models are called 'spots'"):
        serve.loaded(["a.onnx", "b.onnx"], "auto", 1)


def test_one_model_may_be_said_by_its_name_alone():
    with pytest.raises(UserError, match="is called 'hammr' .did you mean 'hammer'"):
        serve.serve("hammr")


def test_without_any_detector_it_says_so(monkeypatch, tmp_path):
    from heatmark import zoo

    monkeypatch.setattr(zoo, "folder", lambda: tmp_path)
    with pytest.raises(UserError, match="name a model file with --model"):
        serve.loaded(None, "auto", 1)


def test_served_to_a_network_any_name_will_do(detectors, browser):
    client = browser(serve.app_of(detectors, None))
    assert client.get("/health", headers={"host": "robot.lab:8000"}).status_code == 200
