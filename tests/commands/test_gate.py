"""What counts as moved when a new file is held against the model it was made of."""

import numpy as np
import pytest
from toys import spots_card

from heatmark.commands import gate
from heatmark.commands.progress import quiet
from heatmark.data import coco
from heatmark.data.records import Record
from heatmark.errors import DataError, GateError
from heatmark.geometry import Frame
from heatmark.imaging.decode import encode_jpeg
from heatmark.types import Poses, Skeleton

BOX = np.array([[5.0, 5, 40, 40]])
VIEWS = [gate.View("photo.png", np.zeros((3, 48, 64), np.float32), Frame.whole((48, 64), (48, 64)))]


def test_swapped_interchangeable_landmarks_have_not_moved():
    card = spots_card(skeleton=Skeleton("s", ("a", "b", "c"), interchangeable=(("a", "c"),)))
    points = np.array([[[1.0, 1], [5, 5], [9, 9]]])
    engines = [lambda pictures, order=order: {"points": points[:, order]} for order in ([0, 1, 2], [2, 1, 0])]
    with quiet():
        compared = gate.compared(engines[0], engines[1], VIEWS, card)
    assert compared.shift == 0 and compared.change is None


@pytest.mark.parametrize("task", ["single", "dense"])
def test_labels_that_ask_for_nothing_judge_nothing(tmp_path, task):
    stick = Skeleton("stick", ("red", "blue"))
    picture = tmp_path / "images" / "a.jpg"
    picture.parent.mkdir()
    picture.write_bytes(encode_jpeg(np.full((64, 64, 3), 90, np.uint8)))
    nobody = Poses.empty(stick) if task == "dense" else Poses(stick, np.full((1, 2, 2), np.nan), boxes=BOX)
    coco.write(tmp_path, stick, [Record(picture, (64, 64), nobody, 1)])
    how = {"task": task, "decoding": {"method": "boxes"}} if task == "dense" else {}
    card = spots_card(skeleton=stick, size=(64, 64), **how)

    def engine(pictures):
        answer = {"boxes": BOX, "scores": np.ones(1)} if task == "dense" else {}
        return {"points": np.full((len(pictures), 2, 2), 9.0)} | answer

    with quiet():
        compared = gate.compared(engine, engine, gate.shown(tmp_path, card), card)
    gate.check("m.onnx", compared, gate_px=0.5, gate_pck=0.2)
    assert compared.shift == 0 and compared.change is None


@pytest.mark.parametrize("task, method", [("crowd", "tags"), ("dense", "boxes")])
def test_a_dataset_without_pictures_passes_no_gate(tmp_path, task, method):
    card = spots_card(task=task, decoding={"method": method})
    coco.write(tmp_path, card.skeleton_of(), [])
    with pytest.raises(DataError, match="no picture in this dataset"):
        gate.shown(tmp_path, card)


def test_a_landmark_found_by_one_only_has_moved_and_one_found_by_none_has_not():
    card = spots_card()
    lost = np.array([[[np.nan, np.nan], [5, 5], [9, 9]]])
    both = np.array([[[1.0, 1], [5, 5], [9, 9]]])
    with quiet():
        same = gate.compared(lambda p: {"points": lost}, lambda p: {"points": lost}, VIEWS, card)
        gone = gate.compared(lambda p: {"points": both}, lambda p: {"points": lost}, VIEWS, card)
    assert same.shift == 0 and gone.shift == np.inf
    with pytest.raises(GateError, match="found by one and not by the other; .* 1 of 3 landmarks move more"):
        gate.check("m.onnx", gone, gate_px=0.5, gate_pck=0.2)
