"""Boxes without landmarks: SKU-110K, COCO and YOLO say the same, and what is faulty is named and left out."""

import json

import numpy as np
import pytest
from PIL import Image

from heatmark import data
from heatmark.data import boxed, formats, sku110k
from heatmark.errors import DataError, UserError
from heatmark.geometry import Frame, flip
from heatmark.imaging.augment import framed

BOXES = np.array([[2.0, 3, 12, 18], [12, 3, 22, 18]])  # in a picture of 40 x 20


def picture(path, size=(20, 40)):
    path.parent.mkdir(parents=True, exist_ok=True)
    shade = np.arange(size[0] * size[1] * 3, dtype=np.uint8).reshape(*size, 3)
    Image.fromarray(shade).save(path)
    return path


def as_sku(folder, rows=None, name="a.jpg"):
    picture(folder / "images" / name)
    rows = rows or [f"{name},{','.join(str(int(v)) for v in b)},object,40,20" for b in BOXES]
    file = folder / "annotations" / "annotations_val.csv"
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(rows) + "\n")
    return folder


def as_coco(folder, **changes):
    picture(folder / "images" / "a.jpg")
    labels = [
        {"id": n + 1, "image_id": 7, "category_id": 1, "bbox": [x1, y1, x2 - x1, y2 - y1]}
        for n, (x1, y1, x2, y2) in enumerate(BOXES.tolist())
    ]
    labels[0] |= changes
    raw = {
        "images": [{"id": 7, "file_name": "a.jpg", "width": 40, "height": 20}],
        "annotations": labels,
        "categories": [{"id": 1, "name": "product"}],
    }
    (folder / "annotations.json").write_text(json.dumps(raw))
    return folder


def as_yolo(folder, lines=("0 0.175 0.525 0.25 0.75", "0 0.425 0.525 0.25 0.75")):
    picture(folder / "images" / "train" / "a.jpg")
    (folder / "labels" / "train").mkdir(parents=True)
    (folder / "labels" / "train" / "a.txt").write_text("\n".join(lines))
    (folder / "data.yaml").write_text("train: images/train\nval: images/train\nnames: {0: product}\n")
    return folder


FORMS = {"sku110k": as_sku, "coco-boxes": as_coco, "yolo-boxes": as_yolo}


@pytest.mark.parametrize("form", FORMS)
def test_every_format_is_told_apart_and_says_the_same(form, tmp_path):
    folder = FORMS[form](tmp_path)
    assert formats.guess(folder) == form
    dataset = data.open_dataset(folder)
    assert dataset.skeleton.name == "product" and len(dataset) == 1 and not dataset.info
    record = dataset[0]
    assert record.size == (20, 40)
    np.testing.assert_allclose(record.poses.boxes, BOXES, atol=1e-9)
    assert np.isnan(record.poses.points).all() and (record.poses.visibility == 0).all()
    assert (record.poses.score == 1).all()
    assert data.sample(record).picture.shape == (20, 40, 3)


def test_a_truncated_picture_is_named_and_not_fatal(tmp_path):
    rows = [f"{n}.jpg,1,2,9,9,object,40,20" for n in ("a", "b")]
    as_sku(tmp_path, rows)
    whole = (tmp_path / "images" / "a.jpg").read_bytes()
    (tmp_path / "images" / "b.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    dataset = sku110k.read(tmp_path)
    assert [r.name for r in dataset] == ["a.jpg"]
    (line,) = dataset.info["left_out"]
    assert line.endswith("b.jpg: the picture is truncated: the file ends before the JPEG does")


def test_faulty_boxes_are_left_out_with_a_clear_line_each(tmp_path):
    rows = [
        "a.jpg,2,3,12,18,object,40,20",
        "a.jpg,9,3,9,18,object,40,20",
        "a.jpg,41,3,50,18,object,40,20",
        "a.jpg,-4,3,9,18,object,40,20",
    ]
    dataset = sku110k.read(as_sku(tmp_path, rows))
    assert dataset[0].poses.boxes.tolist() == [[2, 3, 12, 18], [-4, 3, 9, 18]]  # half outside is right
    assert dataset.info["left_out"] == (
        "annotations_val.csv: line 2: box: wanted x1 < x2 and y1 < y2, got 9, 3, 9, 18",
        "annotations_val.csv: line 3: box: 41, 3, 50, 18 lies outside the 40 x 20 picture",
    )


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a.jpg,2,3,12,18,object", "line 1: wanted the columns image, x1, y1, x2, y2, class, W, H, got 6"),
        ("a.jpg,2,three,12,18,object,40,20", "line 1: y1: wanted a number, got 'three'"),
        ("a.jpg,2,3,12,18,object,80,20", "the picture is 40 x 20, its labels are for 80 x 20"),
        ("b.jpg,2,3,12,18,object,40,20", "b.jpg: the picture is missing"),
    ],
)
def test_what_makes_a_file_useless_is_said_in_one_line(row, said, tmp_path):
    with pytest.raises(DataError, match=said):
        sku110k.read(as_sku(tmp_path, [row]))


def test_splits_must_be_chosen(tmp_path):
    as_sku(tmp_path)
    (tmp_path / "annotations" / "annotations_test.csv").write_text("a.jpg,1,2,3,4,object,40,20\n")
    with pytest.raises(UserError, match="several splits, say which: .*annotations_test.csv, "):
        sku110k.read(tmp_path)


def test_cocos_faults_are_named_by_annotation(tmp_path):
    dataset = boxed.read_coco(as_coco(tmp_path, bbox=[2, 3, 0, 5]))
    assert len(dataset[0].poses) == 1
    assert dataset.info["left_out"][0].startswith("annotations.json: annotation 1: box: wanted x1 < x2")
    dataset = boxed.read_coco(as_coco(tmp_path, bbox="wide"))
    assert "wanted four finite numbers" in dataset.info["left_out"][0]
    with pytest.raises(UserError, match="no category is called 'can'; there are: product"):
        boxed.read_coco(tmp_path, "can")


