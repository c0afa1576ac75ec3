"""Any mesh a person may have is read with its landmarks, and every fault is named by file and field."""

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from heatmark import DataError, UserError
from heatmark.synth import meshes


def described(folder: Path, **changes) -> None:
    path = folder / "landmarks.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_textured_obj_comes_with_its_landmarks(folder):
    asset = meshes.load(folder)
    assert asset.name == "bar" and asset.skeleton is not None
    assert asset.skeleton.landmarks == ("left", "right", "inside", "under")
    assert asset.size_m == pytest.approx(0.2)
    assert np.ptp(asset.triangles.reshape(-1, 3), axis=0) == pytest.approx([0.2, 0.04, 0.02])
    texture = asset.parts[0].material.base_color
    assert isinstance(texture, np.ndarray) and (texture == (200, 40, 40)).all()


@pytest.mark.parametrize("suffix", [".ply", ".stl", ".glb", ".obj"])
@pytest.mark.parametrize(("unit", "metres"), [("mm", 0.001), ("in", 0.0254), ("m", 1.0)])
def test_every_format_and_unit_gives_metres(tmp_path, suffix, unit, metres):
    trimesh.creation.box((0.2 / metres, 0.04 / metres, 0.02 / metres)).export(tmp_path / f"part{suffix}")
    text = {"unit": unit, "landmarks": {"tip": [0.1 / metres, 0, 0]}}
    (tmp_path / "landmarks.json").write_text(json.dumps(text))
    asset = meshes.load(tmp_path / f"part{suffix}")
    assert asset.size_m == pytest.approx(0.2, rel=1e-5)
    np.testing.assert_allclose(asset.landmarks, [[0.1, 0, 0]], atol=1e-6)
    assert asset.name == tmp_path.name and len(asset.triangles) == 12


def test_a_scene_of_several_placed_meshes_is_one_asset(tmp_path):
    scene = trimesh.Scene()
    moved = trimesh.transformations.translation_matrix([0.3, 0, 0])
    scene.add_geometry(trimesh.creation.box((0.1, 0.1, 0.1)))
    scene.add_geometry(trimesh.creation.icosphere(1, 0.05), transform=moved)
    scene.export(tmp_path / "two.glb")
    (tmp_path / "two.landmarks.json").write_text(json.dumps({"landmarks": {"ball": [0.35, 0, 0]}}))
    asset = meshes.load(tmp_path / "two.glb")
    assert len(asset.parts) == 2
    np.testing.assert_allclose(asset.bounds[:, 0], [-0.05, 0.35], atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unit": "furlong"}, "'unit': no unit is called 'furlong'"),
        ({"unit": ["m"]}, "'unit': no unit is called .'m'."),
        ({"unit": "mm"}, "is 0.0002 m long; 'unit'"),
        ({"landmark": {}}, "no field is called 'landmark'.*did you mean 'landmarks'"),
        ({"landmarks": {}}, "'landmarks' must map names"),
        ({"landmarks": {"tip": [0, 1]}}, "landmark 'tip' must be three finite numbers"),
        ({"landmarks": {"tip": [0, 0, float("nan")]}}, "landmark 'tip' must be three finite numbers"),
        ({"landmarks": {"tip": [0, 0, "up"]}}, "landmark 'tip' must be three finite numbers"),
        ({"landmarks": {"tip": [0, 0, 10**400]}}, "landmark 'tip' must be three finite numbers"),
        ({"landmarks": {"tip": [0, 0.12, 0]}}, "landmark 'tip' lies 10 cm outside the surface of box.obj"),
        ({"mirror": [["left", "rigth"]]}, "no landmark of 'bar' is called 'rigth'.*did you mean 'right'"),
        ({"interchangeable": [["left", "top"]]}, "no landmark of 'bar' is called 'top'"),
        ({"bones": [["left"]]}, "bones must be pairs"),
        ({"bones": 5}, "'bones' must hold pairs of landmark names, got 5"),
        ({"mirror": {"left": "right"}}, "'mirror' must hold pairs"),
        ({"interchangeable": ["left"]}, "'interchangeable' must hold lists"),
        ({"parts": [["left"]]}, "'parts' must map names to lists"),
        ({"sigmas": [0.1]}, "'sigmas' must map landmark names to numbers"),
        ({"sigmas": {"left": "wide"}}, "'sigmas' must map landmark names to numbers"),
    ],
)
def test_a_fault_in_the_landmarks_is_named_by_file_and_field(folder, changes, words):
    described(folder, **changes)
    with pytest.raises(DataError, match=words) as caught:
        meshes.load(folder)
    assert str(folder) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("box.obj", "", "box.obj: "),
        ("box.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\n", "box.obj: "),
        ("box.obj", "v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "1 of 3 vertices are not finite"),
        ("box.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n", "box.obj: "),
        ("box.obj", "mtllib gone.mtl\n", "'mtllib' names 'gone.mtl', which is not there"),
        ("box.mtl", "newmtl paint\nmap_Kd gone.png\n", "box.mtl: 'map_Kd' names the texture 'gone.png'"),
        ("box.png", "<html>not a picture</html>", "box.png: is named as a texture .* and is not a picture"),
        ("landmarks.json", "{", "landmarks.json: not readable as JSON"),
        ("landmarks.json", "[" * 100_000, "landmarks.json: not readable as JSON"),
        ("landmarks.json", "[]", "landmarks.json: must hold an object"),
    ],
)
def test_a_broken_file_is_named(folder, name, text, words):
    (folder / name).write_text(text)
    with pytest.raises(DataError, match=words) as caught:
        meshes.load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".glb", ".ply", ".stl"])
