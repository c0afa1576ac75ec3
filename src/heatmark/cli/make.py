"""Make a detector: `landmarks`, `render`, `train`, `evaluate`, `export`, `check`, `convert`, as they stand on
the command line.
"""

from pathlib import Path
from typing import Annotated

import typer

from ..commands import progress
from ..commands.console import numbers_of, say, settings_of, show, size_of, table
from .options import Category, Dataset, Engine, Flip, Json, Model, Port, SecondLook, Set, quietly


def landmarks(
    mesh: Annotated[Path, typer.Argument(help="An OBJ, PLY, STL or GLB file, or a folder that holds one.")],
    out: Annotated[
        Path | None, typer.Option(help="Where to save; landmarks.json beside the mesh if left out.")
    ] = None,
    port: Port = 8000,
    open_browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
) -> None:
    """A page in your browser: click landmarks on a mesh, name them, save.

    Example: [cyan]heatmark landmarks hammer/textured.obj[/]
    """
    from ..web.landmarks import landmarks

    landmarks(mesh, out=out, port=port, open_browser=open_browser)


def render(
    scene: Annotated[
        str, typer.Argument(help="A family (hammer, ...), a mesh with landmarks.json, or a YAML scene file.")
    ],
    out: Annotated[Path, typer.Option(help="The dataset's folder; a started one is gone on with.")],
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Renderings; copies come on top.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same pictures.")] = 0,
    size: Annotated[str, typer.Option(help="HEIGHTxWIDTH in pixels.")] = "224x224",
    samples: Annotated[
        int | None, typer.Option(min=1, help="Light paths a pixel; the scene's own if left out.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes at once.")] = 1,
    shard: Annotated[
        str, typer.Option(metavar="K/N", help="Make only the k-th of n shares (k from 0).")
    ] = "0/1",
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Share the work with a Ray cluster (auto, ray://...)."),
    ] = None,
    method: Annotated[str, typer.Option(help="render, or its rival cut-and-paste.")] = "render",
    variant: Annotated[
        str | None, typer.Option(help="Mitsuba variant; the fastest that works if left out.")
    ] = None,
    copies: Annotated[
        int | None, typer.Option(min=0, help="Blended copies of each rendering; the scene's own if left out.")
    ] = None,
    settings: Set = None,
    format: Annotated[str, typer.Option(help="Of the pictures: jpg or png.")] = "jpg",
    planes: Annotated[bool, typer.Option("--planes", help="Write masks and depths too.")] = False,
    json: Json = False,
) -> None:
    """Make labelled pictures from a mesh or a built-in family.

    Interrupted or killed, the same command goes on where it stopped.

    Example: [cyan]heatmark render hammer --count 10000 --out hammers --workers 2[/]
    """
    from ..commands.render import render

    with quietly(json):
        result = render(
            scene,
            count=count,
            out=out,
            seed=seed,
            size=size_of(size),
            samples=samples,
            workers=workers,
            shard=shard,
            ray=ray,
            method=method,
            variant=variant,
            copies=copies,
            settings=settings_of(settings) or None,
            format=format,
            planes=planes,
        )
        speed = f"in {progress.duration(result.seconds)} with {result.variant}"
        words = f"{result.out} holds {result.pictures} pictures ({speed})."
        fitting = {"people": "people_lite0", "people_mpii": "people_lite0", "shelf": "shelf_small"}
        recipe = fitting.get(scene, "ihm56")
        show(result, json, f"{words} Next: heatmark train {recipe} --data {result.out}")


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name (ihm56, ...) or its YAML file.")],
    data: Annotated[list[str], typer.Option(help="The dataset to learn from; repeatable.")],
    validation: Annotated[
        str | None, typer.Option(help="The dataset to choose by; a share of --data if left out.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    settings: Set = None,
    json: Json = False,
) -> None:
    """Learn from labelled pictures.

    With several GPUs or machines, start it under torchrun.

    Example: [cyan]heatmark train ihm56 --data hammers --out run --set epochs=50[/]
    """
    from ..commands.train import train

    with quietly(json):
        result = train(
            recipe,
            data=data,
            validation=validation,
            out=out,
            resume=resume,
            settings=settings_of(settings) or None,
        )
        found = (
            f"{result.model} is the best of {result.epochs} epochs (validation loss {result.best_loss:.4g})."
        )
        show(
            result,
            json,
            f"{found} Next: heatmark evaluate {result.model} PHOTOS, heatmark export {result.folder}",
        )


def evaluate(
    model: Model,
    dataset: Dataset,
    boxes: Annotated[
        str,
        typer.Option(
            help="Look inside the true boxes (truth), at the whole picture (whole), in a file's boxes, or "
            "where torchvision finds people (detector)."
        ),
    ] = "truth",
    second_look: SecondLook = False,
    engine: Engine = "auto",
    out: Annotated[
        Path | None, typer.Option(help="A folder for the HTML report: curves and the worst pictures.")
    ] = None,
    hidden: Annotated[str, typer.Option(help="Hidden landmarks: count, ignore or separate.")] = "count",
    category: Category = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Pass over pictures that cannot be read.")
    ] = False,
    flip: Flip = None,
    nms: Annotated[str, typer.Option(help="Answers of the same person: hard, soft or none.")] = "hard",
    scales: Annotated[
        str | None, typer.Option(help="Everybody at once: look at several scales, as in 2,1,0.5.")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="Everybody at once: test as higherhrnet or pose_ae does.")
    ] = None,
    json: Json = False,
) -> None:
    """How good a model is on labelled pictures: a table, and a report that opens from disk.

    Example: [cyan]heatmark evaluate hammer photos --out report[/]
    """
    from ..commands.evaluate import evaluate

    with quietly(json):
        result = evaluate(
            model,
            dataset,
            boxes=boxes,
            second_look=second_look,
            engine=engine,
            out=out,
            hidden=hidden,  # type: ignore[arg-type]  # judged there
            category=category,
            skip_bad=skip_bad,
            flip=flip,
            nms=nms,  # type: ignore[arg-type]
            scales=None if scales is None else numbers_of(scales, "--scales"),
            protocol=protocol,
        )
        if json or result.task == "dense":
            return show(result, json)
        for rows in result.tables.values():
            table(rows)
        say(f"The report is {out / 'report.html'}" if out else "With --out DIR there is a report, too.")


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A trained model file, or a run's folder.")],
    out: Annotated[Path | None, typer.Option(help="The file to write; beside the model if left out.")] = None,
    to: Annotated[str, typer.Option(help="onnx or openvino.")] = "onnx",
    precision: Annotated[str, typer.Option(help="fp32, fp16 or int8.")] = "fp32",
    pictures: Annotated[
        str | None, typer.Option(help="The pictures, or better the dataset, the gate compares on.")
    ] = None,
    gate_px: Annotated[
        float, typer.Option(min=0, help="Refuse if a point or box moves further, network pixels; inf: never.")
    ] = 0.5,
    gate_pck: Annotated[
        float, typer.Option(min=0, help="Refuse if PCK, or boxes' AP50, changes by more, in per cent points.")
    ] = 0.2,
    settings: Set = None,
    json: Json = False,
) -> None:
    """Write the one file that runs anywhere: picture in, points and scores out.

    It is compared with the model it came from; if points move, nothing is written and the exit code is 4.

    Example: [cyan]heatmark export run --out hammer.onnx --pictures photos[/]
    """
    from ..commands.export import export

    with quietly(json):
        result = export(
            model,
            out=out,
            to=to,  # type: ignore[arg-type]  # judged there
            precision=precision,  # type: ignore[arg-type]
            pictures=pictures,
            gate_px=gate_px,
            gate_pck=gate_pck,
            decoding=settings_of(settings) or None,
        )
        far, change = result.max_shift_px, result.metric_change
        said = "" if change is None else f", {result.metric} changed by {change:+.2f} points"
        still = "one file alone finds something" if far is None else f"nothing moved more than {far:.3f} px"
        moved = f"in {result.views} views {still}{said}"
        show(result, json, f"{result.out}: {result.bytes / 1e6:.1f} MB; {moved}")


