"""Files in the authors' form are recognised and fill our networks; others are told apart."""

import pytest
import torch

from heatmark.errors import DataError, UserError
from heatmark.models import create, published, unfetched

PUBLISHED = (
    ("hrnet_w32", 17), ("hrnet_w48", 17), ("hrnet_w32", 16), ("simple_baseline_50", 17),
    ("simple_baseline_101", 16), ("simple_baseline_152", 17), ("hourglass_2", 16), ("hourglass_8", 16),
)  # fmt: skip


FLAT = {"final_layer.weight": torch.ones(17), "stage4.0.branches.0.0.conv1.weight": torch.ones(1)}


@pytest.mark.parametrize(("name", "points"), PUBLISHED)
def test_each_is_recognised_by_names_and_shapes(name, points):
    with torch.device("meta"):
        state = create(name, points, **unfetched(name, {})).state_dict()
    assert published.recognised(state) == (name, points)


@pytest.mark.parametrize("prefix", ["", "module.", "model.module."])
def test_a_file_fills_the_network(tmp_path, prefix):
    made = create("hourglass_2", 5, width=256)
    state = {f"{prefix}{key}": value for key, value in made.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3} if prefix else state, tmp_path / "a.pth")
    name, net = published.opened(tmp_path / "a.pth")
    assert name == "hourglass_2" and not net.training
    assert all(torch.equal(value, made.state_dict()[key]) for key, value in net.state_dict().items())


def test_a_file_of_several_gpus_is_a_model_to_go_on_from(tmp_path):
    made = create("pose_ae", 3, stacks=1, width=4)
    torch.save({f"model.module.{k}": v for k, v in made.state_dict().items()}, tmp_path / "a.pth")
    again = create("pose_ae", 3, stacks=1, width=4, weights=str(tmp_path / "a.pth"))
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in made.state_dict().items())


def test_other_files_are_told(tmp_path):
    path = tmp_path / "b.pth"
    with pytest.raises(UserError, match="no file of weights at"):
        published.opened(path)
    for state in ({"fc.weight": torch.ones(2)}, {"final_layer.weight": torch.ones(17, 32, 1, 1)}, FLAT):
        torch.save(state, path)
        with pytest.raises(DataError, match="b.pth: these are not the weights of HRNet-W32"):
            published.opened(path)
    state = create("hourglass_2", 5).state_dict()
    torch.save({k: v for k, v in state.items() if k != "pre.0.conv.bias"}, path)
    with pytest.raises(DataError, match="b.pth: pre.0.conv.bias is missing"):
        published.opened(path)
    with torch.device("meta"):
        narrow = create("hourglass_2", 5, width=64).state_dict()
    torch.save({k: torch.zeros(v.shape) for k, v in narrow.items()}, path)
    with pytest.raises(DataError, match=r"pre.4.bn3.weight must be \(128,\), got \(32,\)|must be"):
        published.opened(path)
