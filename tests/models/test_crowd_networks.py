"""Networks that find everybody at once: their maps, published sizes and names, clusters and branches."""

from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from heatmark.data.posetrack import POSETRACK17
from heatmark.errors import DataError, UserError
from heatmark.models import CROWDS, backbones, create, origin, published, unfetched
from heatmark.models.clusterwise import (
    IN_FIVE,
    IN_THREE,
    PLANS,
    CrossBranch,
    InBranch,
    clusters,
    clusterwise,
    numbered,
)
from heatmark.models.higher_hrnet import HigherHRNet
from heatmark.models.layout import Drawn, each, readable
from heatmark.models.pose_ae import Decoder, PoseAE
from heatmark.skeletons import COCO17
from heatmark.types import Skeleton

LIGHT = {
    "higher_hrnet": lambda: HigherHRNet(3, 4),
    "pose_ae": lambda: PoseAE(3, 2, 16),
    "clusterwise": lambda: clusterwise(
        3, width=16, dense=[1, [[0, 1], [2]]], sparse=[3, 3], in_branch=True, cross_branch=True
    ),
}


def weightless(name: str, points: int, **options) -> Any:
    with torch.device("meta"):
        return create(name, points, **unfetched(name, options)).eval()


@pytest.mark.parametrize("name", CROWDS)
def test_each_draws_at_its_strides_and_says_what_its_maps_show(name):
    net = weightless(name, 17)
    maps = net(torch.rand(2, 3, 64, 128, device="meta"))
    assert [m.shape[2:] for m in maps] == [(64 // s, 128 // s) for s in net.strides]
    assert len(net.layout) == len(maps)
    readable(net.layout, 17)
    for drawn, m in zip(net.layout, maps):
        assert drawn.detections(m).shape[1] == len(drawn.clusters)
        if drawn.tags_from is not None:
            assert drawn.tags(m).shape == drawn.detections(m).shape


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("higher_hrnet_w32", 28_645_331), ("higher_hrnet_w48", 63_827_139), ("pose_ae", 138_893_840)],
)
def test_the_published_numbers_of_parameters(name, parameters):
    assert sum(p.numel() for p in weightless(name, 17).parameters()) == parameters


def test_the_weights_have_their_published_names():
    state = {key: tuple(v.shape) for key, v in weightless("higher_hrnet_w32", 17).state_dict().items()}
    assert state["final_layers.0.weight"] == (34, 32, 1, 1) and state["final_layers.1.bias"] == (17,)
    assert state["deconv_layers.0.0.0.weight"] == (66, 32, 4, 4) and "deconv_layers.0.0.0.bias" not in state
    assert state["deconv_layers.0.4.0.bn2.weight"] == (32,) and "stage4.2.fuse_layers.0.3.0.weight" in state
    state = {key: tuple(v.shape) for key, v in weightless("pose_ae", 17).state_dict().items()}
    assert state["pre.0.conv.weight"] == (64, 3, 7, 7) and state["pre.4.conv.bias"] == (256,)
    assert state["features.3.0.low2.low2.low2.low2.conv.weight"] == (768, 768, 3, 3)
    assert state["outs.3.conv.weight"] == (68, 256, 1, 1) and state["features.0.2.conv.bias"] == (256,)
    assert state["merge_preds.2.conv.conv.weight"] == (256, 68, 1, 1)
    assert "merge_preds.3.conv.conv.weight" not in state


@pytest.mark.parametrize(
    ("name", "points"), [("higher_hrnet_w32", 17), ("higher_hrnet_w48", 14), ("pose_ae", 17)]
)
def test_published_files_are_recognised(name, points):
    assert published.recognised(weightless(name, points).state_dict()) == (name, points)


@pytest.mark.parametrize("form", LIGHT)
def test_each_learns_one_picture(form):
    torch.manual_seed(0)
    net = LIGHT[form]()
    picture, optimiser, losses = torch.rand(2, 3, 64, 64), torch.optim.Adam(net.parameters(), 1e-2), []
    for _ in range(10 if form == "higher_hrnet" else 60):  # which starts faster, and is slower
        maps = net(picture)
        loss = torch.stack([(m - 0.5).square().mean() for m in maps]).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert all(p.grad is not None for p in net.parameters())


def test_the_papers_plans_have_its_clusters():
    sizes = {
        name: [len(d.clusters) for d in weightless("clusterwise", 17, plan=name).layout] for name in PLANS
    }
    assert sizes["cluster_1"] == sizes["in_cross_1"] == [1, 5, 1, 5, 1, 5, 3, 17]
    assert sizes["cluster_2"] == sizes["in_cross"] == [1, 17, 1, 17, 1, 17, 1, 17]
    assert [len(c) for c in IN_THREE] == [5, 6, 6] and sorted(len(c) for c in IN_FIVE) == [3, 3, 3, 4, 4]
    names = [COCO17.landmarks[k] for k in IN_FIVE[3]]
    assert names == ["left_hip", "left_knee", "left_ankle"]
    for split in (IN_THREE, IN_FIVE):
        assert sorted(k for cluster in split for k in cluster) == list(range(17))


