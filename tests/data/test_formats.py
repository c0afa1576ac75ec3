"""A tiny dataset by hand in each format: a hammer, its face at (10, 8), its claw at (30, 8) of 40 x 20 px."""

import json

import numpy as np
import pytest
from PIL import Image

from heatmark.commands.check import check
from heatmark.data import formats, yolo
from heatmark.data.pictures import beside, boxes_from, size_of
from heatmark.errors import DataError, UserError
from heatmark.imaging import decode

FACE, CLAW = [10.0, 8.0], [30.0, 8.0]


def picture(path, size=(20, 40)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), 80, np.uint8)).save(path)
    return path


def as_coco(folder):
    picture(folder / "images" / "a.png")
    label = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [5, 3, 30, 10], "num_keypoints": 2}
    raw = {
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 20}],
        "annotations": [label | {"keypoints": [9.5, 7.5, 2, 29.5, 7.5, 1]}],  # counted from 0
        "categories": [{"id": 1, "name": "hammer", "keypoints": ["face", "claw"], "skeleton": [[1, 2]]}],
    }
    (folder / "annotations.json").write_text(json.dumps(raw))


def as_yolo(folder):
    picture(folder / "images" / "train" / "a.png")
    (folder / "labels" / "train").mkdir(parents=True)
    line = "0 0.5 0.4 0.75 0.5 0.25 0.4 2 0.75 0.4 1\n"  # fractions from the edge
    (folder / "labels" / "train" / "a.txt").write_text(line)
    text = "path: /elsewhere\ntrain: images/train\nval: images/train\nkpt_shape: [2, 3]\n"
    (folder / "data.yaml").write_text(text + "names: {0: hammer}\nkpt_names: {0: [face, claw]}\n")


def as_cvat(folder):
    picture(folder / "images" / "a.png")
    nodes = "".join(
        f'<circle data-node-id="{i}" data-label-name="{n}"/>' for i, n in ((1, "face"), (2, "claw"))
    )
    svg = (nodes + '<line data-node-from="1" data-node-to="2"/>').replace("<", "&lt;")
    labels = "".join(
        f"<label><name>{n}</name><type>points</type><parent>hammer</parent></label>" for n in ("face", "claw")
    )
    meta = (
        f"<meta><job><labels><label><name>hammer</name><svg>{svg}</svg></label>{labels}</labels></job></meta>"
    )
    points = '<points label="claw" occluded="1" outside="0" points="30.0,8.0"/>'
    points += '<points label="face" points="10.0,8.0"/>'
    box = '<box label="hammer" xtl="5" ytl="3" xbr="35" ybr="13" group_id="1"/>'
    skeleton = f'<skeleton label="hammer" group_id="1">{points}</skeleton>'
    image = f'<image id="0" name="a.png" width="40" height="20">{box}{skeleton}</image>'
    (folder / "annotations.xml").write_text(f"<annotations><version>1.1</version>{meta}{image}</annotations>")


def as_label_studio(folder):
    picture(folder / "1a2b3c4d-a.png").rename(folder / "a.png")
    region = {"original_width": 40, "original_height": 20, "type": "keypointlabels"}
    result = [
        {"id": "r", "type": "rectanglelabels",
         "value": {"x": 12.5, "y": 15, "width": 75, "height": 50, "rectanglelabels": ["hammer"]}},
        region | {"id": "k", "value": {"x": 25, "y": 40, "width": 1, "keypointlabels": ["face"]}},
        region | {"id": "l", "parentID": "r", "value": {"x": 75, "y": 40, "keypointlabels": ["claw"]}},
    ]  # fmt: skip
    cancelled = {"result": [], "was_cancelled": True}
    data = {"image": "/data/upload/1/1a2b3c4d-a.png"}
    task = {"id": 7, "data": data, "annotations": [cancelled, {"result": result}]}
    (folder / "export.json").write_text(json.dumps([task]))


