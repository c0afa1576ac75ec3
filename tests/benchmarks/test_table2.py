"""Table 2 of the IHM paper: what is learnt from, what is scored on, and a whole class at a tiny budget."""

import sys
from pathlib import Path

import numpy as np
import pytest
from pascal3d_release import HEADLIGHT, anchors, thing, write, write_list

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks is no part of the package

from benchmarks import table2  # noqa: E402
from benchmarks.scores import Results, Score  # noqa: E402
from heatmark.data import open_dataset, pascal3d  # noqa: E402


@pytest.fixture
def root(tmp_path):
    lights, big = anchors(**HEADLIGHT), (64, 80)
    for i in range(6):
        write(tmp_path, "imagenet", f"n{i}", thing(marks=lights), size=big)
    for name in ("a", "b", "c"):
        write(tmp_path, "pascal", name, thing(marks=lights), thing(marks=lights, truncated=1), size=big)
    write_list(tmp_path / "Image_sets" / "car_imagenet_train.txt", "n0", "n1", "n2")
    write_list(tmp_path / "Image_sets" / "car_imagenet_val.txt", "n3", "n4", "n5")
    write_list(tmp_path / pascal3d.MAIN / "car_train.txt", "a 1")
    write_list(tmp_path / pascal3d.MAIN / "car_val.txt", "b 1", "c -1")
    return tmp_path


def test_pascals_val_pictures_are_never_learnt_from_and_alone_scored_on(root):
    learnt = [record.name for record in table2.learnt_from(root, "car", None)]
    assert learnt == ["n0.JPEG", "n1.JPEG", "n2.JPEG", "n3.JPEG", "n4.JPEG", "n5.JPEG", "a.jpg"]
    assert [r.name for r in table2.learnt_from(root, "car", 3)] == ["n0.JPEG", "n3.JPEG", "a.jpg"]
    (scored,) = table2.scored_on(root, "car")
    assert scored.name == "b.jpg" and len(scored.poses) == 1  # the truncated one is left out


def test_what_is_learnt_from_is_written_once_and_its_pictures_stay(root, tmp_path):
    folder = table2.written(table2.learnt_from(root, "car", None), tmp_path / "car")
    again = open_dataset(folder)
    assert len(again) == 7 and again[6].path.resolve() == root / "Images" / "car_pascal" / "a.jpg"
    np.testing.assert_allclose(again[0].poses.points[0], [[10.5, 8.5], [30.5, 8.5]])


def test_the_mean_is_over_keypoints_not_over_classes(tmp_path):
    results = Results(tmp_path / "t.json", "small")
    results.put(
        ("HM", "car", 0), Score(np.array([[0.05, 0.05], [0.05, np.nan]]), np.full(2, 100.0), ("1", "2"))
    )
    results.put(("HM", "bus", 0), Score(np.array([[0.3, 0.3]]), np.full(1, 100.0), ("1",)))
    assert table2.micro(results, "HM") == (60.0, ["bus", "car"])  # 3 of 5, not (100 + 0) / 2
    rows = {row.recipe: row for row in table2.rows(results)}
    assert rows["HM, of 2 classes"].paper is None  # the paper's is over all twelve
    assert rows["IHM56"].paper == 74.2 and rows["IHM56"].ours is None and rows["Zhou 2018"].paper == 78.6


def test_a_class_is_learnt_and_scored_and_stays(root, tmp_path):
    tiny = {"options.backbone": "tiny", "options.width": 0.05, "size": "[64, 64]", "batch": 2, "workers": 0}
    settings = [word for name, value in tiny.items() for word in ("--set", f"{name}={value}")]
    out = tmp_path / "table2.md"
    line = [
        str(root),
        "--work",
        str(tmp_path / "work"),
        "--classes",
        "car",
        "--row",
        "IHM56",
        "--epochs",
        "1",
    ]
    table2.main([*line, *settings, "--out", str(out)])
    kept = out.with_suffix(".json").read_text()
    table2.main([*line, *settings, "--out", str(out)])
    assert out.with_suffix(".json").read_text() == kept and kept.count('"IHM56/car/0"') == 1
    assert (
        "| IHM56, car | PCK@0.1 | - |" in out.read_text()
        and "| HM | PCK@0.1, mean | 76.7 | not measured" in out.read_text()
    )