def test_fewer_stacks_are_the_plans_last_and_more_repeat_its_first():
    two = weightless("clusterwise", 17, plan="cluster_1", stacks=2)
    assert [len(d.clusters) for d in two.layout] == [1, 5, 3, 17] and len(two.features) == 2
    six = weightless("clusterwise", 5, stacks=6)
    assert [len(d.clusters) for d in six.layout] == [1, 5] * 6 and len(six.cross) == 5


def test_the_clusters_of_a_human_body_are_not_taken_for_a_mouses():
    mouse = Skeleton("mouse", tuple(f"spot_{n}" for n in range(17)), parts={"tail": ("spot_15", "spot_16")})
    for options in ({"plan": "cluster_1"}, {"dense": [3]}, {"plan": "in_cross_1", "stacks": 1}):
        with pytest.raises(UserError, match="head, arms and legs, which 'mouse' has not: name its own"):
            numbered(options, mouse)
        assert numbered(options, COCO17) == options and numbered(options, POSETRACK17) == options
    own = numbered({"stacks": 1, "dense": [[["tail"], ["spot_0"]]]}, mouse)
    assert own == {"stacks": 1, "dense": [[[15, 16], [0]]]} and numbered({}, mouse) == {}
    three = Skeleton("trio", ("a", "b", "c"))
    assert numbered({"sparse": [3]}, three) == {"sparse": [3]}  # each landmark alone


def test_aggregations_are_there_only_where_the_plan_has_them():
    keys = {name: set(weightless("clusterwise", 17, plan=name).state_dict()) for name in PLANS}
    starts = {name: {key.split(".")[0] for key in k} - {"pre", "features"} for name, k in keys.items()}
    plain = {"dense", "sparse", "merge_features", "merge_maps"}
    assert starts["cluster_1"] == starts["cluster_2"] == plain
    assert starts["in_branch"] == plain | {"in_dense", "in_sparse"}
    assert starts["cross_branch"] == plain | {"cross"}
    assert starts["in_cross"] == plain | {"in_dense", "in_sparse", "cross"}
    assert not any(key.startswith("cross.3") for key in keys["in_cross"])  # nothing follows the last stack


def test_in_branch_adds_what_it_makes_of_tags_and_detections():
    fuse = InBranch(2)
    with torch.no_grad():
        fuse.fuse.weight.zero_()
        fuse.fuse.bias.zero_()  # type: ignore[union-attr]
        fuse.fuse.weight[0, 1] = 10.0  # tag 1 into detection 0
        fuse.fuse.weight[1, 2] = 100.0  # detection 0 into detection 1
    detections, tags = torch.tensor([1.0, 2.0]).view(1, 2, 1, 1), torch.tensor([3.0, 4.0]).view(1, 2, 1, 1)
    assert fuse(detections, tags).flatten().tolist() == [1 + 40, 2 + 100]


def test_cross_branch_feeds_a_dense_cluster_by_the_sparse_ones_that_share_a_landmark():
    fuse = CrossBranch(dense=((0, 1), (2,)), sparse=((0,), (1,), (2,)), channels=4)
    assert fuse.fed_by == ((0, 1), (2,))
    with torch.no_grad():
        for p in fuse.parameters():
            p.fill_(1.0)
        fuse.general.bias.zero_()  # type: ignore[union-attr]
        for predict in fuse.predictions:
            predict.bias.zero_()  # type: ignore[union-attr,operator]
    sparse = torch.tensor([1.0, 10.0, 100.0, 1000.0]).view(1, 4, 1, 1)
    assert fuse(torch.zeros(1, 4, 1, 1), sparse).flatten().tolist() == [11, 100, 1111, 1111]


def test_clusters_are_named_by_parts_and_landmarks_of_any_skeleton():
    options = numbered(
        {"dense": [1, [["head"], ["left_arm", "right_arm"], ["lower_body"]]], "width": 8}, COCO17
    )
    assert options["dense"] == [1, [[0, 1, 2, 3, 4], [5, 7, 9, 6, 8, 10], [11, 12, 13, 14, 15, 16]]]
    assert clusters(options["dense"][1], 17) == (
        (0, 1, 2, 3, 4),
        (5, 7, 9, 6, 8, 10),
        (11, 12, 13, 14, 15, 16),
    )
    with pytest.raises(UserError, match="did you mean 'left_arm'|landmark of 'person'"):
        numbered({"dense": [[["left_arn"]]]}, COCO17)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"plan": "in_crss"}, "did you mean 'in_cross'"),
        ({"dense": [1, 1]}, "as many stacks, got 2 and 4"),
        ({"stacks": 2, "dense": [1], "sparse": [17]}, "got 1 and 1, where 2 are asked for"),
        ({"stacks": 0}, "stacks must be 1 or more, got 0"),
        ({"dense": [1, 1, 1, 4]}, r"17 landmarks have no 4 clusters \(1, 3, 5, 17\)"),
        ({"sparse": [17, 17, 17, 5]}, "must show each of 17 landmarks alone"),
        ({"dense": [1, 1, 1, [[0, 0]]]}, r"a cluster is landmarks 0..16, got \[0, 0\]"),
        ({"dense": [1, 1, 1, [[17]]]}, r"a cluster is landmarks 0..16, got \[17\]"),
        ({"dense": [1, 1, 1, []]}, "wanted 1 to 34 clusters, got 0"),
        ({"dense": [], "sparse": []}, "list index|stacks must be 1 or more"),
        ({"width": 6}, "multiple of 4"),
    ],
)
def test_settings_that_cannot_be_are_told(options, word):
    with pytest.raises(UserError, match=word):
        create("clusterwise", 17, **options)


