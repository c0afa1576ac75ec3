"""Work is shared between processes so that none of them stands still."""

import os

import pytest

from heatmark.commands import crew
from heatmark.commands.render import render


def test_nobody_is_given_a_single_core(monkeypatch):
    """On one core the renderer's threads would wait for each other for ever."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)
    assert crew._shared_cores(2) == [(0, 2), (1, 3)]
    assert crew._shared_cores(3) == [(0, 1, 2, 3)] * 3
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1}, raising=False)
    assert crew._shared_cores(2) == [(0, 1)] * 2


def test_two_processes_draw_what_one_does(tmp_path):
    pytest.importorskip("mitsuba")
    plan = {"scene": "hammer", "count": 2, "size": (32, 32), "samples": 1, "copies": 0}
    for workers in (1, 2):
        render(out=tmp_path / str(workers), workers=workers, **plan)
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / w / "images").iterdir()} for w in "12")
    assert one == two and len(one) == 2