def as_labelme(folder):
    picture(folder / "a.png")
    shapes = [
        {"label": "face", "shape_type": "point", "points": [FACE], "group_id": 1, "flags": {}},
        {"label": "claw", "shape_type": "point", "points": [CLAW], "group_id": 1, "flags": {"hidden": True}},
        {"label": "hammer", "shape_type": "rectangle", "points": [[35, 13], [5, 3]], "group_id": 1},
        {"label": "edge", "shape_type": "line", "points": [[0, 0], [1, 1]], "group_id": None},
    ]
    (folder / "a.json").write_text(json.dumps({"shapes": shapes, "imagePath": "a.png", "imageData": None}))


def as_dlc(folder):
    picture(folder / "labeled-data" / "v" / "a.png")
    rows = ["scorer,me,me,me,me,me,me", "bodyparts,face,face,claw,claw,tail,tail", "coords,x,y,x,y,x,y"]
    rows.append("labeled-data/v/a.png,9.5,7.5,29.5,7.5,,")  # counted from 0
    (folder / "labeled-data" / "v" / "CollectedData_me.csv").write_text("\n".join(rows) + "\n")
    (folder / "config.yaml").write_text("Task: hammer\nskeleton:\n- [face, claw]\n- [claw, gone]\n")


FORMS = {
    "coco": as_coco, "yolo": as_yolo, "cvat": as_cvat, "label-studio": as_label_studio, "labelme": as_labelme,
    "dlc": as_dlc,
}  # fmt: skip


def test_every_reader_is_tried_here():
    own_files = {"posetrack", "mpii", "pascal3d", "sku110k", "coco-boxes", "yolo-boxes"}  # of tests
    assert set(FORMS) == set(formats.READERS) - own_files


@pytest.mark.parametrize("form", FORMS)
def test_each_format_gives_the_same_points_in_our_pixels(tmp_path, form):
    folder = tmp_path / "hammer"
    folder.mkdir()
    FORMS[form](folder)
    assert formats.guess(folder) == form
    dataset = formats.read(folder)
    (record,) = dataset.records
    assert dataset.skeleton.name == "hammer" and dataset.skeleton.landmarks[:2] == ("face", "claw")
    np.testing.assert_allclose(record.poses.points[0, :2], [FACE, CLAW], atol=1e-4)
    assert record.size == (20, 40) and record.path.is_file()
    knows_hidden = form in ("coco", "yolo", "cvat", "labelme")
    assert record.poses.visibility[0, :2].tolist() == [2, 1 if knows_hidden else 2]
    box = [6, 4, 34, 12] if form == "dlc" else [5, 3, 35, 13]
    np.testing.assert_allclose(record.poses.boxes[0], box, atol=1e-4)
    if form in ("coco", "cvat", "dlc"):
        assert dataset.skeleton.bones == (("face", "claw"),)
    if form == "dlc":
        assert dataset.skeleton.landmarks == ("face", "claw", "tail") and record.poses.visibility[0, 2] == 0


@pytest.mark.parametrize("form", FORMS)
def test_a_missing_picture_is_named_by_every_reader(tmp_path, form):
    FORMS[form](tmp_path)
    next(tmp_path.rglob("a.png")).unlink()
    with pytest.raises((DataError, UserError), match="a.png|no picture"):
        formats.read(tmp_path)


def test_yolo_written_is_yolo_read(tmp_path):
    as_yolo(tmp_path)
    dataset = yolo.read(tmp_path)
    yolo.write(tmp_path / "again", dataset.skeleton, [])
    (tmp_path / "images" / "b").mkdir()
    yolo.write(tmp_path, dataset.skeleton, dataset.records)
    again = yolo.read(tmp_path / "data.yaml")
    assert again.skeleton == dataset.skeleton
    np.testing.assert_allclose(again[0].poses.points, dataset[0].poses.points, atol=1e-4)
    assert (again[0].poses.visibility == dataset[0].poses.visibility).all()


