"""What it costs to hide what: the network is a stand-in that finds bright spots; all around it is real."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from heatmark.card import Card
from heatmark.cli import main
from heatmark.commands import attack_page, attack_window
from heatmark.commands.attack import attack
from heatmark.commands.attack_results import Hit, Result, Score, Subject
from heatmark.commands.attack_window import view
from heatmark.commands.progress import quiet
from heatmark.data import coco, open_dataset
from heatmark.data.records import Record
from heatmark.errors import DataError, UserError
from heatmark.runtime.predictor import Predictor, decoded
from heatmark.types import Poses, Skeleton

TOOL = Skeleton("tool", ("red", "green", "blue"), bones=(("red", "green"),), parts={"warm": ("red", "green")})
SPOTS = np.array([[12.0, 14], [60, 20], [30, 62]])
SIZE = (96, 96)
LEAST = 18  # pixels of a spot of about 26 that must be seen


class Brightest:
    """(B, 3, H, W) -> for each colour the mean of its brightest pixels, nowhere where most are hidden."""

    def __init__(self):
        self.batches = []

    def __call__(self, pictures):
        self.batches.append(len(pictures))
        b, _, h, w = pictures.shape
        there = (pictures > 0.6).astype(np.float64) + 1e-300
        x, y = np.arange(w) + 0.5, np.arange(h) + 0.5
        total = there.sum((-1, -2))
        points = np.stack([(there.sum(-2) * x).sum(-1), (there.sum(-1) * y).sum(-1)], -1) / total[..., None]
        points[total < LEAST] = np.nan
        return {"points": points.astype(np.float32), "scores": (total >= LEAST).astype(np.float32)}


def predictor(engine=None, **changes):
    facts = {"name": "tool", "skeleton": TOOL.to_dict(), "size": SIZE, "model": "ihm56", "strides": (4,)}
    return Predictor(
        engine or Brightest(), Card.model_validate(facts | changes), name=changes.get("name", "")
    )


def pictures(folder, count=3, absent=()):
    (folder / "images").mkdir(parents=True)
    records = []
    for n in range(1, count + 1):
        drawn = np.full((80, 80, 3), 60, np.uint8)
        for channel, (x, y) in enumerate(SPOTS.astype(int)):
            drawn[y - 2 : y + 3, x - 2 : x + 3] = 0
            drawn[y - 2 : y + 3, x - 2 : x + 3, channel] = 255
        Image.fromarray(drawn).save(folder / "images" / f"{n}.png")
        visibility = np.array([[0 if name in absent else 2 for name in TOOL.landmarks]], np.uint8)
        poses = Poses(TOOL, SPOTS[None] + 0.5, visibility=visibility, boxes=np.array([[2.0, 2, 78, 78]]))
        records.append(Record(folder / "images" / f"{n}.png", (80, 80), poses, n))
    coco.write(folder, TOOL, records)
    return folder


def attacked(*args, **kwargs):
    with quiet():
        return attack(*args, **kwargs)


def test_hiding_a_spot_costs_that_spot_and_a_part_costs_all_of_its_own(tmp_path):
    done = attacked(predictor(), pictures(tmp_path / "d"), hows=["blackout"])
    (result,) = done.results
    assert done.metric == "PCK@0.1" and result.clean.total == 1.0
    assert result.loss(Hit("red", "blackout", 6.0)) == pytest.approx(100 / 3)
    assert result.loss(Hit("red", "blackout", 6.0), "red") == 100
    assert result.loss(Hit("red", "blackout", 6.0), "blue") == 0
    assert result.sufferers(Hit("red", "blackout", 6.0))[0] == ("red", 100)
    assert result.loss(Hit("warm", "blackout")) == pytest.approx(200 / 3)  # two of three are black
    assert result.mean_loss("blackout", part=False, radius=6.0) == pytest.approx(100 / 3)


def test_a_larger_disc_costs_more_and_what_is_absent_costs_nothing(tmp_path):
    folder = pictures(tmp_path / "d", absent=("green",))
    done = attacked(predictor(), folder, hows=["blackout"], radii=[1, 2, 12], targets=["red", "green"])
    result = done.results[0]
    costs = [result.loss(Hit("red", "blackout", r)) for r in (1.0, 2.0, 12.0)]
    assert costs[0] == 0 and costs[2] == 50  # of two labelled landmarks
    assert [result.loss(Hit("green", "blackout", r)) for r in (1.0, 12.0)] == [0, 0]
    rows = done.tables["Loss by radius"]
    assert rows[0] == ["radius, px", "blackout"] and [r[0] for r in rows[1:]] == ["1", "2", "12"]
    assert rows[3] == ["12", "25.0"]  # the mean over red and green


def test_legacy_asks_for_unlabelled_landmarks_too_and_is_what_the_page_shows(tmp_path, monkeypatch):
    folder, shown, pair = pictures(tmp_path / "d", absent=("green",)), [], attack_window.pair

    def watched(*args):
        shown.append(args[-1])
        return pair(*args)

    monkeypatch.setattr(attack_window, "pair", watched)
    clean = {}
    for legacy in (False, True):
        one = predictor(task="top_down", decoding={"method": "msra"})
        settings = {"targets": ["red"], "hows": ["blackout"], "out": tmp_path / str(legacy)}
        done = attacked(one, folder, legacy=legacy, **settings)
        clean[legacy] = done.results[0].clean.each
    assert shown == [False, True]
    assert np.isnan(clean[False]["green"]) and np.isfinite(clean[True]["green"])
    assert clean[False]["red"] == clean[True]["red"] == 1.0


def test_forward_passes_of_all_attacks_share_batches_and_unchanged_windows_are_not_shown(tmp_path):
    engine = Brightest()
    folder = pictures(tmp_path / "d", absent=("green",))
    attacked(predictor(engine), folder, batch=5, targets=["red", "green"], hows=["blur", "blackout"])
    assert engine.batches == [5, 4]  # 3 untouched, 3 x 2 of red; green is nowhere


def test_two_networks_stand_side_by_side_and_the_page_opens_from_disk(tmp_path):
    class Blind(Brightest):
        def __call__(self, found):
            return super().__call__(found) | {"points": np.full((len(found), 3, 2), np.nan, np.float32)}

    out = tmp_path / "report"
    folder = pictures(tmp_path / "d")
    done = attacked(predictor(), folder, other=predictor(Blind(), name="blind"), out=out, radii=[6, 12])
    rows = done.tables["Side by side"]
    assert rows[:2] == [["PCK@0.1", "tool", "blind"], ["untouched", "100.0", "0.0"]]
    assert ["blackout of parts", "33.3", "0.0"] in rows
    page = (out / "report.html").read_text()
    assert "http" not in page.replace("http://www.w3.org", "") and page.count("<svg") > 8
    for words in ("What matters", "Size of the occlusion", "Before and after", "Who suffers most, blind"):
        assert words in page
    assert json.loads((out / "attack.json").read_text()) == json.loads(json.dumps(done.to_dict()))
    assert "| 12 |" in (out / "tables.md").read_text()


def test_a_second_run_looks_at_nothing_again_and_another_attack_is_refused(tmp_path):
    folder, out = pictures(tmp_path / "d"), tmp_path / "out"
    first = attacked(predictor(), folder, out=out, hows=["blackout"])
    engine = Brightest()
    again = attacked(predictor(engine), folder, out=out, hows=["blackout"])
    assert engine.batches == [] and again.to_dict() == first.to_dict()
    with pytest.raises(UserError, match="holds another attack .other attacks.; choose another folder"):
        attacked(predictor(), folder, out=out, hows=["blur"])


KILLED = """
import sys, time
sys.path[:0] = [{tests!r}]
from test_attack import Brightest, attacked, predictor
class Slow(Brightest):
    def __call__(self, pictures):
        time.sleep(0.4)
        return super().__call__(pictures)
