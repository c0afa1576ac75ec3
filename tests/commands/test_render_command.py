import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from heatmark.cli import main
from heatmark.commands import album
from heatmark.commands.render import Maker, Rendered, read_cutouts, render, shard_of
from heatmark.data import open_dataset, sample
from heatmark.errors import DataError, UserError
from heatmark.imaging import encode_png
from heatmark.synth import studio
from heatmark.types import Poses, Sample, Skeleton

PIN = Skeleton("pin", ("head", "point"))
CHECK_OBJECTS = studio.check_objects  # before it is replaced below


class Sketch:
    """Stands in for the Studio: noise with a landmark, at once. A function of (seed, index), as all are."""

    made: list[int] = []

    def __init__(self, settings, seed, size, samples, variant=None, method="render", copies=1, cutouts=()):
        self.seed, self.size, self.copies = seed, size, copies if method == "render" else 0

    def many(self, indices):
        return map(self, indices)

    def __call__(self, index):
        Sketch.made.append(index)
        rng = np.random.default_rng([self.seed, index])
        points = rng.uniform(0, min(self.size), (1, 2, 2))
        points[0, 1] = np.nan if index % 3 == 0 else points[0, 1]
        poses = Poses(PIN, points, boxes=np.array([[1.0, 2, 20, 20]]))
        mask = rng.integers(0, 2, self.size, np.uint8)
        whole = Sample(
            rng.integers(0, 256, (*self.size, 3), np.uint8), poses, "", mask, np.full(self.size, 1.5, "f")
        )
        return [("rendered", whole)] + [("background", whole)] * self.copies


@pytest.fixture(autouse=True)
def sketched(monkeypatch):
    monkeypatch.setattr(studio, "Studio", Sketch)
    monkeypatch.setattr(studio, "check_objects", lambda settings: None)
    monkeypatch.setattr("heatmark.synth.render.probe_variant", lambda wanted: wanted or "scalar_rgb")
    Sketch.made = []