@pytest.mark.parametrize(
    "line, what",
    [
        ("0 0.5 0.4 0.75 0.5 0.25 0.4 2", "wanted 11 numbers for kpt_shape .2, 3., got 8"),
        ("0 0.5 0.4 0.75 0.5 0.25 0.4 3 0 0 0", "visibility must be 0, 1 or 2"),
        ("0 0.5 0.4 0.75 0.5 nan 0.4 2 0 0 0", "not finite"),
        ("0 0.5 x 0.75 0.5 0.2 0.4 2 0 0 0", "line 1: could not convert"),
        ("4 0.5 0.4 0.75 0.5 0.2 0.4 2 0 0 0", "class 4, names has 0"),
    ],
)
def test_a_faulty_yolo_line_is_named(tmp_path, line, what):
    as_yolo(tmp_path)
    (tmp_path / "labels" / "train" / "a.txt").write_text(line)
    with pytest.raises(DataError, match=what):
        yolo.read(tmp_path)


@pytest.mark.parametrize("line", ["flip_idx: 3", "flip_idx: {0: 1}", "names: []", "names: {}", "names: 7"])
def test_a_setting_of_yolo_that_is_none_is_named(tmp_path, line):
    as_yolo(tmp_path)
    with open(tmp_path / "data.yaml", "a") as settings:
        settings.write(f"\n{line}\n")
    with pytest.raises(DataError, match=f"data.yaml: {line.split(':')[0]}: wanted a list"):
        yolo.read(tmp_path)


def test_of_several_yolo_classes_one_must_be_chosen(tmp_path):
    as_yolo(tmp_path)
    file = tmp_path / "labels" / "train" / "a.txt"
    file.write_text(file.read_text() + file.read_text().replace("0 0.5", "1 0.5", 1))
    text = (tmp_path / "data.yaml").read_text()
    (tmp_path / "data.yaml").write_text(
        text.replace("{0: hammer}", "{0: hammer, 1: axe}") + "flip_idx: [1, 0]\n"
    )
    with pytest.raises(UserError, match="choose one: hammer, axe"):
        yolo.read(tmp_path)
    axe = yolo.read(tmp_path, "axe")
    assert len(axe[0].poses) == 1 and axe.skeleton.name == "axe"
    assert axe.skeleton.landmarks == ("point_1", "point_2") and axe.skeleton.mirror == (
        ("point_1", "point_2"),
    )


def test_loose_cvat_points_are_instances_by_group(tmp_path):
    picture(tmp_path / "a.png")
    points = "".join(
        f'<points label="{name}" points="{x},5" {group}/>'
        for x, name, group in (
            (3, "face", 'group_id="1"'),
            (9, "claw", 'group_id="1"'),
            (20, "face", 'group_id="2"'),
        )
    )
    file = tmp_path / "annotations.xml"
    file.write_text(f'<annotations><image name="a.png">{points}</image></annotations>')
    poses = formats.read(tmp_path)[0].poses
    assert (
        len(poses) == 2 and poses.points[1, 0].tolist() == [20, 5] and poses.visibility[1].tolist() == [2, 0]
    )
    file.write_text(file.read_text().replace('group_id="2"', 'group_id="1"'))
    with pytest.raises(DataError, match="a.png: two points are called 'face'"):
        formats.read(tmp_path)


def test_a_second_box_of_the_same_points_is_refused_and_boxes_of_no_points_are_not(tmp_path):
    picture(tmp_path / "a.png")
    box = '<box xtl="1" ytl="1" xbr="{}" ybr="9" {}/>'
    cvat = '<annotations><image name="a.png"><points label="face" points="5,5" {}/>{}</image></annotations>'
    two = box.format(20, "") + box.format(30, "")
    (tmp_path / "a.xml").write_text(cvat.format("", two))
    with pytest.raises(DataError, match="a.png: several boxes are of one instance; group each"):
        formats.read(tmp_path / "a.xml")
    (tmp_path / "a.xml").write_text(cvat.format('group_id="3"', two + box.format(40, 'group_id="3"')))
    assert formats.read(tmp_path / "a.xml")[0].poses.boxes.tolist() == [[1, 1, 40, 9]]

    point = {"label": "face", "shape_type": "point", "points": [[5, 5]]}
    squares = [{"label": "x", "shape_type": "rectangle", "points": [[1, 1], [x, 9]]} for x in (20, 30)]
    page = {"imagePath": "a.png", "shapes": [point, *squares]}
    (tmp_path / "a.json").write_text(json.dumps(page))
    with pytest.raises(DataError, match="a.json: several rectangles are of one instance; tell them"):
        formats.read(tmp_path / "a.json")
    page["shapes"] = [point | {"group_id": 3}, *squares, squares[1] | {"group_id": 3}]
    (tmp_path / "a.json").write_text(json.dumps(page))
    assert formats.read(tmp_path / "a.json")[0].poses.boxes.tolist() == [[1, 1, 30, 9]]


