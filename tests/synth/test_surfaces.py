"""Procedural surfaces are textures of the asked size, different by seed and the same for one."""

import numpy as np
import pytest

from heatmark.synth import surfaces

SIZE = (64, 96)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_noise_stays_in_range_and_repeats_over_its_borders():
    field = surfaces.noise(rng(), SIZE, (3, 4))
    assert field.shape == SIZE and field.min() >= 0 and field.max() <= 1
    step = np.abs(np.diff(field, axis=1)).max()
    assert np.abs(field[:, 0] - field[:, -1]).max() < 3 * step


@pytest.mark.parametrize("finish", surfaces.FINISHES)
def test_every_finish_is_metal_when_clean(finish):
    material = surfaces.metal(rng(), finish, SIZE, wear=0.0).material()
    assert np.asarray(material.base_color).shape == (*SIZE, 3)
    assert material.metallic == 1.0


@pytest.mark.parametrize("kind", surfaces.WOODS)
def test_every_wood_has_grain_along_its_length(kind):
    layers = surfaces.wood(rng(), kind, (128, 64), wear=0.0)
    grey = layers.color.mean(-1)
    assert np.abs(np.diff(grey, axis=1)).mean() > 2 * np.abs(np.diff(grey, axis=0)).mean()


def test_rust_covers_the_asked_share_and_is_no_longer_metal():
    layers = surfaces.rusted(rng(), surfaces.metal(rng(), "satin", SIZE, wear=0.0), 0.4)
    assert (layers.metal < 0.5).mean() == pytest.approx(0.4, abs=0.08)


def test_paint_is_chipped_by_the_asked_share():
    steel = surfaces.metal(rng(), "satin", SIZE, wear=0.0)
    layers = surfaces.painted(rng(), steel, (1, 0, 0), np.ones(SIZE), chips=0.3)
    assert (layers.metal > 0.5).mean() == pytest.approx(0.3, abs=0.15)


def test_letters_stay_in_their_box():
    ink = surfaces.letters((100, 200), "FORGED", (0.5, 0.5), (0.4, 0.2))
    y, x = np.nonzero(ink > 0.3)
    assert 55 <= x.min() and x.max() <= 145 and 35 <= y.min() and y.max() <= 65
    assert ink.max() > 0.8


def test_letters_outside_the_texture_are_left_out():
    assert surfaces.letters((20, 20), "X", (3.0, 0.5), (0.2, 0.2)).max() == 0


def test_a_seed_is_a_surface():
    one, again, other = (surfaces.rubber(rng(s), (0.2, 0.2, 0.2), SIZE).material() for s in (1, 1, 2))
    assert np.array_equal(one.base_color, again.base_color)
    assert not np.array_equal(one.base_color, other.base_color)


def test_dots_cover_what_their_radius_says():
    assert surfaces.dots((240, 240), 6, 6, 0.3).mean() == pytest.approx(np.pi * 0.09, rel=0.1)
