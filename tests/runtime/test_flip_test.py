"""The flip test: the mirror image is looked at too, and the maps are averaged before they are read."""

import numpy as np
import pytest
import torch
import toys

from heatmark.card import Card, Decoding
from heatmark.errors import UserError
from heatmark.heatmaps import msra
from heatmark.imaging import msra as crops
from heatmark.runtime import load
from heatmark.runtime.decoding import PointReader
from heatmark.runtime.windows import network_input, window
from heatmark.types import Skeleton

PAIR = Skeleton("spots", ("red", "green", "blue"), mirror=(("red", "blue"),))


def test_the_maps_of_a_picture_and_of_its_mirror_image_are_averaged():
    card = toys.spots_card(skeleton=PAIR, decoding=Decoding(method="msra", flip=True))
    net, pictures = toys.Spots(), torch.rand(2, 3, *toys.SIZE, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        points, scores = PointReader(net, card)(pictures)
        maps, other = net(pictures)[-1], net(pictures.flip(-1))[-1]
    unflipped = other.flip(-1)[:, [2, 1, 0]]  # names swap
    shifted = torch.cat([unflipped[..., :1], unflipped[..., :-1]], -1)  # one cell to the right
    cells, wanted = msra.cells((maps + shifted) / 2)
    assert torch.equal(points, cells * 2 + 0.5) and torch.equal(scores, wanted)


def test_in_the_houses_coordinates_a_mirror_image_needs_no_shift():
    card = toys.spots_card(decoding=Decoding(flip=True))
    picture = toys.spots(toys.SIZE, (20.0, 13.0), (41.0, 30.0), (50.0, 9.0)) / np.float32(255)
    pictures = torch.from_numpy(picture.transpose(2, 0, 1)[None].astype(np.float32))
    with torch.no_grad():
        flipped, plain = (
            PointReader(toys.Spots(), c)(pictures)[0] for c in (card, toys.spots_card(decoding=Decoding()))
        )
    torch.testing.assert_close(flipped, plain, atol=1e-3, rtol=0)


def test_a_model_is_asked_for_the_flip_test_and_a_file_that_reads_its_maps_itself_says_no(
    tmp_path, spots_safetensors
):
    safe, onnx = spots_safetensors, toys.write_onnx(tmp_path / "a.onnx")
    assert load(safe, flip=True).card.decoding.flip and not load(safe).card.decoding.flip
    assert load(onnx, flip=False).card.decoding.flip is False
    with pytest.raises(UserError, match="reads its maps itself, without the flip test; use the .safetensors"):
        load(onnx, flip=True)


def test_a_mean_of_a_map_takes_no_flip_test():
    with pytest.raises(ValueError, match="flip test averages maps whose peaks are read"):
        Card(name="a", skeleton=PAIR.to_dict(), size=(64, 64), model="x", strides=(4,),
             decoding=Decoding(method="expectation", flip=True))  # fmt: skip


def test_an_msra_card_is_shown_the_authors_crop_and_comes_back_by_their_formula():
    card = toys.spots_card(decoding=Decoding(method="msra"), size=(256, 192), strides=(4,))
    box = np.array([40.0, 30.0, 160.0, 230.0])
    look = window(box, card)
    centre, scale = crops.centre_and_scale(np.array([40.0, 30, 120, 200]), (256, 192))
    picture = np.random.default_rng(0).integers(0, 255, (300, 260, 3)).astype(np.uint8)
    theirs = crops.crop(picture, centre, scale, (256, 192))
    assert np.array_equal(network_input(picture, look), theirs.transpose(2, 0, 1).astype(np.float32) / 255)
    cells = np.array([[10.25, 20.75]])
    assert np.array_equal(look.back(cells * 4 + 0.5), crops.back(cells, centre, scale, (64, 48)) + 0.5)
