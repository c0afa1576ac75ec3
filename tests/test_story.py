"""The story of the README: a mesh, five commands, a detector that runs without torch. Tiny sizes, the real
commands.
"""

import json
import shutil

import numpy as np
import pytest

pytest.importorskip("mitsuba")
trimesh = pytest.importorskip("trimesh")

from heatmark.cli import main  # noqa: E402
from heatmark.imaging import decode  # noqa: E402
from heatmark.synth.tools import hammer  # noqa: E402


def write_mesh(folder):
    """A hammer as somebody else would have it: an OBJ in millimetres, and where its landmarks are."""
    asset = hammer(np.random.default_rng(3))
    solid = trimesh.util.concatenate(
        [trimesh.Trimesh(p.vertices * 1000, p.faces, process=False) for p in asset.parts]
    )
    folder.mkdir()
    solid.export(folder / "mine.obj")
    points = dict(zip(asset.skeleton.landmarks, (asset.landmarks * 1000).tolist()))  # type: ignore[union-attr]
    described = {"name": "mine", "unit": "mm", "landmarks": points, "bones": [["face", "handle_end"]]}
    (folder / "landmarks.json").write_text(json.dumps(described))


def answer(capsys, *words) -> dict:
    """A command's --json answer."""
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[0])


def test_a_mesh_becomes_a_detector(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_mesh(tmp_path / "mesh")

    rendered = answer(
        capsys,
        "render",
        "mesh/mine.obj",
        "--out",
        "pictures",
        "--count",
        "6",
        "--size",
        "64",
        "--samples",
        "2",
    )
    assert rendered["pictures"] == 12

    assert main(["check", "pictures"]) == 0

    small = [
        "epochs=1",
        "batch=4",
        "size=[64,64]",
        "options.backbone=tiny",
        "options.trainable_from=null",
        "options.weights=null",
        "workers=0",
        "validation=0.3",
    ]
    settings = [word for pair in small for word in ("--set", pair)]
    answer(capsys, "train", "ihm56_lite0", "--data", "pictures", "--out", "run", *settings)

    exported = answer(capsys, "export", "run", "--out", "mine.onnx", "--pictures", "pictures")
    assert exported["max_shift_px"] < 0.5

    photograph = sorted((tmp_path / "pictures" / "images").iterdir())[0]
    found = answer(capsys, "detect", str(photograph), "--model", "mine.onnx", "--out", "overlays")
    assert set(found["instances"][0]["points"]) == {"face", "claw", "handle_end"}
    overlay = next((tmp_path / "overlays").iterdir())
    assert decode(overlay.read_bytes(), overlay.name).shape[2] == 3

    scored = answer(capsys, "evaluate", "mine.onnx", "pictures", "--out", "report")
    assert scored["counts"]["pictures"] == 12 and 0 <= scored["metrics"]["PCK@0.1"] <= 1
    assert "</html>" in (tmp_path / "report" / "report.html").read_text()


def test_a_mistake_is_one_line_and_loses_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_mesh(tmp_path / "mesh")
    shutil.copy("mesh/mine.obj", "mesh/other.obj")
    for words, code, says in (
        (["render", "mesh", "--out", "pictures"], 3, "must hold one mesh"),
        (["render", "hamer", "--out", "pictures"], 2, "hammer"),
        (["train", "ihm57", "--data", "mesh"], 2, "ihm56"),
        (["train", "ihm56", "--data", "mesh"], 2, "no dataset"),
        (["detect", "nobody.jpg", "--model", "hammer"], 2, "nobody.jpg"),
        (["export", "nothing.safetensors"], 2, "nothing.safetensors"),
    ):
        assert main(words) == code, words
        error = capsys.readouterr().err.strip().splitlines()
        assert len(error) == 1 and says in error[0]
    assert not (tmp_path / "pictures").exists() and sorted(p.name for p in (tmp_path / "mesh").iterdir()) == [
        "landmarks.json", "mine.obj", "other.obj",
    ]  # fmt: skip
