"""Every engine gives the same points for the same model, and says in one line what it cannot open."""

import json
import subprocess
import sys
import zlib

import numpy as np
import onnx
import pytest
from toys import SPOTS, Spots, spots, spots_card, write_safetensors

from heatmark import zoo
from heatmark.errors import DataError, UserError
from heatmark.geometry import Frame
from heatmark.runtime.engines import ENGINES, opened
from heatmark.runtime.seal import MARK, broken, sealed
from heatmark.runtime.windows import network_input
from heatmark.training import state
from heatmark.types import Skeleton

PLACES = ((10.3, 8.6), (50.0, 12.5), (30.8, 40.2))


@pytest.fixture
def model(request, spots_onnx, spots_safetensors):
    return spots_safetensors if request.param == "torch" else spots_onnx


def shown() -> np.ndarray:
    picture = spots((48, 64), *PLACES)
    return network_input(picture, Frame.whole((48, 64), (48, 64)))


@pytest.mark.parametrize("model, engine", [(e, e) for e in ENGINES], indirect=["model"])
def test_every_engine_finds_the_same_points_whatever_the_batch(model, engine):
    run, card = opened(model, engine, threads=1)
    assert card == spots_card()
    for batch in (1, 3):
        answer = run(np.repeat(shown()[None], batch, 0))
        assert answer["points"].shape == (batch, 3, 2) and answer["scores"].shape == (batch, 3)
        np.testing.assert_allclose(answer["points"][-1], PLACES, atol=0.1)
        assert (answer["scores"] > 0.9).all()


def test_auto_takes_the_engine_by_the_files_ending(spots_onnx, spots_safetensors):
    points = [opened(path)[0](shown()[None])["points"] for path in (spots_onnx, spots_safetensors)]
    np.testing.assert_allclose(points[0], points[1], atol=1e-3)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(
    "damage, text",
    [
        (lambda data: b"", "is empty"),
        (lambda data: data[: len(data) // 2], "damaged|cannot read"),
        (
            lambda data: b"<!DOCTYPE html><html>404</html>",
            "not a .onnx file; it begins with b'<!DOCTYPE html>",
        ),
        (lambda data: b"\x00" * 4000, "damaged|cannot read|wanted|without"),
    ],
)
def test_what_is_no_onnx_file_is_named_in_one_line(tmp_path, spots_onnx, engine, damage, text):
    path = tmp_path / "broken.onnx"
    path.write_bytes(damage(spots_onnx.read_bytes()))
    with pytest.raises(DataError, match=text) as error:
        opened(path, engine)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_an_onnx_file_of_somebody_else_is_refused(tmp_path, engine):
    onnx = pytest.importorskip("onnx")

    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
    onnx.save(
        onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 17)]),
        tmp_path / "x.onnx",
    )
    with pytest.raises(DataError, match="x.onnx: a model without a heatmark card"):
        opened(tmp_path / "x.onnx", engine)
    model = onnx.load(tmp_path / "x.onnx")
    onnx.helper.set_model_props(model, {"heatmark": spots_card().to_json()})
    onnx.save(model, tmp_path / "x.onnx")
    with pytest.raises(DataError, match="wanted pictures in, points and scores out; it has x in, y out"):
        opened(tmp_path / "x.onnx", engine)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_a_card_of_another_network_is_refused_when_the_file_is_opened(tmp_path, spots_onnx, engine):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(spots_onnx)
    for change, text in (
        ({"size": (64, 64)}, r"pictures \(any, 3, 64, 64\), its network of .*48, 64"),
        ({"skeleton": Skeleton("spots", ("red",))}, r"points \(any, 1\), its network of .*3, 2"),
    ):
        del model.metadata_props[:]
        onnx.helper.set_model_props(model, {"heatmark": spots_card(**change).to_json()})
        onnx.save(model, tmp_path / "x.onnx")
        with pytest.raises(DataError, match=f"x.onnx: its card speaks of {text}"):
            opened(tmp_path / "x.onnx", engine)