def check(dataset: Dataset, json: Json = False) -> None:
    """Name every fault of a dataset: missing pictures, impossible points, double ids.

    The exit code is 3 if there are any.

    Example: [cyan]heatmark check hammers[/]
    """
    from ..commands.check import check

    with quietly(json):
        result = check(dataset)
        show(result, json)
    if result.faults:
        raise typer.Exit(3)


def convert(
    source: Annotated[
        str, typer.Argument(help="A dataset in any format we read, or published weights (.pth).")
    ],
    target: Annotated[Path, typer.Argument(help="The folder to write, new or empty; of weights, the file.")],
    to: Annotated[str, typer.Option(help="The format to write: coco or yolo.")] = "coco",
    form: Annotated[
        str | None, typer.Option("--from", help="SOURCE's format; found out if left out.")
    ] = None,
    category: Category = None,
    model: Annotated[
        str | None, typer.Option(help="Of weights: the network they must be of; found out if left out.")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="Of weights: HEIGHTxWIDTH the network was trained for, e.g. 384x288.")
    ] = None,
    like: Annotated[
        str | None, typer.Option(help="Of weights: a dataset with their landmarks, if not COCO's or MPII's.")
    ] = None,
    json: Json = False,
) -> None:
    """From one annotation format to another, pictures and all; or published weights into a model file.

    Reads COCO, YOLO, CVAT, Label Studio, labelme, DeepLabCut, MPII, PoseTrack, PASCAL3D+ and SKU-110K;
    weights of HRNet, SimpleBaseline and hourglasses (.pth), of which nothing is executed.

    Example: [cyan]heatmark convert labels.csv hammers --to coco[/]

    Example: [cyan]heatmark convert pose_hrnet_w32_256x192.pth w32.safetensors[/]
    """
    from ..commands.convert import convert
    from ..commands.published_model import convert_model, is_weights

    with quietly(json):
        if is_weights(source):
            made = convert_model(source, target, model=model, size=size_of(size) if size else None, like=like)
            return show(made, json, str(made))
        result = convert(source, target, to=to, form=form, category=category)
        read = f"{result.pictures} pictures with {result.instances} instances, read as {result.read_as}"
        show(result, json, f"{result.out} ({result.written_as}): {read}")
