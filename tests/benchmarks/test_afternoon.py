"""The tutorial's times: every command that is timed stands in it, and what was stopped counts too."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks is no part of the package

from benchmarks import afternoon  # noqa: E402


def test_every_timed_command_stands_in_the_tutorial():
    page = afternoon.PAGE.read_text().partition(afternoon.BEGIN)[0]
    for step in afternoon.steps(100, 16, ""):
        assert f"\n{step.line}\n" in page, step.line


@pytest.mark.parametrize("page", ["afternoon.md", "story.md"])
def test_no_page_renders_two_kinds_of_scene_into_one_folder(page):
    lines = (afternoon.PAGE.parent / page).read_text().splitlines()
    found = [line.split("--out ")[1].split()[0] for line in lines if line.startswith("heatmark render")]
    assert len(found) > 1 and len(set(found)) == len(found)


def test_times_are_added_up_only_when_all_are_there():
    steps = afternoon.steps(100, 16, "")
    times = {step.name: {"cpu": 30.0, "wall": 60.0} for step in steps}
    assert "| **all** | | 4 min 00 s | 8 min 00 s |" in afternoon.table(steps, times)
    del times["pictures"]
    text = afternoon.table(steps, times)
    assert "**all**" not in text and "--out pictures` | not measured | not measured |" in text


def test_a_stopped_step_goes_on_and_its_time_counts(tmp_path, monkeypatch, capsys):
    codes = iter([1, 0])

    def run(step, folder):
        return {"wall": 10.0, "cpu": 4.0}, next(codes)

    page = tmp_path / "page.md"
    page.write_text(f"before\n{afternoon.BEGIN}\nyesterday\n{afternoon.END}\nafter\n")
    monkeypatch.setattr(afternoon, "run", run)
    monkeypatch.setattr(afternoon, "steps", lambda *_: [afternoon.Step("mesh", "python x.py")])
    line = ["afternoon", "--folder", str(tmp_path), "--page", str(page)]
    for code in (1, None):
        monkeypatch.setattr(sys, "argv", line)
        try:
            afternoon.main()
        except SystemExit as stopped:
            assert stopped.code == code
    assert json.loads((tmp_path / "times.json").read_text())["done"] == {"mesh": {"wall": 20.0, "cpu": 8.0}}
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "yesterday" not in text
    assert "| mesh | `python x.py` | 8.0 s | 20.0 s |" in text
