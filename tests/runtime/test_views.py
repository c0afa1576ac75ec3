"""Several looks at one picture: the published programs' sizes, averaged heights, and tags side by side."""

import numpy as np
import pytest
from throngs import SIZE, TWO, Throng, crowd_picture, throng_card, write_throng

from heatmark import models
from heatmark.errors import UserError
from heatmark.grouping import people
from heatmark.runtime import load, views
from heatmark.runtime.views import PROTOCOLS, Views, letterbox, long_side, short_side


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setitem(models.CROWDS, "throng", Throng)
    return write_throng(tmp_path / "throng.safetensors")


@pytest.mark.parametrize(
    ("picture", "scales", "sizes"),
    [
        ((480, 640), (1,), [(512, 704)]),  # 512 / 480 * 640 = 682.7
        ((640, 480), (1,), [(704, 512)]),
        ((480, 640), (2, 1, 0.5), [(1024, 1536), (512, 768), (256, 384)]),  # 256 / 480 * 640 = 341.3, times 4
        ((427, 640), (2, 1, 0.5), [(1024, 1536), (512, 768), (256, 384)]),  # 383.7
        ((426, 640), (2, 1, 0.5), [(1024, 1536), (512, 768), (256, 384)]),  # 384.6 + 63, in whole 64s: 384
        ((500, 500), (1,), [(512, 512)]),
    ],
)
def test_higherhrnet_makes_the_shorter_side_512_and_both_multiples_of_64(picture, scales, sizes):
    assert [short_side(picture, (512, 512), s, min(scales)) for s in scales] == sizes


def test_pose_ae_makes_a_square_and_ours_keeps_its_size():
    assert [long_side((300, 640), (512, 512), s, 0.5) for s in (2, 1, 0.5)] == [
        (1024, 1024), (512, 512), (256, 256),
    ]  # fmt: skip
    assert letterbox((300, 640), (160, 96), 1, 1) == (160, 96)
    assert letterbox((300, 640), (160, 96), 2, 1) == (320, 192)


def told(scales, flip, protocol) -> tuple[Views, list]:
    """Views of a network that draws its input's width in hundreds as heights and 1 at its left edge, and
    a tag of 5 there; and the shapes it was shown."""
    shown = []

    def maps(pictures):
        b, _, h, w = pictures.shape
        shown.append(pictures.shape)
        heat = np.full((b, 3, h // 4, w // 4), w / 1000, np.float32)
        tags = np.zeros_like(heat)
        tags[..., 0] = 5.0
        return heat, tags

    return Views(maps, throng_card(size=(64, 128)), scales, flip, PROTOCOLS[protocol]), shown


def test_heights_are_averaged_and_only_scale_1_tags_persons(monkeypatch):
    asked = {}

    def kept(heat, tags, rules):
        asked.update(heat=heat, tags=tags, rules=rules)
        return people(heat, tags, rules)

    monkeypatch.setattr(views, "people", kept)
    look, shown = told((2.0, 1.0, 0.5), True, "higherhrnet")
    look.one(np.zeros((64, 128, 3), np.uint8))
    # the shorter side, 64, is 32 at the least scale, rounded up to 64: so scale 1 is 128, scale 2 is 256
    assert shown == [(2, 3, 256, 512), (2, 3, 128, 256), (2, 3, 64, 128)]
    assert asked["heat"].shape == (3, 128, 256)  # network pixels of scale 1
    np.testing.assert_allclose(asked["heat"], (0.512 + 0.256 + 0.128) / 3, rtol=1e-6)
    assert asked["tags"].shape == (3, 128, 256, 2) and asked["rules"].keyed
    left, right = asked["tags"][0, 0, 0], asked["tags"][0, 0, -1]
    assert left.tolist() == [5, 0] and right.tolist() == [0, 5]  # the mirror image's tag is mirrored back

    look, shown = told((2.0, 1.0, 0.5), False, "pose_ae")
    look.one(np.zeros((64, 128, 3), np.uint8))
    assert shown == [(1, 3, 256, 256), (1, 3, 128, 128), (1, 3, 64, 64)]
    assert asked["heat"].shape == (3, 64, 64) and asked["tags"].shape == (3, 64, 64, 1)  # of the largest
    assert PROTOCOLS["pose_ae"].most == 1.0 and asked["rules"].order is None  # which is COCO's alone


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("scales", [(1,), (2, 1, 0.5)])
def test_two_persons_are_found_where_they_are_in_every_protocol(model, protocol, scales):
    finder = load(model, scales=scales, protocol=protocol)
    assert finder.card.decoding.flip == (protocol != "heatmark")
    poses = finder(crowd_picture(*TWO))
    assert len(poses) == 2 or protocol != "heatmark"  # published: each of two equal cells is a peak
    poses = poses[:2]
    order = np.argsort(poses.points[:, 0, 0])
    np.testing.assert_allclose(poses.points[order], np.array(TWO, float), atol=1.2)
    assert len(finder(np.zeros((*SIZE, 3), np.uint8))) == 0
    assert finder.latency.network > 0


def test_one_scale_without_a_flip_is_the_plain_look(model):
    plain, looked = load(model), load(model, scales=(1,))
    picture = crowd_picture(*TWO, size=(60, 90))
    np.testing.assert_allclose(looked(picture).points, plain(picture).points, atol=1e-4)


def test_what_cannot_be_looked_at_so_is_told(model, tmp_path):
    with pytest.raises(UserError, match="did you mean 'higherhrnet'"):
        load(model, protocol="higherhrne")
    with pytest.raises(UserError, match="one must be 1"):
        load(model, scales=(2, 0.5))
    with pytest.raises(UserError, match="above 0 and at most 4"):
        load(model, scales=(0, 1))
    with pytest.raises(UserError, match="need the engine torch, got 'openvino'"):
        load(model, "openvino", scales=(1,))
    (tmp_path / "a.onnx").touch()
    with pytest.raises(UserError, match="use the .safetensors model"):
        load(tmp_path / "a.onnx", scales=(1,))
