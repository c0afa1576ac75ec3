"""What goes out must come back: points drawn as maps, at any level, merged or not."""

import pytest
import torch

from heatmark import heatmaps
from heatmark.heatmaps.peaks import REFINEMENTS


def random_points(count: int, width: float, seed: int = 0, margin: float = 0.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return margin + torch.rand(count, 2, generator=generator, dtype=torch.float64) * (width - 2 * margin)


@pytest.mark.parametrize("how", ["parabola", "dark"])
@pytest.mark.parametrize("stride", [1, 2, 3, 4, 16])
@pytest.mark.parametrize("sigma", [0.7, 1.0, 2.0])
def test_a_drawn_point_is_found_again_within_a_hundredth_of_a_cell_up_to_the_border(how, stride, sigma):
    points = random_points(200, 24 * stride)
    maps = heatmaps.gaussians(points, size=(24, 24), sigma=sigma, stride=stride)
    found, _ = heatmaps.argmax(maps, stride, how)
    assert ((found - points).abs() / stride).max() < 0.01


def test_without_refinement_the_middle_of_the_cell_is_found_and_a_quarter_shift_halves_the_error():
    points = random_points(500, 96, margin=8)
    maps = heatmaps.gaussians(points, size=(24, 24), sigma=1.0, stride=4)
    plain = (heatmaps.argmax(maps, 4, "none")[0] - points).abs()
    quarter = (heatmaps.argmax(maps, 4, "quarter")[0] - points).abs()
    assert plain.max() <= 2.0 and plain.mean() > 0.9
    assert quarter.max() <= 1.0001 and quarter.mean() < 0.55


def test_the_peak_is_one_and_sigma_is_a_64th_of_the_width_by_default():
    (maps,) = heatmaps.pyramid(torch.tensor([[[100.5, 60.5]]]), ((0,),), (224, 224), [(224, 224)])
    assert maps.max() == 1.0
    torch.testing.assert_close(maps[0, 0, 60, 104], torch.tensor(4.0).square().div(-2 * 3.5**2).exp())


def test_a_snapped_point_peaks_at_exactly_one():
    points = random_points(50, 56).float()
    maps = heatmaps.gaussians(heatmaps.snapped(points), (56, 56), 0.875)
    assert (maps.amax((-2, -1)) == 1.0).all()


def test_an_unlabelled_point_draws_nothing_and_spoils_no_other():
    maps = heatmaps.gaussians(torch.tensor([[torch.nan, torch.nan], [3.5, 3.5]]), (8, 8), 1.0)
    assert maps[0].sum() == 0 and maps[1].max() == 1.0


def test_flip_moves_a_map_and_its_point_alike():
    points, width = torch.tensor([[5.2, 9.0]]), 64
    maps = heatmaps.gaussians(points, size=(16, 16), sigma=1.5, stride=4)
    mirrored = torch.stack([width - points[:, 0], points[:, 1]], -1)
    torch.testing.assert_close(maps.flip(-1), heatmaps.gaussians(mirrored, (16, 16), 1.5, 4))


def test_interchangeable_landmarks_share_a_map_that_never_exceeds_one():
    points = torch.tensor([[[10.5, 10.5], [12.5, 10.5], [30.5, 30.5]]])
    maps = heatmaps.merged(heatmaps.gaussians(points, (40, 40), 2.0), ((0, 1), (2,)))
    assert maps.shape == (1, 2, 40, 40)
    assert maps[0, 0].max() == 1.0
    torch.testing.assert_close(maps[:, 1], heatmaps.gaussians(points[:, 2], (40, 40), 2.0))


@pytest.mark.parametrize(
    ("how", "lowest", "highest"), [("area", 0.075, 0.302), ("max", 0.99, 1.0), ("regenerate", 0.6, 1.0)]
)
def test_the_five_levels_have_the_sizes_and_peaks_of_the_paper(how, lowest, highest):
    sizes = [(n, n) for n in (14, 28, 56, 112, 224)]
    points = random_points(64, 224, margin=20).float().unsqueeze(1)  # (64, 1, 2)
    maps = heatmaps.pyramid(points, ((0,),), (224, 224), sizes, how=how, snap=True)
    assert [m.shape[-2:] for m in maps] == sizes
    peaks = maps[0].amax((-2, -1))
    assert peaks.min() > lowest and peaks.max() <= highest
    assert maps[-1].amax((-2, -1)).min() == 1.0


@pytest.mark.parametrize("level", [56, 112])
def test_a_point_is_found_again_on_a_shrunken_level(level):
    points = random_points(64, 224, margin=12).unsqueeze(1)
    (maps,) = heatmaps.pyramid(points, ((0,),), (224, 224), [(level, level)])
    found, _ = heatmaps.decode(maps, ((0,),), stride=224 / level)
    assert (found - points).abs().max() < 0.5  # pixels of 224


def test_two_interchangeable_landmarks_are_found_again_in_either_order():
    points = random_points(2 * 100, 224, margin=4).reshape(100, 2, 2)
    points = points[(points[:, 0] - points[:, 1]).norm(dim=-1) > 30]
    (maps,) = heatmaps.pyramid(points, ((0, 1),), (224, 224), [(56, 56)])
    found, scores = heatmaps.decode(maps, ((0, 1),), stride=4)
    straight, swapped = (found - points).abs().amax((-2, -1)), (found.flip(1) - points).abs().amax((-2, -1))
    assert torch.minimum(straight, swapped).max() < 0.5
    assert (scores[:, 0] >= scores[:, 1]).all()


def test_maxima_are_sorted_thresholded_and_counted_once():
    maps = torch.zeros(7, 9)
    maps[1, 1], maps[1, 5], maps[5, 3] = 0.5, 0.9, 0.2
    maps[5, 7] = maps[5, 8] = 0.8  # of two equal neighbours the first counts
    points, scores = heatmaps.local_maxima(maps, k=4, threshold=0.3)
    torch.testing.assert_close(scores, torch.tensor([0.9, 0.8, 0.5, 0.0]))
    torch.testing.assert_close(points[:3], torch.tensor([[5.5, 1.5], [7.5, 5.5], [1.5, 1.5]]))
    assert points[3:].isnan().all()


def test_a_flat_map_has_no_maxima():
    assert heatmaps.local_maxima(torch.full((5, 5), 0.3), k=2)[0].isnan().all()


def test_a_wider_radius_keeps_only_the_higher_of_two_near_maxima():
    maps = torch.zeros(9, 9)
    maps[4, 3], maps[4, 5] = 0.9, 0.8
    assert (heatmaps.local_maxima(maps, 2)[1] > 0).sum() == 2
    assert (heatmaps.local_maxima(maps, 2, radius=2)[1] > 0).sum() == 1


def test_decoding_keeps_the_skeleton_order_and_hides_what_is_below_the_threshold():
    points = torch.tensor([[[8.0, 8.0], [40.0, 20.0], [20.0, 50.0]]])
    maps = heatmaps.merged(heatmaps.gaussians(points, (16, 16), 1.0, 4), ((0, 2), (1,)))
    maps[:, 1] *= 0.2
    found, scores = heatmaps.decode(maps, ((0, 2), (1,)), stride=4, threshold=0.3)
    assert found[0, 1].isnan().all() and abs(scores[0, 1] - 0.2) < 0.05
    assert {tuple(p.round().tolist()) for p in found[0, [0, 2]]} == {(8.0, 8.0), (20.0, 50.0)}


@pytest.mark.parametrize("how", ["parabola", "dark"])
def test_refinement_is_differentiable_in_the_maps(how):
    maps = heatmaps.gaussians(random_points(2, 7, margin=2.5), (7, 7), 1.0).requires_grad_()
    assert torch.autograd.gradcheck(lambda m: heatmaps.argmax(m, 4, how), (maps,))


@pytest.mark.parametrize("how", REFINEMENTS)
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 2), (4, 3)])
def test_tiny_maps_are_no_special_case(how, size):
    points, scores = heatmaps.argmax(torch.rand(2, 3, *size), 1, how)
    assert points.shape == (2, 3, 2) and points.isfinite().all() and scores.shape == (2, 3)


