import json
from pathlib import Path

import numpy as np
import pytest

from heatmark import skeletons
from heatmark.data import coco, open_dataset, sample
from heatmark.data.boxes import as_published
from heatmark.data.boxes import read as read_boxes
from heatmark.data.records import Record, write_whole
from heatmark.errors import DataError, UserError
from heatmark.imaging import encode_jpeg, encode_png
from heatmark.types import Poses, Skeleton

WRENCH = Skeleton(
    "wrench",
    ("jaw_a", "jaw_b", "left_x", "right_x"),
    bones=(("jaw_a", "jaw_b"),),
    mirror=(("left_x", "right_x"),),
    interchangeable=(("jaw_a", "jaw_b"),),
    parts={"head": ("jaw_a",)},
    sigmas={"jaw_a": 0.1},
)


@pytest.fixture
def folder(tmp_path):
    """Two pictures of 40 x 30, the first with two wrenches, the second with none, by our own writer."""
    records = []
    for n in range(2):
        path = tmp_path / "images" / f"{n}.jpg"
        write_whole(path, encode_jpeg(np.full((30, 40, 3), 100 + n, np.uint8)))
        records.append(
            Record(path, (30, 40), poses() if n == 0 else Poses.empty(WRENCH), n + 1, {"session": f"s{n}"})
        )
    coco.write(tmp_path, WRENCH, records)
    return tmp_path


def poses():
    points = np.array(
        [[[1.234, 2.345], [39.9, 0.1], [np.nan] * 2, [5, 5]], [[0, 0], [40, 30], [8, 9], [np.nan] * 2]]
    )
    visibility = np.array([[2, 1, 0, 2], [1, 2, 2, 0]])
    return Poses(WRENCH, points, visibility=visibility, boxes=np.array([[1, 2, 30.5, 20], [0, 0, 40, 30]]))


def changed(folder, change):
    raw = json.loads((folder / "annotations.json").read_text())
    change(raw)
    (folder / "annotations.json").write_text(json.dumps(raw))
    return folder


def test_what_is_written_is_read_again(folder):
    dataset = open_dataset(folder)
    assert len(dataset) == 2 and dataset.skeleton == WRENCH
    first, second = dataset
    np.testing.assert_allclose(first.poses.points, poses().points, atol=1e-2)
    np.testing.assert_array_equal(first.poses.visibility, poses().visibility)
    np.testing.assert_allclose(first.poses.boxes, poses().boxes, atol=1e-2)
    assert len(second.poses) == 0 and second.extra == {"session": "s1"}
    assert first.size == (30, 40) and sample(first).picture.shape == (30, 40, 3)


def test_read_and_written_twice_is_the_same_file(folder):
    before = (folder / "annotations.json").read_text()
    dataset = open_dataset(folder)
    coco.write(folder, dataset.skeleton, dataset.records, dataset.info)
    again = json.loads((folder / "annotations.json").read_text())
    assert again == json.loads(before)


def test_keypoints_count_from_zero_in_the_file_and_boxes_from_the_edge(folder):
    annotation = json.loads((folder / "annotations.json").read_text())["annotations"][0]
    assert annotation["keypoints"][:6] == [0.734, 1.845, 2, 39.4, -0.4, 1]
    assert annotation["keypoints"][6:9] == [0, 0, 0]
    assert annotation["bbox"] == [1, 2, 29.5, 18] and annotation["num_keypoints"] == 3


def test_unknown_fields_are_kept_out_of_the_way_and_written_back(folder):
    changed(folder, lambda raw: raw["annotations"][0].update(segmentation=[[0, 0, 9, 0, 9, 9]], hand="left"))
    record = open_dataset(folder)[0]
    assert record.instances[0]["hand"] == "left" and len(record.instances) == 2
    coco.write(folder, WRENCH, [record])
    assert json.loads((folder / "annotations.json").read_text())["annotations"][0]["hand"] == "left"


def test_crowds_are_no_instances_but_are_kept(folder):
    crowd = {"id": 77, "image_id": 1, "category_id": 1, "iscrowd": 1, "bbox": [0, 0, 9, 9]}
    changed(folder, lambda raw: raw["annotations"].append(crowd))
    record = open_dataset(folder)[0]
    assert len(record.poses) == 2 and record.crowd[0]["id"] == 77
    coco.write(folder, WRENCH, [record])
    assert open_dataset(folder)[0].crowd == record.crowd


