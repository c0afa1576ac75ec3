"""People are learnt top down: HRNet's windows, weights and loss, and things hidden on purpose."""

import cv2
import numpy as np
import pytest
import torch

from heatmark.card import Card
from heatmark.commands.train import train
from heatmark.data import coco, open_dataset
from heatmark.data.boxes import as_published
from heatmark.data.records import Record
from heatmark.errors import UserError
from heatmark.imaging import decode, encode_jpeg, msra
from heatmark.runtime import load
from heatmark.skeletons import COCO17
from heatmark.training import loader, recipe
from heatmark.training.losses import joints_mse
from heatmark.training.task import PUBLISHED, Batch, task_of
from heatmark.types import Poses, Skeleton

STICK_MAN = np.array(
    [[50, 20], [53, 17], [47, 17], [57, 19], [43, 19], [62, 40], [38, 40], [68, 60], [32, 60], [70, 80],
     [30, 80], [58, 85], [42, 85], [60, 115], [40, 115], [61, 145], [39, 145]], float
)  # fmt: skip
SETTINGS = {
    "model": "hourglass_2", "options": {"width": 8}, "task": "top_down", "head": "msra", "sigma": 8.0,
    "size": [128, 96], "windows": {"scale": 0.35, "rotate": 45, "rotated": 0.6, "half_body": 0.3},
    "augmentation": {"others": "none", "flip": 0.5}, "lr": 0.01, "batch": 4, "epochs": 1, "validation": 0.3,
    "workers": 0,
}  # fmt: skip


def write_people(folder, count=6):
    rng, records = np.random.default_rng(0), []
    (folder / "images").mkdir(parents=True)
    for n in range(count):
        picture = rng.integers(0, 90, (160, 110, 3)).astype(np.uint8)
        points = STICK_MAN + rng.uniform(-3, 3, 2)
        for k, (x, y) in enumerate(points):
            cv2.circle(picture, (round(x), round(y)), 3, (255, 15 * k, 255 - 15 * k), -1)
        path = folder / "images" / f"{n}.png"
        cv2.imwrite(str(path), picture[..., ::-1])
        box = np.concatenate([points.min(0) - 8, points.max(0) + 8])
        records.append(Record(path, (160, 110), Poses(COCO17, points[None], boxes=box[None]), n + 1))
    coco.write(folder, COCO17, records)
    return folder


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return write_people(tmp_path_factory.mktemp("people") / "data")


def samples(folder, **settings):
    dataset = open_dataset(folder)
    found = loader.entries(dataset, dataset.skeleton)
    return loader.Samples(found, dataset.skeleton, recipe.validated(SETTINGS | settings, "people"))


def test_people_train_resume_and_open(people, tmp_path):
    settings = tmp_path / "people.yaml"
    settings.write_text(recipe.text(recipe.validated(SETTINGS, "people")))
    first = train(settings, data=people, out=tmp_path / "run")
    again = train(settings, data=people, out=tmp_path / "run", resume=True, settings={"epochs": 2})
    assert (first.epochs, again.epochs) == (1, 2)
    predictor = load(again.model)
    card: Card = predictor.card
    assert (card.task, card.decoding.method, card.enlarge, card.strides) == ("top_down", "msra", 1.25, (4, 4))
    assert card.skeleton_of().sigmas["nose"] == 0.026 and "corpus" in card.skeleton_of().parts
    assert "takes them as they are" in card.input
    assert predictor(people / "images" / "0.png", np.array([[20.0, 5, 80, 155]])).points.shape == (1, 17, 2)


def test_validation_shows_the_authors_crop_and_keeps_points_outside(people):
    found = samples(people)[None, 0]
    entry = samples(people).entries[0]
    box = as_published(entry.box, entry.record)[0]
    centre, scale = msra.centre_and_scale(np.r_[box[:2], box[2:] - box[:2]], (128, 96))
    picture = decode(entry.record.path.read_bytes(), "it")
    wanted = msra.crop(picture, centre, scale, (128, 96))
    assert np.abs(found.pictures.permute(1, 2, 0).numpy().astype(int) - wanted).max() <= 2
    half = samples(people, windows={"half_body": 1.0})
    points = torch.stack([half[e, 0].points for e in range(8)])
    assert torch.isfinite(points).all()  # as theirs, whose bumps may reach in from outside
    assert ((points < 0) | (points > torch.tensor([96, 128]))).any()


