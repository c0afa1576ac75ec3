"""A model of boxes goes the whole way: one file with suppression inside, detected with, scored, told apart by
its map, tiled.
"""

import json
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from heatmark import data
from heatmark.card import Card
from heatmark.commands.dense import change_of, moves, peaks_of
from heatmark.commands.dense_page import agreement, picture_svg
from heatmark.commands.detect import Detection, detect
from heatmark.commands.evaluate import evaluate
from heatmark.commands.export import export
from heatmark.data.records import Record
from heatmark.errors import GateError, UserError
from heatmark.geometry import Frame
from heatmark.heatmaps import box_maps
from heatmark.imaging import decode
from heatmark.metrics.boxes import centred, iou, soft_nms
from heatmark.models import create
from heatmark.runtime import Latency, load
from heatmark.runtime.dense import DensePredictor, cut_off, looks, starts
from heatmark.runtime.engines import opened
from heatmark.runtime.windows import network_input
from heatmark.skeletons import PRODUCT
from heatmark.training import state
from heatmark.training.dense import fitted, peaks_under
from heatmark.training.recipe import read as recipe_of
from heatmark.types import Boxes, Poses

SMALL = {"backbone": "tiny", "weights": None, "width": 8, "depth": 1, "anchor": 2.0}
SIZE = (64, 96)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A network that learnt nothing: boxes all over, which is what suppression is for."""
    torch.manual_seed(3)
    net: Any = create("gaussian_layer", 1, **SMALL)
    torch.nn.init.normal_(net.classes.last.weight, std=5.0)
    torch.nn.init.normal_(net.shifts.last.weight, std=2.0)
    card = Card(
        name="shelf", task="dense", skeleton=PRODUCT.to_dict(), size=SIZE, model="gaussian_layer",
        options=SMALL, strides=net.strides, decoding={"method": "boxes", "threshold": 0.02},  # type: ignore
    )  # fmt: skip
    path = tmp_path_factory.mktemp("model") / "shelf.safetensors"
    state.write_model(path, net.eval(), card)
    return path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two labelled pictures of a few boxes."""
    folder, rng, records = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0), []
    (folder / "images").mkdir()
    for n in range(2):
        picture = rng.integers(0, 255, (80, 120, 3), np.uint8)
        cv2.imwrite(str(folder / "images" / f"{n}.png"), cv2.blur(picture, (5, 5)))
        boxes = np.array([[10.0, 10, 40, 50], [45, 12, 80, 60]]) + n
        poses = Poses(PRODUCT, np.full((2, 4, 2), np.nan), boxes=boxes)
        records.append(Record(folder / "images" / f"{n}.png", (80, 120), poses, n + 1))
    data.coco.write(folder, PRODUCT, records)
    return folder


def card_of(**facts: Any) -> Card:
    how = {"name": "spot", "task": "dense", "skeleton": PRODUCT, "size": SIZE, "model": "gaussian_layer"}
    return Card(**how | {"strides": (8,), "decoding": {"method": "boxes"}} | facts)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def exported(model, pictures):
    done = export(model, pictures=pictures, decoding={"map": True, "apart": 0.7, "kept": 40})
    assert done.max_shift_px is not None and done.max_shift_px < 0.01
    return done.out


def test_the_file_answers_as_the_model_with_suppression_inside(model, exported, pictures):
    picture = pictures / "images" / "0.png"
    torch_, onnx = load(model), load(exported)
    assert isinstance(onnx, DensePredictor) and onnx.card.decoding.apart == 0.7
    assert onnx.look(picture).map is not None
    assert torch_.look(picture).map is None  # type: ignore[union-attr]  # its card does not ask for one
    plain = load(export(model, out=exported.with_name("plain.onnx"), pictures=pictures).out)
    ours, theirs = torch_(picture), plain(picture)
    assert len(ours) == len(theirs) > 3
    np.testing.assert_allclose(ours.boxes, theirs.boxes, atol=1e-2)
    assert (np.diff(ours.score) <= 1e-6).all() and np.isnan(ours.points).all()


