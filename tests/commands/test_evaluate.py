"""The network is a stand-in that finds coloured squares by their mean position; all around it is real."""

import json

import numpy as np
import pytest
from PIL import Image

from heatmark.card import Card
from heatmark.commands import person_detector
from heatmark.commands.convert import convert
from heatmark.commands.evaluate import Evaluation, in_common
from heatmark.commands.evaluate import evaluate as evaluated
from heatmark.commands.seen import TOGETHER
from heatmark.errors import DataError, UserError
from heatmark.runtime.predictor import Predictor
from heatmark.types import Boxes, Skeleton

TOOL = Skeleton("tool", ("red", "green", "blue"), bones=(("red", "green"),))


def evaluate(*args, **kwargs) -> Evaluation:
    """Of points, not of boxes."""
    done = evaluated(*args, **kwargs)
    assert isinstance(done, Evaluation)
    return done


def centroids(pictures):
    """(B, 3, H, W) -> the mean position of each colour, NaN where there is none of it."""
    b, _, h, w = pictures.shape
    there = (pictures > 0.6).astype(np.float64) + 1e-300
    x, y = np.arange(w) + 0.5, np.arange(h) + 0.5
    total = there.sum((-1, -2))
    points = np.stack([(there.sum(-2) * x).sum(-1), (there.sum(-1) * y).sum(-1)], -1) / total[..., None]
    points[total < 1] = np.nan
    return {"points": points, "scores": (total >= 1).astype(np.float64)}


def predictor(skeleton=TOOL, engine=centroids):
    facts = {"name": "tool", "skeleton": skeleton, "size": (96, 96), "model": "ihm56", "strides": (4,)}
    return Predictor(engine, Card(**facts))


def dataset(folder, names=("red", "green", "blue"), instances=(1, 1, 2), visibility=2, **image):
    """Pictures with one red, green and blue square an instance, labelled in COCO form."""
    (folder / "images").mkdir(parents=True)
    rng, images, annotations = np.random.default_rng(0), [], []
    for i, count in enumerate(instances, 1):
        picture = np.zeros((80, 80 * count, 3), np.uint8)
        for n in range(count):
            points = rng.permutation(np.array([[12, 14], [60, 20], [30, 62]])) + [80 * n, 0]
            for channel, (x, y) in enumerate(points):
                picture[y - 2 : y + 3, x - 2 : x + 3, channel] = 255
            flat = [v for k in names for v in (*points[TOOL.landmarks.index(k)].tolist(), visibility)]
            found = {"id": 10 * i + n, "image_id": i, "category_id": 1, "bbox": [80 * n + 2, 2, 76, 76]}
            annotations.append(found | {"keypoints": flat, "num_keypoints": len(names)})
        Image.fromarray(picture).save(folder / "images" / f"{i}.png")
        images.append({"id": i, "file_name": f"{i}.png", "width": 80 * count, "height": 80, **image})
    category = {"id": 1, "name": "tool", "keypoints": list(names), "skeleton": [[1, 2]]}
    whole = {"images": images, "annotations": annotations, "categories": [category]}
    (folder / "annotations.json").write_text(json.dumps(whole))
    return folder


def edited(folder, change):
    file = folder / "annotations.json"
    raw = json.loads(file.read_text())
    change(raw)
    file.write_text(json.dumps(raw))
    return folder


def test_a_network_that_sees_everything_scores_one(tmp_path):
    result = evaluate(predictor(), dataset(tmp_path / "d"))
    assert result.metrics["PCK@0.02"] == 1.0
    assert result.result.error_px < 0.5
    assert result.counts["pictures"] == 3 and result.counts["instances"] == 4 and result.counts["seen"] == 12


def test_the_json_form_has_exactly_the_documented_keys(tmp_path):
    plain = evaluate(predictor(), dataset(tmp_path / "d")).to_dict()
    assert list(plain) == ["task", "dataset", "model", "metrics", "per_landmark", "counts"]
    assert (plain["task"], plain["model"], plain["dataset"]) == ("single", "tool", str(tmp_path / "d"))
    assert set(plain["per_landmark"]) == set(TOOL.landmarks)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


def test_landmarks_are_matched_by_name_in_any_order(tmp_path):
    folder = dataset(tmp_path / "d", names=("blue", "red"))
    result = evaluate(predictor(), folder)
    assert result.metrics["PCK@0.02"] == 1.0
    assert result.result.landmarks == ("blue", "red")
    assert "the dataset has no labels of them: green" in result.notes[0]


def test_landmarks_the_model_does_not_know_are_named(tmp_path):
    result = evaluate(predictor(Skeleton("tool", ("red", "x", "y"))), dataset(tmp_path / "d"))
    assert result.result.landmarks == ("red",)
    assert "the model does not know them: green, blue" in result.notes[0]


def test_no_landmark_in_common_is_the_users_mistake(tmp_path):
    with pytest.raises(UserError, match="the dataset lacks tip, end, top; it has red, green, blue"):
        evaluate(predictor(Skeleton("tool", ("tip", "end", "top"))), dataset(tmp_path / "d"))