def test_a_mirrored_person_has_a_left_hand_on_the_other_side(people):
    plain, mirrored = (
        samples(people, windows=None, augmentation={"others": "none", "flip": f})[0, 0] for f in (0.0, 1.0)
    )
    order = COCO17.mirrored
    swapped = mirrored.points[order]
    torch.testing.assert_close(swapped[:, 0], 96 - plain.points[:, 0], atol=1e-4, rtol=0)
    torch.testing.assert_close(mirrored.pictures.flip(-1).float(), plain.pictures.float(), atol=6, rtol=0)


def test_the_loss_is_half_the_mean_square_and_unlabelled_joints_weigh_nothing():
    points = torch.tensor([[[8.5, 8.5], [np.nan, np.nan]]])
    batch = Batch(
        torch.zeros(1, 3, 32, 32, dtype=torch.uint8),
        points,
        torch.tensor([[False, True]]),
        torch.ones(1),
        ("a",),
    )
    two = Skeleton("two", ("a", "b"))
    settings = recipe.validated(SETTINGS, "people")
    targets = PUBLISHED.targets(batch, (4,), two, settings)
    assert targets.weights.tolist() == [[1.0, 0.0]] and targets.levels[0][0, 0, 2, 2] == 1  # 8 px is cell 2
    flat = [torch.zeros(1, 2, 8, 8)]
    wanted = 0.5 * (targets.levels[0] ** 2).sum() / (2 * 64)
    assert PUBLISHED.loss(flat, targets, settings) == pytest.approx(float(wanted))
    assert joints_mse([torch.ones(1, 1, 2, 2)] * 2, [torch.zeros(1, 1, 2, 2)] * 2, torch.ones(1, 1)) == 1
    assert task_of(settings) is PUBLISHED


def test_a_part_of_somebody_else_is_pasted_and_its_labels_go_when_asked(people):
    occlusion = {"partmix": 1.0, "removal": "under"}
    plain = {"windows": None, "augmentation": "none"}
    mixed, clean = samples(people, occlusion=occlusion, **plain), samples(people, **plain)
    assert len(mixed.bank["left_arm"]) == 6 and mixed.bank["left_arm"][0].shape[2] == 3
    changed = 0
    for epoch in range(4):
        here, there = mixed[epoch, 0], clean[epoch, 0]
        differs = (here.pictures != there.pictures).any()
        changed += int(differs)
        lost = here.unlabelled & ~there.unlabelled
        assert bool(lost.any()) == bool(differs) and torch.isnan(here.points[lost]).all()
    assert changed >= 3  # now and then a part without an area


def test_hiding_by_chance_is_the_same_on_any_worker_and_only_where_asked(people):
    hidden = samples(people, occlusion={"blur": 1.0, "cutout": 1.0}, windows=None, augmentation="none")
    clean = samples(people, windows=None, augmentation="none")
    assert torch.equal(hidden[0, 1].pictures, hidden[0, 1].pictures)
    differs = (hidden[0, 1].pictures != clean[0, 1].pictures).any(0)
    assert 0 < int(differs.sum()) <= 2 * 113  # two discs of radius 6
    assert torch.equal(hidden[None, 1].pictures, clean[None, 1].pictures)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"occlusion": {"blurr": 1}}, "no occlusion is called 'blurr' .did you mean 'blur'"),
        ({"occlusion": {"blur": 2}}, "occlusion.blur: a probability lies in .0, 1., got 2"),
        ({"windows": {"rotate": 180}}, r"windows.rotate lies in \[0, 90\], got 180"),
        ({"head": "heatmap", "occlusion": {"blur": 1, "removal": "wide"}}, "set absent: ignore"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(settings, said):
    with pytest.raises(UserError, match=said):
        recipe.validated(SETTINGS | settings, "people")


def test_half_a_body_of_a_tool_is_refused(tmp_path):
    (tmp_path / "images").mkdir()
    tool = Skeleton("tool", ("a", "b"))
    path = tmp_path / "images" / "0.jpg"
    path.write_bytes(encode_jpeg(np.zeros((64, 64, 3), np.uint8), 90))
    poses = Poses(tool, np.array([[[20.0, 20], [40, 40]]]), boxes=np.array([[10.0, 10, 50, 50]]))
    coco.write(tmp_path, tool, [Record(path, (64, 64), poses, 1)])
    with pytest.raises(UserError, match="windows.half_body needs a part 'lower_body', and 'tool' has none"):
        samples(tmp_path, windows={"half_body": 1.0})[0, 0]
