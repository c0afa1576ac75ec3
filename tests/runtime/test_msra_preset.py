"""A card that says msra: the model's file, opened, gives the points of HRNet's formulas."""

import json

import numpy as np
import pytest
import torch
import toys

from heatmark.card import Card, Decoding
from heatmark.errors import DataError
from heatmark.heatmaps import msra
from heatmark.models import create
from heatmark.runtime.decoding import PointReader
from heatmark.runtime.engines import opened


def test_a_models_file_says_how_its_maps_are_read(tmp_path, spots_safetensors):
    card = toys.spots_card(decoding=Decoding(method="msra"))
    path = toys.write_safetensors(tmp_path / "msra.safetensors", card)
    picture = toys.spots(toys.SIZE, (20.0, 13.0), (41.0, 30.0), (50.0, 9.0))
    pictures = (picture[None].transpose(0, 3, 1, 2) / 255).astype(np.float32)
    found = opened(path)[0](pictures)
    maps = toys.Spots()(torch.from_numpy(pictures))[-1].detach()
    cells, scores = msra.cells(maps)
    assert np.allclose(found["points"], cells * 2 + 0.5) and np.allclose(found["scores"], scores)
    assert str(card.decoding) == "msra, threshold 0"


def test_a_file_of_the_official_form_gives_the_points_of_the_formulas(tmp_path):
    """Random weights under HRNet's published names, saved as its authors do, through our network."""
    generator = torch.Generator().manual_seed(0)
    official = {
        key: torch.rand(value.shape, generator=generator) * 0.1 + ("var" in key)
        for key, value in create("hrnet_w32", 3, weights=None).state_dict().items()
        if "num_batches" not in key
    }
    torch.save(official, tmp_path / "pose_hrnet_w32.pth")
    net = create("hrnet_w32", 3, weights=None)
    net.load_state_dict(torch.load(tmp_path / "pose_hrnet_w32.pth", weights_only=True), strict=False)
    card = toys.spots_card(model="hrnet_w32", strides=(4,), size=(64, 64), decoding=Decoding(method="msra"))
    pictures = torch.rand(1, 3, 64, 64, generator=generator)
    with torch.no_grad():
        points, scores = PointReader(net, card)(pictures)
        maps = net(pictures)[0][0].numpy()  # (3, 16, 16)
    for k, cells in enumerate(maps):
        y, x = np.unravel_index(cells.argmax(), cells.shape)
        at = np.array([x, y], float)
        if 1 < x < 15 and 1 < y < 15:
            at += 0.25 * np.sign([cells[y, x + 1] - cells[y, x - 1], cells[y + 1, x] - cells[y - 1, x]])
        assert points[0, k].tolist() == (at * 4 + 0.5).tolist() and scores[0, k] == cells.max() > 0


def test_msra_cannot_read_merged_maps():
    skeleton = {"name": "wrench", "landmarks": ["a", "b"], "interchangeable": [["a", "b"]]}
    raw = toys.spots_card().model_dump(mode="json") | {"skeleton": skeleton, "decoding": {"method": "msra"}}
    with pytest.raises(DataError, match="need a map each"):
        Card.from_json(json.dumps(raw))
