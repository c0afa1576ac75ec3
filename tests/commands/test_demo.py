"""The demo runs all shipped detectors on all shipped photographs with the core alone, and says where things
are."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from heatmark import zoo
from heatmark.commands.demo import demo
from heatmark.commands.models import models
from heatmark.errors import UserError
from heatmark.imaging import decode


@pytest.fixture
def small_zoo(tmp_path, spots_onnx, monkeypatch) -> Path:
    """A zoo of four toys and two photographs each."""
    home = tmp_path / "zoo"
    (home / "photographs").mkdir(parents=True)
    for name, file in zoo.DETECTORS.items():
        shutil.copy(spots_onnx, home / file)
        for path in zoo.photographs(name)[:2]:
            shutil.copy(path, home / "photographs")
    monkeypatch.setattr(zoo, "folder", lambda: home)
    return home


def shown(result) -> str:
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(result)
    return console.export_text()


def test_every_detector_has_four_photographs_that_can_be_read_and_their_attribution():
    assert list(zoo.DETECTORS) == ["hammer", "screwdriver", "wrench", "combination_wrench"]
    for name in zoo.DETECTORS:
        assert [p.name for p in zoo.photographs(name)] == [f"{name}_{i}.jpg" for i in (1, 2, 3, 4)]
    assert len(zoo.photographs()) == 16
    for path in zoo.photographs():
        assert decode(path.read_bytes(), path.name).ndim == 3
    text = (zoo.folder() / "photographs" / "ATTRIBUTION.md").read_text()
    assert all(name in text for name in zoo.DETECTORS)


def test_the_demo_writes_an_overlay_a_photograph_and_a_sheet_and_shows_a_table(small_zoo, tmp_path):
    result = demo(tmp_path / "out")
    files = {p.name for p in (tmp_path / "out").iterdir()}
    assert files == {"contact-sheet.jpg", *(p.name for p in zoo.photographs())} and len(files) == 9
    assert result.frames_per_second > 1
    text = shown(result)
    assert "hammer_1.jpg" in text and "green" in text and "frames per second" in text
    assert str(tmp_path / "out") in text.replace("\n", "")
    line = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert len(line["pictures"]) == 8 and line["pictures"][0]["model"] == "hammer"
    sheet = decode((tmp_path / "out" / "contact-sheet.jpg").read_bytes(), "sheet")
    assert sheet.shape == (800, 1600, 3) and np.ptp(sheet) > 100


def test_a_missing_detector_or_a_file_in_the_way_is_named(small_zoo, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError, match="file"):  # which the command line tells in a line
        demo(tmp_path / "file")
    (small_zoo / "wrench.onnx").unlink()
    with pytest.raises(UserError, match="the detector 'wrench' is not in this installation"):
        demo(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_demo_detect_and_models_need_no_torch():
    heavy = "('torch', 'onnx', 'matplotlib', 'safetensors')"
    code = (
        "import sys, heatmark.commands.demo, heatmark.commands.detect, heatmark.commands.models;"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_models_lists_what_is_shipped_and_what_can_be_trained(small_zoo):
    (small_zoo / "wrench.onnx").unlink()
    found = models()
    assert {d.name: d.there for d in found.detectors} == {name: name != "wrench" for name in zoo.DETECTORS}
    assert {"ihm56", "pose_ae", "retinanet"} <= set(found.networks)
    assert {"ihm56", "hrnet_coco/w32_256x192"} <= set(found.recipes)
    text = shown(found)
    assert "red, green, blue" in text and "48x64" in text and "not in this installation" in text
    assert json.loads(json.dumps(found.to_dict()))["detectors"][0]["landmarks"] == ["red", "green", "blue"]
