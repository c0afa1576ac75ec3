"""The speed table holds every engine of a model, measured in turns, with ratios to the first."""

import json
from pathlib import Path

import numpy as np
import pytest

from heatmark import zoo
from heatmark.commands import bench as benching
from heatmark.commands.bench import Way, _ways, bench, measured
from heatmark.commands.export import export
from heatmark.errors import UserError
from heatmark.runtime import Latency, load

LOOKS = (" second look, live", " second look")


class Clock:
    """A predictor that says it took so long."""

    def __init__(self, name: str, network: float, calls: list[str]):
        self.name, self.network, self.calls = name, network, calls

    def __call__(self, picture: bytes, second_look: bool) -> None:
        self.calls.append(self.name)
        self.latency = Latency(1.0, self.network, 0.5)


def test_engines_take_turns_and_the_first_one_is_what_the_ratio_is_to():
    calls: list[str] = []
    speeds = {"torch": 38.5, "onnxruntime": 18.5}
    clocks = {Way(name, Path("model")): Clock(name, ms, calls) for name, ms in speeds.items()}
    slow, fast = measured("ihm56", clocks, frames=25)  # type: ignore[arg-type]
    assert (slow.ratio, fast.ratio) == (1.0, 0.5) and fast.latency.total == 20.0
    turns = [a for a, b in zip(calls, [*calls[1:], ""]) if a != b]
    assert turns == ["torch", "onnxruntime"] * 4  # the warm-up and three turns
    assert calls.count("torch") == benching.WARM_UP + 25 + 3


def test_a_network_with_random_weights_is_measured_in_every_engine():
    result = bench(["ihm56/tiny"], frames=2, threads=1)
    assert [row.engine for row in result.rows][:2] == ["torch", "onnxruntime"]
    assert all(np.isfinite(row.latency.total) and row.latency.decode > 0 for row in result.rows)
    text = result.markdown()
    assert text.startswith("| model | engine |") and "| ihm56/tiny | onnxruntime |" in text
    assert "1 threads, medians of 2 frames" in text and "onnxruntime 1." in text
    line = json.loads(json.dumps(result.to_dict()))
    assert set(line["rows"][0]) == {"model", "engine", "decode", "network", "points", "total", "ratio"}


def test_a_network_of_people_is_measured_at_its_own_size(tmp_path):
    path = benching._random("hourglass_2@96x64", tmp_path / "net.safetensors")
    card = load(path).card
    assert card.size == (96, 64) and len(card.skeleton_of()) == 17
    with pytest.raises(UserError, match="96by64"):
        benching._random("hourglass_2@96by64", tmp_path / "net.safetensors")


def test_a_network_of_boxes_is_measured_from_the_picture_to_the_boxes():
    rows = bench(["gaussian_layer/tiny@64x96"], frames=1, threads=1).rows
    assert {"torch", "onnxruntime"} <= {row.engine for row in rows}
    assert all(row.latency.network > 0 for row in rows)


def test_whole_numbers_and_the_second_look_are_rows_of_their_own():
    rows = bench(["ihm56/tiny"], frames=1, threads=1, int8=True, second_look=True).rows
    labels = [row.engine for row in rows]
    looks = {f"{engine}{look}" for engine in ("torch", "onnxruntime int8") for look in ("", *LOOKS)}
    assert looks <= set(labels)


def test_without_models_the_shipped_ones_are_measured(tmp_path, spots_onnx, monkeypatch):
    (tmp_path / "photographs").mkdir()
    shot = zoo.photographs("hammer")[0]
    (tmp_path / "photographs" / shot.name).write_bytes(shot.read_bytes())
    monkeypatch.setattr(zoo, "folder", lambda: tmp_path)
    with pytest.raises(UserError, match="no detector is in this installation"):
        bench(frames=1)
    (tmp_path / "wrench.onnx").write_bytes(spots_onnx.read_bytes())
    assert {(r.model, r.engine) for r in bench(frames=1).rows} >= {("wrench", "onnxruntime")}


def test_a_file_of_openvino_is_measured_in_openvino_alone(tmp_path, spots_onnx):
    pytest.importorskip("openvino")
    export(spots_onnx, to="openvino", out=tmp_path / "spots.xml")
    rows = bench([tmp_path / "spots.xml"], frames=1, threads=1, second_look=True).rows
    assert [row.engine for row in rows] == ["openvino", "openvino second look, live", "openvino second look"]


def test_a_finished_file_says_that_it_is_not_measured_in_whole_numbers(tmp_path, capsys):
    (tmp_path / "spots.onnx").touch()
    assert {way.precision for way in _ways(str(tmp_path / "spots.onnx"), tmp_path, int8=True)} == {""}
    assert "spots.onnx: has no rows in int8, which are made of networks" in capsys.readouterr().err


def test_what_cannot_be_measured_is_named():
    with pytest.raises(UserError, match="^hrnet_w32@ takes HEIGHTxWIDTH in pixels, .* got 'abc'"):
        bench("hrnet_w32@abc")
    with pytest.raises(UserError, match="called 'hammr' .did you mean 'hammer'"):
        bench("hammr")
    with pytest.raises(UserError, match="called 'ihm5' .did you mean"):
        bench(["ihm5"], frames=1)
    with pytest.raises(UserError, match="frames must be at least 1, got 0"):
        bench(["ihm56"], frames=0)
    with pytest.raises(UserError, match="from 1 to 1024 threads, got 1000000"):
        bench("hammer", frames=1, threads=1_000_000)
