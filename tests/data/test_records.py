"""Files are read with a word why not and written whole or not at all; a folder is one process's at a time."""

import errno
import os
import subprocess
import sys

import pytest

from heatmark.data.records import aside, held, read_csv, read_json, read_text, read_yaml, write_whole
from heatmark.errors import DataError, UserError


@pytest.mark.parametrize("read", [read_text, read_json, read_yaml, read_csv])
@pytest.mark.parametrize("data", [b"\x80[" * 9, None])
def test_what_cannot_be_read_is_named(tmp_path, read, data):
    if data is not None:
        (tmp_path / "labels").write_bytes(data)
    with pytest.raises(DataError, match="labels: "):
        read(tmp_path / "labels")


def test_a_byte_order_mark_is_no_letter(tmp_path):
    (tmp_path / "labels").write_bytes("\ufeffä".encode())
    assert read_text(tmp_path / "labels") == "ä"


def test_a_full_disk_names_the_file_and_leaves_the_old_one(tmp_path, monkeypatch):
    def full(file):
        raise OSError(errno.ENOSPC, "No space left on device")

    write_whole(tmp_path / "a", b"old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError) as error:
        write_whole(tmp_path / "a", b"new")
    assert error.value.filename == str(tmp_path / "a")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"old"]


def test_a_folder_is_one_processs_at_a_time_and_free_when_it_ends(tmp_path):
    other = (
        "import sys\nfrom pathlib import Path\nfrom heatmark.data.records import held\n"
        "from heatmark.errors import UserError\n"
        "try:\n    with held(Path(sys.argv[1])): print('mine')\nexcept UserError as error: print(error)\n"
    )

    def said() -> str:
        return subprocess.run(
            [sys.executable, "-c", other, str(tmp_path)], capture_output=True, text=True, timeout=100
        ).stdout

    with held(tmp_path):
        assert "another process works in it" in said()
        with pytest.raises(UserError), held(tmp_path):
            pass
    assert said() == "mine\n"


def test_a_folder_aside_is_empty_and_gone_in_the_end_whatever_a_killed_one_left(tmp_path):
    (tmp_path / ".out.part" / "half").mkdir(parents=True)
    with aside(tmp_path / "out") as part:
        assert part.parent == tmp_path and not any(part.iterdir())
        with pytest.raises(UserError, match="another process works in it"), aside(tmp_path / "out"):
            pass
        (part / "whole").write_text("done")
    assert not any(tmp_path.iterdir())