def files(folder):
    """Every file of a folder and its bytes."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def small(out, **more):
    return render("hammer", **({"count": 5, "out": out, "size": (24, 32), "seed": 3} | more))


def test_a_folder_named_like_a_family_is_told_from_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hammer").mkdir()
    small(tmp_path / "d", count=1)
    assert "the built-in family; the file or folder here is ./hammer" in "".join(capsys.readouterr())


@pytest.mark.parametrize("method", ["render", "cut-and-paste"])
def test_a_family_may_be_rendered_into_a_folder_of_its_name_and_gone_on_with(tmp_path, monkeypatch, method):
    monkeypatch.chdir(tmp_path)
    first = small("hammer", count=1, method=method)
    assert small("hammer", count=3, method=method).pictures == 3 * first.pictures


def test_without_the_extra_the_line_that_installs_it_comes_before_anything_is_built(tmp_path, monkeypatch):
    monkeypatch.setattr("heatmark.errors.find_spec", lambda module: None)
    monkeypatch.setattr(studio, "check_objects", lambda settings: pytest.fail("it was built"))
    with pytest.raises(UserError, match=r"to render, mitsuba, .* installed: pip install 'heatmark\[synth\]'"):
        small(tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_a_rendered_folder_is_a_dataset(tmp_path):
    done = small(tmp_path / "d", planes=True)
    assert done.pictures == 10 and done.to_dict()["pictures"] == 10 and done.variant == "scalar_rgb"
    dataset = open_dataset(tmp_path / "d")
    assert len(dataset) == 10 and dataset.skeleton == PIN
    assert [r.name for r in dataset][:3] == ["000000.jpg", "000001.jpg", "000002.jpg"]
    assert [r.extra["kind"] for r in dataset][:3] == ["rendered", "background", "rendered"]
    expected = Sketch(None, 3, (24, 32), 1)(1)[0][1]
    read = sample(dataset[2], planes=True)
    np.testing.assert_allclose(read.poses.points, expected.poses.points, atol=1e-2)
    assert read.poses.visibility.tolist() == [[2, 2]] and dataset[0].poses.visibility.tolist() == [[2, 0]]
    assert read.mask is not None and read.depth is not None and expected.mask is not None
    np.testing.assert_array_equal(read.mask, expected.mask)
    assert read.depth[0, 0] == 1.5
    names = {p.name for p in (tmp_path / "d").iterdir()}
    assert names >= {"annotations.json", "README.md", "card.json", "scene.yaml", "sheet.jpg", "journal"}
    card = json.loads((tmp_path / "d" / "card.json").read_text())
    assert card["counts"]["kinds"] == {"background": 5, "rendered": 5} and card["plan"]["seed"] == 3
    assert card["counts"]["landmarks"] == {"seen": 16, "hidden": 0, "absent": 4}


def test_stopped_anywhere_and_gone_on_with_it_is_the_same_folder(tmp_path, monkeypatch):
    small(tmp_path / "whole")
    write, left = album.write_whole, [4]

    def stopping(path, data, alone=False):
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        write(path, data, alone)

    with monkeypatch.context() as patch:
        for module in ("render", "album"):
            patch.setattr(f"heatmark.commands.{module}.write_whole", stopping)
        for _ in range(4):
            left[0] = 4
            with pytest.raises(KeyboardInterrupt):
                small(tmp_path / "stopped")
    small(tmp_path / "stopped")
    assert files(tmp_path / "stopped") == files(tmp_path / "whole")


def test_killed_at_any_of_its_files_and_gone_on_with_it_is_the_same_folder(tmp_path, monkeypatch):
    class Killed(BaseException):
        """As kill -9: nobody tidies up behind it."""

    small(tmp_path / "whole", count=2)
    replace, at, ends = os.replace, 0, False
    while not ends:
        left, at = [at], at + 1

        def killing(*paths, left=left):
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            replace(*paths)

        folder = tmp_path / f"killed-{at}"
        with monkeypatch.context() as patch:
            patch.setattr("os.replace", killing)
            patch.setattr("pathlib.Path.unlink", lambda *_, **__: None)
            try:
                small(folder, count=2)
                ends = True
            except Killed:
                pass
        small(folder, count=2)
        assert files(folder) == files(tmp_path / "whole"), at
    assert at > 9


def test_a_line_cut_off_and_a_lost_picture_are_made_again(tmp_path):
    small(tmp_path / "d")
    before = files(tmp_path / "d")
    journal = tmp_path / "d" / "journal" / "0-of-1.jsonl"
    journal.write_bytes(journal.read_bytes()[:-25])
    (tmp_path / "d" / "images" / "000002.jpg").unlink()
    Sketch.made = []
    small(tmp_path / "d")
    assert Sketch.made == [1, 4] and files(tmp_path / "d") == before


def test_a_finished_folder_does_nothing_and_a_larger_count_adds(tmp_path):
    small(tmp_path / "d")
    Sketch.made = []
    assert small(tmp_path / "d").pictures == 10 and Sketch.made == []
    assert small(tmp_path / "d", count=7).pictures == 14 and Sketch.made == [5, 6]
    with pytest.raises(UserError, match="holds 7 renderings already, 2 are asked for"):
        small(tmp_path / "d", count=2)


def test_shards_make_the_same_pictures_as_one_run(tmp_path):
    small(tmp_path / "one")
    small(tmp_path / "parts", shard="1/2")
    assert small(tmp_path / "parts", shard="0/2").pictures == 10
    one, parts = files(tmp_path / "one"), files(tmp_path / "parts")
    same = {n for n in one if not n.startswith("journal")}
    assert {n: one[n] for n in same} == {n: parts[n] for n in same}


def test_other_settings_in_the_same_folder_are_refused_by_name(tmp_path):
    small(tmp_path / "d")
    with pytest.raises(UserError, match="seed was 3, is 4"):
        small(tmp_path / "d", seed=4)
    with pytest.raises(UserError, match=r"size was \[24, 32\], is \[32, 32\]"):
        small(tmp_path / "d", size=(32, 32))
    with pytest.raises(UserError, match="copies was 1, is 0"):
        small(tmp_path / "d", copies=0)
    with pytest.raises(UserError, match="scene.clutter.hand was 0.*, is 0.5"):
        small(tmp_path / "d", settings={"clutter": {"hand": 0.5}})
    with pytest.raises(UserError, match="variant was 'scalar_rgb', is 'llvm_ad_rgb'"):
        small(tmp_path / "d", variant="llvm_ad_rgb")
    assert (
        small(tmp_path / "d", settings={"shelf": {"gaps": 0.5}}).pictures == 10
    )  # no hammer lies on a shelf


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="notes.txt"):
        small(tmp_path)
    assert files(tmp_path) == {"notes.txt": b"mine"}
    with pytest.raises(UserError, match="is a file"):
        small(tmp_path / "notes.txt")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "card.json").write_text("{}")
    with pytest.raises(DataError, match="not the card"):
        small(tmp_path / "d")


def test_a_full_disk_is_one_line_and_the_same_command_goes_on(tmp_path, monkeypatch):
    small(tmp_path / "whole")
    sync, left = os.fsync, [6]

    def full(file):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        sync(file)

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space left") as error:
            small(tmp_path / "d")
        assert error.value.filename.startswith(str(tmp_path / "d"))
    small(tmp_path / "d")
    assert files(tmp_path / "d") == files(tmp_path / "whole")


def test_a_folder_that_a_full_disk_left_bare_is_begun_anew(tmp_path):
    (tmp_path / "d" / "images").mkdir(parents=True)
    assert small(tmp_path / "d").pictures > 0


@pytest.mark.parametrize("setting", ["background", "ground", "light"])
def test_a_folder_without_pictures_is_named_before_anything_is_begun(tmp_path, setting):
    with pytest.raises((UserError, DataError), match="gone"):
        small(tmp_path / "d", settings={setting: {"folder": str(tmp_path / "gone")}})
    assert not (tmp_path / "d").exists()


def test_a_mesh_that_changed_since_the_last_rendering_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(studio, "check_objects", CHECK_OBJECTS)
    (tmp_path / "wedge.obj").write_text("v 0 0 0\nv 0.1 0 0\nv 0 0.1 0\nv 0 0 0.1\nf 1 2 3\nf 1 4 2\n")
    marks = tmp_path / "landmarks.json"
    marks.write_text('{"landmarks": {"tip": [0.1, 0, 0]}}')
    render(tmp_path / "wedge.obj", count=1, out=tmp_path / "first", size=(24, 32))
    marks.write_text('{"landmarks": {"tip": [0.9, 0, 0]}}')
    with pytest.raises(DataError, match="'tip' lies 80 cm outside"):
        render(tmp_path / "wedge.obj", count=1, out=tmp_path / "second", size=(24, 32))


def test_a_folder_begun_with_a_mesh_knows_its_material_again_and_minds_no_other_mesh(tmp_path, monkeypatch):
    meshes = tmp_path / "meshes"
    meshes.mkdir()
    for name in ("wedge", "other"):
        (meshes / f"{name}.obj").write_text(
            f"mtllib {name}.mtl\nv 0 0 0\nv 0.1 0 0\nv 0 0.1 0\nv 0 0 0.1\nf 1 2 3\nf 1 4 2\n"
        )
        (meshes / f"{name}.mtl").write_text("newmtl paint\nKd 1 0 0\n")
        (meshes / f"{name}.landmarks.json").write_text('{"landmarks": {"tip": [0.1, 0, 0]}}')
    monkeypatch.setattr(studio, "check_objects", CHECK_OBJECTS)

    def wedges():
        return render(meshes / "wedge.obj", count=1, out=tmp_path / "d", size=(24, 32)).pictures

    assert wedges() == 2
    (meshes / "other.landmarks.json").write_text('{"landmarks": {"tip": [0, 0.1, 0]}}')
    assert wedges() == 2
    (meshes / "wedge.mtl").write_text("newmtl paint\nKd 0 0 1\n")
    with pytest.raises(UserError, match="begun with other settings: sources.*wedge.obj was"):
        wedges()


def test_clutter_that_is_not_there_is_named_before_anything_is_begun(tmp_path, monkeypatch):
    monkeypatch.setattr(studio, "check_objects", CHECK_OBJECTS)
    with pytest.raises(UserError, match="gone.obj: no such mesh"):
        small(tmp_path / "d", settings={"clutter": {"meshes": [str(tmp_path / "gone.obj")]}})
    assert not (tmp_path / "d").exists()


def test_two_things_of_one_transparent_picture_are_cut_out_one_by_one(tmp_path):
    rgba = np.zeros((20, 40, 4), np.uint8)
    rgba[5:15, 5:15] = rgba[5:15, 25:35] = 255
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "two.png").write_bytes(encode_png(rgba))
    things = [
        {
            "id": n + 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": [x, 5, 10, 10], "area": 100,
            "num_keypoints": 1, "keypoints": [x + 5, 10, 2],
            "segmentation": [[x - 2, 3, x + 12, 3, x + 12, 17, x - 2, 17]],
        }
        for n, x in enumerate((5, 25))
    ]  # fmt: skip
    image = {"id": 1, "file_name": "two.png", "width": 40, "height": 20}
    labels = {"images": [image], "annotations": things}
    labels["categories"] = [{"id": 1, "name": "block", "keypoints": ["middle"]}]
    (tmp_path / "annotations.json").write_text(json.dumps(labels))
    cutouts = read_cutouts(tmp_path)
    assert [c.rgba.shape for c in cutouts] == [(10, 10, 4)] * 2
    for cutout in cutouts:
        np.testing.assert_allclose(cutout.points, [[5.5, 5.5]])
    image["height"] = 30
    (tmp_path / "annotations.json").write_text(json.dumps(labels))
    with pytest.raises(DataError, match="two.png: the picture is 40 x 20, its labels are for 40 x 30"):
        read_cutouts(tmp_path)


def test_two_processes_do_not_make_the_same_part(tmp_path):
    small(tmp_path / "d")
    with album.journal(tmp_path / "d", 0, 1), pytest.raises(UserError, match="another process"):
        small(tmp_path / "d", count=6)


def test_of_two_that_begin_a_folder_at_once_with_other_settings_the_later_is_refused(tmp_path, monkeypatch):
    chosen = []

    def overtaken(settings):  # while this one looks at its objects, another process begins
        chosen.append(settings)
        if len(chosen) == 1:
            small(tmp_path / "d", seed=9)

    monkeypatch.setattr(studio, "check_objects", overtaken)
    with pytest.raises(UserError, match="begun with other settings: seed was 9, is 3"):
        small(tmp_path / "d")
    assert json.loads((tmp_path / "d" / "card.json").read_text())["plan"]["seed"] == 9


def test_wrong_arguments_are_named(tmp_path):
    for bad, says in (
        ({"count": 0}, "count"),
        ({"samples": 0}, "samples >= 1, got .24, 32. and 0"),
        ({"size": (0, 10)}, "a size and samples >= 1"),
        ({"size": (4, 40)}, "at least 8 x 8 pixels and 1 sample, got .4, 40"),
        ({"shard": "2/2"}, "k = 0 .. n - 1"),
        ({"method": "cut"}, "did you mean 'cut-and-paste'|there are: cut-and-paste, render"),
        ({"format": "gif"}, "there are: jpg, png"),
        ({"settings": {"clutterr": {}}}, "clutterr"),
    ):
        with pytest.raises(UserError, match=says):
            small(tmp_path / "d", **bad)
    assert not (tmp_path / "d").exists()
    assert shard_of("0/1") == (0, 1)


def test_pngs_lose_nothing_and_a_copied_folder_goes_on(tmp_path):
    small(tmp_path / "d", format="png", count=2, copies=0)
    first = open_dataset(tmp_path / "d")[0]
    np.testing.assert_array_equal(sample(first).picture, Sketch(None, 3, (24, 32), 1)(0)[0][1].picture)
    (tmp_path / "d").rename(tmp_path / "elsewhere")
    assert small(tmp_path / "elsewhere", format="png", count=3, copies=0).pictures == 3


SCRIPT = """
import sys, time
sys.path[:0] = {paths!r}
import test_render_command
from heatmark.commands.render import render
from heatmark.synth import studio
import heatmark.synth.render
class Slow(test_render_command.Sketch):
    def __call__(self, index):
        time.sleep(0.05)
        return super().__call__(index)
