"""Training begins where a file made for use ended: the same answers, with statistics to learn on by."""

from typing import Any

import numpy as np
import pytest
import torch

from heatmark.card import Card
from heatmark.commands import graphs
from heatmark.commands.start import begin_with, settle
from heatmark.errors import DataError, UserError
from heatmark.models import create
from heatmark.runtime.decoding import PointReader
from heatmark.runtime.engines import opened
from heatmark.training.loader import collate
from heatmark.training.task import Batch
from heatmark.types import Skeleton

TOOL = Skeleton("tool", ("a", "b"))
OPTIONS = {"backbone": "tiny", "width": 0.1, "dropout": 0.0}


def network(seed, **options) -> Any:
    torch.manual_seed(seed)
    return create("ihm56", points=2, **OPTIONS | {"weights": None} | options)


@pytest.fixture(scope="module")
def learnt():
    """A network whose batch norms have seen something."""
    net = network(1).train()
    with torch.no_grad():
        for _ in range(3):
            net(torch.rand(4, 3, 64, 64))
    for norm in net.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(norm.weight, 0.5, 1.5)
            torch.nn.init.uniform_(norm.bias, -0.5, 0.5)
    return net.eval()


@pytest.fixture(scope="module", params=["fp32", "fp16"])
def file(request, learnt, tmp_path_factory):
    facts = {"name": "tool", "skeleton": TOOL, "size": (64, 64), "model": "ihm56", "options": OPTIONS}
    card = Card(**facts, strides=learnt.strides, precision=request.param)
    graph = graphs.to_onnx(PointReader(learnt, card), card)
    if request.param == "fp16":
        graph = graphs.half_weights(graph)
    return graphs.write(graph, card, tmp_path_factory.mktemp("use") / "tool.onnx")[0]


class Shown:
    """Samples of noise."""

    class recipe:
        batch = 8

    def __len__(self):
        return 64

    def __getitem__(self, key):
        rng = np.random.default_rng(key[1])
        picture = torch.from_numpy(rng.integers(0, 256, (3, 64, 64), np.uint8))
        nothing = torch.zeros(2, 2), torch.zeros(2, dtype=torch.bool), torch.tensor(1.0)
        return Batch(picture, *nothing, ("noise",))

    collate = staticmethod(collate)


def test_a_file_for_use_gives_its_network_back(file, learnt):
    net = network(2)
    begun = begin_with(str(file), net)
    pictures = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(net.eval()(pictures)[-1], learnt(pictures)[-1], atol=2e-3, rtol=0)
    settle(net, begun, Shown())
    with torch.no_grad():
        torch.testing.assert_close(net.eval()(pictures)[-1], learnt(pictures)[-1], atol=2e-3, rtol=0)


def test_learning_goes_by_batches_that_answer_as_the_file_did(file, learnt):
    """In training a batch norm takes its batch's own statistics: near those that were stored."""
    net, shown = network(2), Shown()
    settle(net, begin_with(str(file), net), shown)
    pictures = shown.collate([shown[0, i] for i in range(16, 32)]).pictures.float() / 255
    with torch.no_grad():
        gap = (net.train()(pictures)[-1] - learnt(pictures)[-1]).abs()
    assert gap.mean() < 0.02
    unsettled = network(2)
    begin_with(str(file), unsettled)
    with torch.no_grad():
        assert (unsettled.train()(pictures)[-1] - learnt(pictures)[-1]).abs().mean() > 2 * gap.mean()


def test_heads_that_only_learning_needs_begin_anew(file):
    net = network(2)
    before = net.heads["0"].draw.weight.clone()
    begin_with(str(file), net)
    assert torch.equal(net.heads["0"].draw.weight, before)


def test_what_is_no_start_is_said(file):
    with pytest.raises(DataError, match=r"tool.onnx: of another network: .*here \(2, 12, .*there \(2, 6, "):
        begin_with(str(file), network(0, width=0.2))
    with pytest.raises(UserError, match="there is no model at hamer"):
        begin_with("hamer", network(0))
    whole = file.with_name("int8.onnx")
    card = opened(file)[1].model_copy(update={"precision": "int8"})
    graphs.write(graphs.onnx_of(file), card, whole)
    with pytest.raises(UserError, match="int8.onnx: its weights are whole numbers"):
        begin_with(str(whole), network(0))
