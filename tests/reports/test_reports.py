import csv as csv_format
import re
from xml.dom import minidom

import numpy as np
import pytest

from heatmark import reports
from heatmark.metrics import pck
from heatmark.types import Poses, Skeleton

HAMMER = Skeleton("hammer", ("face", "claw"))
BOX = np.array([[10.0, 10.0, 60.0, 40.0]])
TRUE = Poses(HAMMER, np.array([[[12.0, 20.0], [55.0, 30.0]]]), boxes=BOX)


def off(*pixels):
    """Predictions so many pixels to the right of the truth."""
    return TRUE.moved(TRUE.points + np.stack([np.array(pixels), np.zeros(2)], -1)[None])


def result(*shifts, truth=TRUE, **settings):
    return pck([off(*s) for s in shifts], [truth] * len(shifts), **settings)


def case(name="a.jpg", shift=(1.0, 30.0)):
    scored = result(shift)
    shown = reports.cut(np.full((50, 80, 3), 90, np.uint8), TRUE, off(*shift))
    return reports.Case(name, *shown, scored.fractions[0], scored.distances[0], scored.matched[0])


def page(scored, **more):
    return reports.html(reports.Page("A title", "On some pictures.", scored, {"pictures": 2}, **more))


def test_the_table_gives_per_cent_and_all_landmarks_last():
    table = reports.rows(result((1.0, 1.0), (4.0, np.nan)))
    assert table[0][:4] == ["landmark", "labelled", "PCK@0.05", "PCK@0.1"]
    assert [row[0] for row in table] == ["landmark", "face", "claw", "all"]
    assert table[1][1:5] == ["2", "50.0", "100.0", "100.0"]
    assert table[3][1:5] == ["4", "50.0", "75.0", "75.0"] and table[3][-1] == "1"


def test_markdown_and_csv_say_the_same():
    table = [["model", "PCK"], ["a|b, c", "91.0"]]
    assert reports.markdown(table).splitlines()[2] == r"| a\|b, c | 91.0 |"
    assert list(csv_format.reader(reports.csv(table).splitlines())) == table


def test_nothing_scored_makes_a_page_of_dashes():
    for scored in (pck([], []), result((1.0, 1.0), truth=TRUE.moved(TRUE.points * np.nan))):
        assert "nan" not in page(scored).lower()
        assert reports.rows(scored)[-1][2] == "-"


def test_the_worst_instances_come_first_and_uncounted_ones_never():
    blank = Poses(HAMMER, np.full((1, 2, 2), np.nan), boxes=BOX)
    found = [off(1.0, 1.0), off(20.0, 5.0), off(np.nan, np.nan), off(0.0, 0.0)]
    scored = pck(found, [TRUE, TRUE, TRUE, blank])
    assert reports.ranked(scored).tolist() == [2, 1, 0]


def test_a_cut_carries_its_points_along():
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[200, 310] = 255
    truth = Poses(
        HAMMER, np.array([[[310.5, 200.5], [320.0, 210.0]]]), boxes=np.array([[300.0, 190, 330, 220]])
    )
    part, moved, _ = reports.cut(picture, truth, truth)
    x, y = moved.points[0, 0]
    brightest = np.unravel_index(part[..., 0].argmax(), part.shape[:2])
    assert max(part.shape[:2]) == reports.SIDE
    assert abs(brightest[1] + 0.5 - x) < 2 and abs(brightest[0] + 0.5 - y) < 2


def test_a_far_off_answer_does_not_shrink_the_instance_away():
    picture = np.zeros((1000, 1000, 3), np.uint8)
    truth = Poses(HAMMER, np.array([[[12.0, 20.0], [55.0, 30.0]]]), boxes=BOX)
    _, moved, _ = reports.cut(picture, truth, truth.moved(truth.points + 900))
    assert moved.boxes[0, 2] - moved.boxes[0, 0] > reports.SIDE / 5


@pytest.mark.parametrize("points", [np.nan, np.inf, 1e300])
def test_answers_that_cannot_be_drawn_break_no_page(points):
    found = TRUE.moved(np.full((1, 2, 2), points))
    part, truth, _ = reports.cut(np.zeros((50, 80, 3), np.uint8), TRUE, found)
    assert part.shape[0] > 0 and np.isfinite(truth.points).all()


def test_the_page_asks_nothing_of_other_hosts_and_escapes_names():
    text = page(
        result((1.0, 30.0), (2.0, 3.0)), worst=[case("<b>&.jpg")], facts={"The model": {"limits": "<i>"}}
    )
    assert not re.search(r"(https?:)?//[a-z]", text.replace("</", ""))
    assert "<script" not in text and "@import" not in text and "url(" not in text
    assert "<b>&.jpg" not in text and "&lt;b&gt;&amp;.jpg" in text and "<dd><i>" not in text
    assert "1 of 2 correct" in text and "claw 30\u00a0px off (60\u00a0%)" in text


def test_the_curve_names_every_landmark_and_ends_where_the_numbers_do():
    drawing = reports.pck_curves(result((1.0, 30.0), (6.0, 3.0)), {"face": "#111", "claw": "#222"})
    assert drawing.count("<path d=") == 3
    for name in ("face", "claw", "all"):
        assert f">{name}</text>" in drawing
    assert "<title>claw: 50.0 % at 0.1</title>" in drawing


def test_labels_are_moved_apart_and_stay_inside():
    placed = [label[0] for label in reports.apart([(99.0, "a"), (98.0, "b"), (100.0, "c")], 14, 0, 100)]
    assert np.diff(placed).min() >= 14 and max(placed) <= 100


def test_the_histogram_counts_everything_once():
    drawing = reports.error_histogram(result((1.0, 30.0), (np.nan, 0.0)))
    counts = [int(n) for n in re.findall(r": (\d+) landmarks</title>", drawing)]
    assert sum(counts) == 4
    assert "50% and more, or not found: 2 landmarks" in drawing


def test_a_case_drawing_is_well_formed_apart_from_bare_attributes():
    drawing = reports.case_picture(case(), {"face": "#111111", "claw": "#222222"}, 0.1)
    quoted = re.sub(r"=([^\s\"'>/]+)", r'="\1"', re.sub(r'"data:[^"]*"', '"x"', drawing))
    root = minidom.parseString(quoted).documentElement
    assert root is not None and len(root.getElementsByTagName("circle")) == 6


def test_a_text_is_written_whole(tmp_path):
    path = reports.write(tmp_path / "deep" / "t.md", "ä")
    assert path.read_text(encoding="utf-8") == "ä"
    assert [f.name for f in path.parent.iterdir()] == ["t.md"]
