"""Recipes: read strictly, told in one line, written and read back."""

import re

import pytest

from heatmark.errors import DataError, UserError
from heatmark.imaging.augment import Augmentation
from heatmark.training import recipe
from heatmark.types import Skeleton

WRENCH = Skeleton(
    "wrench",
    ("jaw_a", "jaw_b", "middle"),
    bones=(("jaw_a", "middle"),),
    interchangeable=(("jaw_a", "jaw_b"),),
    parts={"ends": ("jaw_a", "jaw_b"), "shaft": ("middle",)},
    sigmas={"middle": 0.1},
)


@pytest.mark.parametrize("name", recipe.shipped())
def test_every_shipped_recipe_is_a_recipe(name):
    read = recipe.read(name)
    assert read.name == name.replace("/", "-")
    assert recipe.validated(recipe.yaml.safe_load(recipe.text(read)), "again") == read


def test_the_papers_recipes_say_what_the_paper_says():
    for name in ("ihm56", "ihm224", "hm"):
        read = recipe.read(name)
        assert (read.model, read.optimiser, read.lr, read.schedule) == (name, "adam", 1.5e-5, "plateau")
        assert (read.patience, read.factor, read.early_stop, read.batch, read.epochs) == (
            10,
            0.1,
            20,
            16,
            200,
        )
        assert (read.sigma, read.targets, read.level_weights, read.size) == (None, "area", None, (224, 224))


def test_a_recipe_from_a_file_and_settings_over_it(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("model: ihm56\noptions: {backbone: tiny, width: 0.5}\naugmentation: {rotate: [-5, 5]}\n")
    read = recipe.read(path, {"options": {"width": 0.25}, "batch": 3})
    assert (read.name, read.batch, read.options) == ("mine", 3, {"backbone": "tiny", "width": 0.25})
    assert read.augmentation == Augmentation(rotate=(-5, 5))
    assert recipe.read(path, {"augmentation": "none"}).augmentation == Augmentation.none()


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("modle: ihm56", "bad.yaml: no recipe field is called 'modle' .did you mean 'model'"),
        ("lr: 0.1", "bad.yaml: model: field required"),
        ("model: ihm57", "did you mean 'ihm56'"),
        ("model: ihm56\noptions: {widht: 1}", "no option of ihm56 is called 'widht' .did you mean 'width'"),
        ("model: ihm56\nsize: [224, 100]", "multiples of 32, 8192 at most, got .224, 100."),
        (f"model: ihm56\nseed: {2**64}", "seed: input should be less than"),
        ("model: ihm56\nlr: fast", "lr: input should be a valid number.* got 'fast'"),
        ("model: ihm56\nschedule: steps", "steps needs milestones: the epochs"),
        (
            "model: ihm56\nlevel_weights: [1, -1, 1]",
            "level_weights.1: input should be greater than or equal to 0",
        ),
        ("model: ihm56\nlr: -1", "lr: input should be greater than 0, got -1"),
        (
            "model: ihm56\naugmentation: {rotat: [0, 1]}",
            "no augmentation is called 'rotat' .did you mean 'rotate'",
        ),
        ("model: ihm56\naugmentation: {rotate: [1, 0]}", "rotate is a range"),
        ("model: ihm56\naugmentation: {blur: soft}", "augmentation: "),
    ],
)
def test_a_fault_is_told_in_one_line(tmp_path, text, word):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=word) as caught:
        recipe.read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "model: [",
        "- a\n- b",
        "!!python/object/apply:os.system ['true']",
        "name: 2024-13-01",
        "model: ihm56\nrows: [a]",
        "model: ihm56\nrows: {a: 5}",
        "x: " + "[" * 3000,
    ],
)
def test_a_file_that_is_no_recipe_is_bad_data(tmp_path, text):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match="bad.yaml"):
        recipe.read(path)


def test_a_recipe_that_does_not_exist_names_the_nearest():
    with pytest.raises(UserError, match="did you mean 'ihm56'"):
        recipe.read("ihm65")
    with pytest.raises(UserError, match="there is no recipe at nowhere.yaml"):
        recipe.read("nowhere.yaml")


