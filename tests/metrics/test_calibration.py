"""Scores become chances: a line through their logits by hand, its order, and what it says of others."""

import numpy as np
import pytest

from heatmark.metrics import calibration_error, chances, logistic, precision_above


def drawn(slope: float, offset: float, count: int = 4000, seed: int = 0):
    rng = np.random.default_rng(seed)
    scores = rng.uniform(0.02, 0.98, count)
    return scores, rng.random(count) < chances(scores, (slope, offset))


def test_the_line_that_made_the_hits_is_found_again():
    line = logistic(*drawn(1.7, -0.8))
    assert line == pytest.approx((1.7, -0.8), abs=0.15)
    assert line is not None
    scores, right = drawn(1.7, -0.8, seed=1)  # others of the kind
    assert calibration_error(chances(scores, line), right) < 0.03 < calibration_error(scores, right)


def test_two_scores_by_hand():
    """Two values and two parameters: the chance at each is the (smoothed) share of hits there."""
    scores, right = np.repeat([0.5, 0.9], 100), np.arange(200) % 100 < np.repeat([30, 80], 100)
    line = logistic(scores, right)
    assert line is not None
    high, low = 111 / 112, 1 / 92  # Platt's targets for 110 hits and 90 misses
    shares = [(hits * high + (100 - hits) * low) / 100 for hits in (30, 80)]
    np.testing.assert_allclose(chances(np.array([0.5, 0.9]), line), shares, atol=1e-6)


def test_the_order_is_kept_or_given_up_but_never_turned_around():
    scores, right = drawn(2.0, 0.0)
    line = logistic(scores, right)
    assert line is not None and (np.diff(chances(np.linspace(0, 1, 50), line)) >= 0).all()
    assert logistic(scores, ~right) == (0.0, pytest.approx(np.log((~right).mean() / right.mean()), abs=0.01))


def test_scores_that_separate_perfectly_stay_finite_and_few_give_no_fit():
    scores = np.repeat([0.0, 1.0], 30)
    line = logistic(scores, scores > 0.5)
    assert line is not None and np.isfinite(line).all()
    assert chances(np.array([0.0, 1.0]), line) == pytest.approx([1 / 32, 31 / 32], abs=1e-3)
    assert logistic(scores[:19], scores[:19] > 0.5) is None
    some = np.r_[scores, np.nan]
    assert logistic(some, some > 0.5) == pytest.approx(line)


def test_what_is_kept_above_a_threshold():
    scores, right = np.array([0.1, 0.4, 0.7, 0.9]), np.array([False, False, True, True])
    (precision, kept), (none, nobody) = precision_above(scores, right, [0.3, 0.95])
    assert precision == pytest.approx(2 / 3) and kept == 0.75
    assert np.isnan(none) and nobody == 0
