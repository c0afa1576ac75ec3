"""The ablation page: rows change one thing, what they share is made once, nobody tells what nobody ran."""

import json
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks is no part of the package

from benchmarks import gap, runs  # noqa: E402
from benchmarks.runs import Budget, Plan  # noqa: E402
from benchmarks.scores import MISSED, Results, Score, common, half_width, mean  # noqa: E402
from heatmark.errors import UserError  # noqa: E402
from heatmark.synth.settings import settings_of  # noqa: E402
from heatmark.training import recipe as recipes  # noqa: E402

SMALL = Budget(
    scenes=4, epochs=2, environments="maps", backgrounds="photos", weights={"resnet50_v1": "r.pth"}
)


def score(*rows):
    """A score of landmarks at these distances, boxes of 100 px."""
    return Score(np.array(rows, float), np.full(len(rows), 100.0), tuple(map(str, range(len(rows)))))


def test_every_row_is_a_scene_and_a_recipe_that_exist():
    for name, change in gap.changes().items():
        plan = gap.planned(change, change.only[0], 0, SMALL)
        settings_of(plan.scene, dict(plan.settings))
        resolved = recipes.read(plan.recipe, plan.changes)
        steps = plan.scenes * (1 + plan.copies) * resolved.epochs
        assert steps == pytest.approx(2 * 4 * 2, rel=0.5) or plan.scenes > 8, name


def test_rows_of_pictures_and_of_networks_have_pages_of_their_own(tmp_path):
    results = Results(tmp_path / "gap.json", SMALL.words)
    pages = {part: gap.document(results, ["hammer"], SMALL, part) for part in gap.PARTS}
    here = {part: {name for name in gap.changes() if f"| `{name}` |" in page} for part, page in pages.items()}
    assert here["pictures"] | here["networks"] == here["all"] and not here["pictures"] & here["networks"]
    assert {"draws-5", "copies-0", "cut-and-paste", "scenes-100"} <= here["pictures"]
    assert {"learns-all", "look-whole", "shipped-second", "size-160"} <= here["networks"]
    assert "--part pictures" in pages["pictures"] and "--part" not in pages["all"]


def test_a_row_changes_one_thing_and_leaves_the_rest():
    base, known = gap.planned(None, "hammer", 0, SMALL), gap.changes()
    draws = gap.planned(known["draws-5"], "hammer", 0, SMALL)
    assert draws.settings == {**base.settings, "object": {"draws": 5}}
    assert (draws.changes, draws.scenes, draws.copies) == (base.changes, base.scenes, base.copies)
    light = gap.planned(known["light-procedural"], "hammer", 0, SMALL)
    assert light.settings["light"] == {"folder": None} and light.settings["ground"] == base.settings["ground"]
    lone = gap.planned(known["copies-0"], "hammer", 0, SMALL)
    assert (lone.copies, lone.changes["epochs"]) == (0, 4)  # half the pictures, as many steps


def test_rows_that_differ_in_the_network_share_pictures_and_those_that_look_elsewhere_the_network():
    base, known = gap.planned(None, "hammer", 0, SMALL), gap.changes()
    thawed = gap.planned(known["learns-last"], "hammer", 0, SMALL)
    look = gap.planned(known["look-whole"], "hammer", 0, SMALL)
    few = gap.planned(known["scenes-100"], "hammer", 0, SMALL)
    assert thawed.set_key == base.set_key and thawed.run_key != base.run_key
    assert look.run_key == base.run_key and look.boxes == "whole"
    assert few.set_key == base.set_key and few.run_key != base.run_key


def test_weights_go_to_the_backbone_they_are_of():
    named = gap.planned(gap.changes()["backbone-resnet50_v1"], "hammer", 0, SMALL)
    assert named.changes["options"] == {
        "trainable_from": None,
        "weights": "r.pth",
        "backbone": "resnet50_v1",
    }
    assert gap.planned(None, "hammer", 0, SMALL).changes["options"] == {
        "trainable_from": None
    }  # no weights named
    lite = Budget(weights={"efficientnet_lite0": "l.pth"})
    scratch = gap.planned(gap.changes()["learns-scratch"], "hammer", 0, lite)
    assert scratch.changes["options"]["weights"] is None  # what the row says holds


def test_a_row_that_would_be_the_base_is_none():
    known, plain = gap.changes(), Budget(scenes=300)
    assert not gap.applies(known["scenes-300"], "hammer", plain) and gap.applies(
        known["scenes-100"], "hammer", plain
    )
    assert not gap.applies(known["light-procedural"], "hammer", plain)
    assert not gap.applies(known["maps-apart"], "hammer", SMALL) and gap.applies(
        known["maps-apart"], "wrench", SMALL
    )


def test_a_difference_is_judged_object_by_object():
    base = [score([0.05, 0.2], [0.05, 0.2], [0.2, 0.2], [0.05, 0.05])]  # 4 of 8
    better = [score([0.05, 0.05], [0.05, 0.05], [0.2, 0.05], [0.05, 0.05])]  # 7 of 8: 1 more in three objects
    assert mean(base) == 50 and mean(better) == 87.5
    # right: 1 1 1 0 more of 2 each; residuals .25 .25 .25 -.75, sum of squares .75; 196 sqrt(.75 * 4 / 3) / 8
    assert half_width(better, base) == pytest.approx(24.5)
    assert half_width(better, better) == 0
    first = [score([0.05, np.nan])]
    assert np.isnan(half_width(first, base))  # only one object is in both: it has no spread
    assert [s.names for s in common(first, base)[1]] == [("0",)]