def test_cvat_for_video_is_told_from_cvat_for_images(tmp_path):
    (tmp_path / "annotations.xml").write_text("<annotations><track/></annotations>")
    with pytest.raises(DataError, match="export it as 'CVAT for images'"):
        formats.read(tmp_path)


def test_dlc_individuals_are_instances(tmp_path):
    picture(tmp_path / "labeled-data" / "v" / "a.png")
    rows = ["scorer,,,me,me,me,me", "individuals,,,one,one,two,two", "bodyparts,,,nose,nose,nose,nose"]
    rows += ["coords,,,x,y,x,y", "labeled-data,v,a.png,1,2,3,4"]
    (tmp_path / "labeled-data" / "v" / "CollectedData_me.csv").write_text("\n".join(rows))
    poses = formats.read(tmp_path)[0].poses
    assert poses.points[:, 0].tolist() == [[1.5, 2.5], [3.5, 4.5]]


def test_label_studio_points_in_no_or_two_rectangles_are_refused(tmp_path):
    as_label_studio(tmp_path)
    raw = json.loads((tmp_path / "export.json").read_text())
    result = raw[0]["annotations"][1]["result"]
    result.append(result[0] | {"id": "s"})
    (tmp_path / "export.json").write_text(json.dumps(raw))
    with pytest.raises(DataError, match="task 7: the point 'face' lies in 2 rectangles"):
        formats.read(tmp_path)


def spoilt_yolo(folder):
    label = folder / "labels" / "train" / "a.txt"
    label.write_text("0 0.5\n" + label.read_text() + "9" + label.read_text()[1:])
    return {"a.txt: line 1: wanted 11 numbers", "a.txt: line 3: class 9, names has 0"}


def spoilt_cvat(folder):
    file = folder / "annotations.xml"
    file.write_text(file.read_text().replace('"30.0,8.0"', '"nan,8"').replace('xtl="5"', 'xtl="x"'))
    return {"a.png: claw: the point is not finite", "a.png: not as CVAT writes it"}


def spoilt_label_studio(folder):
    file = folder / "export.json"
    (task,) = json.loads(file.read_text())
    task["annotations"][1]["result"][1]["value"] = {"x": "left"}
    task["annotations"][1]["result"].append(7)
    file.write_text(json.dumps([task, {"id": 8, "data": {"image": "b.png"}}]))
    return {"task 7: region k: wanted finite x, y", "task 7: not as Label", "task 8: the picture 'b.png'"}


def spoilt_labelme(folder):
    raw = json.loads((folder / "a.json").read_text())
    raw["shapes"][0]["points"] = [[1, None]]
    raw["shapes"].append("?")
    (folder / "a.json").write_text(json.dumps(raw))
    (folder / "b.json").write_text("{")
    return {"shape 0: (face): points", "shape 4: wanted an object", "b.json: not valid JSON"}


def spoilt_dlc(folder):
    file = next(folder.rglob("*.csv"))
    row = file.read_text().splitlines()[-1]
    worse = [row.replace(",9.5", ",nine"), "labeled-data/v/b.png,1,1,2,2,,", "labeled-data/v/a.png,1"]
    file.write_text("\n".join([*file.read_text().splitlines(), *worse]))
    return {"line 5: face: could not", "line 6: the frame", "line 7: wanted 7 columns"}


SPOILT = {
    "yolo": spoilt_yolo, "cvat": spoilt_cvat, "label-studio": spoilt_label_studio,
    "labelme": spoilt_labelme, "dlc": spoilt_dlc,
}  # fmt: skip