def test_a_file_rescores_by_the_maps_peaks_as_the_formula_does(model, pictures):
    """Without suppression: a box's score falls with the distance of its middle from the peak it climbs to."""
    wide = {"map": True, "overlap": 1.0, "kept": 2000, "threshold": 0.0}
    plain, _ = opened(model, decoding=wide)
    rescored, card = opened(model, decoding=wide | {"centred": 0.4})
    pixels = np.random.default_rng(1).random((1, 3, *card.size), np.float32)
    before, after = plain(pixels), rescored(pixels)
    cells = peaks_under(before["boxes"].astype(float), torch.tensor(before["map"]))
    peaks = np.stack([cells % (SIZE[1] // 2), cells // (SIZE[1] // 2)], -1) * 2.0 + 1.0
    peaks[cells < 0] = np.nan
    expected = centred(before["boxes"].astype(float), before["scores"], peaks)
    np.testing.assert_allclose(
        np.sort(after["scores"]), np.sort(expected)[-len(after["scores"]) :], atol=1e-5
    )


def test_a_file_with_soft_suppression_lowers_scores_as_the_formula_does(model, pictures, tmp_path):
    """What the network proposes, unsuppressed, and then the formula: the same boxes, the same scores."""
    picture = pictures / "images" / "0.png"
    wanted = {"soft": 0.5, "kept": 40}
    soft: Any = load(export(model, out=tmp_path / "soft.onnx", pictures=pictures, decoding=wanted).out)
    proposed, card = opened(model, decoding={"overlap": 1.0, "kept": 10_000})
    frame = Frame.whole((80, 120), SIZE)
    raw = proposed(network_input(decode(picture.read_bytes(), picture.name), frame)[None])
    order, scores = soft_nms(raw["boxes"].astype(float), raw["scores"], 0.5, card.decoding.threshold)
    found = soft.look(picture)
    assert len(order) > 40 and len(found.boxes) == 40 and found.full
    np.testing.assert_allclose(found.boxes.scores, scores[:40], atol=1e-4)
    with pytest.raises(UserError, match="soft and apart are two ways"):
        export(model, out=tmp_path / "x.onnx", pictures=pictures, decoding={"soft": 0.5, "apart": 0.7})


def test_where_nothing_is_likely_enough_nothing_is_found(model, pictures, tmp_path):
    strict = {"threshold": 0.9999, "centred": 0.4}
    for decoding in (strict | {"apart": 0.7}, strict | {"soft": 0.5}):
        done = export(model, out=tmp_path / "strict.onnx", pictures=pictures, decoding=decoding)
        assert len(load(done.out)(np.zeros((80, 120, 3), np.uint8))) == 0


def test_candidates_that_do_not_compete_are_said(model, pictures):
    """Ten compete: ten boxes at the most, and how many did not is told; not where only sure boxes count."""
    few: Any = DensePredictor(*opened(model, decoding={"candidates": 10}))
    found = few.look(pictures / "images" / "0.png")
    assert 0 < len(found.boxes) <= 10 and not found.full and found.beyond > 10
    (line,) = found.limits(few.card.decoding)
    assert line == f"only the 10 surest candidates competed, {found.beyond} did not"
    assert found.limits(few.card.decoding, threshold=float(found.boxes.scores.min()) + 1e-6) == []


def test_of_many_looks_the_number_is_said_that_one_of_them_keeps():
    """300 boxes of every tile make more than 300."""
    boxes = np.array([[0.0, y, 20, y + 10] for y in range(5, 50, 12)])
    answer = {"boxes": boxes, "scores": np.full(4, 0.9), "candidates": np.array(4)}
    shelf = DensePredictor(lambda _: answer, card_of(decoding={"method": "boxes", "kept": 4}))
    found = shelf.look(np.zeros((64, 300, 3), np.uint8), tiles=True)
    assert len(found.boxes) > 4 and "a look gave 4 boxes, as many" in found.limits(shelf.card.decoding)[0]


def test_the_number_kept_is_a_setting_and_hitting_it_is_said(exported, pictures, capsys):
    shelves: Any = load(exported)
    found = shelves.look(pictures / "images" / "0.png")
    assert len(found.boxes) == 40 and found.full
    list(detect(pictures / "images" / "0.png", exported))
    assert "40 boxes, as many as the model keeps" in capsys.readouterr().err


def test_detect_draws_boxes_and_the_map_and_writes_them_as_json(exported, pictures, tmp_path):
    (found,) = detect(pictures / "images" / "0.png", exported, out=tmp_path, threshold=0.1)
    line = json.loads(json.dumps(found.to_dict()))
    assert all(len(i["box"]) == 4 and i["score"] >= 0.1 for i in line["instances"])
    drawn = cv2.imread(str(tmp_path / "0.jpg"))
    assert drawn is not None and drawn.shape[0] > drawn.shape[1]  # the map below the picture
    assert "boxes" in str(found)


def test_things_of_any_name_are_counted_and_not_told_corner_by_corner():
    """A rendered shelf's things are called "shelf", a csv's "product"."""
    for name in ("product", "shelf"):
        poses = Poses(replace(PRODUCT, name=name), np.full((2, 4, 2), np.nan), boxes=np.ones((2, 4)))
        found = Detection("a.jpg", 0, (9, 9), "m", poses, Latency(1.0, 2.0, 3.0))
        assert str(found) == "a.jpg: 2 boxes  (1.0 + 2.0 + 3.0 ms)"


def test_evaluate_gives_sku110ks_scores(exported, pictures, tmp_path):
    result = evaluate(exported, pictures, out=tmp_path)
    raw = result.to_dict()
    assert set(raw["metrics"]) == {"AP", "AP50", "AP75", "AR300", "AR300@0.5"}
    assert raw["counts"]["boxes"] == 4 and "peaks of the map" in raw["counting"]
    files = {file.name for file in tmp_path.iterdir()}
    assert files == {"metrics.json", "predictions.json", "table.md", "table.csv", "report.html"}
    answers = json.loads((tmp_path / "predictions.json").read_text())
    assert len(answers) == raw["counts"]["predicted"] and len(answers[0]["bbox"]) == 4


def test_crowds_of_a_dataset_blame_nobody_and_are_said(pictures):
    """A false box, surer than the two that are right."""
    right = np.array([[10.0, 10, 40, 50], [45, 12, 80, 60]]) * 0.8  # in the network's pixels
    boxes = np.concatenate([[[80.0, 50, 94, 62]], right])
    answer = {"boxes": boxes, "scores": np.array([0.9, 0.8, 0.7]), "candidates": np.array(3)}
    predictor, dataset = DensePredictor(lambda _: answer, card_of()), data.open_dataset(pictures)
    region = {"bbox": [90, 50, 30, 30], "iscrowd": 1}
    crowded = replace(dataset, records=tuple(replace(r, crowd=(region,)) for r in dataset))
    plain, kind = evaluate(predictor, dataset), evaluate(predictor, crowded)
    assert plain.metrics["AP50"] == pytest.approx(2 / 3) and kind.metrics["AP50"] == pytest.approx(1.0)
    assert kind.notes == ("2 crowds: what is found in them is neither right nor wrong",)


def test_a_report_that_cannot_be_written_is_said_before_all_the_work(pictures, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        evaluate(DensePredictor(lambda _: pytest.fail(), card_of()), pictures, out=tmp_path / "file")


def test_the_page_shows_curves_counts_and_what_was_missed(exported, pictures, tmp_path):
    result = evaluate(exported, pictures, out=tmp_path)
    text = (tmp_path / "report.html").read_text()
    for words in ("Precision over recall", "How many are there", "The worst pictures", "missed", "AR300@0.5"):
        assert words in text
    assert "http" not in text.replace("http://www.w3.org", "") and "<script" not in text
    assert result.scores.precision.mean() == pytest.approx(result.scores.ap)  # type: ignore[union-attr]
    assert result.out == tmp_path


def test_a_picture_counts_as_found_by_what_is_right_false_and_missed():
    truth = Boxes(np.array([[0.0, 0, 10, 10], [20, 0, 30, 10]]))
    found = Boxes(np.array([[0.0, 0, 10, 9], [50, 0, 60, 10]]), np.array([0.9, 0.8]))
    assert agreement(found, truth) == 0.5  # 2 * 1 / (2 + 2)
    nothing = Boxes(np.empty((0, 4)))
    assert agreement(nothing, nothing) == 1 and agreement(nothing, truth) == 0
    drawn = picture_svg(np.zeros((40, 60, 3), np.uint8), found, truth)
    assert 'class=right d="M0.0,0.0H10.0V9.0H0.0Z"' in drawn
    assert 'class=false d="M50.0,' in drawn and 'class=missed d="M20.0,' in drawn


def test_boxes_to_look_into_are_refused(exported, pictures):
    with pytest.raises(UserError, match="finds boxes itself"):
        load(exported)(pictures / "images" / "0.png", np.array([[0.0, 0, 5, 5]]))
    with pytest.raises(UserError, match="can be chosen for .safetensors"):
        export(exported, out=exported.with_name("other.onnx"), decoding={"kept": 3}, pictures=pictures)


@pytest.mark.parametrize("size", [(80, 60), (60, 80), (30, 40), (20, 200), (400, 30)])
def test_a_network_that_learnt_from_pictures_of_some_size_is_shown_pictures_of_that_size(size):
    """As `training.dense.fitted` shows them, though the input has room for larger ones."""
    learnt = recipe_of("gaussian_layer_sku110k", {"dense": {"resize": [40, 60]}, "size": list(SIZE)})
    ((frame, _),) = looks(size, card_of(resize=(40, 60)), tiles=False)
    assert frame.size == SIZE
    np.testing.assert_allclose(frame.matrix, fitted(size, learnt).matrix)
    ((frame, _),) = looks(size, card_of(resize=(400, 600)), tiles=False)
    assert (frame.into(np.array(size[::-1], float)) <= np.array(SIZE[::-1]) + 1e-9).all()


def test_a_large_picture_is_seen_whole_and_in_tiles_that_overlap():
    card = card_of()
    frames = list(looks((100, 300), card, tiles=True))
    shown = np.zeros((100, 300), int)
    for _, (x1, y1, x2, y2) in frames[1:]:
        shown[int(y1) : int(y2), int(x1) : int(x2)] += 1
    assert shown.min() >= 1 and len(list(looks((100, 300), card, tiles=False))) == 1
    assert starts(300, 96)[-1] + 96 == 300 and max(np.diff(starts(300, 96))) <= 96 * 0.7 + 1


def test_a_box_at_a_tiles_inner_edge_is_left_to_the_next():
    part = np.array([0.0, 0, 96, 64])
    boxes = np.array([[0.5, 10, 30, 40], [70, 10, 95, 40], [20, 20, 40, 63.5]])
    assert cut_off(boxes, part, (64, 300)).tolist() == [False, True, False]


def test_tiles_are_merged_into_one_answer_whatever_the_network_says():
    """A network that finds the one bright spot, wherever it is shown."""

    def engine(pixels: np.ndarray) -> dict[str, np.ndarray]:
        ys, xs = np.nonzero(pixels[0, 0] > 0.5)
        boxes = (
            np.array([[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]], float)
            if len(xs)
            else np.empty((0, 4))
        )
        map_ = box_maps(torch.tensor(boxes), (32, 48)).numpy()
        return {"boxes": boxes, "scores": np.full(len(boxes), 0.9), "candidates": np.array(1), "map": map_}

    card = Card(
        name="spot", task="dense", skeleton=PRODUCT.to_dict(), size=SIZE, model="gaussian_layer",
        strides=(8,), decoding={"method": "boxes", "map": True},  # type: ignore[arg-type]
    )  # fmt: skip
    picture = np.zeros((150, 300, 3), np.uint8)
    picture[60:84, 200:220] = 255
    found = DensePredictor(engine, card).look(picture, tiles=True)
    assert len(found.boxes) == 1 and np.abs(found.boxes.boxes[0] - [200, 60, 220, 84]).max() <= 3.2
    assert found.map is not None and found.map.shape == (75, 150)
    y, x = np.unravel_index(found.map.argmax(), found.map.shape)
    assert abs(2 * x + 1 - 210) <= 2 and abs(2 * y + 1 - 72) <= 2
    assert peaks_of(found.map) == 1


def test_things_on_the_borders_of_tiles_are_found_once_and_counted_once():
    """A network that finds every bright spot it is shown, cut off or whole, and draws a bump for each."""
    spots = [(x, y, x + 14, y + 14) for y in range(6, 140, 24) for x in range(6, 280, 24)]
    picture = np.zeros((150, 300, 3), np.uint8)
    for x1, y1, x2, y2 in spots:
        picture[y1:y2, x1:x2] = 255

    def engine(pixels: np.ndarray) -> dict[str, np.ndarray]:
        count, _, stats, _ = cv2.connectedComponentsWithStats((pixels[0, 0] > 0.5).astype(np.uint8))
        low, sides = stats[1:, :2].astype(float), stats[1:, 2:4]
        boxes = np.concatenate([low, low + sides], 1)
        map_ = box_maps(torch.tensor(boxes), (32, 48)).numpy()
        sure = np.full(count - 1, 0.9)
        return {"boxes": boxes, "scores": sure, "candidates": np.array(count - 1), "map": map_}

    for how in ({}, {"soft": 0.5}):
        card = Card(
            name="spot", task="dense", skeleton=PRODUCT.to_dict(), size=SIZE, model="gaussian_layer",
            strides=(8,), decoding={"method": "boxes", "map": True, "threshold": 0.2} | how,  # type: ignore
        )  # fmt: skip
        found = DensePredictor(engine, card).look(picture, tiles=True)
        sure = found.boxes.boxes[found.boxes.scores > 0.8]
        assert len(sure) == len(spots) and not found.full
        assert (iou(np.array(spots, float), sure).max(1) > 0.99).all()
        assert found.map is not None and peaks_of(found.map) == len(spots)


def test_a_box_that_only_one_file_finds_has_moved_infinitely_far():
    one = {"boxes": np.array([[0.0, 0, 10, 10]]), "scores": np.array([0.9])}
    near = {"boxes": one["boxes"] + 0.25, "scores": np.array([0.9])}
    none = {"boxes": np.empty((0, 4)), "scores": np.empty(0)}
    assert moves(one, near, 0.05).max() == 0.25
    assert np.isinf(moves(one, none, 0.05)).all() and (moves(one, none, 0.89) == 0).all()
    far = {"boxes": one["boxes"] + 50, "scores": np.array([0.9])}
    assert np.isinf(moves(one, far, 0.05)).all()


def test_a_new_file_is_judged_by_the_labels_too():
    """The second file finds one of the two that the first found: AP50 goes from 1 to a half."""
    truth = np.array([[0.0, 0, 10, 10], [20, 0, 30, 10]])
    one = {"boxes": truth, "scores": np.array([0.9, 0.8])}
    other = {"boxes": truth[:1], "scores": np.array([0.9])}
    assert change_of([(one, one)], [truth]) == 0
    assert change_of([(one, other)], [truth]) == pytest.approx(-100 * 50 / 101)  # 51 of COCO's 101 recalls


def test_whole_numbers_pass_where_the_labels_say_so_and_nowhere_else(model, pictures, tmp_path):
    with pytest.raises(GateError, match="boxes move more"):
        export(model, out=tmp_path / "int8.onnx", precision="int8", pictures=pictures, gate_px=1e-6)
    done = export(
        model, out=tmp_path / "int8.onnx", precision="int8", pictures=pictures, gate_px=np.inf, gate_pck=100
    )
    assert done.metric == "AP50" and done.metric_change is not None
    assert len(load(done.out)(pictures / "images" / "0.png")) > 3
    with pytest.raises(UserError, match="nothing but gate_px judges"):
        export(model, out=tmp_path / "x.onnx", pictures=pictures / "images", gate_px=np.inf)


def test_half_weights_find_the_same_boxes_in_half_the_space(model, pictures, tmp_path):
    done = export(
        model, out=tmp_path / "half.onnx", precision="fp16", pictures=pictures, gate_px=np.inf, gate_pck=5
    )
    whole = export(model, out=tmp_path / "whole.onnx", pictures=pictures)
    assert done.bytes < 0.7 * whole.bytes
