"""A predictor answers in picture pixels, for whole pictures and boxes of any size, and can look again."""

import cv2
import numpy as np
import pytest
from toys import SPOTS, spots, spots_card

from heatmark import zoo
from heatmark.card import Card
from heatmark.errors import DataError, UserError
from heatmark.geometry import Frame
from heatmark.runtime import Latency, Predictor, load
from heatmark.runtime.predictor import visibility
from heatmark.runtime.second_look import CHECKED
from heatmark.runtime.windows import seen, shown_part
from heatmark.types import Poses, Sample, Skeleton


@pytest.fixture
def predictor(spots_onnx) -> Predictor:
    loaded = load(spots_onnx, threads=1)
    assert isinstance(loaded, Predictor)
    return loaded


@pytest.mark.parametrize("size", [(48, 64), (96, 128), (300, 180), (200, 610), (31, 47)])
def test_points_come_back_in_picture_pixels_whatever_the_pictures_size(predictor, size):
    h, w = size
    places = ((0.2 * w, 0.3 * h), (0.8 * w, 0.25 * h), (0.5 * w, 0.8 * h))
    poses = predictor(spots(size, *places, radius=max(h, w) / 16))
    assert isinstance(poses, Poses) and poses.skeleton == SPOTS and np.isnan(poses.boxes).all()
    cell = 2 * max(h / 48, w / 64)  # picture pixels per cell of the finest map
    np.testing.assert_allclose(poses.points[0], places, atol=0.2 * cell)


def test_each_given_box_is_one_instance_in_order_and_enlarged_by_a_quarter(predictor):
    left, right = ((30, 40), (70, 20), (50, 80)), ((230, 60), (260, 80), (290, 30))
    both = np.maximum(spots((100, 320), *left, radius=6), spots((100, 320), *right, radius=6))
    boxes = np.array([[225.0, 20, 295, 90], [20, 10, 80, 90]])
    poses = predictor(both, boxes=boxes)
    assert len(poses) == 2 and np.array_equal(poses.boxes, boxes)
    np.testing.assert_allclose(poses.points, [right, left], atol=0.6)
    seen: list[np.ndarray] = []

    def engine(pictures: np.ndarray) -> dict[str, np.ndarray]:
        seen.append(pictures)
        return {"points": np.zeros((len(pictures), 3, 2)), "scores": np.ones((len(pictures), 3))}

    white = np.full((400, 400, 3), 255, np.uint8)
    corner = Predictor(engine, spots_card())(white, boxes=np.array([[0, 0, 64.0, 48]]))
    np.testing.assert_allclose(corner.points[0, 0], (-8, -6))  # the window begins an eighth before the box
    shown = seen[0][0, 0]
    assert shown[0, 30] == 0 and shown[30, 0] == 0 and shown[30, 40] == 1  # outside the picture it is black


def test_without_context_what_lies_around_a_box_has_its_mean_colour():
    picture = np.full((60, 80, 3), (200, 0, 0), np.uint8)
    picture[20:40, 30:50] = (10, 90, 30)
    card = spots_card().model_copy(update={"context": False})
    box = np.array([32.0, 22, 48, 38])  # 1.25 of it is the green square
    part = shown_part(box, card)
    assert part is not None and part.tolist() == [30, 20, 50, 40]
    far = Frame.around(np.array([0.0, 0, 80, 80]), (40, 40))
    assert (seen(picture, far, part)[:28] == (10, 90, 30)).all()
    assert shown_part(box, spots_card()) is None and shown_part(np.full(4, np.nan), card) is None


def test_no_boxes_and_no_pictures_are_no_instances(predictor):
    assert len(predictor(spots((48, 64)), boxes=np.empty((0, 4)))) == 0
    assert predictor.many([]) == []


def test_many_pictures_answer_as_each_alone(predictor):
    rng = np.random.default_rng(0)
    pictures = [spots((60, 90), *rng.uniform(15, 45, (3, 2))) for _ in range(11)]
    for alone, together in zip(map(predictor, pictures), predictor.many(pictures), strict=True):
        np.testing.assert_allclose(alone.points, together.points, atol=1e-3)