def test_groups_come_from_the_model_where_the_dataset_has_none():
    model = Skeleton("w", ("a", "b", "c"), interchangeable=(("a", "b", "c"),))
    shared, _ = in_common(model, Skeleton("w", ("b", "a", "z")))
    assert shared.landmarks == ("b", "a") and shared.interchangeable == (("a", "b"),)


def test_whole_pictures_are_scored_only_where_one_instance_stands_alone(tmp_path):
    result = evaluate(predictor(), dataset(tmp_path / "d"), boxes="whole")
    assert result.counts["pictures"] == 2 and result.metrics["PCK@0.02"] == 1.0
    assert "1 pictures hold more than one instance" in result.notes[0]
    with pytest.raises(UserError, match="nothing to score"):
        evaluate(predictor(), dataset(tmp_path / "e", all_annotated=False), boxes="whole")


def test_boxes_of_a_file_are_given_to_the_instances_they_overlap(tmp_path):
    folder = dataset(tmp_path / "d")
    rows = [
        {"image_id": 3, "bbox": [84, 4, 70, 70], "score": 0.9},  # the second instance's
        {"image_id": 3, "bbox": [0, 0, 79, 79], "score": 0.8},
        {"image_id": 1, "bbox": [0, 0, 9, 9], "score": 0.7},  # overlaps next to nothing
        {"image_id": 2, "bbox": [2, 2, 76, 76], "score": 0.7},
        {"image_id": 99, "bbox": [2, 2, 76, 76], "score": 0.7},
    ]
    (tmp_path / "boxes.json").write_text(json.dumps(rows))
    result = evaluate(predictor(), folder, boxes=tmp_path / "boxes.json")
    assert result.metrics["PCK@0.1"] == 0.75 and result.counts["nonfinite"] == 3
    again = evaluate(predictor(), folder, boxes=folder / "annotations.json")
    assert again.metrics["PCK@0.02"] == 1.0


FAULTY = {
    "[{}]": "entry 0: bbox",
    "{": "not valid JSON",
    '[{"bbox": [1, 1, 0, 5]}]': "with an area",
    '[{"bbox": "all"}]': "entry 0: bbox: .*got all",
    '{"images": 7}': "not as COCO writes it",
    '[{"bbox": [1, 1, 5, 5], "image_id": []}]': "not as COCO writes it",
    "7": "wanted a list of results or COCO annotations, got a int",
}


@pytest.mark.parametrize("text, error", FAULTY.items())
def test_a_faulty_box_file_is_named(tmp_path, text, error):
    (tmp_path / "boxes.json").write_text(text)
    with pytest.raises(DataError, match=error):
        evaluate(predictor(), dataset(tmp_path / "d"), boxes=tmp_path / "boxes.json")


@pytest.mark.parametrize(
    ("wrong", "text"), [({"alphas": ()}, "alphas"), ({"hidden": "x"}, "separate"), ({"nms": "x"}, "soft")]
)
def test_what_cannot_be_is_said_before_anything_is_looked_at(tmp_path, wrong, text):
    def never(pictures):
        raise AssertionError("it was looked at")

    with pytest.raises(UserError, match=text):
        evaluate(predictor(engine=never), dataset(tmp_path / "d"), **wrong)


def test_an_out_that_is_a_file_is_said_before_anything_is_looked_at(tmp_path):
    def never(pictures):
        raise AssertionError("it was looked at")

    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError, match="file"):
        evaluate(predictor(engine=never), dataset(tmp_path / "d"), out=tmp_path / "file")


def test_a_box_file_that_is_not_there_is_the_users_mistake(tmp_path):
    with pytest.raises(UserError, match="'truth', 'whole', 'detector' or a file"):
        evaluate(predictor(), dataset(tmp_path / "d"), boxes="turth")


def test_every_unreadable_picture_is_named_or_counted(tmp_path):
    folder = dataset(tmp_path / "d", instances=(1,) * 12)
    for i in (2, 11):
        (folder / "images" / f"{i}.png").write_bytes(b"<html>")
    with pytest.raises(DataError, match=r"2 pictures cannot be read: .*2\.png.*11\.png"):
        evaluate(predictor(), folder)
    result = evaluate(predictor(), folder, skip_bad=True)
    assert result.counts["unreadable"] == 2 and result.counts["pictures"] == 10
    assert result.metrics["PCK@0.02"] == 1.0


def test_where_no_picture_of_some_can_be_read_nobody_is_asked_for_boxes(tmp_path, monkeypatch):
    def asked(pictures):
        assert pictures  # torchvision's takes no empty list
        return [Boxes(np.array([[2.0, 2, 78, 78]])) for _ in pictures]

    monkeypatch.setattr(person_detector, "opened", lambda boxes: asked)
    folder = dataset(tmp_path / "d", instances=(1,) * (TOGETHER + 1))
    for i in range(TOGETHER):
        (folder / "images" / f"{i + 1}.png").write_bytes(b"<html>")
    result = evaluate(predictor(), folder, boxes="detector", skip_bad=True)
    assert result.counts["pictures"] == 1 and result.metrics["PCK@0.02"] == 1.0


