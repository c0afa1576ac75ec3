"""Whole pictures with all their persons: samples, masks, targets, losses; and one training that learns."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from heatmark.commands.train import train
from heatmark.data import coco, open_dataset
from heatmark.data.records import Record
from heatmark.errors import UserError
from heatmark.imaging.decode import encode_jpeg
from heatmark.imaging.occlude import Occlusion
from heatmark.imaging.zoom import Zoom
from heatmark.models.layout import Drawn
from heatmark.runtime import load
from heatmark.training import recipe
from heatmark.training.crowd import Crowds, compare, draw, labelled, scenes, task_for
from heatmark.types import Poses, Skeleton

TOTEM = Skeleton(
    "totem",
    ("left", "right", "foot"),
    bones=(("left", "foot"), ("right", "foot")),
    mirror=(("left", "right"),),
    parts={"arms": ("left", "right")},
)
COLOURS = ((250, 30, 30), (30, 230, 30), (40, 60, 250))
SIZE = (64, 96)
SETTINGS = {
    "name": "tiny",
    "model": "clusterwise",
    "task": "crowd",
    "head": "tags",
    "options": {"dense": [1], "sparse": [3], "width": 16, "normed": True},
    "size": [64, 96],
    "embedding": {"kind": "clusterwise", "sigma": 1.5, "pull": 0.01, "push": 0.01},
    "foreground": 20.0,
    "augmentation": "none",
    "optimiser": "adam",
    "lr": 0.01,
    "schedule": "cosine",
    "early_stop": None,
    "batch": 4,
    "workers": 0,
    "epochs": 1,
}


def settings(**changes) -> recipe.Recipe:
    return recipe.validated(SETTINGS | changes, "tiny")


def write_totems(folder, people, crowd=(), unlabelled=()):
    """Pictures with persons at (x, y) of their feet, each 24 high with arms at 10 to either side."""
    (folder / "images").mkdir(parents=True)
    records = []
    for i, feet in enumerate(people):
        points = np.array([[(x - 10, y - 24), (x + 10, y - 24), (x, y)] for x, y in feet], float).reshape(
            -1, 3, 2
        )
        picture = np.full((*SIZE, 3), 110, np.uint8)
        for person in points:
            for point, colour in zip(person, COLOURS):
                cv2.circle(picture, tuple(int(v) for v in point), 3, colour, -1)
        path = folder / "images" / f"{i}.jpg"
        path.write_bytes(encode_jpeg(picture, 95))
        boxes = np.concatenate([points.min(1) - 4, points.max(1) + 4], -1) if len(points) else None
        visibility = np.full(points.shape[:2], 2, np.uint8)
        for n in unlabelled if i == 0 else ():
            visibility[n], points[n] = 0, np.nan
        poses = Poses(TOTEM, points, visibility=visibility, boxes=boxes)  # type: ignore[arg-type]
        records.append(Record(path, SIZE, poses, i + 1, crowd=tuple(crowd) if i == 0 else ()))
    coco.write(folder, TOTEM, records)
    return folder


@pytest.fixture
def totems(tmp_path):
    people = [[(20, 50), (70, 55)], [(48, 40)], [(25, 40), (60, 60)], []]
    return write_totems(tmp_path / "totems", people)


def crowds(folder, **changes) -> Crowds:
    return Crowds(scenes(open_dataset(folder), TOTEM), TOTEM, settings(**changes))


def test_a_sample_is_a_picture_with_everybody_in_it(totems):
    samples = crowds(totems)
    assert len(samples) == 3  # the last picture holds nobody
    one = samples[None, 0]
    assert one.pictures.shape == (3, *SIZE) and one.points.shape == (2, 3, 2)
    assert one.points[1].tolist() == [[60, 31], [80, 31], [70, 55]] and one.masks.min() == 1


def test_persons_are_padded_side_by_side(totems):
    samples = crowds(totems)
    batch = samples.collate([samples[None, i] for i in range(3)])
    assert batch.points.shape == (3, 2, 3, 2) and batch.points[1, 1].isnan().all() and len(batch) == 3
    assert len(labelled(batch, 1, TOTEM)) == 1 and batch.to(torch.device("cpu")).names == batch.names


def test_crowds_and_persons_without_labels_do_not_count(tmp_path):
    region = {"id": 99, "iscrowd": 1, "bbox": [0, 0, 10, 64], "area": 640, "keypoints": [0] * 9}
    folder = write_totems(tmp_path / "t", [[(20, 50), (70, 55)]], [region], unlabelled=[1])
    one = crowds(folder)[None, 0]
    assert one.points.shape[0] == 1
    assert one.masks[:, :10].max() == 0 and one.masks[40, 20] == 1  # the crowd; the labelled person
    assert one.masks[40, 70] == 0 and one.masks[10, 90] == 1  # the other person's box; beside it


def test_mirrored_pictures_swap_names_and_zoomed_ones_are_a_function_of_seed_epoch_and_index(totems):
    samples = crowds(totems, zoom={"rotate": 0, "translate": 0, "least": 1.0, "most": 1.0, "flip": 1.0})
    one = samples[0, 1]  # the short side, 64, fills the height: the same scale, the person in the middle
    left, right, foot = one.points[0].tolist()
    assert foot == pytest.approx([48, 40], abs=0.01) and left == pytest.approx([38, 16], abs=0.01)
    assert tuple(one.pictures[:, 16, 38] > 128) == (False, True, False)  # what was right is left now
    zoomed = crowds(totems, zoom={})
    torch.testing.assert_close(zoomed[3, 0].points, zoomed[3, 0].points, equal_nan=True)
    assert not torch.equal(zoomed[3, 0].pictures, zoomed[4, 0].pictures)


def test_beyond_the_picture_is_nobody_and_that_is_learnt(totems):
    wide = crowds(
        totems, zoom={"side": "long", "rotate": 0, "translate": 0, "least": 2, "most": 2, "flip": 0}
    )
    one = wide[0, 1]  # the window is 192 x 192 on a picture of 96 x 64, shown on 64 x 96
    assert one.masks.min() == 1 and not one.pictures[:, 2].any() and one.pictures[:, 32, 48].any()


def test_everybody_is_hidden_from_by_their_own_chance(totems):
    plain = crowds(totems)
    hidden = crowds(totems, occlusion={"cutout": 1.0, "radius": 5})
    before, after = plain[0, 0], hidden[0, 0]
    changed = (before.pictures != after.pictures).any(0)
    assert changed[:, :45].any() and changed[:, 45:].any()  # one landmark of each person
    torch.testing.assert_close(before.points, after.points)


def test_targets_are_drawn_for_each_cluster_and_weighed_by_the_mask(totems):
    samples = crowds(totems)
    batch = samples.collate([samples[None, 0]])
    layout = (Drawn(((0, 1, 2),), 6), Drawn(((0,), (1,), (2,)), 6, read=True))
    wanted = draw(batch, (4, 4), TOTEM, samples.recipe, layout)
    assert [t.shape for t in wanted.detections] == [(1, 1, 16, 24), (1, 3, 16, 24)]
    torch.testing.assert_close(wanted.detections[0][:, 0], wanted.detections[1].amax(1))
    perfect = [torch.zeros(1, 12, 16, 24) for _ in layout]
    for m, target, one in zip(perfect, wanted.detections, layout):
        m[:, : len(one.clusters)] = target
        m[:, 6:, :, 12:] = 100.0  # persons far apart, and all tags of one alike
    loss = compare(perfect, wanted, samples.recipe, layout)
    ladder = 0.01 * (2 / 3) * 0.03**2  # in the map they share, tags should be 0, 0.03, 0.06 above each other
    assert loss.item() == pytest.approx(ladder, rel=1e-3)
    assert task_for(layout).check is not None


def test_the_published_recipes_show_windows_as_their_programs_draw_them():
    rows = ("pose_ae", "cluster_1", "cluster_2", "in_branch", "cross_branch", "in_cross", "in_cross_1")
    for name in ("pose_ae_coco", "clusterwise_posetrack", *(f"clusterwise_coco/{row}" for row in rows)):
        published = recipe.read(name)
        # turned by 30 degrees, 3/4 to 5/4 of the longer side, moved by 40 of 200 each way, half mirrored
        assert published.zoom == Zoom("long", 0.75, 1.25, rotate=30, translate=0.2, flip=0.5)
        assert published.size == (512, 512) and published.embedding.sigma == 2.0
        assert (published.embedding.pull, published.embedding.push) == (1e-3, 1e-3)
    assert recipe.read("higher_hrnet_coco/w32_512").zoom == Zoom("short", 0.75, 1.5)


def test_recipes_that_mix_tasks_are_told():
    with pytest.raises(UserError, match="head: tags and task: crowd are for pose_ae, higher_hrnet_w32"):
        settings(model="hourglass_2", options={})
    with pytest.raises(UserError, match="are for pose_ae"):
        settings(task="single")
    with pytest.raises(UserError, match="did you mean 'clusterwise'"):
        settings(embedding={"kind": "clusterwis"})
    with pytest.raises(UserError, match="zoom.side is short or long"):
        settings(zoom={"side": "wide"})


@pytest.mark.usefixtures("one_thread")
def test_a_tiny_network_learns_to_find_everybody_and_to_tell_them_apart(totems, tmp_path):
    named = SETTINGS["options"] | {"sparse": [[["left"], ["right"], ["foot"]]]}
    many = [totems] * 16  # so that an epoch is 12 steps, and not all is checking
    out = tmp_path / "run"
    run = train(settings(epochs=36, options=named), data=many, validation=totems, out=out)
    finder = load(run.model)
    heights = finder.card.decoding  # a bump weighs 21 times a background cell: all is drawn higher
    assert heights.threshold == pytest.approx(2.1 / 3) and heights.floor == pytest.approx(0.42 / 1.4)
    assert finder.card.task == "crowd" and finder.card.options["sparse"] == [[[0], [1], [2]]]
    for n, feet in ((0, [20, 70]), (1, [48])):
        best = finder(totems / "images" / f"{n}.jpg")[: len(feet)]  # the surest come first
        assert best.score.min() > 0.5
        np.testing.assert_allclose(np.sort(best.points[:, 2, 0]), feet, atol=4)


def test_a_person_of_one_labelled_landmark_and_a_picture_without_any_in_sight_are_learnt_from(totems):
    samples = crowds(totems)
    batch = samples.collate([samples[None, 0], samples[None, 1]])
    batch.points[0, 0, 1:] = torch.nan  # one landmark of the first person
    batch.points[1] = torch.nan  # nobody
    layout = (Drawn(((0,), (1,), (2,)), 3, read=True),)
    wanted = draw(batch, (4,), TOTEM, samples.recipe, layout)
    assert wanted.detections[0][1].max() == 0
    maps = torch.rand(2, 6, 16, 24, requires_grad=True)
    loss = compare([maps], wanted, samples.recipe, layout)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(maps.grad).all()  # type: ignore[arg-type]
    assert len(labelled(batch, 1, TOTEM)) == 0


@pytest.mark.parametrize(
    ("row", "level"), [("blur", "landmark"), ("cutout", "part"), ("partmix", "landmark")]
)
def test_the_occlusion_studys_rows_hide_something_of_every_person_and_move_no_label(totems, row, level):
    """Its table III: blurring of keypoints, cutout of parts, PartMix, all without removal."""
    chances = recipe.read(f"higher_hrnet_coco/{row}").occlusion
    told: Any = {"level": level, row: 0.5}
    assert chances == Occlusion(**told)
    armed = replace(TOTEM, parts={"left_arm": ("left", "foot"), "right_arm": ("right", "foot")})
    shown = scenes(open_dataset(totems), armed)
    hiding = {"level": level, row: 1.0}
    plain, hidden = (Crowds(shown, armed, settings(occlusion=o)) for o in (None, hiding))
    before, after = plain[0, 0], hidden[0, 0]
    changed = (before.pictures != after.pictures).any(0)
    assert changed[:, :45].any() and changed[:, 45:].any()  # of both persons
    torch.testing.assert_close(before.points, after.points)
