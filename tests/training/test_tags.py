"""The losses of tags and detections: cases small enough for paper and pencil, and gradients."""

import math

import pytest
import torch

from heatmark.training.tags import associative, clusterwise, detection_error, gathered

NAN = float("nan")
ALONE = ((0,), (1,))
TOGETHER = ((0, 1),)


def case(*persons: tuple[float, float], maps: int = 2):
    """Tags of landmarks 0 and 1 of each person, person n in row n: (1, maps, N, 4) and (1, N, 2, 2)."""
    tags = torch.zeros(1, maps, max(len(persons), 1), 4, dtype=torch.float64)
    points = torch.full((1, len(persons), 2, 2), NAN, dtype=torch.float64)
    for n, pair in enumerate(persons):
        for k, tag in enumerate(pair):
            if not math.isnan(tag):
                tags[0, k if maps == 2 else 0, n, 2 * k] = tag
                points[0, n, k] = torch.tensor([2 * k + 0.5, n + 0.5])
    return tags, points


def test_one_person_is_pulled_to_its_mean_and_pushed_by_nobody():
    pull, push = associative(*case((1.0, 2.0)), ALONE, 1)
    assert pull == 0.25 and push == 0  # (0.5^2 + 0.5^2) / 2


def test_two_persons_push_by_half_the_gaussian_of_their_gap():
    pull, push = associative(*case((1.0, 2.0), (2.5, 2.5)), ALONE, 1)
    assert pull == pytest.approx((0.25 + 0) / 2)
    assert push == pytest.approx(0.5 * math.exp(-1.0))  # means 1.5 and 2.5; both orders over 2 * 1 pairs
    pull, push = associative(*case((1.0, 1.0), (1.25, 1.25), (9.0, 9.0)), ALONE, 1, push="max")
    assert push == pytest.approx(0.5 * 2 * 0.75 / 6)


def test_a_landmark_without_a_label_and_a_person_without_landmarks_count_nowhere():
    pull, push = associative(*case((1.0, NAN), (NAN, NAN), (3.0, 5.0)), ALONE, 1)
    assert pull == pytest.approx((0 + 1.0) / 2) and push == pytest.approx(0.5 * math.exp(-9.0))
    tags, points = case((1.0, 2.0))
    points[0, 0, 1] = torch.tensor([9.0, 0.5])  # outside of the map
    assert associative(tags, points, ALONE, 1)[0] == 0
    assert associative(tags, torch.zeros(1, 0, 2, 2), ALONE, 1) == (0, 0)


def test_pictures_are_averaged():
    one, other = case((1.0, 2.0), (2.0, 1.0)), case((5.0, 5.0), (NAN, NAN))
    pull, push = associative(torch.cat([one[0], other[0]]), torch.cat([one[1], other[1]]), ALONE, 1)
    assert pull == pytest.approx(0.25 / 2) and push == pytest.approx(0.5 * 1.0 / 2)


def test_clusterwise_wants_the_landmarks_of_a_cluster_an_offset_apart():
    apart = case((1.0, 1.03), maps=1)
    assert clusterwise(*apart, TOGETHER, 1)[0] == pytest.approx(0, abs=1e-12)
    pull, push = clusterwise(*case((1.0, 1.0), maps=1), TOGETHER, 1)  # 1 and 0.97: 0.015 from their mean
    assert pull == pytest.approx(0.015**2) and push == 0
    swapped = clusterwise(*apart, ((1, 0),), 1)[0]  # the order in the cluster is what counts
    assert swapped == pytest.approx(0.03**2)


def test_clusterwise_pushes_with_its_margin_and_without_the_half():
    _, push = clusterwise(*case((0.0, 0.0), (4.0, 4.0)), ALONE, 1)
    assert push == pytest.approx(math.exp(-0.5))
    _, push = clusterwise(*case((0.0, 0.0), (4.0, 4.0)), ALONE, 1, margin=2.0)
    assert push == pytest.approx(math.exp(-2.0))


