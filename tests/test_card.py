"""The card survives the way into a file and back, and says in one line what is wrong with it."""

import json
import subprocess
import sys

import pytest

from heatmark.card import VERSION, Card
from heatmark.errors import DataError, UserError
from heatmark.types import Skeleton

WRENCH = Skeleton("wrench", ("jaw_a", "jaw_b"), interchangeable=(("jaw_a", "jaw_b"),), sigmas={"jaw_a": 0.03})


def card(**changes) -> Card:
    return Card(
        **{"name": "w", "skeleton": WRENCH, "size": (224, 192), "model": "ihm56", "strides": (16, 8, 4)}
        | changes
    )


def test_a_card_comes_back_from_json_as_it_went():
    full = card(
        options={"backbone": "resnet50"},
        decoding={"refine": "parabola", "threshold": 0.1},
        results={"PCK@0.1": 0.8},
    )
    again = Card.from_json(full.to_json())
    assert again == full
    assert again.skeleton_of() == WRENCH
    assert again.size == (224, 192) and again.stride == 4 and again.enlarge == 1.25


def test_a_newer_card_is_refused_with_the_way_to_mend_it():
    raw = json.loads(card().to_json()) | {"version": VERSION + 1, "a_field_of_the_future": 1}
    with pytest.raises(
        DataError, match=r"w\.onnx: its card has version 2, this heatmark reads up to 1: pip install"
    ):
        Card.from_json(json.dumps(raw), "w.onnx")


@pytest.mark.parametrize(
    "change, text",
    [
        ({"licnce": "MIT"}, "no card field is called 'licnce' .did you mean 'licence'"),
        ({"decoding": {"refin": "dark"}}, "decoding: no card field is called 'refin' .did you mean 'refine'"),
        ({"size": [0, 224]}, "size: must be positive"),
        ({"strides": []}, "strides: "),
        ({"task": "bottom_up"}, "task: input should be 'single'"),
        ({"skeleton": {"name": "x"}}, "a skeleton needs 'name' and 'landmarks'"),
        (
            {"skeleton": {"name": "x", "landmarks": ["a"], "bones": [["a", "b"]]}},
            "no landmark of 'x' is called 'b'",
        ),
        ({"skeleton": "hammer"}, "skeleton: a skeleton is an object .*, got 'hammer'"),
        ({"skeleton": None}, "skeleton: a skeleton is an object .*, got None"),
        ({"skeleton": 5}, "skeleton: a skeleton is an object .*, got 5"),
        ({"skeleton": {"name": "x", "landmarks": 5}}, "skeleton's fields are names and lists of names"),
        ({"version": "one"}, "no version number"),
        ({"name": None}, "name: "),
        (
            {"recipe": {"head": "dsnt"}, "decoding": {"refine": "dark"}},
            "head dsnt learnt to draw are no heatmaps: decoding.method is to be 'expectation', got 'peak'",
        ),
    ],
)
def test_a_faulty_card_is_a_data_error_that_names_file_and_field(change, text):
    raw = json.loads(card().to_json()) | change
    with pytest.raises(DataError, match=f"w.onnx: its heatmark card.*{text}"):
        Card.from_json(json.dumps(raw), "w.onnx")


def test_other_values_of_the_decoding_are_judged_as_a_cards_are():
    assert card().with_decoding(threshold=0.3).decoding.threshold == 0.3
    for wrong, text in (({"thresold": 0.3}, "did you mean 'threshold'"), ({"refine": "psychic"}, "'dark'")):
        with pytest.raises(UserError, match=f"decoding.*{text}"):
            card().with_decoding(**wrong)


def test_a_group_without_a_mirror_image_has_no_flip_test():
    pliers = Skeleton("pliers", ("left", "right", "tip"), (), (("left", "right"),), (("left", "tip"),))
    with pytest.raises(UserError, match="flip test needs groups that mirror into groups, and left, tip does"):
        card(skeleton=pliers).with_decoding(flip=True)
    wrench = Skeleton("wrench", ("left", "right", "tip"), (), (("left", "right"),), (("left", "right"),))
    assert card(skeleton=wrench).with_decoding(flip=True).decoding.flip


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("field", ["threshold", "floor", "person", "reach", "soft"])
def test_a_number_that_json_has_not_never_comes_into_a_file(field, value):
    with pytest.raises(UserError, match=f"decoding.{field}: .* finite number, got {value}"):
        card().with_decoding(**{field: value})


@pytest.mark.parametrize("text", ["", "{", "[1]", "<html>"])
def test_what_is_no_json_object_is_a_data_error(text):
    with pytest.raises(DataError, match="w.onnx: its heatmark card"):
        Card.from_json(text, "w.onnx")


def test_reading_a_card_loads_no_network_library():
    heavy = "('torch', 'onnx', 'onnxruntime', 'cv2')"
    code = f"import sys, heatmark.card; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
