"""Samples: a function of (seed, epoch, index) alone; what is cut out; what is kept apart."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import write_sticks

from heatmark.data import open_dataset
from heatmark.data.records import Dataset, Record
from heatmark.errors import DataError, UserError
from heatmark.training import loader, recipe
from heatmark.types import Poses, Skeleton

TOOL = Skeleton("tool", ("a", "b"))


def samples(folder, tiny, **settings):
    dataset = open_dataset(folder)
    return loader.Samples(
        loader.entries(dataset, dataset.skeleton), dataset.skeleton, recipe.validated(tiny | settings, "tiny")
    )


def epoch(found, workers, number=1, start=0):
    order = loader.Order(len(found), found.recipe.model_copy(update={"workers": workers}))
    order.epoch, order.start = number, start
    found.recipe = order.recipe
    return list(loader.sound(loader.training_loader(found, order)))


def same(one, other):
    return all(
        torch.equal(getattr(one, n).nan_to_num(-1), getattr(other, n).nan_to_num(-1)) for n in loader.TENSORS
    )


def test_workers_change_nothing(sticks, tiny):
    found = samples(sticks, tiny)
    alone, shared = epoch(found, 0), epoch(found, 2)
    assert len(alone) == len(shared) == 3 and all(map(same, alone, shared))


def test_an_epoch_taken_up_later_goes_on_with_the_same_batches(sticks, tiny):
    found = samples(sticks, tiny)
    assert all(map(same, epoch(found, 0)[2:], epoch(found, 0, start=2)))


def test_every_sample_once_an_epoch_in_an_order_of_its_own(sticks, tiny):
    found = samples(sticks, tiny)
    first, second = ([n for b in epoch(found, 0, e) for n in b.names] for e in (0, 1))
    assert sorted(first) == sorted(second) == sorted(e.record.name for e in found.entries) and first != second


def test_processes_share_an_epoch(tiny):
    settings = recipe.validated(tiny | {"batch": 3}, "tiny")
    shares = [[i for b in loader.Order(11, settings, rank, 2) for _, i in b] for rank in (0, 1)]
    assert not set(shares[0]) & set(shares[1]) and len(shares[0]) == len(shares[1]) == 5


def test_a_last_batch_of_one_is_left_out(tiny):
    order = loader.Order(9, recipe.validated(tiny, "tiny"))
    assert [len(b) for b in order] == [4, 4] and len(order) == 2
    for rank in (0, 1):  # of 11, eight and then three for two processes: one for each
        order = loader.Order(11, recipe.validated(tiny, "tiny"), rank, 2)
        assert [len(b) for b in order] == [4] and len(order) == 1


def test_epochs_and_seeds_vary_a_sample_and_validation_does_not(sticks, tiny):
    found = samples(sticks, tiny)
    assert same(found[1, 0], found[1, 0]) and not same(found[1, 0], found[2, 0])
    assert not same(found[1, 0], samples(sticks, tiny, seed=1)[1, 0])
    assert same(found[None, 0], samples(sticks, tiny, augmentation="none")[None, 0])


def test_points_stay_on_their_pixels(sticks, tiny):
    for item in (samples(sticks, tiny)[3, 2], samples(sticks, tiny, whole=1.0)[None, 2]):
        for point, channel in zip(item.points, (0, 2)):  # a red end and a blue end
            if torch.isfinite(point).all():
                x, y = (int(v) for v in point)
                assert item.pictures[channel, y, x] > 150 > item.pictures[1, y, x]


def test_whole_pictures_or_boxes(sticks, tiny):
    whole, box = (
        samples(sticks, tiny, whole=1.0)[None, 0],
        samples(sticks, tiny, whole=0.0, enlarge=1.0)[None, 0],
    )
    assert whole.sides < 50 and box.sides == pytest.approx(64)


def test_without_context_only_the_box_is_seen_and_points_stay_on_their_pixels(sticks, tiny):
    seen, alone = (samples(sticks, tiny, whole=0.0, context=c) for c in (1.0, 0.0))
    lost = 0
    for i in range(6):
        shown, hidden = seen[None, i], alone[None, i]
        assert torch.equal(shown.points.nan_to_num(-1), hidden.points.nan_to_num(-1))
        painted = (hidden.pictures == 0).all(0) & (shown.pictures != 0).any(0)
        lost += painted.float().mean()
        for point, channel in zip(hidden.points, (0, 2)):
            if torch.isfinite(point).all():
                x, y = (int(v) for v in point)
                assert hidden.pictures[channel, y, x] > 150
    assert 0.05 < lost / 6 < 0.9


def test_in_the_box_of_something_else_there_is_nothing_and_it_is_seen_alone(sticks, tiny):
    hammers = Skeleton("hammer", ("face", "claw"))
    others = loader.negatives(open_dataset(sticks), hammers)
    settings = recipe.validated({**tiny, "whole": 1.0}, "tiny")
    shown = loader.Samples(others, hammers, settings)
    for batch in (shown[0, 0], shown[None, 0]):
        assert torch.isnan(batch.points).all() and batch.unlabelled.all()
    assert shown[None, 0].sides == pytest.approx(64 / settings.enlarge)  # the box, whatever `whole` says
    painted = [
        sum((found[None, i].pictures == 0).all(0).float().mean() for i in range(6))
        for found in (shown, samples(sticks, tiny, whole=0.0))
    ]
    assert painted[0] > painted[1]  # what lies around a box is never seen


def test_negatives_are_a_share_of_the_samples_drawn_by_the_seed():
    found = [str(i) for i in range(50)]  # anything will do
    few = loader.some(found, 7, seed=3)
    assert len(few) == len(set(few)) == 7 and few == sorted(few, key=int)
    assert few == loader.some(found, 7, seed=3) != loader.some(found, 7, seed=4)
    assert loader.some(found, 50, seed=3) == found


def test_a_whole_picture_may_be_shown_small(sticks, tiny):
    whole, small = (samples(sticks, tiny, whole=1.0, whole_scale=s)[None, 0] for s in ((1, 1), (0.5, 0.5)))
    assert float(small.sides) == pytest.approx(float(whole.sides) / 2, rel=1e-3)
    with pytest.raises(UserError, match="whole_scale is a range"):
        samples(sticks, tiny, whole_scale=(0.5, 0.2))


def test_a_search_shows_any_part_of_a_picture_alone_and_what_of_the_object_is_there(sticks, tiny):
    found = samples(sticks, tiny, search=1.0, augmentation="none")
    seen = [found[epoch, i] for epoch in range(8) for i in range(len(found))]
    there = torch.stack([torch.isfinite(batch.points).all(-1) for batch in seen])
    assert {0, 1, 2} == set(there.sum(1).tolist()) and not torch.stack([b.unlabelled for b in seen]).any()
    for batch, shown in zip(seen, there):
        for (x, y), channel in zip(batch.points[shown], np.flatnonzero(shown) * 2):  # red is red, blue blue
            assert batch.pictures[channel, min(int(y), 63), min(int(x), 63)] > 110
    edges = [(batch.pictures[:, :, :1] == batch.pictures[:, :1, :1]).all() for batch in seen]
    assert sum(edges) > len(seen) / 10  # painted over, beside what is narrower than the input


def test_a_search_is_for_an_object_that_is_alone(sticks, tiny):
    crowded = samples(sticks, tiny, search=1.0, augmentation="none")
    crowded.entries = [replace(entry, alone=False) for entry in crowded.entries]
    assert all(map(same, [crowded[0, 3]], [samples(sticks, tiny, augmentation="none")[0, 3]]))
    with pytest.raises(UserError, match="search is for task: single, head: heatmap and absent: zero"):
        samples(sticks, tiny, search=0.2, absent="ignore")


def test_a_small_cache_decodes_each_time_and_gives_the_same(sticks, tiny):
    kept, opened = samples(sticks, tiny), samples(sticks, tiny, cache_mb=0)
    assert len(kept.pictures) == 12 and not opened.pictures and same(kept[0, 3], opened[0, 3])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_picture_that_is_broken_is_named_in_one_line_wherever_it_is_opened(tmp_path, tiny, workers):
    found = samples(write_sticks(tmp_path / "data", 1), tiny, cache_mb=0)
    picture = found.entries[0].record.path
    picture.write_bytes(picture.read_bytes()[:900])
    with pytest.raises(DataError) as fault:
        epoch(found, workers)
    assert str(fault.value) == f"{picture}: the picture is truncated"


def test_of_several_objects_in_a_whole_picture_the_middle_one_is_meant(tmp_path, sticks, tiny):
    plain = open_dataset(sticks)
    two = np.array([[[10.0, 10], [20, 20]], [[40, 30], [60, 50]]])
    boxes = np.array([[10.0, 10, 20, 20], [40, 30, 60, 50]])
    both = Poses(plain.skeleton, two, boxes=boxes)
    together = Dataset(tmp_path, plain.skeleton, (Record(plain[0].path, (64, 64), both, 1),))
    found = loader.entries(together, plain.skeleton)
    settings = tiny | {"whole": 1.0, "whole_scale": (0.5, 1.0), "augmentation": {"translate": [-0.4, 0.4]}}
    seen = loader.Samples(found, plain.skeleton, recipe.validated(settings, "tiny"))
    for epoch in (None, 0, 1):
        for i in (0, 1):
            assert seen[epoch, i].points.mean(0).numpy() == pytest.approx((32, 32), abs=2.5)


def record(tmp_path, points, **more):
    return Record(tmp_path / "x.jpg", (40, 50), Poses(TOOL, points, **more))


def test_a_box_that_is_missing_is_drawn_around_the_points(tmp_path):
    nan = np.nan
    points = np.array(
        [[[10, 10], [30, 20]], [[5, 5], [nan, nan]], [[nan, nan], [nan, nan]], [[9, 9], [8, 8]]]
    )
    visible = np.array([[2, 1], [2, 0], [0, 0], [0, 1]])
    found = loader.entries(Dataset(tmp_path, TOOL, (record(tmp_path, points, visibility=visible),)), TOOL)
    assert [e.box.tolist() for e in found] == [[10, 10, 30, 20], [0, 0, 50, 40], [0, 0, 50, 40]]
    assert (
        np.isnan(found[2].points[0]).all() and not found[0].alone
    )  # labelled absent, whatever its coordinates


def test_landmarks_come_in_the_order_asked_for(tmp_path):
    points = np.array([[[10.0, 10], [30, 20]]])
    found = loader.entries(Dataset(tmp_path, TOOL, (record(tmp_path, points),)), Skeleton("t", ("b", "a")))
    assert found[0].points.tolist() == [[30, 20], [10, 10]]


def test_copies_of_a_scene_are_kept_apart_together(sticks):
    kept, apart = loader.split(open_dataset(sticks), 0.3, seed=0)
    scenes = [{r.extra["index"] for r in side} for side in (kept, apart)]
    assert len(kept) == 8 and len(apart) == 4 and not scenes[0] & scenes[1]


def test_nothing_to_learn_from_is_said():
    with pytest.raises(DataError, match="nowhere: no object with a labelled landmark"):
        loader.worth_training([], [], "nowhere")
