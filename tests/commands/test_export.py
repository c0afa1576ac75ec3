"""An exported file answers as the model it comes from does, or is not written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import save_file
from toys import SPOTS, spots

from heatmark import models
from heatmark.card import KEY, Card
from heatmark.commands import export as exporting
from heatmark.commands import graphs
from heatmark.commands.export import export
from heatmark.commands.progress import quiet
from heatmark.data import Record, coco
from heatmark.errors import DataError, GateError, UserError
from heatmark.imaging import encode_png
from heatmark.runtime import load
from heatmark.types import Poses, Skeleton

PLACES = ((10.3, 8.6), (50.0, 12.5), (30.8, 40.2))
WRENCH = Skeleton("wrench", ("jaw_a", "jaw_b", "hole"), interchangeable=(("jaw_a", "jaw_b"),))


@pytest.fixture
def photo(tmp_path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(encode_png(spots((48, 64), *PLACES)))
    return path


@pytest.fixture
def dataset(tmp_path) -> Path:
    """Three pictures, each with one labelled object in a box."""
    folder, rng, records = tmp_path / "labelled", np.random.default_rng(0), []
    (folder / "images").mkdir(parents=True)
    for i in range(3):
        points = rng.uniform(15, 45, (1, 3, 2))
        path = folder / "images" / f"{i}.png"
        path.write_bytes(encode_png(spots((60, 60), *points[0])))
        poses = Poses(SPOTS, points, boxes=np.array([[8.0, 8, 52, 52]]))
        records.append(Record(path, (60, 60), poses, id=i + 1))
    coco.write(folder, SPOTS, records)
    return folder


@pytest.fixture(scope="module")
def ihm56(tmp_path_factory) -> Path:
    """A randomly initialised IHM56, as training writes it; its card asks for weights from the hub."""
    import torch

    torch.manual_seed(0)
    options = {"backbone": "tiny", "width": 0.1}
    net: Any = models.create("ihm56", points=2, **options)
    facts = {"name": "wrench", "skeleton": WRENCH, "size": (64, 64), "model": "ihm56", "options": options}
    path = tmp_path_factory.mktemp("run") / "best.safetensors"
    save_file(net.state_dict(), path, metadata={KEY: Card(**facts, strides=net.strides).to_json()})
    return path


@pytest.fixture(scope="module")
def exported(ihm56) -> exporting.Exported:
    return export(ihm56, out=ihm56.parent / "out" / "wrench.onnx")


def test_one_file_that_needs_nothing_beside_it_and_answers_alike(ihm56, exported):
    assert [p.name for p in (ihm56.parent / "out").iterdir()] == ["wrench.onnx"]
    assert exported.max_shift_px < 0.01 and exported.metric_change is None and exported.views == 4
    assert json.loads(json.dumps(exported.to_dict()))["out"] == str(exported.out)
    fast, slow = load(exported.out, threads=1), load(ihm56, threads=1)
    assert fast.card == slow.card and fast.card.strides == (16, 8, 4)
    picture = np.random.default_rng(1).integers(0, 255, (70, 50, 3), np.uint8)
    np.testing.assert_allclose(fast(picture).points, slow(picture).points, atol=0.05)


def test_a_weight_changed_in_the_file_is_found_on_opening(exported, tmp_path):
    data = bytearray(exported.out.read_bytes())
    data[len(data) // 2] ^= 64
    (tmp_path / "wrench.onnx").write_bytes(data)
    with pytest.raises(DataError, match="wrench.onnx: damaged"):
        load(tmp_path / "wrench.onnx")


def test_a_file_says_nothing_of_the_machine_it_was_made_on(exported):
    written = exported.out.read_bytes()
    for place in (exporting.__file__, __file__, models.__file__):
        assert str(Path(place).parent).encode() not in written


@pytest.mark.parametrize("precision, within", [("fp16", 1e-3), ("int8", 0.05)])
def test_lower_precisions_are_smaller_and_pass_the_same_gate(precision, within, tmp_path, exported):
    with quiet():
        small = export(exported.out, out=tmp_path / "small.onnx", precision=precision, gate_px=1e9)
    assert small.bytes < 0.85 * exported.bytes and load(small.out).card.precision == precision
    with pytest.raises(UserError, match=f"stored in {precision}; export from the fp32 model"):
        export(small.out, out=tmp_path / "again.onnx")
    scores = [load(r.out, threads=1)(spots((64, 64), *PLACES)).scores for r in (exported, small)]
    np.testing.assert_allclose(scores[0], scores[1], atol=within)


def test_labels_are_scored_by_both(spots_onnx, dataset, tmp_path):
    result = export(spots_onnx, out=tmp_path, pictures=dataset)
    assert result.out == tmp_path / "spots.onnx" and result.views == 3
    assert result.metric_change == 0 and result.max_shift_px is not None and result.max_shift_px < 0.01


def worsened(monkeypatch, change) -> None:
    """Let every new file, but not the model it is held against, answer with changed points."""
    real = exporting.opened

    def opened(path, **arguments):
        engine, card = real(path, **arguments)
        if not path.parent.name.endswith(".part"):
            return engine, card
        return lambda pictures: engine(pictures) | {"points": change(engine(pictures)["points"])}, card

    monkeypatch.setattr(exporting, "opened", opened)


@pytest.mark.parametrize("name, to", [("m.onnx", "onnx"), ("m.xml", "openvino")])
def test_a_file_that_moves_points_is_not_written(spots_onnx, photo, tmp_path, monkeypatch, name, to):
    worsened(monkeypatch, lambda points: points + np.array([[0, 0], [0.7, 0], [0, 0]]))
    out = tmp_path / "out"
    with pytest.raises(
        GateError, match=f"{name} not written: green in photo.png moves 0.70 network px"
    ) as error:
        export(spots_onnx, out=out / name, to=to, pictures=photo)
    assert list(out.iterdir()) == [] and error.value.code == 4
    assert export(spots_onnx, out=out / name, to=to, pictures=photo, gate_px=0.8).out.is_file()


def test_a_file_that_changes_pck_is_not_written(spots_onnx, dataset, tmp_path, monkeypatch):
    worsened(monkeypatch, lambda points: points * 0.5)
    with pytest.raises(GateError, match=r"PCK@0.1 changes by -\d+.* points, the gate allows 0.2"):
        export(spots_onnx, out=tmp_path / "m.onnx", pictures=dataset, gate_px=1e9)


def test_openvino_gets_its_two_files_with_the_card_inside(spots_onnx, photo, tmp_path):
    pytest.importorskip("openvino")
    result = export(spots_onnx, out=tmp_path / "ov" / "m.xml", to="openvino", pictures=photo)
    assert sorted(p.name for p in (tmp_path / "ov").iterdir()) == ["m.bin", "m.xml"]
    np.testing.assert_allclose(load(result.out, threads=1)(photo).points[0], PLACES, atol=0.1)


@pytest.mark.parametrize(
    "options, error, text",
    [
        ({"to": "tflite"}, UserError, "no format is called 'tflite'"),
        ({"precision": "fp8"}, UserError, "no precision is called 'fp8'; there are: fp16, fp32, int8"),
        ({"out": "m.pt"}, UserError, "m.pt: an onnx model ends in .onnx"),
        ({"pictures": "nowhere"}, UserError, "nowhere: no such dataset, folder or picture"),
        ({"model": "m.pth"}, UserError, "wanted a .safetensors model"),
        ({"model": "missing.safetensors"}, UserError, "no such model file"),
        ({"model": "."}, UserError, "the folder holds no best.safetensors"),
    ],
)
def test_wrong_arguments_are_named_and_nothing_is_written(
    spots_safetensors, tmp_path, monkeypatch, options, error, text
):
    monkeypatch.chdir(tmp_path / "empty" if (tmp_path / "empty").mkdir() is None else tmp_path)
    with pytest.raises(error, match=text):
        export(**({"model": spots_safetensors, "out": "m.onnx"} | options))
    assert list(Path(".").iterdir()) == []


def test_labels_of_other_landmarks_and_empty_folders_are_named(spots_safetensors, dataset, tmp_path):
    text = (dataset / "annotations.json").read_text().replace('"green"', '"gren"')
    (dataset / "annotations.json").write_text(text)
    with pytest.raises(UserError, match="labels red, gren, blue; the model finds red, green, blue"):
        export(spots_safetensors, pictures=dataset)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match="neither annotations.json nor a picture"):
        export(spots_safetensors, pictures=tmp_path / "nothing")


def test_a_runs_folder_is_exported_from_its_best_weights(tmp_path, spots_onnx, photo, monkeypatch):
    run = tmp_path / "run"
    run.mkdir()
    (run / "best.safetensors").write_bytes(b"x")
    monkeypatch.setattr(exporting, "_graph_of", lambda source, decoding: graphs.onnx_of(spots_onnx))
    real = exporting.opened
    monkeypatch.setattr(
        exporting, "opened", lambda p, **_: real(spots_onnx if p.suffix == ".safetensors" else p)
    )
    assert export(run, pictures=photo).out == run / "best.onnx"
    assert {p.name for p in run.iterdir()} == {"best.onnx", "best.safetensors"}