def test_whatever_has_no_id_gets_one_that_is_nobody_elses(folder):
    path, crowd = folder / "images" / "0.jpg", {"iscrowd": 1, "bbox": [0, 0, 9, 9]}
    named = Record(path, (30, 40), poses(), 1, instances=({"id": 2}, {"id": 2}), crowd=(crowd,))
    nameless = Record(folder / "images" / "1.jpg", (30, 40), poses(), 2, crowd=(crowd | {"id": 1},))
    coco.write(folder, WRENCH, iter([named, nameless]))
    written = json.loads((folder / "annotations.json").read_text())["annotations"]
    assert [one["id"] for one in written] == [2, 3, 4, 5, 6, 1]
    assert [len(record.crowd) for record in open_dataset(folder)] == [1, 1]


def first(raw):
    return raw["annotations"][0]


def second(raw):
    return raw["images"][1]


FAULTS = {
    "keypoints.*wanted 4 times x, y, v, got 3 values": lambda r: first(r).update(keypoints=[1, 2, 3]),
    "annotation 1: keypoints: .*not finite": lambda r: first(r)["keypoints"].__setitem__(0, float("nan")),
    "annotation 1: keypoints: v must be 0, 1 or 2, got 3": lambda r: first(r)["keypoints"].__setitem__(2, 3),
    "annotation 1: keypoints: .*outside the 40 x 30": lambda r: first(r)["keypoints"].__setitem__(0, 55),
    "annotation 2: num_keypoints: 9 is said, 3": lambda r: r["annotations"][1].update(num_keypoints=9),
    "annotation 1: bbox: wanted a width": lambda r: first(r).update(bbox=[1, 2, -3, 4]),
    "annotation 1: bbox: wanted four": lambda r: first(r).update(bbox=[1, 2, "3", 4]),
    "annotation 1: bbox: .*lies outside the 40 x 30": lambda r: first(r).update(bbox=[41, 2, 3, 4]),
    "annotation 1: area: wanted a finite number of 0 or more, got 'a'": lambda r: first(r).update(area="a"),
    "annotation 1: area: .*got nan": lambda r: first(r).update(area=float("nan")),
    "annotation 1: area: .*got -5": lambda r: first(r).update(area=-5),
    "annotation 1: iscrowd: wanted 0 or 1, got 2": lambda r: first(r).update(iscrowd=2),
    "annotation 1: bbox: .*of every crowd": lambda r: first(r).update(iscrowd=1, bbox=None),
    "annotation 1: image_id: there is no image 9": lambda r: first(r).update(image_id=9),
    "annotation 1: category_id: there is no category 4": lambda r: first(r).update(category_id=4),
    "annotation 1: id: the id stands twice": lambda r: r["annotations"][1].update(id=1),
    "image 2: file_name: the picture .*gone.jpg is missing": lambda r: second(r).update(file_name="gone.jpg"),
    "image 2: file_name: '0.jpg' stands twice": lambda r: second(r).update(file_name="0.jpg"),
    "image 2: file_name: .* leaves the dataset": lambda r: second(r).update(file_name="../../etc/passwd"),
    "image 2: width: wanted a positive": lambda r: second(r).update(width=0),
    "image 1: id: the id stands twice": lambda r: second(r).update(id=1),
    "annotations: wanted a list, it is missing": lambda r: r.pop("annotations"),
    "no category has keypoints": lambda r: r["categories"][0].pop("keypoints"),
    "category 1: skeleton: counts keypoints 1": lambda r: r["categories"][0].update(skeleton=[[0, 1]]),
    "category 1: skeleton: wanted pairs": lambda r: r["categories"][0].update(skeleton="abc"),
    "annotation 1: keypoints: .*finite": lambda r: first(r)["keypoints"].__setitem__(0, 10**400),
    "annotation 1: category_id: there is no category \\[\\]": lambda r: first(r).update(category_id=[]),
    "annotation 1: bbox: wanted four finite numbers, got .*e\\+308": lambda r: first(r).update(
        bbox=[1, 2, 1e308, 9]
    ),
    "image 2: width: wanted a positive whole number, got 1000000": lambda r: second(r).update(width=10**400),
    "category 1: int too large": lambda r: r["categories"][0].update(sigmas={"jaw_a": 10**400}),
    "category 1: .*'nose'": lambda r: r["categories"][0].update(mirror=[["nose", "jaw_a"]]),
}  # fmt: skip


@pytest.mark.parametrize("says", FAULTS)
def test_every_fault_names_the_file_the_entry_and_the_field(folder, says):
    changed(folder, FAULTS[says])
    with pytest.raises(DataError, match=says) as error:
        open_dataset(folder)
    assert str(error.value).startswith(f"{folder / 'annotations.json'}: ") and "\n" not in str(error.value)


def test_examine_lists_every_fault_and_keeps_the_rest(folder):
    changed(
        folder, lambda r: (r["annotations"][0].update(bbox=[0]), r["images"][1].update(file_name="gone.jpg"))
    )
    dataset, faults = coco.examine(folder)
    assert [(f.where, f.field) for f in faults] == [("image 2", "file_name"), ("annotation 1", "bbox")]
    assert dataset is not None and len(dataset) == 1 and len(dataset[0].poses) == 1
    with pytest.raises(DataError, match="and 1 more"):
        open_dataset(folder)


