"""What the speed table of rendering says of what was measured."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks is no part of the package

from benchmarks.render_speed import Spent  # noqa: E402


def test_a_row_holds_speed_load_and_memory_by_quarters():
    spent = Spent(wall=[0.5, 0.5, 0.4, 0.6], cpu=[0.25] * 4, held=[100, 110, 120, 115], others=[0.5] * 4)
    assert spent.row("llvm") == "| llvm | 4 | 2.00 | 0.500 | 0.250 | 1.0 | 100 | 110 | 120 | 115 | 120 |"


def test_a_single_picture_is_a_row_too():
    row = Spent(wall=[0.25], cpu=[0.5], held=[90.4], others=[0.0]).row("llvm")
    assert row == "| llvm | 1 | 4.00 | 0.250 | 0.500 | 0.0 | 90 | 90 | 90 | 90 | 90 |"
