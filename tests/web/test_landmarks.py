"""Landmarks clicked on a mesh are saved as the renderer reads them, or not at all."""

import json
import math
import struct

import numpy as np
import pytest

from heatmark.errors import DataError, UserError
from heatmark.synth import assets, meshes
from heatmark.web import landmarks

trimesh = pytest.importorskip("trimesh")

FACE, BACK = [0.05, 0.01, 0.0], [-0.05, 0.0, 0.0]


@pytest.fixture
def folder(tmp_path):
    """A folder with a box 10 cm long, in metres."""
    home = tmp_path / "048_mallet"
    home.mkdir()
    trimesh.creation.box(extents=(0.1, 0.06, 0.04)).export(home / "textured.obj")
    return home


@pytest.fixture
def picker(folder):
    return landmarks.Picker.open(folder)


@pytest.fixture
def client(picker, browser):
    return browser(landmarks.app_of(picker))


def body(*points, **more) -> dict:
    listed = [{"name": name, "point": point} for name, point in points]
    return {"name": "mallet", "unit": "m", "landmarks": listed, **more}


def test_what_is_saved_is_what_the_renderer_reads(client, folder):
    sent = body(
        ("face", FACE),
        ("back", BACK),
        bones=[["face", "back"]],
        mirror=[],
        interchangeable=[["face", "back"]],
    )
    answer = client.put("/landmarks", json=sent)
    assert answer.status_code == 200 and answer.json()["landmarks"] == 2
    asset = meshes.load(folder)
    assert asset.skeleton is not None
    assert asset.skeleton.name == "mallet" and asset.skeleton.landmarks == ("face", "back")
    assert asset.skeleton.interchangeable == (("face", "back"),)
    np.testing.assert_allclose(asset.landmarks, [FACE, BACK])
    assert [path.name for path in folder.glob(".*")] == []  # no draft is left


def test_a_saved_file_opens_again_with_all_its_fields(folder, browser):
    more = {"parts": {"head": ["face"]}, "sigmas": {"face": 0.03}, "mirror": [["face", "back"]]}
    first = browser(landmarks.app_of(landmarks.Picker.open(folder)))
    assert first.put("/landmarks", json=body(("face", FACE), ("back", BACK), **more)).status_code == 200
    again = browser(landmarks.app_of(landmarks.Picker.open(folder))).get("/landmarks").json()
    assert again["description"]["landmarks"] == {"face": FACE, "back": BACK}
    assert again["description"]["parts"] == {"head": ["face"]} and again["description"]["sigmas"] == {
        "face": 0.03
    }


@pytest.mark.parametrize(
    ("sent", "fault"),
    [
        (body(), "there is no landmark yet"),
        (body(("face", FACE), ("face", BACK)), "two landmarks are called 'face'"),
        (body((" ", FACE)), "a landmark has no name"),
        (body(("a" * 65, FACE)), "at most 64 characters"),
        (body(("a\nb", FACE)), "printable"),
        (body(("face", [1, 2])), "three finite numbers"),
        (body(("face", [1, 2, True])), "three finite numbers"),
        (body(("face", [0.05, 0.0, 0.5])), "landmarks.json: landmark 'face' lies"),
        (body(("face", FACE), mirror=[["face", "nose"]]), "no landmark of 'mallet' is called 'nose'"),
        (body(("face", FACE), unit="parsec"), "no unit is called 'parsec'"),
        (body(("face", FACE), unit="ft") | {"name": ""}, "the object needs a name"),
        (body(("face", FACE), colour="red"), "no field is called 'colour'"),
        ({"landmarks": {"face": FACE}}, "a list of 'landmarks'"),
        (body(("face", FACE)) | {"landmarks": [3]}, "a landmark must have a name and a point"),
    ],
)  # fmt: skip
def test_a_fault_is_one_line_and_nothing_is_saved(client, folder, sent, fault):
    answer = client.put("/landmarks", json=sent)
    assert answer.status_code == 422, answer.text
    assert (
        fault in answer.json()["error"] and "\n" not in answer.json()["error"] and ".draft" not in answer.text
    )
    assert sorted(p.suffix for p in folder.iterdir()) in ([".obj"], [".mtl", ".obj"])


def test_nan_and_rubbish_are_refused(client):
    nan = json.dumps(body(("face", [math.nan, 0, 0])))
    assert "three finite numbers" in client.put("/landmarks", content=nan).json()["error"]
    huge = json.dumps(body(("face", [10**400, 0, 0])))
    assert "three finite numbers" in client.put("/landmarks", content=huge).json()["error"]
    half = json.dumps(body(("face", FACE)) | {"name": "\ud800"})
    for rubbish in ("{", "[" * 100_000, half):
        assert "not JSON" in client.put("/landmarks", content=rubbish).json()["error"]


