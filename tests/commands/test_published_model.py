"""A published file becomes a model of ours, and finds the points that its authors' formulas give."""

import cv2
import numpy as np
import pytest
import torch

from heatmark.cli import main
from heatmark.commands.published_model import convert_model
from heatmark.data import coco
from heatmark.errors import DataError, UserError
from heatmark.imaging import encode_png
from heatmark.models import create, unfetched
from heatmark.runtime import load
from heatmark.skeletons import COCO17, MPII16
from heatmark.types import Skeleton


def official(path, name, points):
    """Random weights under the authors' names, as they save them; their own form of a state dict."""
    torch.manual_seed(0)
    net = create(name, points, **unfetched(name, {}))
    for module in net.modules():  # so that values stay of one size from layer to layer
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.bias, std=0.1)
    torch.save(net.state_dict(), path)
    return net.eval()


def by_formula(net, picture, box, size):
    """HRNet's test, written out: box to crop, network, argmax, a quarter of a cell, inverse affine."""
    x, y, w, h = box
    centre, aspect = np.array([x + w * 0.5, y + h * 0.5], np.float32), size[1] / size[0]
    w, h = (w, w / aspect) if w > aspect * h else (h * aspect, h)
    scale = np.array([w / 200, h / 200], np.float32) * 1.25

    def affine(to, inverse):
        up = centre + np.array([0, scale[0] * 200 * -0.5])
        source = np.array([centre, up, up + [-(centre - up)[1], (centre - up)[0]]], np.float32)
        middle = np.array([to[1] * 0.5, to[0] * 0.5])
        top = middle + [0, to[1] * -0.5]
        target = np.array([middle, top, top + [-(middle - top)[1], (middle - top)[0]]], np.float32)
        return cv2.getAffineTransform(*((target, source) if inverse else (source, target)))

    crop = cv2.warpAffine(picture, affine(size, False), (size[1], size[0]), flags=cv2.INTER_LINEAR)
    with torch.no_grad():
        seen = np.ascontiguousarray(crop.transpose(2, 0, 1)[None].astype(np.float32) / 255)
        maps = net(torch.from_numpy(seen))[-1][0].numpy()
    back, found = affine(maps.shape[1:], True), []
    for cells in maps:
        py, px = np.array(np.unravel_index(cells.argmax(), cells.shape)) * (cells.max() > 0)
        at = np.array([px, py], np.float64)
        if 1 < px < cells.shape[1] - 1 and 1 < py < cells.shape[0] - 1:
            at += 0.25 * np.sign(
                [cells[py, px + 1] - cells[py, px - 1], cells[py + 1, px] - cells[py - 1, px]]
            )
        found.append(back @ [*at, 1])
    return np.array(found), maps.max((1, 2))


@pytest.fixture(scope="module", params=[("hrnet_w32", 16, (96, 64)), ("simple_baseline_50", 17, (64, 64))])
def pair(request, tmp_path_factory):
    """A network of its authors' form, and our model made of its file."""
    name, points, size = request.param
    folder = tmp_path_factory.mktemp("published")
    net = official(folder / "official.pth", name, points)
    made = convert_model(folder / "official.pth", folder / "ours.safetensors", model=name, size=size)
    assert (made.model, made.points, made.size) == (name, points, size)
    return net, load(folder / "ours.safetensors")


def test_the_points_are_those_of_the_formulas(pair):
    net, predictor = pair
    picture = np.random.default_rng(0).integers(0, 255, (140, 180, 3)).astype(np.uint8)
    picture = cv2.GaussianBlur(picture, (0, 0), 6)
    found = predictor(encode_png(picture), np.array([[30.0, 20, 130, 110]]))
    wanted, scores = by_formula(net, picture, (30, 20, 100, 90), predictor.card.size)
    assert len(np.unique(wanted, axis=0)) > 3  # a test of more than one place
    assert found.points[0] - 0.5 == pytest.approx(wanted, abs=1e-9)  # ours count from the edge
    assert found.scores[0] == pytest.approx(np.clip(scores, 0, 1), abs=1e-5)


def test_the_card_says_what_the_file_does_not(pair):
    card = pair[1].card
    assert (card.task, card.decoding.method, card.enlarge) == ("top_down", "msra", 1.25)
    coco = card.model == "simple_baseline_50"
    assert card.skeleton_of() == (COCO17 if coco else MPII16)
    order = "BGR" if coco else "RGB"
    assert f"makes {order} of them, minus [0.485, 0.456, 0.406], over [0.229, 0.224, 0.225]" in card.input
    assert card.options == {"weights": None} and ("Xiao" if coco else "Sun") in card.data["weights"]


def test_landmarks_that_nobody_can_tell_apart_have_a_map_each(tmp_path):
    ends = Skeleton("wrench", ("jaw_a", "jaw_b", "mark"), interchangeable=(("jaw_a", "jaw_b"),))
    coco.write(tmp_path / "like", ends, [])
    torch.save(create("simple_baseline_50", 3, weights=None).state_dict(), tmp_path / "a.pth")
    convert_model(tmp_path / "a.pth", tmp_path / "a.safetensors", size=(64, 64), like=tmp_path / "like")
    card = load(tmp_path / "a.safetensors").card
    assert card.channels == ((0,), (1,), (2,)) and card.skeleton_of().landmarks == ends.landmarks


def test_what_does_not_fit_is_said(tmp_path, capsys):
    torch.save(create("hourglass_2", 5).state_dict(), tmp_path / "a.pth")
    with pytest.raises(UserError, match="draws 5 maps, neither COCO's 17 nor MPII's 16"):
        convert_model(tmp_path / "a.pth", tmp_path / "a.safetensors")
    with pytest.raises(UserError, match="a.pth: holds the weights of hourglass_2, not of hrnet_w48"):
        convert_model(tmp_path / "a.pth", tmp_path / "a.safetensors", model="hrnet_w48")
    with pytest.raises(UserError, match="ends in .safetensors"):
        convert_model(tmp_path / "a.pth", tmp_path / "a.onnx")
    with pytest.raises(UserError, match="size: a network's input is multiples of 32 pixels, got 100x96"):
        convert_model(tmp_path / "a.pth", tmp_path / "a.safetensors", size=(100, 96))
    with pytest.raises(UserError, match="size: a network's input is multiples of 32 pixels, got 0x0"):
        convert_model(tmp_path / "a.pth", tmp_path / "a.safetensors", size=(0, 0))
    (tmp_path / "b.pth").write_bytes(b"import os")
    with pytest.raises(DataError, match="b.pth: not a file of weights"):
        convert_model(tmp_path / "b.pth", tmp_path / "b.safetensors")
    assert main(["convert", str(tmp_path / "b.pth"), str(tmp_path / "b.safetensors")]) == 3
    assert capsys.readouterr().err.count("\n") == 1
