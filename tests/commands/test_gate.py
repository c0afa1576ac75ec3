"""What counts as moved when a new file is held against the model it was made of."""

import numpy as np
import pytest
from toys import spots_card

from heatmark.commands import gate
from heatmark.commands.progress import quiet
from heatmark.errors import GateError
from heatmark.geometry import Frame
from heatmark.types import Skeleton

VIEWS = [gate.View("photo.png", np.zeros((3, 48, 64), np.float32), Frame.whole((48, 64), (48, 64)))]


def test_swapped_interchangeable_landmarks_have_not_moved():
    card = spots_card(skeleton=Skeleton("s", ("a", "b", "c"), interchangeable=(("a", "c"),)))
    points = np.array([[[1.0, 1], [5, 5], [9, 9]]])
    engines = [lambda pictures, order=order: {"points": points[:, order]} for order in ([0, 1, 2], [2, 1, 0])]
    with quiet():
        compared = gate.compared(engines[0], engines[1], VIEWS, card)
    assert compared.shift == 0 and compared.change is None


def test_a_landmark_found_by_one_only_has_moved_and_one_found_by_none_has_not():
    card = spots_card()
    lost = np.array([[[np.nan, np.nan], [5, 5], [9, 9]]])
    both = np.array([[[1.0, 1], [5, 5], [9, 9]]])
    with quiet():
        same = gate.compared(lambda p: {"points": lost}, lambda p: {"points": lost}, VIEWS, card)
        gone = gate.compared(lambda p: {"points": both}, lambda p: {"points": lost}, VIEWS, card)
    assert same.shift == 0 and gone.shift == np.inf
    with pytest.raises(GateError, match="found by one and not by the other; .* 1 of 3 landmarks move more"):
        gate.check("m.onnx", gone, gate_px=0.5, gate_pck=0.2)
