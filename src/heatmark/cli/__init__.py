"""The command line: arguments -> commands, results -> text or JSON, errors -> exit codes (`endings`).

Results go to stdout, progress and errors to stderr. Every command is imported when it is called, so
`heatmark --help` loads neither torch nor mitsuba.
"""

import sys
from typing import Annotated

import typer

from .. import __version__
from ..commands.console import say
from . import endings, find, look, make

ABOUT = """Finds points in pictures with Gaussian heatmaps, and makes the pictures it learns from.

A new object, from a mesh to a live detector:

[bold]heatmark landmarks[/] hammer.obj · [bold]heatmark render[/] hammer.obj --count 10000 --out hammers ·
[bold]heatmark train[/] ihm56 --data hammers --out run · [bold]heatmark export[/] run --out hammer.onnx ·
[bold]heatmark detect[/] 0 --model hammer.onnx
"""
VERBS = {
    "Find points": (find.demo, find.detect, find.serve),
    "Make a detector": (
        make.landmarks, make.render, make.train, make.evaluate, make.export, make.check, make.convert,
    ),
    "Look around": (look.attack, look.bench, look.models, look.doctor),
}  # fmt: skip
GO_ON = {
    "render": "; start the same command again to go on",
    "attack": "; with --out, start it again to go on",
    "train": "; add --resume to go on",
}

app = typer.Typer(
    help=ABOUT,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for panel, verbs in VERBS.items():
    for verb in verbs:
        app.command(rich_help_panel=panel)(verb)


def main(args: list[str] | None = None) -> int:
    """Run one command and return its exit code. Never raises for what a user can cause."""
    args = sys.argv[1:] if args is None else args
    go_on = GO_ON.get(args[0], "") if args else ""
    return endings.code_of(lambda: app(args, prog_name="heatmark", standalone_mode=False), go_on)


def _version(wanted: bool) -> None:
    if wanted:
        say(f"heatmark {__version__}")
        raise typer.Exit()


@app.callback(invoke_without_command=True)
def _heatmark(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        say(context.get_help())
