"""The toy model of tests/toys.py as files, made once."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # toys.py lies beside the rooms' folders


@pytest.fixture(scope="session")
def spots_onnx(tmp_path_factory) -> Path:
    import toys

    return toys.write_onnx(tmp_path_factory.mktemp("toys") / "spots.onnx")


@pytest.fixture
def spots_safetensors(tmp_path, monkeypatch) -> Path:
    import toys

    from heatmark import models

    monkeypatch.setitem(models.MODELS, "spots", toys.Spots)
    return toys.write_safetensors(tmp_path / "spots.safetensors")
