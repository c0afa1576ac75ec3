"""Work is shared between processes: all of it is done once, faults come back, and none stands still."""

import functools
import os
import signal
import time
from typing import Any

import pytest

from heatmark.commands import crew
from heatmark.commands.crew import worked
from heatmark.commands.render import render
from heatmark.errors import DataError, UserError


def doubling():
    return lambda jobs: ((2 * job, os.getpid()) for job in jobs)


def failing(error):
    def work(jobs):
        print("chatter on stdout")
        for job in jobs:
            if job == 3:
                raise error
            yield job

    return work


def dying() -> Any:
    return lambda jobs: os.kill(os.getpid(), signal.SIGKILL)


def sleeping(folder):
    def work(jobs):
        for job in jobs:
            (folder / str(os.getpid())).touch()
            time.sleep(30 if job else 0)
            yield job

    return work


def test_one_worker_with_few_jobs_stays_in_this_process():
    assert [r for r in worked(doubling, [1, 2])] == [(2, os.getpid()), (4, os.getpid())]
    assert list(worked(doubling, [])) == []


def test_every_job_is_done_once_and_processes_are_replaced():
    results = list(worked(doubling, range(20), workers=2, recycled=5))
    assert sorted(r[0] for r in results) == list(range(0, 40, 2))
    assert len({r[1] for r in results}) == 4 and os.getpid() not in {r[1] for r in results}


@pytest.mark.parametrize(
    "error", [DataError("mesh.obj: has no faces"), OSError(28, "No space left on device")]
)
def test_a_known_error_comes_back_as_it_is(error):
    with pytest.raises(type(error), match=str(error.args[-1])):
        list(worked(functools.partial(failing, error), range(6), workers=2))


def test_an_unknown_error_comes_with_its_traceback():
    with pytest.raises(RuntimeError, match="ZeroDivisionError: by zero"):
        list(worked(functools.partial(failing, ZeroDivisionError("by zero")), range(6), workers=2))


def test_a_process_that_dies_is_one_line():
    with pytest.raises(UserError, match="signal 9 .*what is done is kept"):
        list(worked(dying, range(4), workers=2))


def test_processes_end_when_the_results_are_no_longer_wanted(tmp_path):
    results = worked(functools.partial(sleeping, tmp_path), [0, 1], workers=2)
    assert next(results) == 0
    results.close()
    for path in tmp_path.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(path.name), 0)


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