def test_refining_a_found_point_is_the_same_as_finding_it_refined():
    maps = heatmaps.gaussians(random_points(10, 48), (12, 12), 1.2, 4)
    cells, _ = heatmaps.argmax(maps, 4)
    torch.testing.assert_close(heatmaps.refine(maps, cells, 4, "dark"), heatmaps.argmax(maps, 4, "dark")[0])


@pytest.mark.parametrize("how", ["parabola", "dark"])
def test_where_a_cell_beside_the_peak_has_no_logarithm_a_quarter_does(how):
    point = torch.tensor([5.2, 4.9])
    whole = heatmaps.gaussians(point, (9, 9), 1.0)
    torch.testing.assert_close(heatmaps.argmax(whole, 1, how)[0], point, atol=1e-3, rtol=0)
    sunk = whole - 0.5  # as a network without a sigmoid may draw it, or logits
    assert heatmaps.argmax(sunk, 1, how)[0].tolist() == heatmaps.argmax(whole, 1, "quarter")[0].tolist()
    holed = whole.index_put((torch.tensor([0]), torch.tensor([0])), torch.tensor(-1.0))  # far from the peak
    assert heatmaps.argmax(holed, 1, how)[0].tolist() == heatmaps.argmax(whole, 1, how)[0].tolist()


def test_one_map_without_logarithms_spoils_no_other():
    maps = heatmaps.gaussians(random_points(6, 9, margin=2.5), (9, 9), 1.0)
    sunk = torch.cat([maps[:3], maps[3:] - 0.9])
    found = heatmaps.argmax(sunk, 1, "dark")[0]
    torch.testing.assert_close(found[:3], heatmaps.argmax(maps, 1, "dark")[0][:3])
    torch.testing.assert_close(found[3:], heatmaps.argmax(maps, 1, "quarter")[0][3:])


def test_an_unknown_way_names_those_that_exist():
    with pytest.raises(ValueError, match="quarter, parabola, dark"):
        heatmaps.argmax(torch.rand(3, 3), how="half")
    with pytest.raises(ValueError, match="area, max"):
        heatmaps.levels(torch.rand(1, 1, 4, 4), [(2, 2)], "median")


def test_decoding_inside_an_onnx_graph_gives_the_same_points(tmp_path):
    pytest.importorskip("onnxscript")
    ort = pytest.importorskip("onnxruntime")

    class Decode(torch.nn.Module):
        def forward(self, maps):
            return heatmaps.decode(maps, ((0, 2), (1,)), stride=4)

    points = random_points(3 * 5, 56, margin=4).reshape(5, 3, 2).float()
    maps = heatmaps.merged(heatmaps.gaussians(points, (14, 14), 1.0, 4), ((0, 2), (1,)))
    batch = torch.export.Dim("batch", min=1)
    path = tmp_path / "decode.onnx"
    torch.onnx.export(
        Decode().eval(), (maps[:2],), path, dynamo=True, dynamic_shapes=({0: batch},), verbose=False
    )
    found = ort.InferenceSession(path).run(None, {"maps": maps.numpy()})
    for ours, theirs in zip(heatmaps.decode(maps, ((0, 2), (1,)), stride=4), found):
        torch.testing.assert_close(ours, torch.from_numpy(theirs), atol=1e-4, rtol=0, equal_nan=True)