def test_a_refused_save_leaves_the_old_file(client, folder):
    client.put("/landmarks", json=body(("face", FACE)))
    before = (folder / "landmarks.json").read_text()
    assert client.put("/landmarks", json=body(("face", [9, 9, 9]))).status_code == 422
    assert (folder / "landmarks.json").read_text() == before


def test_a_full_disk_is_one_line_and_leaves_the_old_file(client, folder, monkeypatch):
    client.put("/landmarks", json=body(("face", FACE)))
    before = (folder / "landmarks.json").read_text()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(landmarks.os, "replace", full)
    answer = client.put("/landmarks", json=body(("face", BACK)))
    assert answer.status_code == 507 and "no space left" in answer.json()["error"]
    assert (folder / "landmarks.json").read_text() == before and not list(folder.glob(".*"))


def test_the_page_gets_the_mesh_it_can_turn_back_into_its_own_coordinates(client):
    raw = client.get("/mesh").content
    length = struct.unpack("<I", raw[:4])[0]
    header, blob = json.loads(raw[4 : 4 + length]), raw[4 + length :]
    (part,) = header["parts"]
    offset, count = part["vertices"]
    unit = np.frombuffer(blob, "<f4", count, offset).reshape(-1, 3)
    vertices = unit * header["size"] + np.array(header["centre"])
    np.testing.assert_allclose(
        [vertices.min(0), vertices.max(0)], [[-0.05, -0.03, -0.02], [0.05, 0.03, 0.02]], atol=1e-7
    )
    offset, count = part["faces"]
    assert np.frombuffer(blob, "<u4", count, offset).max() < len(vertices)
    assert (4 + length) % 4 == 0 and offset % 4 == 0  # typed arrays need it


def test_a_texture_is_sent_as_a_jpeg(folder, browser):
    part = assets.Part(
        np.eye(3), np.array([[0, 1, 2]]), np.zeros((3, 2)), assets.Material(np.full((4, 8, 3), 90, np.uint8))
    )
    header, _, textures = landmarks.packed([part])
    assert header["parts"][0]["texture"] == 0 and textures[0][:2] == b"\xff\xd8"


def test_a_new_mesh_gets_the_name_of_its_folder_and_a_likely_unit(client, folder):
    first = client.get("/landmarks").json()
    assert first["description"] == {"name": "mallet", "unit": "m", "landmarks": {}}
    assert first["out"] == str(folder / "landmarks.json")


def test_two_meshes_in_one_folder_get_a_file_each(folder):
    trimesh.creation.icosphere(subdivisions=1, radius=40).export(folder / "ball.stl")
    picker = landmarks.Picker.open(folder / "ball.stl")
    assert picker.out.name == "ball.landmarks.json"
    assert picker.description() == {"name": "ball", "unit": "mm", "landmarks": {}}
    with pytest.raises(UserError, match="name one mesh; there are: ball.stl, textured.obj"):
        landmarks.Picker.open(folder)


def test_a_wrong_mesh_is_named_before_anything_is_served(tmp_path):
    with pytest.raises(UserError, match="no such mesh"):
        landmarks.landmarks(tmp_path / "nothing.obj")
    (tmp_path / "page.obj").write_text("<html>")
    with pytest.raises(DataError, match="page.obj"):
        landmarks.landmarks(tmp_path / "page.obj")
    with pytest.raises(UserError, match="we read .obj"):
        landmarks.landmarks(__file__)


def test_a_damaged_landmark_file_is_named_before_anything_is_served(folder):
    (folder / "landmarks.json").write_text("{")
    with pytest.raises(DataError, match="landmarks.json: not readable as JSON"):
        landmarks.landmarks(folder)


def test_the_page_and_what_it_loads_are_there(client):
    page = client.get("/").text
    assert "static/landmarks.js" in page
    for path in (
        "static/landmarks.js",
        "static/viewer.js",
        "static/vendor/three/three.module.js",
        "static/icon.svg",
    ):
        assert client.get(path).status_code == 200, path
    assert client.get("static/../guard.py").status_code == 404


def test_a_foreign_page_may_not_save(client, folder):
    answer = client.put("/landmarks", json=body(("face", FACE)), headers={"origin": "http://evil.example"})
    assert answer.status_code == 403 and not (folder / "landmarks.json").exists()


def test_the_file_is_made_for_reading():
    text = landmarks.written(body() | {"landmarks": {"a [ b ]": [1.0, 2.5, 3.0]}, "bones": [["a", "b"]]})
    assert text.splitlines()[4:6] == ['    "a [ b ]": [1.0, 2.5, 3.0]', "  },"]
    assert json.loads(text)["landmarks"] == {"a [ b ]": [1.0, 2.5, 3.0]}
