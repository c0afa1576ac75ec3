import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks is no part of the package

from benchmarks.rows import Row, commit, machine, markdown, write  # noqa: E402


@pytest.mark.parametrize(
    "paper, ours, verdict",
    [
        (76.3, 75.0, "yes"),
        (76.3, 74.0, "no"),
        (76.3, None, "-"),
        (None, 75.0, "-"),
        (76.3, float("nan"), "no"),
    ],
)
def test_a_row_says_whether_the_paper_was_reproduced(paper, ours, verdict):
    assert Row("ihm56", "PCK@0.1", paper, ours, within=2.0).verdict == verdict


def test_the_table_names_its_command_commit_and_machine(tmp_path):
    rows = [Row("ihm56", "PCK@0.1", 76.3, 75.04, 2.0), Row("hm", "PCK@0.1", 60.0, None, 2.0)]
    text = write(rows, "python -m benchmarks.tools", tmp_path / "docs" / "tools.md").read_text()
    assert "| ihm56 | PCK@0.1 | 76.3 | 75.0 | -1.3 | 2.0 | yes |" in text
    assert "| hm | PCK@0.1 | 60.0 | not measured |  | 2.0 | - |" in text
    assert "`python -m benchmarks.tools`, commit" in text and commit() in text and machine() in text
    assert len(markdown(rows, "x", digits=2).splitlines()) == 6