def test_a_picture_may_be_a_path_bytes_an_array_or_a_sample(predictor, tmp_path):
    picture = spots((48, 64), (10, 10), (50, 10), (30, 40))
    path = tmp_path / "spots.png"
    cv2.imwrite(str(path), picture[..., ::-1])
    sample = Sample(picture, Poses.empty(SPOTS))
    answers = [predictor(source) for source in (path, str(path), path.read_bytes(), picture, sample)]
    assert all(answer == answers[0] for answer in answers)


def test_a_second_look_is_closer_and_finer(predictor):
    places = np.array([(203.2, 151.7), (223.6, 158.1), (211.9, 170.4)])
    picture = spots((300, 400), *places, radius=5)
    first, second = predictor(picture), predictor(picture, second_look=True)
    errors = [np.linalg.norm(p.points[0] - places, axis=-1).max() for p in (first, second)]
    assert errors[1] < 0.25 < errors[0]
    assert second.score[0] > first.score[0]


CORNERS = np.array([[11.5, 10], [52.5, 10], [32, 38]])  # of 48 x 64 network pixels: seen alone, as far apart


def scripted(*scores: float) -> tuple[Predictor, list[int]]:
    """Finds CORNERS wherever it looks, with these scores in turn, then with the last; and how many it was
    shown at a time.
    """
    shown: list[int] = []
    left = list(scores)

    def engine(pictures: np.ndarray) -> dict[str, np.ndarray]:
        shown.append(len(pictures))
        heights = np.array([[left.pop(0) if len(left) > 1 else left[0]] * 3 for _ in pictures])
        return {"points": np.stack([CORNERS] * len(pictures)), "scores": heights}

    return Predictor(engine, spots_card()), shown


def test_an_answer_that_holds_alone_is_believed_at_once_and_its_closer_points_are_kept():
    predictor, shown = scripted(0.9)
    first, second = predictor(spots((480, 640))), predictor(spots((480, 640)), second_look=True)
    assert shown == [1, 1, 1]
    moved = np.abs(second.points - first.points).max()
    assert 0 < moved < 5


def test_an_answer_that_does_not_hold_alone_sends_it_closer_and_then_everywhere():
    predictor, shown = scripted(0.9, 0.1)
    poses = predictor(spots((480, 640)), second_look=True)
    closer, everywhere, batch = 2, 2 * 2 + 3 * 3, 8
    assert shown == [1, 1, closer, closer, batch, everywhere - batch, CHECKED]
    assert poses.scores[0].tolist() == [0.9] * 3  # what finds less is forgotten
    np.testing.assert_allclose(poses.points[0], CORNERS * 10)


def test_the_worthiest_answer_of_all_places_is_found():
    looks = [0.9, 0.1] + [0.3] * 4 + [0.5] * 12 + [0.95]  # alone the first is nothing; the last window is it
    predictor, _ = scripted(*looks, 0.95)
    poses = predictor(spots((480, 640)), second_look=True)
    assert poses.scores[0].tolist() == [0.95] * 3


def test_a_given_box_is_looked_at_closer_but_the_picture_is_not_searched():
    predictor, shown = scripted(0.5, 0.7)
    poses = predictor(spots((480, 640)), boxes=np.array([[100.0, 100, 300, 300]]), second_look=True)
    assert shown == [1, 1] and poses.scores[0].tolist() == [0.7] * 3
    predictor, _ = scripted(0.7, 0.5)
    poses = predictor(spots((480, 640)), boxes=np.array([[100.0, 100, 300, 300]]), second_look=True)
    assert poses.scores[0].tolist() == [0.7] * 3


def test_live_it_looks_three_times_and_keeps_the_highest_score():
    predictor, shown = scripted(0.6, 0.4, 0.9)
    poses = predictor(spots((480, 640)), second_look="live")
    assert shown == [1, 2] and poses.scores[0].tolist() == [0.9] * 3


def test_interchangeable_landmarks_agree_in_either_order():
    pair = Skeleton("wrench", ("jaw_a", "jaw_b"), interchangeable=(("jaw_a", "jaw_b"),))
    card = spots_card().model_copy(update={"skeleton": pair.to_dict()})
    shown: list[int] = []

    def engine(pictures: np.ndarray) -> dict[str, np.ndarray]:
        shown.append(len(pictures))
        ends = np.array([[[11.5, 10], [52.5, 38]]])
        return {"points": ends if len(shown) == 1 else ends[:, ::-1], "scores": np.full((1, 2), 0.9)}

    Predictor(engine, card)(spots((48, 64)), second_look=True)
    assert shown == [1, 1]


