"""A Studio's pictures depend on their index alone, however many are asked for at a time."""

import numpy as np

from heatmark.synth.settings import settings_of
from heatmark.synth.studio import Studio


def test_a_scene_prepared_ahead_is_the_same_picture(bar):
    settings = settings_of(bar, {"clutter": {"count": [1, 1], "draws": 2, "tools": 0.0, "hand": 0.0}})
    studio = Studio(settings, 3, (32, 32), 2, copies=1)
    together = [[made.picture for _, made in pictures] for pictures in studio.many([2, 0, 1])]
    for index, expected in zip([2, 0, 1], together):
        alone = [made.picture for _, made in studio(index)]
        assert len(alone) == 2
        for one, other in zip(alone, expected):
            np.testing.assert_array_equal(one, other)