def test_cocos_crowds_are_kept_aside_and_labels_of_no_picture_are_named(tmp_path):
    file = as_coco(tmp_path, iscrowd=1) / "annotations.json"
    raw = json.loads(file.read_text())
    raw["annotations"].append(raw["annotations"][1] | {"id": 9, "image_id": 8})
    file.write_text(json.dumps(raw))
    dataset = boxed.read_coco(tmp_path)
    assert dataset[0].poses.boxes.tolist() == BOXES[1:].tolist()
    assert [boxed.corners_of(region).tolist() for region in dataset[0].crowd] == BOXES[:1].tolist()
    assert dataset.info["left_out"] == ("annotations.json: annotation 9: image_id: no image has the id 8",)


@pytest.mark.parametrize("outline", [[2, 2, 12, 12, 12, 2, 2, 12], [2, 2, 12, 2, 4, 4, 2, 12]])
def test_four_corners_that_are_no_quadrilateral_are_a_box_alone(outline, tmp_path):
    """Crossed, or dented: no homography carries a bump into it."""
    poses = boxed.read_coco(as_coco(tmp_path, segmentation=[outline]))[0].poses
    assert poses.boxes[0].tolist() == [2, 2, 12, 12] and np.isnan(poses.points[0]).all()


def test_yolos_faults_name_file_and_line(tmp_path):
    with pytest.raises(DataError, match=r"a.txt: line 2: wanted 5 numbers, or 9 of an oriented box, got 4"):
        boxed.read_yolo(as_yolo(tmp_path, ("0 0.5 0.5 0.1 0.1", "0 0.1 0.2 0.3")))


@pytest.mark.parametrize("number", ["5", "0.7", "nan", "inf"])
def test_a_box_of_a_class_that_does_not_exist_is_left_out_and_named(number, tmp_path):
    dataset = data.open_dataset(as_yolo(tmp_path, ("0 0.175 0.525 0.25 0.75", f"{number} .5 .5 .2 .2")))
    assert len(dataset[0].poses) == 1
    (line,) = dataset.info["left_out"]
    assert line.endswith(f"a.txt: line 2: class {number}, names has 0")


def test_oriented_boxes_keep_their_corners_through_files_and_flips(tmp_path):
    corners = np.array([[10.0, 2], [20, 6], [18, 14], [8, 10]])
    flat = " ".join(f"{v:.9f}" for v in (corners / [40, 20]).ravel())
    yolo = boxed.read_yolo(as_yolo(tmp_path / "y", (f"0 {flat}",)))[0]
    outline = [corners[[2, 1, 0, 3]].ravel().tolist()]  # the other way round
    coco = boxed.read_coco(as_coco(tmp_path / "c", segmentation=outline))[0]
    for poses in (yolo.poses, coco.poses):
        np.testing.assert_allclose(poses.points[0], corners, atol=1e-6)
        np.testing.assert_allclose(poses.boxes[0], [8, 2, 20, 14], atol=1e-6)
    frame = Frame(flip(40), (20, 40))
    mirrored = framed(data.sample(yolo), frame, flipped=True).poses
    assert mirrored.points[0, 0].tolist() == pytest.approx([40 - 20, 6])  # top right becomes top left
    np.testing.assert_allclose(mirrored.boxes[0], [20, 2, 32, 14], atol=1e-6)


def test_a_picture_without_boxes_is_a_picture_and_five_thousand_boxes_are_read(tmp_path):
    dataset = boxed.read_yolo(as_yolo(tmp_path, ()))
    assert len(dataset[0].poses) == 0
    rows = [f"a.jpg,{n % 30},3,{n % 30 + 5},18,object,40,20" for n in range(5000)]
    assert len(sku110k.read(as_sku(tmp_path / "many", rows))[0].poses) == 5000


def test_other_csv_files_are_still_deeplabcuts(tmp_path):
    file = tmp_path / "CollectedData_me.csv"
    file.write_text("scorer,me,me\nbodyparts,nose,nose\ncoords,x,y\nimg.png,1,2\n")
    assert formats.guess(file) == "dlc"


@pytest.mark.parametrize("said", ["nan,60", "inf,60", "80,-inf"])
def test_a_size_that_is_no_number_is_named(tmp_path, said):
    (tmp_path / "annotations_x.csv").write_text(f"a.jpg,1,1,5,5,object,{said}\n")
    with pytest.raises(DataError, match="line 1: W and H of a.jpg: wanted finite numbers, got"):
        sku110k.read(tmp_path)


def test_lines_that_disagree_about_a_pictures_size_leave_it_out(tmp_path):
    lines = ["a.jpg,1,1,5,5,object,80,60", "a.jpg,1,1,5,5,object,640,480"]
    (tmp_path / "annotations_x.csv").write_text("\n".join(lines))
    with pytest.raises(
        DataError, match="line 2: W and H of a.jpg: wanted that of .*line 1, 80 x 60, got 640"
    ):
        sku110k.read(tmp_path)


def test_a_head_is_no_box_and_a_file_without_a_line_is_said_to_be_one(tmp_path):
    file = tmp_path / "annotations_x.csv"
    file.write_text("image_name,x1,y1,x2,y2,class,image_width,image_height\n")
    assert formats.guess(file) == "sku110k"
    with pytest.raises(DataError, match="no line at all"):
        sku110k.read(file)
    file.write_text("")
    assert formats.guess(file) == "sku110k"