studio.Studio, studio.check_objects = Slow, lambda settings: None
heatmark.synth.render.probe_variant = lambda wanted: "scalar_rgb"
render("hammer", count=12, out={out!r}, size=(24, 32), seed=3)
"""


def test_killed_and_started_again_it_is_the_same_folder(tmp_path):
    small(tmp_path / "whole", count=12)
    out = tmp_path / "killed"
    script = SCRIPT.format(paths=[os.path.dirname(__file__), *sys.path], out=str(out))
    for enough in (3, 11):
        process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
        while len(list(out.glob("images/0*"))) < enough and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    Sketch.made = []
    assert small(out, count=12).pictures == 24
    assert 0 < len(Sketch.made) < 12
    assert files(out) == files(tmp_path / "whole")


class TestWithTheRenderer:
    """With Mitsuba itself, as small as it goes."""

    @pytest.fixture(autouse=True)
    def real(self, monkeypatch, sketched):
        pytest.importorskip("mitsuba")
        monkeypatch.undo()

    def test_a_picture_does_not_depend_on_what_was_drawn_before_it(self):
        from heatmark.synth.invention import invent
        from heatmark.synth.render import Renderer
        from heatmark.synth.settings import SceneSettings

        renderer, settings = Renderer((32, 32), 1, denoise=False), SceneSettings(objects=("hammer",))
        scenes = [invent(settings, 5, index) for index in (1, 6, 8)]
        forwards = [renderer(scene).picture for scene in scenes]
        backwards = [renderer(scene).picture for scene in reversed(scenes)]
        for one, other in zip(forwards, reversed(backwards)):
            np.testing.assert_array_equal(one, other)

    def test_shards_drawn_apart_are_the_pictures_of_one_run(self, tmp_path):
        plan = {"scene": "hammer", "count": 2, "size": (32, 32), "samples": 1}
        render(out=tmp_path / "together", **plan)
        render(out=tmp_path / "apart", shard="1/2", **plan)
        render(out=tmp_path / "apart", shard="0/2", **plan)
        together, apart = files(tmp_path / "together" / "images"), files(tmp_path / "apart" / "images")
        assert together == apart and len(together) == 4
        assert len(open_dataset(tmp_path / "together")) == 4

    def test_cut_and_paste_from_a_dataset_with_outlines(self, tmp_path):
        folder = tmp_path / "photos"
        from heatmark.data import coco
        from heatmark.data.records import Record, write_whole
        from heatmark.imaging import encode_jpeg

        picture = np.full((40, 60, 3), 30, np.uint8)
        picture[10:20, 5:55] = (220, 60, 40)
        write_whole(folder / "images" / "a.jpg", encode_jpeg(picture))
        poses = Poses(PIN, np.array([[[6.0, 15], [54.0, 15]]]), boxes=np.array([[5.0, 10, 55, 20]]))
        outline = {"segmentation": [[5, 10, 55, 10, 55, 20, 5, 20]]}
        coco.write(folder, PIN, [Record(folder / "images" / "a.jpg", (40, 60), poses, 1, {}, (outline,))])
        done = render(folder, count=3, out=tmp_path / "d", size=(48, 48), method="cut-and-paste")
        assert done.pictures == 3 and done.variant == "none"
        dataset = open_dataset(tmp_path / "d")
        assert dataset.skeleton == PIN and all(r.extra["kind"] == "pasted" for r in dataset)

    def test_a_scene_that_does_not_exist_is_named_with_its_nearest(self, tmp_path):
        with pytest.raises(UserError, match="no family or mesh is called 'hamer' .did you mean 'hammer'"):
            render("hamer", count=1, out=tmp_path / "d")

    def test_a_faulty_mesh_is_named_before_the_folder_is_begun(self, tmp_path):
        mesh = tmp_path / "thing.obj"
        mesh.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\n")
        (tmp_path / "landmarks.json").write_text('{"landmarks": {"a": [0, 0, 0]}}')
        with pytest.raises(DataError, match=r"thing\.obj"):
            render(mesh, count=1, out=tmp_path / "d")
        assert not (tmp_path / "d").exists()


def test_the_makers_lines_are_json(tmp_path):
    plan = album.Plan({"objects": ["hammer"]}, {}, 0, (24, 32), 1, "render", 0, "scalar_rgb", "jpg", False)
    ((line,),) = Maker(plan, tmp_path)([0])
    assert json.loads(json.dumps(line, allow_nan=False))["points"][0][1] == [None, None]


@pytest.mark.parametrize(
    ("scene", "recipe"), [("people", "people_lite0"), ("shelf", "shelf_small"), ("hammer", "ihm56")]
)
def test_what_to_do_next_is_a_recipe_for_what_was_rendered(tmp_path, monkeypatch, capsys, scene, recipe):
    made = Rendered(tmp_path / "d", 3, 1.0, "scalar_rgb")
    monkeypatch.setattr("heatmark.commands.render.render", lambda *args, **kwargs: made)
    assert main(["render", scene, "--out", str(tmp_path / "d")]) == 0
    assert f"Next: heatmark train {recipe} --data" in capsys.readouterr().out
