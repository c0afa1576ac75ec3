"""Find points: `demo`, `detect`, `serve`, as they stand on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from ..commands.console import show
from .options import Engine, Json, Port, SecondLook, quietly


def demo(
    out: Annotated[Path, typer.Option(help="Where the overlays go.")] = Path("heatmark-demo"),
    engine: Engine = "auto",
    json: Json = False,
) -> None:
    """The shipped detectors on the shipped photographs: overlays, a table, frames per second.

    Example: [cyan]heatmark demo[/]
    """
    from ..commands.demo import demo

    with quietly(json):
        show(demo(out, engine), json)


def detect(
    source: Annotated[
        list[str], typer.Argument(help="A picture or several, a folder, a video, or a camera's number.")
    ],
    model: Annotated[
        str, typer.Option("--model", "-m", help="A model file, or the name of a shipped detector.")
    ],
    boxes: Annotated[
        Path | None,
        typer.Option(help="Look only inside these boxes (a COCO file, or detector: torchvision's people)."),
    ] = None,
    second_look: SecondLook = False,
    engine: Engine = "auto",
    out: Annotated[
        Path | None, typer.Option(help="A folder for overlays: pictures or a video with the points drawn.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many pictures or frames.")] = None,
    threshold: Annotated[float, typer.Option(min=0, max=1, help="Leave out points that score less.")] = 0.0,
    tiles: Annotated[bool, typer.Option(help="Boxes: look at large pictures part by part, too.")] = False,
    json: Json = False,
) -> None:
    """Find the points in pictures, a folder, a video or a camera.

    Prints one line for each picture or frame as it comes; with --json one JSON object a line.

    Example: [cyan]heatmark detect photos/ --model hammer --out overlays --json > points.jsonl[/]
    """
    from ..commands.detect import detect

    with quietly(json):
        for found in detect(
            source[0] if len(source) == 1 else source,
            model,
            boxes=boxes,
            second_look=second_look,
            engine=engine,
            out=out,
            limit=limit,
            threshold=threshold,
            tiles=tiles,
        ):
            show(found, json)


def serve(
    model: Annotated[
        list[str] | None,
        typer.Option("--model", "-m", help="Which detectors; repeatable. All shipped ones if left out."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="127.0.0.1 serves this machine only; 0.0.0.0 serves whoever can reach it.")
    ] = "127.0.0.1",
    port: Port = 8000,
    engine: Engine = "auto",
    open_browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = False,
) -> None:
    """An HTTP API (POST a picture to /detect) and a page with upload and webcam.

    Example: [cyan]heatmark serve --model hammer[/]

    and then [cyan]curl --data-binary @bench.jpg http://127.0.0.1:8000/detect[/]
    """
    from ..web.serve import serve

    serve(model, host=host, port=port, engine=engine, open_browser=open_browser)
