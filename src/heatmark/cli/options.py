"""What several commands take, said once."""

from contextlib import AbstractContextManager, nullcontext
from typing import Annotated

import typer

from ..commands import progress

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout, and nothing else.")]
Engine = Annotated[str, typer.Option(help="What runs the network: auto, onnxruntime, openvino or torch.")]
SecondLook = Annotated[
    bool,
    typer.Option("--second-look", help="Look again, closer; in pictures everywhere, until an answer holds."),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override one setting (YAML value, dots go inwards); repeatable."
    ),
]
Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="A model file, or the name of a shipped detector.")
]
Category = Annotated[str | None, typer.Option(help="Which category, where the dataset has several.")]
Dataset = Annotated[str, typer.Argument(metavar="DATASET", help="A dataset folder, or its annotation file.")]
Flip = Annotated[
    bool | None,
    typer.Option("--flip/--no-flip", help="Look at the mirror image too; else as the model's card says."),
]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Where the page is served; 0 takes any free port.")]


def quietly(json: bool) -> AbstractContextManager[None]:
    """No progress where the result is JSON."""
    return progress.quiet() if json else nullcontext()
