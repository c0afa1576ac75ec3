"""Progress is shown where somebody looks, and never among the results."""

import io
import sys

import pytest

from heatmark.commands import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that ticks a second at each look."""
    now = iter(range(10_000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(now)))


def test_all_items_come_through_in_order(capsys):
    assert list(progress.track([3, 1, 2], label="counting")) == [3, 1, 2]
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("counting: 3 of 3 pictures in")


def test_plain_lines_come_ever_more_rarely_with_speed_and_time_left(capsys, clock):
    assert len(list(progress.track(iter(range(100)), 100, "rendering"))) == 100
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "rendering: 5 of 100 pictures, 1 pictures/s, 1 min 35 s left"
    assert lines[-1].startswith("rendering: 100 of 100 pictures in 1 min 41 s")
    assert len(lines) == 5


def test_without_a_total_there_is_no_time_left(capsys, clock):
    list(progress.track(iter(range(7)), label="camera", unit="frames"))
    assert capsys.readouterr().err.splitlines()[0] == "camera: 5 frames, 1 frames/s"


def test_a_resumed_run_counts_the_finished_but_not_into_the_speed(capsys, clock):
    list(progress.track(iter(range(6)), 106, "rendering", done=100))
    assert "105 of 106 pictures, 1 pictures/s, 1.0 s left" in capsys.readouterr().err


def test_quiet_is_silent_and_ends(capsys):
    with progress.quiet():
        assert list(progress.track("ab")) == ["a", "b"]
        progress.note("nobody reads this")
    assert capsys.readouterr() == ("", "")
    progress.note("somebody does")
    assert capsys.readouterr().err == "somebody does\n"


def test_a_terminal_gets_a_bar_also_a_bar_within_a_bar(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    for _ in progress.track(range(2), label="epochs", unit="epochs"):
        progress.note("a note above the bar")
        assert list(progress.track(range(3), label="steps", unit="steps")) == [0, 1, 2]
    shown = screen.getvalue()
    assert "epochs" in shown and "2/2" in shown and "a note above the bar" in shown
    assert progress._bar is None


def test_an_interrupted_run_says_how_far_it_came(capsys):
    def work():
        yield 1
        yield 2
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(progress.track(work(), 10, "rendering"))
    assert "rendering: 2 of 10 pictures in" in capsys.readouterr().err