def test_a_row_may_be_called_by_a_number_and_change_nothing(tmp_path):
    (tmp_path / "sheet.yaml").write_text("model: ihm56\nrows: {2: {seed: 4}, 8: }")
    assert recipe.read(tmp_path / "sheet.yaml" / "2").seed == 4
    assert recipe.read(tmp_path / "sheet.yaml" / "8").name == "sheet-8"


def test_landmarks_that_are_not_learnt_need_no_map_each(tiny):
    settings = {"model": "coordinate_lite0", "options": {"weights": None}, "head": "dsnt"}
    some = recipe.validated(tiny | settings | {"landmarks": ["middle", "jaw_b"]}, "tiny")
    assert recipe.skeleton_for(some, WRENCH).landmarks == ("middle", "jaw_b")
    with pytest.raises(UserError, match="so jaw_a and jaw_b need a map each: set interchangeable: matched"):
        recipe.skeleton_for(recipe.validated(tiny | settings, "tiny"), WRENCH)


def test_the_skeleton_follows_the_recipe(tiny):
    def learnt(**settings):
        return recipe.skeleton_for(recipe.validated(tiny | settings, "tiny"), WRENCH)

    assert learnt() == WRENCH
    assert learnt(interchangeable="apart").channels == ((0,), (1,), (2,))
    some = learnt(landmarks=["middle", "jaw_b"])
    assert some.landmarks == ("middle", "jaw_b") and some.interchangeable == () and some.bones == ()
    assert some.parts == {"ends": ("jaw_b",), "shaft": ("middle",)}
    with pytest.raises(UserError, match="no landmark of 'wrench' is called 'jaw_c' .did you mean 'jaw_"):
        learnt(landmarks=["jaw_c"])


def test_a_resumed_run_may_differ_only_in_what_does_not_change_its_steps(tiny):
    one = recipe.validated(tiny, "tiny")
    assert recipe.differences(one, recipe.read(one, {"workers": 3, "epochs": 9})) == []
    assert recipe.differences(one, recipe.read(one, {"lr": 0.5, "batch": 2})) == ["lr", "batch"]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("occlusion", {"radius": "big"}, "occlusion.radius: input should be a valid number"),
        ("occlusion", {"radius": -1}, "occlusion.radius: a disc's radius is positive, got -1"),
        ("occlusion", {"kernel": 8}, "occlusion.kernel: a blur's kernel is an odd number of pixels, got 8"),
        ("occlusion", {"kernel": 9.5}, "occlusion.kernel: a blur's kernel is an odd number"),
        ("occlusion", {"most": 2.5}, "occlusion.most: input should be a valid integer"),
        ("occlusion", {"most": 0}, "occlusion.most: wanted 1 landmark or more, got 0"),
        ("occlusion", {"parts": "head"}, "occlusion.parts: input should be a valid tuple, got 'head'"),
        ("occlusion", {"legacy": "maybe"}, "occlusion.legacy: input should be a valid boolean"),
        ("occlusion", {"blur": "often"}, "occlusion.blur: input should be a valid number"),
        ("windows", {"scale": "wide"}, "windows.scale: input should be a valid number"),
    ],
)
def test_what_is_nested_is_judged_before_training(field, value, said):
    with pytest.raises(UserError, match=re.escape(said)):
        recipe.read("windmills_coco/cutout_p_0.5", {field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [("embedding.pull", float("nan")), ("embedding.sigma", float("inf")), ("zoom.most", float("inf"))],
)
def test_nested_numbers_are_finite_as_all_others_are(field, value):
    outer, inner = field.split(".")
    with pytest.raises(UserError, match=f"{field}: .*got {value}"):
        recipe.read("crowd", {outer: {inner: value}})


def test_a_number_that_yaml_takes_for_text_is_a_number():
    read = recipe.read("windmills_coco/half_body", {"windows": {"rotate": "1e1"}})
    assert read.windows is not None and read.windows.rotate == 10.0
