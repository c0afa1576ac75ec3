"""People, each in a box: OKS and PCKh, boxes from anywhere, and what cannot be scored, said in one line."""

import json
from typing import Any

import numpy as np
import pytest

from heatmark.card import Card
from heatmark.commands import person_detector
from heatmark.commands.evaluate import Evaluation, evaluate
from heatmark.commands.progress import quiet
from heatmark.commands.topdown import settled
from heatmark.data import coco
from heatmark.data.records import Record
from heatmark.errors import DataError, UserError
from heatmark.imaging import encode_jpeg
from heatmark.runtime import Detector
from heatmark.skeletons import COCO17, MPII16
from heatmark.types import Boxes, Poses, Skeleton

SIZE = (240, 320)  # (H, W)


def card(skeleton: Skeleton, **changes) -> Card:
    facts = {"name": "stub", "task": "top_down", "skeleton": skeleton.to_dict(), "size": (256, 192)}
    return Card.model_validate(facts | {"model": "hrnet_w32", "strides": (4,)} | changes)


class Stub(Detector):
    """Answers each box with the person whose box is nearest, every point `off` pixels to the right."""

    def __init__(self, dataset, off=0.0, **changes):
        super().__init__(card(dataset.skeleton, **changes))
        self.off, self.asked = off, []
        self.known = {r.name: r.poses for r in dataset}

    def __call__(self, source: Any, boxes: Any = None, second_look: bool = False) -> Poses:
        return self.many([source], [boxes], second_look)[0]

    def many(self, sources: Any, boxes: Any = None, second_look: bool = False) -> list[Poses]:
        answers = []
        for n, sample in enumerate(sources):
            looks = np.array([[0.0, 0, 1, 1]]) if boxes is None or boxes[n] is None else boxes[n]
            self.asked.append(looks)
            all_ = self.known[sample.name]
            middle = (all_.boxes[:, :2] + all_.boxes[:, 2:]) / 2
            points = np.zeros((len(looks), len(self.skeleton), 2))
            for i, box in enumerate(looks):
                if len(all_):
                    near = np.linalg.norm(middle - (box[:2] + box[2:]) / 2, axis=-1).argmin()
                    points[i] = np.nan_to_num(all_.points[near]) + [self.off, 0]
            answers.append(Poses(self.skeleton, points, np.full(points.shape[:2], 0.9), boxes=looks))
        return answers