def test_a_single_landmark_has_no_place_so_it_is_looked_for_everywhere():
    card = spots_card().model_copy(update={"skeleton": Skeleton("tip", ("tip",)).to_dict()})
    scores = iter([0.5] * 14 + [0.9])

    def engine(pictures: np.ndarray) -> dict[str, np.ndarray]:
        heights = np.array([[next(scores)] for _ in pictures])
        return {"points": np.full((len(pictures), 1, 2), 20.0), "scores": heights}

    poses = Predictor(engine, card)(spots((48, 64)), second_look=True)
    assert poses.scores.tolist() == [[0.9]] and not list(scores)


@pytest.mark.parametrize("points", [np.full((1, 3, 2), np.nan), np.full((1, 3, 2), 20.0)])
def test_a_second_look_survives_points_that_are_nowhere_or_all_in_one_place(points):
    def engine(pictures: np.ndarray) -> dict[str, np.ndarray]:
        n = len(pictures)
        return {"points": np.repeat(points, n, 0), "scores": np.full((n, 3), 0.5)}

    poses = Predictor(engine, spots_card())(spots((48, 64)), second_look=True)
    assert len(poses) == 1 and np.array_equal(np.isnan(poses.points), np.isnan(points))


def test_what_is_not_finite_is_not_found():
    def engine(pictures: np.ndarray) -> dict[str, np.ndarray]:
        points = np.array([[[np.inf, 3], [5, 5], [7, 7]]])
        return {"points": points, "scores": np.array([[0.9, np.nan, 0.8]])}

    poses = Predictor(engine, spots_card())(spots((48, 64)))
    assert np.isnan(poses.points[0, 0]).all() and poses.scores[0, 1] == 0
    assert poses.visibility.tolist() == [[0, 0, 2]]


def test_visibility_is_guessed_from_the_score():
    points = np.array([[1.0, 1], [1, 1], [1, 1], [np.nan, np.nan]])
    assert visibility(points, np.array([0.9, 0.2, 0.02, 0.9])).tolist() == [2, 1, 0, 0]


def test_the_latency_of_the_last_call_is_split(predictor):
    predictor(spots((480, 640)))
    latency = predictor.latency
    assert isinstance(latency, Latency) and latency.network > 0 and latency.points >= 0
    assert latency.total == pytest.approx(latency.decode + latency.network + latency.points)


@pytest.mark.parametrize(
    "source, error, text",
    [
        ("missing.jpg", UserError, "missing.jpg: no such picture"),
        (b"", DataError, "bytes: the file is empty"),
        (b"<html>gone</html>", DataError, "HTML"),
        (np.zeros((4, 4), np.uint8), UserError, r"must be \(H, W, 3\) uint8 RGB, got \(4, 4\) uint8"),
        (np.zeros((4, 4, 3)), UserError, "got .* float64"),
        (7, UserError, "wanted a path, bytes, an array or a Sample, got int"),
    ],
)
def test_what_is_no_picture_is_named(predictor, source, error, text):
    with pytest.raises(error, match=text):
        predictor(source)


@pytest.mark.parametrize("boxes", [[[0, 0, 0, 5]], [[0, 0, np.nan, 5]], [[5, 5, 1, 1]], [[1, 2, 3]]])
def test_a_box_without_area_is_named(predictor, boxes):
    with pytest.raises(UserError, match="box"):
        predictor(spots((48, 64)), boxes=np.array(boxes))


def test_a_shipped_detector_is_found_by_name_and_others_are_not(tmp_path, spots_onnx, monkeypatch):
    monkeypatch.setattr(zoo, "folder", lambda: tmp_path)
    with pytest.raises(UserError, match="'hammer' is not in this installation"):
        load("hammer")
    (tmp_path / "hammer.onnx").write_bytes(spots_onnx.read_bytes())
    assert isinstance(load("hammer").card, Card) and load("hammer").name == "hammer"
    with pytest.raises(UserError, match="called 'hamer' .did you mean 'hammer'.*combination_wrench"):
        load("hamer")
