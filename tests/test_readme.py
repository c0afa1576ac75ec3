"""What the README says can be typed, can be typed."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

import heatmark
from heatmark.cli import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PHOTOGRAPHS = Path(heatmark.__file__).parent / "zoo" / "photographs"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.S)


def commands() -> list[list[str]]:
    """Every heatmark command of the README: those of its blocks, and those within sentences."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    lines += re.findall(r"`(heatmark [^`]+)`", README)
    split = [shlex.split(line, comments=True) for line in lines]
    return [words for words in split if words and words[0] == "heatmark"]


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_of_the_readme_exists_with_its_options(words):
    group = typer.main.get_command(app)
    verb = group.commands[words[1]]  # type: ignore[attr-defined]
    if len(words) > 2:
        verb.make_context("heatmark", words[2:], resilient_parsing=False)


@pytest.mark.parametrize("code", blocks("python"), ids=lambda code: code.split("\n")[0])
def test_the_python_of_the_readme_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench.jpg").write_bytes((PHOTOGRAPHS / "hammer_1.jpg").read_bytes())
    exec(compile(code, "README.md", "exec"), {})


def test_every_file_the_readme_names_is_there():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
