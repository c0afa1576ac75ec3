"""The command line: arguments -> commands, results -> text or JSON, errors -> exit codes.

Exit codes: 0 fine, 1 a fault of ours (with its traceback), 2 the user's mistake, 3 bad data or a full disk,
4 a gate failed, 130 interrupted. Results go to stdout, progress and errors to stderr. Every command is
imported when it is called, so `heatmark --help` loads neither torch nor mitsuba.
"""

import errno
import os
import sys
import traceback
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from . import __version__
from .commands import progress
from .commands.console import BROKEN_PIPE, numbers_of, say, settings_of, show, size_of, table
from .errors import HeatmarkError

ABOUT = """Finds points in pictures with Gaussian heatmaps, and makes the pictures it learns from.

A new object, from a mesh to a live detector:

[bold]heatmark landmarks[/] hammer.obj · [bold]heatmark render[/] hammer.obj --count 10000 --out hammers ·
[bold]heatmark train[/] ihm56 --data hammers --out run · [bold]heatmark export[/] run --out hammer.onnx ·
[bold]heatmark detect[/] 0 --model hammer.onnx
"""
GO_ON = {
    "render": "; start the same command again to go on",
    "attack": "; with --out, start it again to go on",
    "train": "; add --resume to go on",
}
USE, MAKE, LOOK = "Find points", "Make a detector", "Look around"
# click's UsageError, wherever it is: newer Typers carry their own click.
USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]  # type: ignore[assignment]
OUR_FAULT = (
    "this is a fault in heatmark, not yours; please report it with the lines above and the command you typed"
)

