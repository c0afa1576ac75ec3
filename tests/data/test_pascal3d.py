"""PASCAL3D+ by hand: two pictures of cars, one of PASCAL and one of ImageNet, in the release's folders."""

import numpy as np
import pytest
from pascal3d_release import HEADLIGHT, anchors, thing, write, write_list
from scipy.io import savemat

from heatmark.commands.check import check
from heatmark.data import formats, open_dataset, pascal3d
from heatmark.errors import DataError, UserError


@pytest.fixture
def root(tmp_path):
    seen = anchors(**HEADLIGHT, left_back_trunk=2)
    hidden = anchors(left_front_light=(11.0, 9.0, 1), right_front_light=(31.0, 9.0, 3), left_back_trunk=2)
    write(
        tmp_path, "pascal", "2008_000001", thing(marks=seen), thing("person"), thing(marks=hidden, occluded=1)
    )
    write(tmp_path, "imagenet", "n01_1", thing(marks=seen), thing())
    write_list(tmp_path / pascal3d.MAIN / "car_val.txt", "2008_000001  1", "2008_000002 -1", "2008_000003  0")
    write_list(tmp_path / pascal3d.MAIN / "car_train.txt", "2008_000009 -1")
    write_list(tmp_path / "Image_sets" / "car_imagenet_train.txt", "n01_1")
    write_list(tmp_path / "Image_sets" / "car_imagenet_val.txt", "n01_9")
    return tmp_path


def test_pixels_are_counted_from_the_edge_and_a_box_holds_its_last_pixel(root):
    first = open_dataset(root)[0]
    np.testing.assert_allclose(first.poses.points[0, :2], [[10.5, 8.5], [30.5, 8.5]])
    np.testing.assert_allclose(first.poses.boxes[0], [5, 3, 35, 13])
    assert first.name == "2008_000001.jpg" and first.size == (20, 40)


def test_visible_hidden_and_absent_anchors_are_told_apart(root):
    dataset = open_dataset(root)
    assert dataset.skeleton.landmarks == ("left_front_light", "right_front_light", "left_back_trunk")
    assert dataset.skeleton.mirror == (("left_front_light", "right_front_light"),)
    assert dataset[0].poses.visibility.tolist() == [[2, 2, 0], [2, 1, 0]]
    assert np.isnan(dataset[0].poses.points[0, 2]).all()


def test_objects_of_other_classes_and_without_anchors_are_no_instances(root):
    pascal, imagenet = open_dataset(root)
    assert len(pascal.poses) == 2 and pascal.extra["all_annotated"] is True
    assert len(imagenet.poses) == 1 and imagenet.extra["all_annotated"] is False
    assert imagenet.name == "n01_1.JPEG"


def test_one_object_alone_in_a_file_is_read_too(tmp_path):
    write(tmp_path, "pascal", "a", thing("boat", marks=anchors(head=(2.0, 3.0, 1))), kind="boat")
    (record,) = open_dataset(tmp_path / "Annotations" / "boat_pascal")
    np.testing.assert_allclose(record.poses.points, [[[1.5, 2.5]]])


def test_the_releases_lists_say_what_is_learnt_and_what_is_tested(root):
    assert [r.name for r in pascal3d.read_split(root, "car", "val", ["pascal"])] == ["2008_000001.jpg"]
    assert [r.name for r in pascal3d.read_split(root, "car", "train")] == ["n01_1.JPEG"]
    with pytest.raises(DataError, match="no .mat file of car is in the val lists of imagenet"):
        pascal3d.read_split(root, "car", "val", ["imagenet"])
    with pytest.raises(UserError, match="no split is called 'test'"):
        pascal3d.read_split(root, "car", "test")
    (root / pascal3d.MAIN / "car_val.txt").unlink()
    with pytest.raises(UserError, match="car_val.txt: the list of pictures is missing"):
        pascal3d.read_split(root, "car", "val")


def test_clean_leaves_out_what_is_truncated_occluded_or_difficult(root):
    kept = pascal3d.clean(open_dataset(root))
    assert [len(record.poses) for record in kept] == [1, 1]
    assert kept[0].instances == ({"truncated": 0, "occluded": 0, "difficult": 0},)
    write(root, "pascal", "2008_000001", thing(marks=anchors(**HEADLIGHT), truncated=1))
    assert [record.name for record in pascal3d.clean(open_dataset(root))] == ["n01_1.JPEG"]


