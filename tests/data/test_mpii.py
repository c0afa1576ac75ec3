"""MPII's people, out of its own .mat file and out of the common JSON."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from heatmark.commands.check import check
from heatmark.data import formats
from heatmark.data.boxes import as_published
from heatmark.data.check import faults_of
from heatmark.data.mpii import read
from heatmark.errors import DataError
from heatmark.imaging import msra

JOINTS = np.stack([np.linspace(20, 90, 16), np.linspace(10, 110, 16)], -1)


def picture(folder, name="a.png"):
    (folder / "images").mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((120, 100, 3), np.uint8)).save(folder / "images" / name)


def row(**changes):
    flags = [1] * 14 + [0, 0]
    facts = {"image": "a.png", "center": [51.0, 61.0], "scale": 0.5, "joints": JOINTS.tolist()}
    return facts | {"joints_vis": flags} | changes


def write_json(folder, rows, name="valid.json"):
    picture(folder)
    (folder / name).write_text(json.dumps(rows))
    return folder / name


def test_a_json_row_is_a_person_counted_from_1(tmp_path):
    file = write_json(tmp_path, [row(), row(scale=0.4)])
    assert formats.guess(file) == "mpii"
    found = formats.read(file)
    assert len(found) == 1 and found[0].size == (120, 100) and len(found[0].poses) == 2
    assert found[0].poses.points[0, 0].tolist() == [19.5, 9.5]  # the 20th pixel's middle
    assert found[0].poses.visibility[0].tolist() == [2] * 14 + [0, 0]
    assert np.isnan(found[0].poses.points[0, 14]).all()


@pytest.mark.parametrize("scale", [0.5, 0.3])  # reaching out of the picture, and whole inside it
def test_the_box_gives_a_published_network_exactly_its_authors_crop(tmp_path, scale):
    record = read(write_json(tmp_path, [row(scale=scale)]))[0]
    box = as_published(record.poses.boxes, record)[0]
    assert box.tolist() == record.poses.boxes[0].tolist()  # they clip COCO's boxes only
    if scale == 0.5:
        assert box.tolist() == [0, 17.5, 100, 117.5]  # 0.5 * 200 wide about (51, 61 + 7.5) - 1
    centre = np.array([51.0, 61.0 + 15 * scale]) - 1  # lower and larger, to keep the limbs
    window = msra.Window.around(box, (256, 256))
    assert window.centre == pytest.approx(centre) and window.scale == pytest.approx(scale * 1.25)


def test_head_boxes_come_from_the_file_beside(tmp_path):
    file = write_json(tmp_path, [row(), row()])
    boxes = np.zeros((2, 2, 2))
    boxes[0], boxes[1] = [[10, 30], [20, 40]], [[40, 60], [60, 80]]  # corners x and y of two people
    savemat(tmp_path / "gt_valid.mat", {"headboxes_src": boxes})
    heads = [one["head_box"] for one in read(file)[0].instances]
    assert heads == [[9.5, 19.5, 39.5, 59.5], [29.5, 39.5, 59.5, 79.5]]
    write_json(tmp_path, [row()])
    with pytest.raises(DataError, match=r"gt_valid.mat: headboxes_src: wanted \(2, 2, 1\) for valid.json"):
        read(file)


def official(folder, **changes):
    """A file as MPII's own: one annotated person, one without points, one picture without people."""
    points = [
        {"x": x, "y": y, "id": k, "is_visible": [] if k == 9 else int(k != 3)}
        for k, (x, y) in enumerate(JOINTS)
    ][:12]
    person = {"x1": 11, "y1": 12, "x2": 31, "y2": 42, "annopoints": {"point": points}, "scale": 0.5,
              "objpos": {"x": 51, "y": 61}} | changes  # fmt: skip
    other = {"x1": 1, "y1": 1, "x2": 5, "y2": 5, "annopoints": [], "scale": [], "objpos": []}
    annolist = [
        {"image": {"name": "a.png"}, "annorect": [person, other]},
        {"image": {"name": "b.png"}, "annorect": []},
    ]
    picture(folder)
    savemat(folder / "mpii_human_pose_v1_u12_1.mat", {"RELEASE": {"annolist": annolist, "img_train": [1, 0]}})
    return folder


def test_the_official_file_is_read_from_its_folder(tmp_path):
    assert formats.guess(official(tmp_path)) == "mpii"
    (record,) = formats.read(tmp_path)
    poses = record.poses
    assert poses.visibility[0].tolist() == [2, 2, 2, 1] + [2] * 8 + [0] * 4  # the fourth is hidden
    assert poses.points[0, 3].tolist() == pytest.approx((JOINTS[3] - 0.5).tolist())
    assert record.instances[0]["head_box"] == [10.5, 11.5, 30.5, 41.5]
    assert poses.boxes[0].tolist() == [0, 17.5, 100, 117.5]
    assert faults_of(formats.read(tmp_path))[0] == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"joints": JOINTS[:15].tolist()},
            "entry 0: joints: wanted 16 times x, y.* got 15 joints and 16 flags",
        ),
        ({"scale": 0}, "entry 0: wanted a finite center and a positive scale, got .* scale 0"),
        ({"scale": 1e308}, "entry 0: wanted a finite center and a positive scale, got .* scale 1e\\+308"),
        ({"image": None}, "entry 0: image: wanted a picture's name, got None"),
        ({"joints": [[float("nan"), 1]] * 16}, "entry 0: joints: a value that is not finite"),
        ({"image": "c.png"}, "the picture 'c.png' is neither beside it"),
        ({"joints": "x"}, "not as MPII writes it"),
    ],
)
def test_faults_are_told_in_one_line(tmp_path, changes, said):
    with pytest.raises(DataError, match=said):
        read(write_json(tmp_path, [row(**changes)]))


def test_a_mat_file_that_is_none_and_one_of_somebody_else(tmp_path):
    (tmp_path / "a.mat").write_bytes(b"nothing at all")
    with pytest.raises(DataError, match="not a MATLAB file, or a damaged one"):
        read(tmp_path / "a.mat")
    savemat(tmp_path / "b.mat", {"x": 1})
    with pytest.raises(DataError, match="has no RELEASE"):
        read(tmp_path / "b.mat")


def test_every_fault_is_named_not_the_first_only(tmp_path):
    bad = [
        row(scale=0),
        row(center=[9000.0, 9000]),
        row(image="gone.png"),
        {"image": "a.png"},
        row(scale="a"),
    ]
    file = write_json(tmp_path, [row(), *bad])
    found = check(file)
    said = "\n".join(map(str, found.faults))
    for each in (
        "valid.json: entry 1: wanted a finite center and a positive scale, got center [51.0, 61.0] and",
        "valid.json: entry 2: center: its box (8949, 8956.5, 9049, 9056.5) lies outside the picture's",
        "the picture 'gone.png' is neither beside it nor in its folder images",
        "valid.json: entry 4: center: is missing",
        "valid.json: entry 5: not as MPII writes it",
    ):
        assert each in said
    assert len(found.faults) == 5 and found.counts["instances"] == 2
    with pytest.raises(DataError, match=r"entry 1: .* .and 4 more; `heatmark check` lists them"):
        read(file)