app = typer.Typer(
    help=ABOUT,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout, and nothing else.")]
Engine = Annotated[str, typer.Option(help="What runs the network: auto, onnxruntime, openvino or torch.")]
SecondLook = Annotated[bool, typer.Option("--second-look", help="Crop around what was found and look again.")]
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


def main(args: list[str] | None = None) -> int:
    """Run one command and return its exit code. Never raises for what a user can cause."""
    args = sys.argv[1:] if args is None else args
    try:
        code = app(args, prog_name="heatmark", standalone_mode=False)
        code = code if isinstance(code, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except USAGE_ERROR as error:
        code = _complain(_usage(error), 2)
    except HeatmarkError as error:
        code = _complain(str(error), error.code)
    except OSError as error:
        code = _complain_of_the_machine(error)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except Exception:
        traceback.print_exc()
        code = _complain(OUR_FAULT, 1)
    if code == 130:
        print(f"interrupted{GO_ON.get(args[0], '') if args else ''}", file=sys.stderr)
    return _flushed(code)


def _complain(message: str, code: int) -> int:
    """One line on stderr (the traceback before it, if HEATMARK_TRACEBACK is set)."""
    if os.environ.get("HEATMARK_TRACEBACK") and code != 1:
        traceback.print_exc()
    print(f"heatmark: {' '.join(message.split())}", file=sys.stderr)
    return code


def _complain_of_the_machine(error: OSError) -> int:
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _complain(f"{where}no space left on the disk; free some and start the same command again", 3)
    if error.filename is None:
        traceback.print_exc()
        return _complain(OUR_FAULT, 1)
    users = isinstance(
        error, (FileNotFoundError, PermissionError, FileExistsError, IsADirectoryError, NotADirectoryError)
    )
    return _complain(f"{where}{(error.strerror or type(error).__name__).lower()}", 2 if users else 3)


def _usage(error: Any) -> str:
    """Typer's own complaint, in our one line."""
    context = getattr(error, "ctx", None)
    help_line = f" (see: {context.command_path} --help)" if context else ""
    return f"{error.format_message().rstrip('.')}{help_line}"


def _flushed(code: int) -> int:
    """The exit code once stdout is out; 141, as of any Unix tool, when its reader went away (`| head`)."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code


def _quietly(json: bool) -> AbstractContextManager[None]:
    return progress.quiet() if json else nullcontext()


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


@app.command(rich_help_panel=USE)
def demo(
    out: Annotated[Path, typer.Option(help="Where the overlays go.")] = Path("heatmark-demo"),
    engine: Engine = "auto",
    json: Json = False,
) -> None:
    """The shipped detectors on the shipped photographs: overlays, a table, frames per second.

    Example: [cyan]heatmark demo[/]
    """
    from .commands.demo import demo

    with _quietly(json):
        show(demo(out, engine), json)


@app.command(rich_help_panel=USE)
def detect(
    source: Annotated[str, typer.Argument(help="A picture, a folder, a video, or a camera's number.")],
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
    """Find the points in a picture, a folder, a video or a camera.

    Prints one line for each picture or frame as it comes; with --json one JSON object a line.

    Example: [cyan]heatmark detect photos/ --model hammer --out overlays --json > points.jsonl[/]
    """
    from .commands.detect import detect

    with _quietly(json):
        for found in detect(
            source,
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


@app.command(rich_help_panel=USE)
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
    from .web.serve import serve

    serve(model, host=host, port=port, engine=engine, open_browser=open_browser)


@app.command(rich_help_panel=MAKE)
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
    from .web.landmarks import landmarks

    landmarks(mesh, out=out, port=port, open_browser=open_browser)


@app.command(rich_help_panel=MAKE)
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
    from .commands.render import render

    with _quietly(json):
        result = render(
            scene,
            count=count,
            out=out,
            seed=seed,
            size=size_of(size),
            samples=samples,
            workers=workers,
            shard=shard,
            method=method,
            variant=variant,
            copies=copies,
            settings=settings_of(settings) or None,
            format=format,
            planes=planes,
        )
        speed = f"in {progress.duration(result.seconds)} with {result.variant}"
        words = f"{result.out} holds {result.pictures} pictures ({speed})."
        show(result, json, f"{words} Next: heatmark train ihm56 --data {result.out}")


@app.command(rich_help_panel=MAKE)
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
    from .commands.train import train

    with _quietly(json):
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


@app.command(rich_help_panel=MAKE)
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
    from .commands.evaluate import evaluate

    with _quietly(json):
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


@app.command(rich_help_panel=LOOK)
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
    from .commands.attack import attack

    with _quietly(json):
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


@app.command(rich_help_panel=MAKE)
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
    from .commands.export import export

    with _quietly(json):
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


@app.command(rich_help_panel=MAKE)
def check(dataset: Dataset, json: Json = False) -> None:
    """Name every fault of a dataset: missing pictures, impossible points, double ids.

    The exit code is 3 if there are any.

    Example: [cyan]heatmark check hammers[/]
    """
    from .commands.check import check

    with _quietly(json):
        result = check(dataset)
        show(result, json)
    if result.faults:
        raise typer.Exit(3)


@app.command(rich_help_panel=MAKE)
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

    Reads COCO, YOLO-pose, CVAT, Label Studio, labelme, DeepLabCut, MPII; weights of HRNet, SimpleBaseline and
    hourglasses (.pth), of which nothing is executed.

    Example: [cyan]heatmark convert labels.csv hammers --to coco[/]

    Example: [cyan]heatmark convert pose_hrnet_w32_256x192.pth w32.safetensors[/]
    """
    from .commands.convert import convert
    from .commands.published_model import convert_model, is_weights

    with _quietly(json):
        if is_weights(source):
            made = convert_model(source, target, model=model, size=size_of(size) if size else None, like=like)
            return show(made, json, str(made))
        result = convert(source, target, to=to, form=form, category=category)
        read = f"{result.pictures} pictures with {result.instances} instances, read as {result.read_as}"
        show(result, json, f"{result.out} ({result.written_as}): {read}")


@app.command(rich_help_panel=LOOK)
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
    from .commands.bench import bench

    with _quietly(json):
        options = {"frames": frames, "threads": threads, "int8": int8, "second_look": second_look}
        show(bench(models or None, **options), json)


@app.command(rich_help_panel=LOOK)
def models(json: Json = False) -> None:
    """The detectors that are shipped, and the networks and recipes one can train.

    Example: [cyan]heatmark models[/]
    """
    from .commands.models import models

    show(models(), json)


@app.command(rich_help_panel=LOOK)
def doctor(json: Json = False) -> None:
    """What this machine can do, and the one line that mends what it cannot.

    Example: [cyan]heatmark doctor[/]
    """
    from .commands.doctor import doctor

    with _quietly(json):
        show(doctor(), json)