def test_a_layout_that_nobody_could_read_is_told():
    with pytest.raises(ValueError, match="each landmark alone"):
        readable([Drawn(((0, 1),), 2, read=True)], 2)
    with pytest.raises(ValueError, match="without tags"):
        readable([Drawn(each(2), None, read=True)], 2)
    with pytest.raises(ValueError, match="hold no tags"):
        Drawn(each(2)).tags(torch.zeros(1, 2, 1, 1))


def test_the_last_step_of_each_stays_in_float32_in_low_precision():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for form in LIGHT:
            assert all(m.dtype == torch.float32 for m in LIGHT[form]().eval()(torch.rand(1, 3, 64, 64)))


@pytest.mark.parametrize(
    ("name", "options"), [("pose_ae", {"stacks": 1}), ("clusterwise", {"dense": [1], "sparse": [2]})]
)
def test_a_trained_model_can_go_on_learning(name, options, tmp_path):
    made = create(name, 2, width=8, **options)
    save_file(made.state_dict(), tmp_path / "m.safetensors")
    again = create(name, 2, width=8, weights=str(tmp_path / "m.safetensors"), **options)
    assert all(torch.equal(v, again.state_dict()[k]) for k, v in made.state_dict().items())
    with pytest.raises(DataError, match="m.safetensors: .* must be"):
        create(name, 2, width=16, weights=str(tmp_path / "m.safetensors"), **options)
    assert unfetched(name, {"width": 8}) == {"width": 8, "weights": None}
    assert origin(name, {"weights": "a/m.safetensors"})[1] == "a trained model, m.safetensors"
    assert origin(name, {})[1] == "random weights"


@pytest.mark.parametrize(
    ("name", "options"), [("pose_ae", {"stacks": 1}), ("clusterwise", {"dense": [1], "sparse": [2]})]
)
def test_a_frozen_backbone_stands_in_for_the_first_convolutions(name, options):
    torch.manual_seed(0)
    net: Any = create(name, 2, width=8, backbone="tiny", **options)
    torch.stack([m.mean() for m in net(torch.rand(1, 3, 64, 64))]).sum().backward()
    assert all(p.grad is None for p in net.pre.backbone.parameters())
    assert all(p.grad is not None for key, p in net.named_parameters() if ".backbone." not in f".{key}")
    assert origin(name, {"backbone": "efficientnet_lite0", "weights": "hub"})[2] == "Apache-2.0"
    assert origin(name, {"backbone": "efficientnet_lite0"}) == (
        "efficientnet_lite0", "random weights", "Apache-2.0",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "options"), [("pose_ae", {"stacks": 1}), ("clusterwise", {"dense": [1], "sparse": [2]})]
)
def test_a_backbone_learns_from_the_layer_on_that_is_named(name, options):
    net: Any = create(name, 2, width=8, backbone="tiny", trainable_from="3", **options)
    learning = [key for key, p in net.pre.backbone.named_parameters() if p.requires_grad]
    assert {key.split(".")[1] for key in learning} == {"3", "4"}
    torch.stack([m.square().mean() for m in net(torch.rand(1, 3, 64, 64))]).sum().backward()
    assert net.pre.backbone.features[3][0].weight.grad.abs().sum() > 0
    with pytest.raises(UserError, match="trainable_from: 3 is a layer of a backbone"):
        create(name, 2, width=8, trainable_from="3", **options)


def test_a_decoder_sets_the_backbones_features_beside_its_own_up_to_stride_4():
    decoder: Any = Decoder(backbones.backbone("tiny"), 8)  # 8, 8, 16, 16, 16 channels at strides 2 to 32
    assert decoder(torch.rand(1, 3, 64, 96)).shape == (1, 8, 16, 24)
    assert [up.first[0].in_channels for up in decoder.ups] == [16 + 16, 32 + 16, 16 + 8]
    assert [up.second[0].out_channels for up in decoder.ups] == [32, 16, 8]
