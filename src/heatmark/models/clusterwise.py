"""The cluster-wise learning network (Zhao et al. 2020, "Cluster-wise learning network for multi-person pose
estimation", Pattern Recognition 98).

(B, 3, H, W) RGB in [0, 1], H and W multiples of 64 (the paper: 512) -> for each stack two maps of
4 * points channels at stride 4, the dense branch's and the sparse branch's (`layout`). No activation.

Each hourglass (PoseAE's) feeds a dense branch, whose maps show large clusters of landmarks ("the whole
body"), and a sparse one with small clusters. A branch has a detection and a tag sub-branch of 2 * points
channels each: the first C are supervised, one a cluster, the rest are general features (section 3.4).
Between stacks, tags are aggregated into detections within a branch, and sparse detections into dense ones
across. The last stack's sparse branch, one landmark a map, is what persons are read from.

The paper leaves open, and here it is so: sub-branches are 1x1 convolutions; aggregated maps feed the next
stack only, and losses see the maps before; across, a dense cluster's map is fed by a 1x1 convolution of
those sparse maps that share a landmark with it (C_s = 17 does not divide by C_d = 3, so no grouped
convolution can), and the dense general features by one of all sparse channels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UserError, unknown
from ..skeletons import COCO17
from ..types import Skeleton
from .backbones import Backbone
from .blocks import in_float32
from .hourglass import Merge
from .layout import Clusters, Drawn, each
from .pose_ae import Decoder, beneath, checked, front, stack
from .weights import load_all

Wanted = int | Sequence[Sequence[int | str]]  # how many clusters (1, 3, 5, all), or the clusters themselves
# COCO's 17 in three and in five: (5, 6, 6) and (3, 4, 4, 3, 3), the anatomical order of the paper's sizes.
IN_THREE: Clusters = ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9, 10), (11, 12, 13, 14, 15, 16))  # head, arms, legs
IN_FIVE: Clusters = ((0, 1, 2), (3, 4, 5, 6), (7, 8, 9, 10), (11, 13, 15), (12, 14, 16))


@dataclass(frozen=True)
class Plan:
    """The clusters of every stack, and how branches help each other."""

    dense: tuple[Wanted, ...]
    sparse: tuple[Wanted, ...]
    in_branch: bool = False
    cross_branch: bool = False


CLUSTER_1 = Plan(dense=(1, 1, 1, 3), sparse=(5, 5, 5, 17))
CLUSTER_2 = Plan(dense=(1, 1, 1, 1), sparse=(17, 17, 17, 17))
PLANS: dict[str, Plan] = {  # the rows of the paper's Table 1
    "cluster_1": CLUSTER_1,
    "cluster_2": CLUSTER_2,
    "in_branch": replace(CLUSTER_2, in_branch=True),
    "cross_branch": replace(CLUSTER_2, cross_branch=True),
    "in_cross": replace(CLUSTER_2, in_branch=True, cross_branch=True),
    "in_cross_1": replace(CLUSTER_1, in_branch=True, cross_branch=True),  # figure 3 and section 3.2
}


class Branch(nn.Module):
    """Detections and tags of one cluster setting: (B, width, h, w) -> two of (B, channels, h, w)."""

    def __init__(self, width: int, channels: int):
        super().__init__()
        self.detect = nn.Conv2d(width, channels, 1)
        self.tag = nn.Conv2d(width, channels, 1)

    def forward(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        return in_float32(self.detect, feature), in_float32(self.tag, feature)


class InBranch(nn.Module):
    """Figure 4a: tags and detections side by side, through a 1x1 convolution, added to the detections."""

    def __init__(self, channels: int):
        super().__init__()
        self.fuse = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, detections: Tensor, tags: Tensor) -> Tensor:
        return detections + self.fuse(torch.cat([tags, detections], 1))


class CrossBranch(nn.Module):
    """Figure 4b: sparse detections brought to the dense branch's channels, and added."""

    def __init__(self, dense: Clusters, sparse: Clusters, channels: int):
        super().__init__()
        shared = [[n for n, s in enumerate(sparse) if set(s) & set(d)] for d in dense]
        self.fed_by = tuple(map(tuple, shared))
        self.predictions = nn.ModuleList(nn.Conv2d(max(len(n), 1), 1, 1) for n in self.fed_by)
        self.general = nn.Conv2d(channels, channels - len(dense), 1)

    def forward(self, dense: Tensor, sparse: Tensor) -> Tensor:
        brought = [
            fuse(sparse[:, list(n)]) if n else torch.zeros_like(sparse[:, :1])
            for fuse, n in zip(self.predictions, self.fed_by)
        ]
        return dense + torch.cat([*brought, self.general(sparse)], 1)