def test_to_the_letter_one_cluster_has_a_constant_pull_without_gradient():
    tags, points = case((1.0, 5.0), maps=1)
    tags.requires_grad_()
    pull, _ = clusterwise(tags, points, TOGETHER, 1, literal=True)
    assert pull.item() == pytest.approx((0 + 0.03**2) / 2)  # whatever the tags are
    pull.backward()
    assert tags.grad is not None and tags.grad.abs().max() < 1e-12
    ours, _ = clusterwise(tags, points, TOGETHER, 1)
    assert ours.item() == pytest.approx((3.97 / 2) ** 2)


def test_to_the_letter_two_clusters_meet_at_the_mean_over_landmarks():
    # Landmarks 0, 1 share a map, 2 has its own. Means 3 and 6; reference (3 + 3 + 6) / 3 = 4.
    tags = torch.tensor([[[[2.0, 4.0, 0.0]], [[0.0, 0.0, 6.0]]]], dtype=torch.float64)
    points = torch.tensor([[[[0.5, 0.5], [1.5, 0.5], [2.5, 0.5]]]], dtype=torch.float64)
    pull, _ = clusterwise(tags, points, ((0, 1), (2,)), 1, literal=True)
    assert pull.item() == pytest.approx(((3 - 4) ** 2 + (3.03 - 4) ** 2 + (6 - 4) ** 2) / 3)


def test_for_clusters_of_one_both_readings_agree():
    tags, points = case((1.0, 2.0), (4.0, 3.5), (NAN, 0.0))
    for one, other in zip(
        clusterwise(tags, points, ALONE, 1), clusterwise(tags, points, ALONE, 1, literal=True)
    ):
        assert one == pytest.approx(other.item())


def test_the_stride_says_which_cell_a_point_is_in():
    tags = torch.arange(8.0).view(1, 1, 2, 4)
    g = gathered(tags, torch.tensor([[[[7.9, 4.0], [16.0, 0.0]]]]), ((0, 1),), 4)
    assert g.tags.tolist() == [[[5.0, 0.0]]] and g.seen.tolist() == [[[True, False]]]


@pytest.mark.parametrize("literal", [False, True])
@pytest.mark.parametrize("clusters", [((0, 1), (2,)), ((2, 0, 1),), ((0,), (1,), (2,))])
def test_gradients_of_tags_are_right(clusters, literal):
    torch.manual_seed(0)
    tags = torch.randn(2, len(clusters), 4, 4, dtype=torch.float64, requires_grad=True)
    points = torch.rand(2, 3, 3, 2, dtype=torch.float64) * 4
    points[0, 1, 2], points[1, 0] = NAN, NAN
    assert torch.autograd.gradcheck(lambda t: clusterwise(t, points, clusters, 1, literal=literal), (tags,))
    assert torch.autograd.gradcheck(lambda t: associative(t, points, clusters, 1, "exp"), (tags,))
    assert torch.autograd.gradcheck(lambda t: associative(t, points, clusters, 1, "max"), (tags,))


@pytest.mark.parametrize("foreground", [0.0, 4.0])
def test_gradients_of_detections_are_right(foreground):
    torch.manual_seed(0)
    maps = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    targets, mask = torch.rand(2, 3, 4, 4).double(), (torch.rand(2, 4, 4) > 0.3).double()
    for counted in (mask, None):
        args = (targets, counted, foreground)
        assert torch.autograd.gradcheck(lambda m, a=args: detection_error(m, *a), (maps,))


def test_errors_in_a_crowd_do_not_count_and_nobody_to_pull_is_no_loss():
    maps, targets = torch.ones(1, 2, 2, 2), torch.zeros(1, 2, 2, 2)
    assert detection_error(maps, targets) == 1
    assert detection_error(maps, targets, torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])) == 0.25
    half = torch.full((1, 1, 1, 2), 0.5)
    assert detection_error(half + 1, half, foreground=4.0) == 3  # 1 + 4 * 0.5
    pull, push = clusterwise(torch.zeros(1, 1, 4, 4), torch.full((1, 2, 2, 2), NAN), TOGETHER, 1)
    assert pull == 0 and push == 0
