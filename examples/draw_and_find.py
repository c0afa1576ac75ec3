"""A point becomes a bump on a map, and the map becomes a point again: the idea all of heatmark stands on."""

import torch

from heatmark import heatmaps

points = torch.tensor([[[50.2, 31.7], [180.0, 99.9]]])  # (B, K, 2), x y in pixels of a 224x224 picture
maps = heatmaps.gaussians(points, size=(56, 56), sigma=1.0, stride=4)  # (1, 2, 56, 56)

for how in ("none", "quarter", "parabola", "dark"):
    found, scores = heatmaps.argmax(maps, stride=4, how=how)
    error = (found - points).norm(dim=-1).max()
    print(f"{how:9} {[[round(v, 2) for v in p] for p in found[0].tolist()]}  off by {error:.3f} px")

merged = heatmaps.merged(maps, [(0, 1)])  # two jaws nobody can tell apart share one map
both, scores = heatmaps.decode(merged, [(0, 1)], stride=4)
print(f"both on one map: {[[round(v, 1) for v in p] for p in both[0].tolist()]}, scores {scores[0].tolist()}")