class Clusterwise(nn.Module):
    """`len(dense)` stacks of `width` channels, with the clusters of each stack."""

    def __init__(
        self,
        points: int,
        width: int,
        dense: Sequence[Clusters],
        sparse: Sequence[Clusters],
        in_branch: bool,
        cross_branch: bool,
        normed: bool = False,
        seen_by: Backbone | None = None,
    ):
        super().__init__()
        stacks, channels = len(dense), 2 * points
        self.strides = (4,) * (2 * stacks)
        self.layout = tuple(
            Drawn(clusters, tags_from=channels, read=n == stacks - 1 and branch == 1)
            for n in range(stacks)
            for branch, clusters in enumerate((dense[n], sparse[n]))
        )
        self.pre = front(width, normed) if seen_by is None else Decoder(seen_by, width)
        between = range(stacks - 1)
        self.features = nn.ModuleList(stack(width, normed) for _ in dense)
        self.dense = nn.ModuleList(Branch(width, channels) for _ in dense)
        self.sparse = nn.ModuleList(Branch(width, channels) for _ in dense)
        self.in_dense = nn.ModuleList(InBranch(channels) for _ in between if in_branch)
        self.in_sparse = nn.ModuleList(InBranch(channels) for _ in between if in_branch)
        self.cross = nn.ModuleList(
            CrossBranch(dense[n], sparse[n], channels) for n in between if cross_branch
        )
        self.merge_features = nn.ModuleList(Merge(width, width) for _ in between)
        self.merge_maps = nn.ModuleList(Merge(4 * channels, width) for _ in between)

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) -> maps (B, 4 points, H / 4, W / 4): dense, sparse, dense, sparse, ..."""
        x = self.pre(pictures)  # (B, width, H/4, W/4)
        maps: list[Tensor] = []
        for n, features in enumerate(self.features):
            feature = features(x)
            dense, dense_tags = self.dense[n](feature)
            sparse, sparse_tags = self.sparse[n](feature)
            maps += [torch.cat([dense, dense_tags], 1), torch.cat([sparse, sparse_tags], 1)]
            if n < len(self.merge_maps):
                if self.in_dense:
                    dense = self.in_dense[n](dense, dense_tags)
                    sparse = self.in_sparse[n](sparse, sparse_tags)
                if self.cross:
                    dense = self.cross[n](dense, sparse)
                drawn = torch.cat([dense, dense_tags, sparse, sparse_tags], 1)
                x = x + self.merge_maps[n](drawn.to(x.dtype)) + self.merge_features[n](feature)
        return tuple(maps)


def clusterwise(
    points: int,
    plan: str = "in_cross",
    width: int = 256,
    stacks: int | None = None,
    dense: Sequence[Wanted] | None = None,
    sparse: Sequence[Wanted] | None = None,
    in_branch: bool | None = None,
    cross_branch: bool | None = None,
    normed: bool = False,
    backbone: str | None = None,
    weights: str | None = None,
    trainable_from: str | None = None,
) -> Clusterwise:
    """A row of the paper's Table 1, or another setting.

    Args:
        points: how many landmarks.
        plan: a key of PLANS; what follows, where it is given, takes its place.
        width: channels at stride 4; the others are in proportion.
        stacks: how many; None: the plan's four. Fewer are its last ones, more repeat its first.
        dense, sparse: of each stack, as many as there are stacks: how many clusters (1; 3 or 5 for the 17 of
            COCO; `points`), or the clusters, each a list of landmarks by number (by `numbered` from names).
        in_branch, cross_branch: whether tags are aggregated into detections, and sparse into dense ones.
        normed, backbone, weights, trainable_from: batch norm, a backbone in place of the first convolutions,
            its weights or a trained model to go on from, and what of it learns, as in `pose_ae`.
    """
    if plan not in PLANS:
        raise unknown("plan of clusterwise", plan, PLANS)
    chosen = PLANS[plan]
    wanted = {"dense": _last(stacks, chosen.dense) if dense is None else dense}
    wanted["sparse"] = _last(stacks, chosen.sparse) if sparse is None else sparse
    if points != 17 and sparse is None:  # the paper's plans end with 17 clusters: every landmark alone
        wanted["sparse"] = [points if w == 17 else w for w in wanted["sparse"]]
    found = {name: [clusters(w, points, name) for w in stacks] for name, stacks in wanted.items()}
    count, width = checked(len(found["dense"]), width)
    if not count == len(found["sparse"]) == (stacks or count):
        asked = "" if stacks is None else f", where {stacks} are asked for"
        raise UserError(
            f"dense and sparse must be of as many stacks, got {count} and {len(found['sparse'])}{asked}"
        )
    if found["sparse"][-1] != each(points):
        raise UserError(f"the last stack's sparse branch must show each of {points} landmarks alone")
    net = Clusterwise(
        points,
        width,
        found["dense"],
        found["sparse"],
        chosen.in_branch if in_branch is None else in_branch,
        chosen.cross_branch if cross_branch is None else cross_branch,
        normed,
        beneath(backbone, weights, trainable_from),
    )
    if backbone is None:
        load_all(net, weights)
    return net


def _last(stacks: int | None, settings: tuple[Wanted, ...]) -> tuple[Wanted, ...]:
    """Those of so many stacks.

    >>> _last(2, (1, 1, 1, 3)), _last(5, (1, 2, 3, 4))
    ((1, 3), (1, 1, 2, 3, 4))
    """
    count, _ = checked(len(settings) if stacks is None else stacks, 4)
    return settings[:1] * (count - len(settings)) + settings[-count:]


def clusters(wanted: Wanted, points: int, where: str = "clusters") -> Clusters:
    """The landmarks of each cluster of one stack. Raises a UserError for what cannot be.

    >>> clusters(1, 4), clusters(4, 4), clusters([[0, 1], [2, 3]], 4)
    (((0, 1, 2, 3),), ((0,), (1,), (2,), (3,)), ((0, 1), (2, 3)))
    """
    if isinstance(wanted, int):
        known = {1: (tuple(range(points)),), points: each(points)}
        known |= {3: IN_THREE, 5: IN_FIVE} if points == 17 else {}
        if wanted not in known:
            numbers = ", ".join(map(str, sorted(known)))
            raise UserError(f"{where}: {points} landmarks have no {wanted} clusters ({numbers}): name them")
        return known[wanted]
    found = []
    for cluster in wanted:
        numbers = [n for n in cluster if isinstance(n, int) and 0 <= n < points]
        if not cluster or len(numbers) != len(cluster) or len(set(numbers)) != len(numbers):
            raise UserError(f"{where}: a cluster is landmarks 0..{points - 1}, got {list(cluster)}")
        found.append(tuple(numbers))
    if not 1 <= len(found) <= 2 * points:
        raise UserError(f"{where}: wanted 1 to {2 * points} clusters, got {len(found)}")
    return tuple(found)


def numbered(options: Mapping[str, Any], skeleton: Skeleton) -> dict[str, Any]:
    """The options of `clusterwise` with landmarks and parts of a skeleton by number instead of by name.

    Raises a UserError for names that are none, and where three or five clusters, which are of a body with
    arms and legs, are asked of another skeleton.

    >>> face = Skeleton("face", ("eye", "ear", "chin"), parts={"side": ("eye", "ear")})
    >>> numbered({"dense": [1, [["side"], ["chin"]]], "width": 8}, face)
    {'dense': [1, [[0, 1], [2]]], 'width': 8}
    """

    def of(name: object) -> list[int]:
        if not isinstance(name, str):
            return [name]  # type: ignore[list-item]  # a number, checked by `clusters`
        if name in skeleton.parts:
            return [skeleton.index(landmark) for landmark in skeleton.parts[name]]
        return [skeleton.index(name)]

    def stacks(value: object) -> object:
        if not isinstance(value, list | tuple):
            return value
        return [
            [[n for name in cluster for n in of(name)] for cluster in wanted]
            if isinstance(wanted, list | tuple)
            else wanted
            for wanted in value
        ]

    plan = PLANS.get(str(options.get("plan", "in_cross")), CLUSTER_2)
    limbs = len(skeleton) == 17 and skeleton.landmarks[5:] == COCO17.landmarks[5:]
    for name, planned in (("dense", plan.dense), ("sparse", plan.sparse)):
        asked = options.get(name) or _last(options.get("stacks"), planned)
        if not limbs and (odd := [w for w in asked if w in (3, 5) and w not in (1, len(skeleton))]):
            raise UserError(
                f"{name}: {odd[0]} clusters are of a body's head, arms and legs, which {skeleton.name!r} has "
                "not: name its own"
            )
    return {name: stacks(v) if name in ("dense", "sparse") else v for name, v in options.items()}
