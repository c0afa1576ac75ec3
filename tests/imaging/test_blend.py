import numpy as np
import pytest

from heatmark.imaging.blend import BLENDS, laplacian, poisson


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def disc(size=64, centre=(30, 34), radius=14):
    y, x = np.mgrid[:size, :size]
    return ((x - centre[0]) ** 2 + (y - centre[1]) ** 2 <= radius**2).astype(np.float32)


@pytest.mark.parametrize("name", BLENDS)
def test_nothing_in_front_leaves_the_back_and_everything_in_front_covers_it(name, rng):
    back, front = (rng.integers(0, 256, (48, 40, 3), np.uint8) for _ in range(2))
    assert abs(BLENDS[name](back, front, np.zeros((48, 40))).astype(int) - back).max() <= 1
    assert abs(BLENDS[name](back, front, np.ones((48, 40))).astype(int) - front).max() <= 1


@pytest.mark.parametrize("name", BLENDS)
def test_a_picture_blended_with_itself_is_itself(name):
    picture = np.repeat(np.arange(64, dtype=np.uint8)[:, None, None] * 2 + 40, 64, 1).repeat(3, 2)
    assert (
        abs(BLENDS[name](picture, picture, disc()).astype(int) - picture).max() <= 8
    )  # the pyramid does not know what lies outside alpha


@pytest.mark.parametrize("name", BLENDS)
def test_what_stands_in_the_front_outside_alpha_is_never_looked_at(name, rng):
    back, front = (rng.integers(0, 256, (64, 64, 3), np.uint8) for _ in range(2))
    other = np.where(disc()[..., None] > 0, front, 255 - front).astype(np.uint8)
    np.testing.assert_array_equal(BLENDS[name](back, front, disc()), BLENDS[name](back, other, disc()))


@pytest.mark.parametrize("name", BLENDS)
@pytest.mark.parametrize("centre", [(30, 34), (0, 20), (63, 63), (5, 60)])
def test_detail_of_the_front_stays_where_it_was_at_the_border_too(name, centre, rng):
    front = np.full((64, 64, 3), 120, np.uint8)
    x, y = np.clip(centre, 4, 59)
    front[y - 1 : y + 2, x - 1 : x + 2] = 250
    back = np.full((64, 64, 3), 100, np.uint8)
    out = BLENDS[name](back, front, disc(centre=centre))[..., 0].astype(int)
    assert out[y, x] > 200
    ys, xs = np.nonzero(out > (out[y, x] + 110) / 2)
    assert (abs(xs - x) <= 1).all() and (abs(ys - y) <= 1).all()


def test_poisson_takes_the_backs_colour_and_the_fronts_shape():
    back = np.full((64, 64, 3), (40, 90, 140), np.uint8)
    front = np.full((64, 64, 3), 200, np.uint8)
    assert abs(poisson(back, front, disc()).astype(int) - back).max() <= 1
    ramp = np.repeat(np.arange(64, dtype=np.uint8)[None, :, None] * 2, 64, 0).repeat(3, 2)
    out = poisson(np.zeros_like(ramp), ramp, disc(radius=20))[34, :, 0].astype(int)
    assert out[30] <= 3  # a harmonic correction takes a ramp away wholly


def test_poisson_solves_laplaces_equation(rng):
    y, x = np.mgrid[:64, :64]
    harmonic = 120 + (x - 30) * 0.8 + ((x - 32) ** 2 - (y - 32) ** 2) * 0.03  # its own membrane
    back = np.repeat(harmonic[..., None], 3, 2).round().astype(np.uint8)
    out = poisson(back, np.full_like(back, 77), disc(radius=20))
    assert abs(out.astype(int) - back).max() <= 2


def test_laplacian_mixes_widely_and_keeps_its_front():
    back, front = np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 200, np.uint8)
    half = np.zeros((64, 64), np.float32)
    half[:, 32:] = 1
    row = laplacian(back, front, half)[32, :, 0].astype(int)
    assert (np.diff(row) >= -2).all() and row[0] < 40 and row[-1] > 160
    assert abs(np.diff(row)).max() < 60  # a seam, not a step
