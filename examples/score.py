"""How many landmarks are correct, and what interchangeable ones change: the wrench is right, its jaws are
swapped.
"""

import numpy as np

from heatmark import Poses, Skeleton
from heatmark.metrics.pck import pck

box = np.array([[0.0, 0.0, 200.0, 60.0]])
told_apart = Skeleton("wrench", ("jaw_a", "jaw_b"))
alike = Skeleton("wrench", ("jaw_a", "jaw_b"), interchangeable=(("jaw_a", "jaw_b"),))

for skeleton in (told_apart, alike):
    truth = Poses(skeleton, [[[12.0, 30.0], [188.0, 30.0]]], boxes=box)
    found = Poses(skeleton, [[[186.0, 33.0], [15.0, 28.0]]])
    result = pck([found], [truth])
    print(f"interchangeable {skeleton.interchangeable}: PCK@0.1 {result.at(0.1):.1f}")
