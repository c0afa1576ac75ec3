"""Look around: `attack`, `bench`, `models`, `doctor`, as they stand on the command line."""

from pathlib import Path
from typing import Annotated

import typer

from ..commands.console import say, show, table
from .options import Category, Dataset, Engine, Flip, Json, Model, quietly


def attack(
    model: Model,
    dataset: Dataset,
    other: Annotated[str | None, typer.Option(help="A second network, to be set beside the first.")] = None,
    target: Annotated[
        list[str] | None, typer.Option(help="A landmark or part to hide; repeatable. All if left out.")
    ] = None,
    how: Annotated[
        list[str] | None, typer.Option(help="blur, blackout or meanout; repeatable. All if left out.")
    ] = None,
    radius: Annotated[
        list[float] | None, typer.Option(help="Of a landmark's disc, network pixels; repeatable. 6.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="A folder for the report; the same command goes on in it.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Take only so many pictures.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Windows shown to the network at once.")] = 32,
    legacy: Annotated[bool, typer.Option("--legacy", help="Repeat the faults of the study's code.")] = False,
    category: Category = None,
    engine: Engine = "auto",
    flip: Flip = None,
    json: Json = False,
) -> None:
    """How much each landmark and part matters: what a network loses when it is hidden.

    Interrupted or killed, the same command goes on where it stopped.

    Example: [cyan]heatmark attack hammer photos --radius 6 --radius 12 --out attack[/]
    """
    from ..commands.attack import attack

    with quietly(json):
        asked = {"hows": how, "radii": radius}
        result = attack(
            model,
            dataset,
            other=other,
            targets=target or None,
            out=out,
            limit=limit,
            batch=batch,
            legacy=legacy,
            category=category,
            engine=engine,
            flip=flip,
            **{name: value for name, value in asked.items() if value},  # type: ignore[arg-type]
        )
        if json:
            return show(result, json)
        for heading, rows in result.tables.items():
            say(f"\n{heading}, points of {result.metric}")
            table(rows)
        say(f"The report is {out / 'report.html'}" if out else "With --out DIR there is a page, too.")


def bench(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Which; all shipped ones if left out.")
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="Pictures a measurement takes.")] = 200,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads the network may use.")] = 2,
    int8: Annotated[bool, typer.Option("--int8", help="Networks in whole numbers, too.")] = False,
    second_look: Annotated[bool, typer.Option("--second-look", help="With a second look, too.")] = False,
    json: Json = False,
) -> None:
    """How fast each detector is here, by engine.

    Example: [cyan]heatmark bench hammer --frames 100[/]
    """
    from ..commands.bench import bench

    with quietly(json):
        options = {"frames": frames, "threads": threads, "int8": int8, "second_look": second_look}
        show(bench(models or None, **options), json)


def models(json: Json = False) -> None:
    """The detectors that are shipped, and the networks and recipes one can train.

    Example: [cyan]heatmark models[/]
    """
    from ..commands.models import models

    show(models(), json)


def doctor(json: Json = False) -> None:
    """What this machine can do, and the one line that mends what it cannot.

    Example: [cyan]heatmark doctor[/]
    """
    from ..commands.doctor import doctor

    with quietly(json):
        show(doctor(), json)
