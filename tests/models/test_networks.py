"""Every network of MODELS: its maps, its number of parameters, its weights' published names, its learning."""

from typing import Any

import pytest
import torch
from torch import nn

from heatmark.errors import DataError, UserError
from heatmark.models import MODELS, check_options, create, options_of, origin, unfetched
from heatmark.models.hourglass import Hourglass, KerasHourglass
from heatmark.models.hrnet import HRNet
from heatmark.models.simple_baseline import SimpleBaseline

SMALL = {"ihm56": {"backbone": "tiny"}, "ihm224": {"backbone": "tiny"}, "hm": {"backbone": "tiny"}}
LIGHT = {
    "hrnet": lambda: HRNet(3, 4),
    "hourglass": lambda: Hourglass(3, 2, 16),
    "keras": lambda: KerasHourglass(3, 2, 16),
}


def weightless(name: str, points: int) -> Any:
    """A network of which only the shapes are there, so that its size costs nothing."""
    with torch.device("meta"):
        return create(name, points, **unfetched(name, SMALL.get(name, {}))).eval()


@pytest.mark.parametrize("name", MODELS)
def test_every_network_draws_its_maps_at_its_strides(name):
    net = weightless(name, 3)
    maps = net(torch.rand(2, 3, 64, 96, device="meta"))
    assert [m.shape for m in maps] == [(2, 3, 64 // s, 96 // s) for s in net.strides]
    assert list(net.strides) == sorted(net.strides, reverse=True)


@pytest.mark.parametrize(
    ("name", "points", "parameters", "entries"),
    [
        ("hrnet_w32", 17, 28_536_113, 1754),
        ("hrnet_w32", 16, 28_536_080, 1754),
        ("hrnet_w48", 17, 63_595_745, 1754),
        ("simple_baseline_50", 17, 33_999_697, 338),
        ("hourglass_2", 16, 8_429_088, 742),
    ],
)
def test_the_published_numbers_of_parameters(name, points, parameters, entries):
    net = weightless(name, points)
    assert sum(p.numel() for p in net.parameters()) == parameters
    assert len(net.state_dict()) == entries


def shapes(name: str, points: int) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in weightless(name, points).state_dict().items()}


def test_hrnets_weights_have_their_published_names():
    state = shapes("hrnet_w32", 17)
    assert state["conv1.weight"] == (64, 3, 3, 3) and state["bn2.num_batches_tracked"] == ()
    assert (
        state["layer1.0.downsample.0.weight"] == (256, 64, 1, 1)
        and "layer1.1.downsample.0.weight" not in state
    )
    assert state["transition1.0.0.weight"] == (32, 256, 3, 3)
    assert state["transition1.1.0.0.weight"] == (64, 256, 3, 3)
    assert state["transition2.2.0.0.weight"] == (128, 64, 3, 3) and "transition2.0.0.weight" not in state
    assert state["transition3.3.0.1.running_var"] == (256,)
    assert state["stage3.3.branches.2.3.bn2.weight"] == (128,)
    assert state["stage4.0.fuse_layers.0.3.0.weight"] == (32, 256, 1, 1)
    assert state["stage4.0.fuse_layers.3.0.1.0.weight"] == (32, 32, 3, 3)  # on the way it keeps its width
    assert state["stage4.0.fuse_layers.3.0.2.0.weight"] == (256, 32, 3, 3)
    assert not any(key.startswith("stage4.2.fuse_layers.1") for key in state)
    assert state["final_layer.weight"] == (17, 32, 1, 1) and state["final_layer.bias"] == (17,)


def test_simple_baselines_weights_have_their_published_names():
    state = shapes("simple_baseline_152", 17)
    assert state["layer3.35.conv3.weight"] == (1024, 256, 1, 1)
    assert {key.split(".")[1] for key in state if key.startswith("deconv_layers")} == {
        "0",
        "1",
        "3",
        "4",
        "6",
        "7",
    }
    assert state["deconv_layers.0.weight"] == (2048, 256, 4, 4) and "deconv_layers.0.bias" not in state
    assert weightless("simple_baseline_50", 17).layer2[0].conv2.stride == (2, 2)  # in the 3x3


def test_the_hourglasss_weights_have_their_published_names():
    state = shapes("hourglass_8", 16)
    assert state["pre.0.conv.weight"] == (64, 3, 7, 7) and state["pre.0.bn.weight"] == (64,)
    assert state["pre.4.skip_layer.conv.weight"] == (256, 128, 1, 1)
    assert state["hgs.7.0.low2.low2.low2.low2.conv2.conv.weight"] == (128, 128, 3, 3)
    assert state["features.0.1.bn.running_mean"] == (256,)
    assert (
        state["merge_preds.6.conv.conv.weight"] == (256, 16, 1, 1)
        and "merge_preds.7.conv.conv.weight" not in state
    )


def test_the_first_convolutions_start_near_nothing():
    torch.manual_seed(0)
    net = HRNet(3, 8)
    assert abs(net.stage2[0].branches[1][2].conv1.weight.std() - 0.001) < 1e-4  # type: ignore[union-attr]
    assert not net.final_layer.bias.any()  # type: ignore[union-attr]


def test_hrnet_takes_rgb_and_simple_baseline_bgr():
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    assert HRNet(1, 4).normalise(red).flatten()[0] == pytest.approx((1 - 0.485) / 0.229)
    with torch.device("meta"):
        order = SimpleBaseline(1).normalise.bgr
    assert order and not any(key.startswith("normalise") for key in HRNet(1, 4).state_dict())


@pytest.mark.parametrize("form", LIGHT)
def test_each_learns_one_picture(form):
    torch.manual_seed(0)
    net = LIGHT[form]()
    picture, target = torch.rand(2, 3, 64, 64), torch.zeros(2, 3, 16, 16)
    target[:, 0, 2:7, 2:7] = target[:, 1, 6:12, 6:12] = target[:, 2, 9:14, 1:6] = 1
    optimiser, losses = torch.optim.Adam(net.parameters(), 1e-2), []
    for _ in range(25):
        loss = torch.stack([(m - target).square().mean() for m in net(picture)]).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert all(p.grad is not None for p in net.parameters() if p.requires_grad)


def test_sizes_that_do_not_halve_evenly_still_fit_an_hourglass():
    assert Hourglass(2, 1, 8).eval()(torch.rand(1, 3, 96, 224))[0].shape == (1, 2, 24, 56)


def test_the_last_step_of_each_stays_in_float32_in_low_precision():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for form in LIGHT:
            assert all(m.dtype == torch.float32 for m in LIGHT[form]().eval()(torch.rand(1, 3, 64, 64)))


def test_an_imagenet_file_fills_all_but_the_final_layer(tmp_path, monkeypatch):
    from heatmark.models import hrnet

    monkeypatch.setattr(hrnet, "HRNet", lambda points, width: HRNet(points, 4))
    theirs = HRNet(1000, 4).state_dict()
    torch.save(
        {"state_dict": {f"module.{k}": v for k, v in theirs.items()} | {"module.more": torch.ones(2)}},
        tmp_path / "w.pth",
    )
    net = create("hrnet_w32", 2, weights=str(tmp_path / "w.pth"))
    assert all(
        torch.equal(v, theirs[k]) for k, v in net.state_dict().items() if not k.startswith("final_layer")
    )
    del theirs["stage4.1.branches.0.0.conv1.weight"]
    torch.save(theirs, tmp_path / "w.pth")
    with pytest.raises(DataError, match="w.pth: stage4.1.branches.0.0.conv1.weight is missing"):
        create("hrnet_w32", 2, weights=str(tmp_path / "w.pth"))


def test_only_networks_that_fetch_weights_are_told_not_to():
    assert unfetched("hrnet_w32", {}) == {"weights": None} and unfetched("hourglass_2", {"width": 32}) == {
        "width": 32
    }
    assert "backbone" not in options_of("hrnet_w48")
    assert origin("ihm56", {"backbone": "tiny"}) == ("tiny", "random weights", "Apache-2.0")
    assert origin("hourglass_2", {})[1] == "random weights" and origin("hrnet_w32", {})[2] == "MIT"
    assert origin("hrnet_w32", {"weights": None})[1] == "random weights"


@pytest.mark.parametrize(
    ("name", "options", "word"),
    [
        ("hrnet_w23", {}, "did you mean 'hrnet_w32'"),
        ("hrnet_w32", {"weigths": None}, "did you mean 'weights'"),
        ("hourglass_2", {"width": 7}, "an even number of channels"),
        ("hrnet_w32", {"weights": "nowhere.pth"}, "no file of weights at nowhere.pth"),
    ],
)
def test_a_wrong_name_or_option_is_told(name, options, word):
    with pytest.raises(UserError, match=word):
        create(name, 2, **options)


@pytest.mark.slow
def test_each_exports_and_answers_the_same():
    """All of the three forms in one graph: what they have in common with the others is tested with them."""
    import onnxruntime

    class All(nn.Module):
        def __init__(self):
            super().__init__()
            self.nets = nn.ModuleList(make() for make in LIGHT.values())

        def forward(self, pictures):
            return tuple(net(pictures)[-1] for net in self.nets)

    torch.manual_seed(0)
    net, pictures = All().eval(), torch.rand(2, 3, 64, 64)
    program = torch.onnx.export(
        net, (pictures,), dynamo=True, verbose=False, dynamic_shapes=({0: torch.export.Dim("b")},)
    )
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    with torch.no_grad():
        for theirs, ours in zip(
            session.run(None, {session.get_inputs()[0].name: pictures[:1].numpy()}), net(pictures[:1])
        ):
            torch.testing.assert_close(torch.from_numpy(theirs), ours, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("model", "option", "value", "said"),
    [
        ("ihm56", "width", -1, "greater than 0"),
        ("hm", "width", float("inf"), "finite"),
        ("coordinate_34", "connected", 0, "greater than or equal to 1"),
        ("coordinate_lite0", "width", 0, "greater than or equal to 1"),
        ("gaussian_layer", "depth", 0, "greater than or equal to 1"),
        ("retinanet", "norm", "nope", "'batch' or 'group'"),
    ],
)
def test_an_option_that_no_network_can_have_is_refused_by_name(model, option, value, said):
    with pytest.raises(UserError, match=f"options.{option} of {model}: input should be .*{said}"):
        check_options(model, {option: value})


@pytest.mark.parametrize("options", [{"backbone": 7}, {"width": "many"}, {"weights": 7}, {"dropout": None}])
def test_an_option_of_another_kind_than_the_signatures_is_refused_by_name(options):
    (name,) = options
    with pytest.raises(UserError, match=f"options.{name} of ihm56: input should be a valid"):
        create("ihm56", 3, **options)