def test_a_truncated_or_foreign_safetensors_file_is_named(tmp_path, spots_safetensors):
    data = spots_safetensors.read_bytes()
    for damaged, text in (
        (data[:-4], "truncated"),
        (data[:30], "truncated"),
        (b"", "empty"),
        (b"{}" * 50, "not a"),
    ):
        path = tmp_path / "broken.safetensors"
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=text):
            opened(path)


def test_a_safetensors_file_with_one_wrong_bit_is_refused(tmp_path, spots_safetensors):
    path = tmp_path / "model.safetensors"
    state.write_model(path, Spots(), spots_card())
    opened(path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged: its contents do not have the checksum"):
        opened(path)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_an_onnx_file_with_one_wrong_bit_is_refused(tmp_path, spots_onnx, engine):
    pytest.importorskip(engine)
    path, data = tmp_path / "model.onnx", sealed(spots_onnx.read_bytes())
    path.write_bytes(data)
    opened(path, engine)
    for place in (40, len(data) // 2, len(data) - 30, len(data) - 1):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(DataError, match="model.onnx: damaged, or changed since it was exported"):
            opened(path, engine)


def test_a_sealed_file_is_an_onnx_file_whose_metadata_hold_its_checksum(tmp_path, spots_onnx):
    path, data = tmp_path / "model.onnx", spots_onnx.read_bytes()
    path.write_bytes(sealed(data))
    props = {p.key: p.value for p in onnx.load(path).metadata_props}
    assert props["checksum"] == f"{zlib.crc32(data):08x}" and "heatmark" in props


def test_every_shipped_detector_has_a_checksum():
    for name in zoo.DETECTORS:
        data = zoo.detector(name).read_bytes()
        assert data[-len(MARK) - 8 : -8] == MARK and not broken(zoo.detector(name)), name


def test_weights_that_are_not_the_cards_network_are_refused(tmp_path, spots_safetensors):
    import torch

    with pytest.raises(DataError, match="its weights are not those of spots"):
        opened(
            write_safetensors(tmp_path / "w.safetensors", weights={"colours.weight": torch.zeros(2, 3, 1, 1)})
        )
    with pytest.raises(DataError, match="w.safetensors: .*no model is called 'sports' .did you mean 'spots'"):
        opened(write_safetensors(tmp_path / "w.safetensors", spots_card(model="sports")))


@pytest.mark.parametrize(
    "name, engine, text",
    [
        ("missing.onnx", "auto", "no such model file"),
        (".", "auto", "is a folder"),
        ("model.pth", "auto", "no engine reads '.pth'; there are: .onnx"),
        ("model.onnx", "onnxruntim", "no engine is called 'onnxruntim' .did you mean 'onnxruntime'"),
        ("model.onnx", "torch", "'torch' reads .safetensors files"),
        ("model.safetensors", "onnxruntime", "reads .onnx files; heatmark export"),
    ],
)
def test_a_wrong_file_or_engine_is_the_users_mistake(tmp_path, name, engine, text):
    if name != "missing.onnx" and name != ".":
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UserError, match=text):
        opened(tmp_path / name, engine)


def test_running_a_model_loads_no_torch(spots_onnx):
    code = (
        "import json, sys, numpy as np; from heatmark.runtime import load;"
        f"poses = load({str(spots_onnx)!r})(np.zeros((9, 9, 3), np.uint8));"
        "print(json.dumps([list(poses.skeleton.landmarks), 'torch' in sys.modules, 'onnx' in sys.modules]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == [list(SPOTS.landmarks), False, False]


INTERRUPTED = """
import gc, signal, sys
from pathlib import Path
import numpy as np
from heatmark.runtime.engines import opened

engines = []
for _ in range(2):
    run, card = opened(Path(sys.argv[1]), "openvino", 1)
    run(np.zeros((1, 3, *card.size), "f"))
    engines.append(run)
del run
while engines:
    engines.pop(0)
    gc.collect()
signal.signal(signal.SIGINT, lambda *_: print("noticed"))
signal.raise_signal(signal.SIGINT)
"""


def test_a_signal_is_survived_when_openvino_is_no_longer_used(spots_onnx):
    pytest.importorskip("openvino")
    command = [sys.executable, "-c", INTERRUPTED, str(spots_onnx)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "noticed" in done.stdout, done.stderr
