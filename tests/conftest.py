"""What many tests share: threads that wait without spinning, and the toy model of toys.py as files, made
once.
"""

import os
from pathlib import Path

import pytest

# Read when torch is imported. Threads that spin while they wait double the time of a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture(scope="session")
def spots_onnx(tmp_path_factory) -> Path:
    import toys  # it lies beside this file

    return toys.write_onnx(tmp_path_factory.mktemp("toys") / "spots.onnx")


@pytest.fixture
def spots_safetensors(tmp_path, monkeypatch) -> Path:
    import toys

    from heatmark import models

    monkeypatch.setitem(models.MODELS, "spots", toys.Spots)
    return toys.write_safetensors(tmp_path / "spots.safetensors")


@pytest.fixture
def one_thread(monkeypatch):
    """Sums in one order, here and in processes begun here: a short training ends alike on every machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield
    torch.set_num_threads(before)