def test_check_knows_the_format(root):
    assert formats.guess(root) == "pascal3d" == formats.guess(root / "Annotations" / "car_imagenet")
    found = check(root)
    assert found.ok and dict(found.counts) == {
        "pictures": 2, "instances": 3, "seen": 5, "hidden": 1, "absent": 3
    }  # fmt: skip
    write(root, "pascal", "2008_000001", thing(marks=anchors(left_front_light=(90.0, 9.0, 1))))
    (fault,) = check(root).faults
    assert fault.field == "left_front_light" and "lies outside the picture's 40 x 20" in fault.message


@pytest.mark.parametrize("box", [(100, 100, 200, 200), (-10, -10, -5, -5), (1, 4, np.inf, 13)])
def test_a_box_that_shows_nothing_of_the_picture_is_a_fault(root, box):
    write(root, "pascal", "2008_000001", thing(marks=anchors(**HEADLIGHT), box=box))
    (fault,) = check(root).faults
    assert fault.field == "box" and "lies outside the picture's 40 x 20" in fault.message


@pytest.mark.parametrize(
    ("line", "word"),
    [(b"2008_000001 yes", "line 1: wanted a name and -1, 0 or 1"), (b"\xff 1", "is not UTF-8")],
)
def test_a_list_that_is_none_is_named_with_its_line(root, line, word):
    file = root / pascal3d.MAIN / "car_val.txt"
    file.write_bytes(line)
    with pytest.raises(DataError, match=f"car_val.txt: {word}"):
        pascal3d.read_split(root, "car", "val")


def test_several_classes_want_one_to_be_said(root):
    write(root, "pascal", "a", thing("boat", marks=anchors(head=(2.0, 3.0, 1))), kind="boat")
    with pytest.raises(UserError, match="several classes, say which category: boat, car"):
        open_dataset(root)
    assert open_dataset(root, "boat").skeleton.name == "boat"
    with pytest.raises(UserError, match="no class of PASCAL3D\\+ is called 'boot' \\(did you mean 'boat'"):
        open_dataset(root, "boot")


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("truncated", "not a MATLAB file, or a damaged one"),
        ("empty", "not a MATLAB file, or a damaged one"),
        ("other", "holds no variable `record`"),
        ("shape", "not as PASCAL3D\\+ writes it"),
        ("location", "left_front_light: wanted a location x y"),
        ("picture", "the picture is missing"),
        ("anchors", "no object of the class car has anchors"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(tmp_path, fault, word):
    write(tmp_path, "pascal", "a", thing(marks=anchors(**HEADLIGHT)))
    file = tmp_path / "Annotations" / "car_pascal" / "a.mat"
    if fault == "truncated":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    if fault == "empty":
        file.write_bytes(b"")
    if fault == "other":
        savemat(file, {"recording": 1})
    if fault == "shape":
        savemat(file, {"record": {"filename": "a.jpg"}})
    if fault == "location":
        write(tmp_path, "pascal", "a", thing(marks=anchors(left_front_light=(np.nan, 9.0, 1))))
    if fault == "picture":
        next((tmp_path / "Images").rglob("a.jpg")).unlink()
    if fault == "anchors":
        write(tmp_path, "pascal", "a", thing())
    with pytest.raises(DataError, match=word):
        open_dataset(tmp_path)


def test_every_faulty_anchor_and_file_is_named(root):
    write(root, "pascal", "2008_000007", thing(marks=anchors(left_front_light=(1.0, np.nan, 1))))
    (root / "Annotations" / "car_pascal" / "2008_000008.mat").write_bytes(b"no")
    (root / "Images" / "car_imagenet" / "n01_1.JPEG").unlink()
    faults = [str(fault) for fault in check(root).faults]
    wanted = ["object 1: left_front_light: wanted a location", "not a MATLAB file", "the picture is missing"]
    assert len(faults) == 3 and all(part in line for part, line in zip(wanted, faults)), faults


def test_a_damaged_file_ends_nobody_who_reads_it(root):
    file = root / "Annotations" / "car_pascal" / "2008_000001.mat"
    whole, ends = file.read_bytes(), 0
    for at in (n for n in range(132, len(whole)) if whole[n : n + 4] == b"\x09\0\0\0"):  # a list of doubles
        file.write_bytes(whole[:at] + b"\x26" + whole[at + 1 :])  # is one of a kind that does not exist
        with pytest.raises(DataError, match="2008_000001.mat") as caught:
            open_dataset(root)
        ends += "comes to an end" in str(caught.value)
    assert ends > 0  # scipy's reader in a process of its own
    file.write_bytes(whole)
    assert len(open_dataset(root)) == 2