attacked(predictor(Slow()), {folder!r}, out={out!r}, hows=["blackout"], batch=32)
"""


def test_a_run_that_was_killed_goes_on_with_the_same_numbers(tmp_path):
    folder, out = pictures(tmp_path / "d", count=70), tmp_path / "out"
    code = KILLED.format(tests=os.path.dirname(__file__), folder=str(folder), out=str(out))
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    block = out / "answers-1" / "00000.npy"
    until = time.monotonic() + 90
    while not block.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert block.exists() and not (out / "attack.json").exists()
    engine = Brightest()
    done = attacked(predictor(engine), folder, out=out, hows=["blackout"], batch=32)
    assert sum(engine.batches) < 70 * 5  # the first block was not looked at again
    assert done.to_dict() == attacked(predictor(), folder, hows=["blackout"], batch=32).to_dict()


RUBBISH = {
    "00000.npy": (b"rubbish", b"", b"PK\x03\x04", None),  # None: its first half
    "scores.json": (b"{", b"[]", b'{"untouched": 3}', b'{"untouched": {"total": "a", "each": {}}}'),
}


@pytest.mark.parametrize(("name", "content"), [(n, c) for n, some in RUBBISH.items() for c in some])
def test_what_is_damaged_is_made_again(tmp_path, name, content):
    data, file = pictures(tmp_path / "data"), tmp_path / "out" / "answers-1" / name
    first = attacked(predictor(), data, out=tmp_path / "out", hows=["blackout"], radii=[4])
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if content is None else content)
    (file.parent / "scores.json").unlink() if file.suffix == ".npy" else None
    again = attacked(predictor(), data, out=tmp_path / "out", hows=["blackout"], radii=[4])
    assert again.to_dict() == first.to_dict() and file.read_bytes() == whole


def test_a_block_of_another_shape_is_made_again(tmp_path):
    data, file = pictures(tmp_path / "data"), tmp_path / "out" / "answers-1" / "00000.npy"
    first = attacked(predictor(), data, out=tmp_path / "out", targets=["red"], radii=[4])
    for other in (np.zeros((1, 2, 3)), np.zeros(np.load(file).shape, int), np.array([{}], object)):
        np.save(file, other)
        again = attacked(predictor(), data, out=tmp_path / "out", targets=["red"], radii=[4])
        assert again.to_dict() == first.to_dict() and np.load(file).dtype.kind == "f"


def test_a_damaged_note_of_what_was_attacked_is_named(tmp_path):
    data, note = pictures(tmp_path / "data"), tmp_path / "out" / "answers-1" / "attack.json"
    attacked(predictor(), data, out=tmp_path / "out", targets=["red"])
    for content, error, said in (
        ("{", DataError, "attack.json: not valid JSON"), ("[1]", UserError, "holds another attack"),
    ):  # fmt: skip
        note.write_text(content)
        with pytest.raises(error, match=said):
            attacked(predictor(), data, out=tmp_path / "out", targets=["red"])


def test_other_weights_under_the_same_name_are_another_attack(tmp_path):
    data, file = pictures(tmp_path / "data"), tmp_path / "model.onnx"
    file.write_bytes(b"weights")
    attacked(predictor(name=str(file)), data, out=tmp_path / "out", targets=["red"])
    file.write_bytes(b"others")
    with pytest.raises(UserError, match="holds another attack .other model.; choose another folder"):
        attacked(predictor(name=str(file)), data, out=tmp_path / "out", targets=["red"])


CHANGES = {
    "a box": lambda label: label.update(bbox=[0, 0, 80, 80]),
    "a state": lambda label: label["keypoints"].__setitem__(2, 1),
    "an area": lambda label: label.update(area=99),
    "a picture": None,
}


@pytest.mark.parametrize("what", CHANGES)
def test_other_boxes_labels_or_pictures_are_another_attack(tmp_path, what):
    data = pictures(tmp_path / "data")
    attacked(predictor(), data, out=tmp_path / "out", targets=["red"])
    raw = json.loads((data / "annotations.json").read_text())
    if (change := CHANGES[what]) is not None:
        change(raw["annotations"][0])
        (data / "annotations.json").write_text(json.dumps(raw))
    else:
        Image.fromarray(np.zeros((80, 80, 3), np.uint8)).save(data / "images" / "1.png")
    with pytest.raises(UserError, match="holds another attack .other objects.; choose another folder"):
        attacked(predictor(), data, out=tmp_path / "out", targets=["red"])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"targets": ["rde"]}, "no landmark or part of 'tool' is called 'rde' .did you mean 'red'"),
        ({"hows": ["blurr"]}, "no way of hiding is called 'blurr' .did you mean 'blur'"),
        ({"radii": [0]}, "positive radii, got"),
    ],
)
def test_what_cannot_be_hidden_is_said(tmp_path, settings, said):
    with pytest.raises(UserError, match=said):
        attacked(predictor(), pictures(tmp_path / "d", count=1), **settings)


@pytest.mark.parametrize(("context", "brightest"), [(True, 255), (False, 60)])
def test_around_a_box_an_attack_shows_what_evaluate_shows(tmp_path, context, brightest):
    record = open_dataset(pictures(tmp_path / "d"))[0]
    beside = Subject(record, 0, np.array([34.0, 34, 37, 74]))  # a thin box, and a spot to its left
    shown, _, _ = view(decoded(record.path), predictor(context=context), beside, TOOL)
    assert shown.max() == brightest


def test_nothing_labelled_is_said(tmp_path):
    folder = pictures(tmp_path / "d", count=1, absent=TOOL.landmarks)
    with pytest.raises(UserError, match="no object with a box and a labelled landmark to attack"):
        attacked(predictor(), folder)


def test_a_run_is_called_by_its_folder():
    nothing = Score(0.0, {})
    assert Result("runs/w32/best.safetensors", nothing, {}).name == "w32"
    assert Result("w32.onnx", nothing, {}).name == "w32.onnx"


def test_the_redder_the_dearer():
    assert attack_page.heat(0.0) == "rgb(246,240,228)" and attack_page.heat(1.0) == "rgb(200,30,30)"


def test_the_command_prints_tables_and_json(tmp_path, spots_onnx, capsys):
    folder = pictures(tmp_path / "d", count=1)
    options = ["--how", "blackout", "--target", "red", "--radius", "6"]
    assert main(["attack", str(spots_onnx), str(folder), *options]) == 0
    assert "Loss by landmark" in capsys.readouterr().out
    assert main(["attack", str(spots_onnx), str(folder), *options, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["metric"] == "PCK@0.1" and said["counts"] == {"objects": 1, "pictures": 1}
    (one,) = said["models"][0]["attacks"]
    assert (one["target"], one["how"], one["kind"], one["radius"]) == ("red", "blackout", "landmark", 6.0)
    assert one["loss"] == pytest.approx(said["models"][0]["clean"]["score"] - one["score"])


def test_landmarks_are_compared_at_the_radius_that_hides_the_studys_share_of_the_window(tmp_path):
    done = attacked(predictor(), pictures(tmp_path / "d", count=1), hows=["blackout"], radii=[1, 2, 6])
    assert done.high == 96 and attack_page.at_radius(done) == 2  # 6 pixels of 256 are 2.25 of 96
