"""A Ray cluster does all of the work once, faults come back, and no cluster is one line."""

import importlib.util
import sys

import pytest

from heatmark.commands.render import render
from heatmark.commands.spread import spread
from heatmark.data import open_dataset
from heatmark.errors import DataError, UserError

clustered = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of Ray's own


@clustered
def test_a_cluster_does_every_job_once_and_a_known_error_comes_back_as_it_is():
    def work(jobs):
        for job in jobs:
            if job == 50:
                raise DataError("bad mesh")
            yield 2 * job

    assert sorted(spread(lambda: work, range(50), "local")) == [2 * n for n in range(50)]
    with pytest.raises(DataError, match="^bad mesh$"):
        list(spread(lambda: work, range(45, 55), "local"))


@clustered
def test_a_cluster_renders_what_one_process_does(tmp_path):
    asked = {
        "count": 2,
        "size": (24, 32),
        "samples": 1,
        "copies": 0,
        "variant": "scalar_rgb",
        "format": "png",
    }
    for name, ray in (("one", None), ("many", "local")):
        render("wrench", out=tmp_path / name, ray=ray, **asked)
    one, many = (open_dataset(tmp_path / name) for name in ("one", "many"))
    assert len(one) == len(many) == 2
    for a, b in zip(one, many):
        assert a.path.read_bytes() == b.path.read_bytes() and a.poses == b.poses


@clustered
def test_no_cluster_is_one_line():
    with pytest.raises(UserError, match=r"^no Ray cluster answers at 127\.0\.0\.1:1 \("):
        list(spread(lambda: list, range(3), "127.0.0.1:1"))


def test_without_ray_the_install_line_is_said_and_workers_are_for_this_machine(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"heatmark\[ray\]"):
        list(spread(lambda: list, [1], "auto"))
    with pytest.raises(UserError, match="leave workers = 2 out"):
        render("wrench", out=tmp_path / "x", ray="auto", workers=2)