@pytest.mark.parametrize("form", SPOILT)
def test_every_fault_is_named_and_what_is_right_is_still_judged(tmp_path, form):
    FORMS[form](tmp_path)
    wanted = SPOILT[form](tmp_path)
    checked = check(tmp_path)
    told = [str(fault) for fault in checked.faults]
    assert len(told) == len(wanted) and all(any(part in line for line in told) for part in wanted), told
    assert checked.counts["pictures"] == 1 and checked.counts["seen"] + checked.counts.get("hidden", 0) > 0
    with pytest.raises(DataError, match=f"and {len(wanted) - 1} more; `heatmark check` lists them"):
        formats.read(tmp_path)


@pytest.mark.parametrize("name", ["a.json", "a.xml", "a.csv", "a.yaml", "a.txt"])
def test_a_file_of_something_else_is_refused_in_one_line(tmp_path, name):
    (tmp_path / name).write_text('{"a": 1}')
    with pytest.raises((UserError, DataError)) as error:
        formats.read(tmp_path / name)
    assert "\n" not in str(error.value) and name in str(error.value)


JUNK = [b"\xff\xfe\x00\x01" * 20, b"", b"<html>", b"[" * 100_000, b'{"a":']


@pytest.mark.parametrize("form", formats.READERS)
@pytest.mark.parametrize("ending", ["json", "yaml", "csv", "xml"])
def test_every_reader_refuses_what_is_no_text_of_its_kind_with_the_files_name(tmp_path, form, ending):
    for junk in JUNK:
        (tmp_path / f"labels.{ending}").write_bytes(junk)
        with pytest.raises((UserError, DataError), match=f"labels.{ending}"):
            formats.read(tmp_path / f"labels.{ending}", form)


@pytest.mark.parametrize("form", ["label-studio", "labelme"])
@pytest.mark.parametrize("value", [None, 7, "x", [], [[1]]])
def test_json_of_another_shape_is_refused_with_its_place(tmp_path, form, value):
    FORMS[form](tmp_path)
    file = next(tmp_path.glob("*.json"))
    raw = json.loads(file.read_text())
    region = raw["shapes"] if form == "labelme" else raw[0]["annotations"][1]["result"]
    region[1] = value
    file.write_text(json.dumps(raw))
    with pytest.raises(DataError, match=file.name):
        formats.read(tmp_path, form)


def test_a_folder_without_a_dataset_says_what_was_looked_for(tmp_path):
    with pytest.raises(UserError, match="no dataset: no annotations.json"):
        formats.read(tmp_path)
    with pytest.raises(UserError, match="did you mean 'yolo'"):
        formats.read(tmp_path, "yollo")


def test_a_picture_is_found_by_its_last_part_and_never_outside(tmp_path):
    picture(tmp_path / "d" / "images" / "a.png")
    picture(tmp_path / "secret.png")
    file = tmp_path / "d" / "x.json"
    for name in (
        "a.png",
        r"C:\data\a.png",
        "/mnt/data/a.png",
        "0123abcd-a.png",
        "s3://bucket/a.png",
        "/data/?d=a.png",
    ):
        assert beside(file, name).name == "a.png"
    with pytest.raises(DataError, match="secret.png"):
        beside(file, "../secret.png")


@pytest.mark.parametrize("ending", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_sizes_are_those_of_the_upright_picture(tmp_path, turn, ending):
    exif, file = Image.Exif(), tmp_path / f"a.{ending}"
    exif[0x0112] = turn
    Image.new("RGB", (40, 20)).save(file, exif=exif)
    assert size_of(file) == decode(file.read_bytes(), file.name).shape[:2]
    assert size_of(file) == ((20, 40) if turn < 5 else (40, 20))


def test_a_picture_that_is_none_has_no_size(tmp_path):
    (tmp_path / "b.jpg").write_bytes(b"<html>")
    with pytest.raises(DataError, match="b.jpg: not a picture"):
        size_of(tmp_path / "b.jpg")


def test_a_box_around_one_point_has_an_area_and_around_none_there_is_none():
    boxes = boxes_from(np.array([[[10.0, 10.0]], [[np.nan, np.nan]]]), (20, 20))
    assert boxes[0].tolist() == [6, 6, 14, 14] and np.isnan(boxes[1]).all()