def test_scores_survive_the_file_and_another_budget_is_refused(tmp_path):
    results = Results(tmp_path / "gap.json", "small")
    results.put(("base", "hammer", 0), score([0.05, np.nan], [np.inf, 0.3]))
    results.put(("draws-5", "hammer", 0), Score(np.array([[MISSED]]), np.array([50.0]), ("0",)))
    other = Results(tmp_path / "gap.json", "small")  # a second process, begun now
    results.put(("draws-50", "hammer", 0), score([0.05]))
    other.put(("draws-1", "hammer", 0), score([0.05]))
    again = Results(tmp_path / "gap.json", "small")
    assert again["draws-1", "hammer", 0] is not None and again["draws-50", "hammer", 0] is not None
    (kept,) = again.seeds("base", "hammer")
    assert kept.pck() == pytest.approx(100 / 3) and kept.error() == 5.0 and kept.error_px() == 5.0
    assert again["base", "wrench", 0] is None and again["draws-5", "hammer", 0] is not None
    with pytest.raises(UserError, match="another budget"):
        Results(tmp_path / "gap.json", "large")


def test_the_page_says_what_mattered_and_what_was_not_measured(tmp_path):
    results = Results(tmp_path / "gap.json", SMALL.words)
    many = [[0.05, 0.2]] * 40
    results.put(("base", "hammer", 0), score(*many))
    results.put(("draws-1", "hammer", 0), score(*[[0.2, 0.2]] * 38, *[[0.05, 0.2]] * 2))
    results.put(("copies-0", "hammer", 0), score(*many[:39], [0.2, 0.2]))
    text = gap.document(results, ["hammer"], SMALL)
    assert "worse than what they are compared with: `draws-1` (-47.5)" in text
    assert "Not told apart from it: `copies-0` (-1.2)." in text
    assert "| `base` | nothing | 50.0 |" in text and "| `draws-5` | 5 objects | not measured |" in text
    assert "`maps-apart`" not in text  # it does not apply to hammers
    results.put(("shipped", "hammer", 0), score(*[[0.05, 0.05]] * 40))
    results.put(("shipped-whole", "hammer", 0), score([0.05, 0.05], [0.05, 0.2], [0.2, 0.2]))
    again = gap.document(results, ["hammer"], SMALL)
    assert "| `shipped` | in the labelled box | 100.0 | 0.0 | 5.0 |  |" in again  # compared with nothing
    assert "| 50.0 | 0.0 | 5.0 | -50.0 ± 56.6 |" in again  # on the three in both: 196 sqrt(2 * 3 / 2) / 6


def test_the_first_scenes_of_a_set_are_a_dataset_of_their_own(tmp_path, monkeypatch):
    made = []

    def render(scene, count, out, **_):
        made.append(count)
        (out / "images").mkdir(parents=True, exist_ok=True)
        kinds = ("rendered", "occluder")
        images = [{"id": i + 1, "index": i // 2, "kind": kinds[i % 2]} for i in range(2 * count)]
        for image in images:
            (out / "images" / f"{image['id']:06d}.jpg").touch()
        notes = [{"image_id": image["id"]} for image in images]
        (out / "annotations.json").write_text(json.dumps({"images": images, "annotations": notes}))

    monkeypatch.setattr(runs, "render", render)
    few, more = (Plan("hammer", scenes=n) for n in (2, 5))
    part = runs.pictures(few, tmp_path, SMALL)
    whole = runs.pictures(more, tmp_path, SMALL)
    assert runs.pictures(few, tmp_path, SMALL) == part and made == [2, 5]
    runs.pictures(Plan("hammer", scenes=3), tmp_path, SMALL)
    assert made == [2, 5]  # there are enough
    for path, scenes in ((part, 2), (whole, 5)):
        raw = json.loads(path.read_text())
        assert len(raw["images"]) == len(raw["annotations"]) == 2 * scenes
    alone = runs.pictures(Plan("hammer", scenes=4, copies=0), tmp_path, SMALL)
    raw = json.loads(alone.read_text())
    assert made == [2, 5] and [image["id"] for image in raw["images"]] == [1, 3, 5, 7]  # what was rendered
    before = Budget(scenes=4, reuse={"hammer": str(whole.parent)})
    (whole.parent / "scene.yaml").write_text("objects: [hammer]")
    again = runs.pictures(Plan("hammer", scenes=4), tmp_path / "other", before)
    assert len(json.loads(again.read_text())["images"]) == 8 and (again.parent / "images").is_dir()
    assert made == [2, 5] and "sets rendered before (hammer: scene.yaml " in before.words
    with pytest.raises(UserError, match="this row's would be rendered now"):
        runs.pictures(Plan("hammer", {"object": {"draws": 1}}, scenes=4), tmp_path / "other", before)
    with pytest.raises(UserError, match="9 scenes are wanted, it has fewer"):
        runs.pictures(Plan("hammer", scenes=9), tmp_path / "other", before)


@pytest.mark.parametrize("begun", [signal.default_int_handler, signal.SIG_IGN])  # ignored: behind a shell
def test_when_the_minutes_are_over_it_stops_as_by_ctrl_c(begun, request):
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    signal.signal(signal.SIGINT, begun)
    with pytest.raises(KeyboardInterrupt), runs.minutes(0.002):
        while True:
            pass