@pytest.mark.parametrize("content", [b"", b"<html>404</html>", bytes(range(256)) * 4])
def test_bytes_that_are_no_mesh_are_refused(tmp_path, suffix, content):
    (tmp_path / f"bad{suffix}").write_bytes(content)
    (tmp_path / "landmarks.json").write_text('{"landmarks": {"tip": [0, 0, 0]}}')
    with pytest.raises(DataError, match=f"bad{suffix}: "):
        meshes.load(tmp_path)


def test_what_is_not_there_is_said(folder):
    with pytest.raises(UserError, match="no such mesh or folder"):
        meshes.load(folder / "nothing.obj")
    with pytest.raises(DataError, match="no reader for '.png'; there are: .obj, .ply, .stl, .glb"):
        meshes.load(folder / "box.png")
    (folder / "landmarks.json").unlink()
    with pytest.raises(DataError, match="landmarks.json: not there; `heatmark landmarks"):
        meshes.load(folder)
    (folder / "other.stl").write_text("")
    with pytest.raises(DataError, match="must hold one mesh.*found box.obj, other.stl"):
        meshes.load(folder)


def test_what_lies_about_needs_no_landmarks_and_is_then_in_metres(folder):
    assert meshes.distractor(folder).size_m == pytest.approx(0.2)  # in the unit of its landmark file
    (folder / "landmarks.json").unlink()
    (folder / "box.obj").write_text("v 0 0 0\nv 0.3 0 0\nv 0 0.1 0\nf 1 2 3\n")
    asset = meshes.distractor(folder / "box.obj")
    assert asset.skeleton is None and asset.size_m == pytest.approx(0.3)
    (folder / "box.obj").write_text("v 0 0 0\nv 300 0 0\nv 0 100 0\nf 1 2 3\n")
    with pytest.raises(DataError, match="box.obj: is 300 m long; 'unit' in landmarks.json"):
        meshes.distractor(folder)


def test_a_mesh_is_read_from_its_own_files_and_from_no_others(folder):
    (folder / "notes.txt").write_text("mine")
    (folder / "other.landmarks.json").write_text("{}")
    named = [path.name for path in meshes.files_of(folder / "box.obj")]
    assert named == ["box.mtl", "box.obj", "box.png", "landmarks.json"]