def people(folder, skeleton=COCO17, unlabelled=False, **instance):
    """Two pictures: two persons in the first, one in the second, and one more that nobody labelled."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    records = []
    for n, count in enumerate((2, 2, 0), 1):
        path = folder / "images" / f"{n}.jpg"
        path.write_bytes(encode_jpeg(np.full((*SIZE, 3), 90, np.uint8), 90))
        corners = np.array([[20.0, 30], [180, 40]])[:count]
        points = corners[:, None] + rng.uniform(0, 1, (count, len(skeleton), 2)) * [90, 160]
        visibility = np.full(points.shape[:2], 2)
        if n == 2 or unlabelled:
            visibility[0 if unlabelled else 1 :] = 0
        boxes = np.concatenate([corners, corners + [90, 160]], -1)
        facts = tuple({"area": 9000.0, **instance} for _ in range(count))
        poses = Poses(skeleton, points, visibility=visibility.astype(np.uint8), boxes=boxes)
        records.append(Record(path, SIZE, poses, n, instances=facts))
    coco.write(folder, skeleton, records)
    return coco.read(folder)


@pytest.fixture
def dataset(tmp_path):
    return people(tmp_path / "data")


def scored(*args, **kwargs) -> Evaluation:
    with quiet():
        done = evaluate(*args, **kwargs)
    assert isinstance(done, Evaluation)
    return done


def test_who_finds_everybody_has_an_ap_of_1_and_unlabelled_people_are_not_asked_for(dataset):
    stub = Stub(dataset)
    found = scored(stub, dataset)
    assert found.metrics["AP"] == found.metrics["AR"] == pytest.approx(1.0)
    assert found.task == "top_down" and [len(b) for b in stub.asked] == [2, 1]
    assert found.per_landmark["nose"]["AP"] == pytest.approx(1.0) and found.pckh is None
    assert found.oks is not None and found.oks.instances == 3


def test_ap_is_the_share_of_thresholds_a_shift_still_passes(dataset):
    """All landmarks off by d: OKS = mean exp(-d^2 / (2 area (2 sigma)^2)), here between two thresholds."""
    d = 6.0
    oks = np.exp(-(d**2) / (2 * 9000 * (2 * dataset.skeleton.tolerances) ** 2)).mean()
    thresholds = np.linspace(0.5, 0.95, 10)
    assert scored(Stub(dataset, off=d), dataset).metrics["AP"] == pytest.approx((thresholds <= oks).mean())


def test_labelled_boxes_lose_their_last_pixel_for_published_networks_only(dataset):
    ours, theirs = Stub(dataset), Stub(dataset, decoding={"method": "msra"})
    scored(ours, dataset)
    scored(theirs, dataset)
    assert ours.asked[0][0].tolist() == [20, 30, 110, 190]
    assert theirs.asked[0][0].tolist() == [20, 30, 109, 189]


def test_boxes_of_a_results_file_bring_scores_and_wrong_ones_cost_precision(dataset, tmp_path):
    rows = [
        {"image_id": 1, "category_id": 1, "bbox": [20, 30, 90, 160], "score": 0.8},
        {"image_id": 1, "category_id": 1, "bbox": [180, 40, 90, 160], "score": 0.7},
        {"image_id": 2, "category_id": 1, "bbox": [20, 30, 90, 160], "score": 0.6},
        {"image_id": 2, "category_id": 18, "bbox": [1, 1, 9, 9], "score": 0.99},
    ]
    (tmp_path / "boxes.json").write_text(json.dumps(rows))
    good = scored(Stub(dataset), dataset, boxes=tmp_path / "boxes.json")
    assert good.metrics["AP"] == pytest.approx(1.0) and good.counts["pictures"] == 3
    scores = [p["score"] for p in good.predictions()]
    assert scores == pytest.approx([0.8 * 0.9, 0.7 * 0.9, 0.6 * 0.9])  # the box's times the landmarks' mean
    rows.append({"image_id": 3, "category_id": 1, "bbox": [9, 9, 90, 90], "score": 0.9})  # nobody is there
    (tmp_path / "boxes.json").write_text(json.dumps(rows))
    worse = scored(Stub(dataset), dataset, boxes=tmp_path / "boxes.json")
    assert worse.metrics["AP"] == pytest.approx(
        0.75, abs=0.01
    )  # 1/2, 2/3, 3/4 as recall grows: 3/4 throughout


def test_a_results_file_of_other_things_only_is_refused(dataset, tmp_path):
    rows = [{"image_id": 1, "category_id": n, "bbox": [20, 30, 90, 160], "score": 0.8} for n in (3, 18)]
    (tmp_path / "boxes.json").write_text(json.dumps(rows))
    with pytest.raises(DataError, match=r"no box is a person's .category_id 1.; there are: 18, 3"):
        scored(Stub(dataset), dataset, boxes=tmp_path / "boxes.json")


def test_two_boxes_on_one_person_give_one_answer_and_soft_keeps_a_weaker_one(dataset):
    boxes = np.array([[20.0, 30, 110, 190], [22, 30, 112, 190]])
    both = Poses(COCO17, np.repeat(dataset[0].poses.points[:1], 2, 0), np.full((2, 17), 0.5), boxes=boxes)
    stub = card(COCO17)
    hard = settled(both, np.array([0.6, 0.8]), stub)
    assert hard.score.tolist() == pytest.approx([0.4]) and hard.boxes.tolist() == [boxes[1].tolist()]
    soft = settled(both, np.array([0.6, 0.8]), stub, "soft")
    assert soft.score.tolist() == pytest.approx([0.4, 0.3 * np.exp(-1 / 0.9)], rel=1e-3)
    assert settled(both, np.array([0.6, 0.8]), stub, "none").score.tolist() == pytest.approx([0.4, 0.3])
    with pytest.raises(UserError, match="no way of suppression is called 'sfot' .did you mean 'soft'"):
        settled(both, np.ones(2), stub, "sfot")  # type: ignore[arg-type]


def test_a_detector_is_asked_where_no_boxes_are_given(dataset, monkeypatch):
    def opened(boxes):
        return lambda pictures: [Boxes(np.array([[20.0, 30, 110, 190]]), np.array([0.9])) for _ in pictures]

    monkeypatch.setattr(person_detector, "opened", opened)
    found = scored(Stub(dataset), dataset, boxes="detector")
    assert found.counts["pictures"] == 3 and len(found.predictions()) == 3
    assert found.metrics["AR"] == pytest.approx(2 / 3)


def test_a_detectors_weights_that_are_none_are_refused(dataset, tmp_path):
    (tmp_path / "x.pth").write_bytes(b"nothing")
    with pytest.raises(DataError, match="x.pth: not a file of weights"):
        scored(Stub(dataset), dataset, boxes=f"detector:{tmp_path / 'x.pth'}")


def test_mpii_is_scored_by_the_size_of_the_head(tmp_path):
    dataset = people(tmp_path / "mpii", MPII16, head_box=[0, 0, 30, 40])  # diagonal 50, so 30 pixels are 1
    assert scored(Stub(dataset, off=14.9), dataset).metrics["PCKh@0.5"] == 1.0
    found = scored(Stub(dataset, off=15.1), dataset)
    assert found.metrics["PCKh@0.5"] == 0.0 and found.metrics["Head"] == 0.0
    without = people(tmp_path / "neck", MPII16)
    assert any("measures 3 heads from upper neck to top" in n for n in scored(Stub(without), without).notes)


def test_the_report_shows_coco_numbers_and_the_results_file_is_cocos(dataset, tmp_path):
    found = scored(Stub(dataset), dataset, out=tmp_path / "report")
    page = (tmp_path / "report" / "report.html").read_text()
    assert "AP of each landmark alone" in page and "APM" in page
    rows = json.loads((tmp_path / "report" / "predictions.json").read_text())
    assert len(rows) == 3 and rows[0]["image_id"] == 1 and rows[0]["category_id"] == 1
    first = dataset[0].poses.points[0, 0] - 0.5
    assert rows[0]["keypoints"][:2] == pytest.approx(first.tolist(), abs=1e-3)
    assert json.loads((tmp_path / "report" / "metrics.json").read_text()) == found.to_dict()
    assert "| 3 | 100.0 |" in (tmp_path / "report" / "table.md").read_text()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"bbox": [20, 30, 0, 10]}, r"entry 0: bbox: wanted finite x, y, w, h with an area, got .20, 30, 0"),
        ({"bbox": [400, 30, 9, 9]}, r"entry 0: bbox: .400, 30, 9, 9. lies outside its 320 x 240 picture"),
        ({"bbox": [2, 3, 9, 9], "score": float("nan")}, "entry 0: score: wanted a finite number, got nan"),
        (
            {"bbox": [2, 3, 9, 9], "image_id": 77},
            "all 1 boxes are for pictures that the dataset does not have: 77",
        ),
    ],
)
def test_a_faulty_results_file_is_told_in_one_line(dataset, tmp_path, row, said):
    (tmp_path / "boxes.json").write_text(json.dumps([{"image_id": 1, "score": 0.5} | row]))
    with pytest.raises(DataError, match=said):
        scored(Stub(dataset), dataset, boxes=tmp_path / "boxes.json")


def test_some_strangers_in_a_results_file_are_passed_over_and_counted(dataset, tmp_path):
    rows = [{"image_id": i, "bbox": [20, 30, 90, 160], "score": 0.5} for i in (1, 8, 9)]
    (tmp_path / "boxes.json").write_text(json.dumps(rows))
    found = scored(Stub(dataset), dataset, boxes=tmp_path / "boxes.json")
    assert "2 boxes are for pictures that the dataset does not have: 8, 9" in found.notes


def test_people_without_any_label_cannot_be_scored(tmp_path):
    dataset = people(tmp_path / "data", unlabelled=True)
    with pytest.raises(UserError, match="all landmarks of all instances are unlabelled"):
        scored(Stub(dataset), dataset)


def test_labels_of_another_length_are_named(tmp_path):
    people(tmp_path / "data")
    raw = json.loads((tmp_path / "data" / "annotations.json").read_text())
    raw["annotations"][0]["keypoints"] = raw["annotations"][0]["keypoints"][:48]
    (tmp_path / "data" / "annotations.json").write_text(json.dumps(raw))
    with pytest.raises(DataError, match="annotation 1: keypoints: wanted 17 times x, y, v, got 48 values"):
        coco.read(tmp_path / "data")