def test_answers_that_are_not_finite_are_misses(tmp_path):
    def blind(pictures):
        answers = centroids(pictures)
        answers["points"][:, 0] = np.inf
        return answers

    result = evaluate(predictor(engine=blind), dataset(tmp_path / "d"))
    assert result.counts["nonfinite"] == 4
    assert result.metrics["PCK@0.2"] == pytest.approx(2 / 3)
    assert result.per_landmark["red"]["PCK@0.2"] == 0


def test_an_instance_whose_box_has_no_area_is_left_out_and_named(tmp_path):
    folder = edited(dataset(tmp_path / "d"), lambda raw: raw["annotations"][2].update(bbox=[5, 5, 0, 9]))
    result = evaluate(predictor(), folder)
    assert result.counts["without_box"] == 1 and result.counts["landmarks"] == 9
    assert (
        result.metrics["PCK@0.02"] == 1.0
    )  # the other instance of the same picture still gets its own answer
    assert any("have no box with an area: 3.png" in note for note in result.notes)


def test_hidden_landmarks_can_be_scored_apart(tmp_path):
    folder = dataset(tmp_path / "d", visibility=1)
    assert evaluate(predictor(), folder).metrics["PCK@0.1"] == 1.0
    apart = evaluate(predictor(), folder, hidden="separate")
    assert apart.metrics["PCK@0.1"] is None and apart.metrics["hidden PCK@0.1"] == 1.0
    assert apart.counts["landmarks"] == 12 and apart.counts["hidden"] == 12


def test_the_report_stands_alone_and_the_predictions_are_coco(tmp_path):
    folder = dataset(tmp_path / "d")
    evaluate(predictor(), folder, out=tmp_path / "r")
    files = {f.name for f in (tmp_path / "r").iterdir()}
    assert files == {"report.html", "metrics.json", "predictions.json", "table.md", "table.csv"}
    page = (tmp_path / "r" / "report.html").read_text()
    assert "http://" not in page and "https://" not in page and "<script" not in page
    assert page.count("<figure class=case>") == 4
    first = json.loads((tmp_path / "r" / "predictions.json").read_text())[0]
    truth = json.loads((folder / "annotations.json").read_text())["annotations"][0]
    assert np.abs(np.subtract(first["keypoints"], truth["keypoints"])[[0, 1, 3, 4, 6, 7]]).max() < 0.6
    assert json.loads((tmp_path / "r" / "metrics.json").read_text())["metrics"]["PCK@0.1"] == 1.0


def test_answers_are_of_the_category_that_the_labels_are(tmp_path):
    def renumbered(raw):
        raw["categories"][0]["id"] = 7
        raw["annotations"] = [one | {"category_id": 7} for one in raw["annotations"][:2]]  # the last has none

    result = evaluate(predictor(), edited(dataset(tmp_path / "d"), renumbered))
    assert [row["category_id"] for row in result.predictions()] == [7, 7]


def test_an_onnx_file_is_scored_without_more_ado(tmp_path, spots_onnx):
    result = evaluate(
        spots_onnx, dataset(tmp_path / "d"), boxes="whole", engine="onnxruntime", out=tmp_path / "r"
    )
    assert result.metrics["PCK@0.05"] == 1.0 and result.model == str(spots_onnx)
    assert (tmp_path / "r" / "report.html").is_file()


def test_of_several_categories_the_models_own_is_scored(tmp_path):
    def more(raw):
        raw["categories"].append({"id": 2, "name": "cup", "keypoints": ["rim"], "skeleton": []})

    assert evaluate(predictor(), edited(dataset(tmp_path / "d"), more)).metrics["PCK@0.02"] == 1.0
    other = predictor(Skeleton("spoon", ("red", "x", "y")))
    with pytest.raises(UserError, match="several categories"):
        evaluate(other, tmp_path / "d")
    assert evaluate(other, tmp_path / "d", category="tool").counts["landmarks"] == 4


def test_a_dataset_of_another_form_is_scored_as_it_is(tmp_path):
    convert(dataset(tmp_path / "d"), tmp_path / "yolo", to="yolo")
    assert evaluate(predictor(), tmp_path / "yolo").metrics["PCK@0.02"] == 1.0


def test_a_safetensors_file_or_its_run_is_scored_alike(tmp_path, spots_onnx, spots_safetensors):
    folder = dataset(tmp_path / "d")
    (tmp_path / "run").mkdir()
    spots_safetensors.rename(tmp_path / "run" / "best.safetensors")
    one, other = evaluate(spots_onnx, folder), evaluate(tmp_path / "run", folder)
    assert one.counts == other.counts
    np.testing.assert_allclose(one.result.distances, other.result.distances, atol=0.01)