def test_one_of_several_categories_is_chosen_by_name(folder):
    other = {"id": 2, "name": "cup", "keypoints": ["rim"]}
    cup = {"category_id": 2, "keypoints": [1, 1, 2], "num_keypoints": 1}
    changed(folder, lambda r: (r["categories"].append(other), r["annotations"][1].update(cup)))
    with pytest.raises(UserError, match="choose one: cup, wrench"):
        open_dataset(folder)
    assert open_dataset(folder, "cup")[0].poses.points.tolist() == [[[1.5, 1.5]]]
    assert len(open_dataset(folder, "wrench")[0].poses) == 1
    with pytest.raises(UserError, match="did you mean 'cup'"):
        open_dataset(folder, "cups")


def test_cocos_own_person_gets_its_mirror_and_tolerances(folder):
    category = {
        "id": 1,
        "name": "person",
        "keypoints": list(skeletons.COCO17.landmarks),
        "skeleton": [[1, 2]],
    }
    changed(folder, lambda r: r.update(categories=[category], annotations=[]))
    skeleton = open_dataset(folder).skeleton
    assert len(skeleton.mirror) == 8 and skeleton.tolerances[0] == 0.026
    assert skeleton.parts == skeletons.COCO17.parts


def test_broken_json_and_wrong_paths_are_one_line(tmp_path):
    with pytest.raises(UserError, match="no annotations.json"):
        open_dataset(tmp_path)
    with pytest.raises(UserError, match="no such file"):
        open_dataset(tmp_path / "gone.json")
    for text, says in (
        ("", "empty"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON .*recursion"),
        ("[]", "got a list"),
        ("{}", "images: wanted a list"),
    ):
        (tmp_path / "annotations.json").write_text(text)
        with pytest.raises(DataError, match=says):
            open_dataset(tmp_path)


def test_a_picture_of_another_size_than_its_labels_is_an_error(folder):
    write_whole(folder / "images" / "0.jpg", encode_jpeg(np.zeros((40, 30, 3), np.uint8)))
    with pytest.raises(DataError, match="the picture is 30 x 40, its labels are for 40 x 30"):
        sample(open_dataset(folder)[0])


def test_masks_and_depths_beside_the_pictures_are_read(folder):
    write_whole(folder / "masks" / "0.png", encode_png(np.full((30, 40), 2, np.uint8)))
    write_whole(folder / "depth" / "0.png", encode_png(np.eye(30, 40).astype(np.uint16) * 1500))
    both = sample(open_dataset(folder)[0], planes=True)
    assert both.mask is not None and both.depth is not None
    assert (both.mask == 2).all() and both.depth[0, 0] == 1.5 and np.isinf(both.depth[0, 1])


def test_what_is_kept_for_nothing_but_writing_must_be_a_number_too(folder):
    changed(folder, lambda raw: first(raw).update(segmentation=[[1, 2, float("nan"), 4, 5, 6]]))
    dataset = open_dataset(folder)
    with pytest.raises(DataError, match="other.json: a value that is not finite cannot be written"):
        coco.write(folder, WRENCH, dataset.records, name="other.json")


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "a.json"
    write_whole(file, b"old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_whole(file, b"new")
    assert file.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_published_networks_see_boxes_clipped_however_far_they_reach_out():
    poses = Poses(skeletons.COCO17, np.full((4, 17, 2), np.nan), boxes=np.array(
        [[10, 10, 30, 40], [-5, 90, 45, 140], [-60, -60, 20, 30], [300, 5, 309, 14]], float
    ))  # fmt: skip
    seen = as_published(poses.boxes, Record(Path("a.png"), (100, 200), poses))
    assert seen[:3].tolist() == [[10, 10, 29, 39], [0, 90, 49, 99], [0, 0, 79, 89]]
    assert seen[3].tolist() == [300, 5, 309, 14]  # nothing is left of it


def test_boxes_are_given_to_the_picture_of_their_name_and_folder(folder):
    for home in "ab":
        write_whole(folder / "images" / home / "0.jpg", (folder / "images" / "0.jpg").read_bytes())
    places = [folder / "images" / home / "0.jpg" for home in ("b", ".", "a")]
    coco.write(folder, WRENCH, [Record(p, (30, 40), poses()[n % 2], n + 1) for n, p in enumerate(places)])
    records = open_dataset(folder).records
    given, _ = read_boxes(folder / "annotations.json", records)
    assert {i: boxes.boxes.tolist() for i, boxes in given.items()} == {
        record.id: record.poses.boxes.tolist() for record in records
    }
