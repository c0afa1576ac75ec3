"""The command line says what it does, does what it says, and ends with the code it promises."""

import importlib
import inspect
import json
import os
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import typer

import heatmark
from heatmark import cli
from heatmark.commands import doctor as doctor_room
from heatmark.errors import DataError, GateError, UserError

VERBS = (
    "demo detect serve landmarks render train evaluate export check convert bench models doctor"
).split()  # fmt: skip
WITHOUT_JSON = ("serve", "landmarks")


@pytest.fixture
def run(capsys):
    """A command line -> (exit code, stdout, stderr)."""

    def one(*args: str) -> tuple[int, str, str]:
        code = cli.main(list(args))
        return code, *capsys.readouterr()

    return one


@pytest.fixture
def ends_with(monkeypatch):
    """Makes `heatmark doctor` end with an error."""

    def set_up(error: BaseException) -> None:
        def work():
            raise error

        monkeypatch.setattr(doctor_room, "doctor", work)

    return set_up


def outside(code: str, *args: str, **more) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=100, **more
    )


def test_without_a_command_there_is_help_that_names_them_all(run):
    code, out, _ = run()
    assert code == 0
    for verb in VERBS:
        assert verb in out


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_explains_itself_with_an_example(run, verb, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    code, out, _ = run(verb, "--help")
    assert code == 0 and f"Example: heatmark {verb}" in out
    assert ("--json" in out) == (verb not in WITHOUT_JSON)


def test_it_knows_its_version(run):
    assert run("--version") == (0, f"heatmark {heatmark.__version__}\n", "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("detct", "No such command 'detct'. Did you mean 'detect'?"),
        ("render hammer --cout 3", "No such option"),
        ("render hammer", "Missing option"),
        ("render hammer --out x --count many", "Invalid value for '--count'"),
        ("render hammer --out x --size 3x4x5", "--size takes HEIGHTxWIDTH in pixels"),
        ("render hammer --out x --size big", "e.g. 224 or 256x192; got 'big'"),
        ("render hammer --out x --set lr", "--set takes KEY=VALUE"),
        ("render hammer --out x --set a={", "is not a YAML value"),
        ("train ihm56 --data x --set name=2024-13-01", "is not a YAML value (month must be in 1..12)"),
        ("render hammer --out x --set a=1 --set a.b=2", "'a' was given a value of its own before"),
        ("detect nothing.jpg --model nothing.onnx", "nothing.onnx"),
        ("evaluate nothing.onnx nowhere", "nothing.onnx"),
        ("check nowhere", "nowhere"),
        ("convert nowhere out", "nowhere"),
        ("export nothing.safetensors", "nothing.safetensors"),
        ("train nothing --data nowhere", "nothing"),
        ("render nothing --out x", "nothing"),
        ("landmarks nothing.obj", "nothing.obj: no such mesh"),
        ("serve --model nothing.onnx", "nothing.onnx"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_exit_code_2(run, line, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*line.split())
    assert (code, out) == (2, ""), err
    assert err.startswith("heatmark: ") and err.count("\n") == 1 and said.lower() in err.lower(), err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("no such model"), 2, "heatmark: no such model"),
        (DataError("a.jpg: truncated\nat byte 7"), 3, "heatmark: a.jpg: truncated at byte 7"),
        (GateError("a point moved 0.7 px"), 4, "heatmark: a point moved 0.7 px"),
        (FileNotFoundError(2, "No such file", "a.yaml"), 2, "heatmark: a.yaml: no such file"),
        (PermissionError(13, "Permission denied", "/root/x"), 2, "heatmark: /root/x: permission denied"),
        (OSError(5, "Input/output error", "a.jpg"), 3, "heatmark: a.jpg: input/output error"),
        (FileExistsError(17, "File exists", "out"), 2, "heatmark: out: is there already, and is no folder"),
        (OSError(30, "Read-only file system", "out"), 2, "heatmark: out: read-only file system"),
        (OSError(28, "No space", "a.jpg", None, "b.jpg"), 3, "heatmark: b.jpg: no space left on the disk"),
        (OSError(28, "No space left on device"), 3, "heatmark: no space left on the disk; free some"),
        (OSError(27, "File too large"), 3, "heatmark: no space left on the disk"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)  # fmt: skip
def test_what_a_user_can_cause_is_one_line_with_its_own_code(run, ends_with, error, code, said):
    ends_with(error)
    got, out, err = run("doctor")
    assert (got, out) == (code, "") and err.startswith(said) and err.count("\n") == 1


@pytest.mark.parametrize("error", [RuntimeError("we forgot something"), OSError(99, "odd")])
def test_a_fault_of_ours_shows_where_it_is(run, ends_with, error):
    ends_with(error)
    code, _, err = run("doctor")
    assert code == 1 and "Traceback" in err and "a fault in heatmark, not yours" in err.splitlines()[-1]


def test_whoever_wants_the_traceback_of_a_mistake_can_have_it(run, ends_with, monkeypatch):
    monkeypatch.setenv("HEATMARK_TRACEBACK", "1")
    ends_with(UserError("no such model"))
    assert "Traceback" in run("doctor")[2]


def test_interrupted_work_says_how_to_go_on(run, monkeypatch):
    def work(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib.import_module("heatmark.commands.render"), "render", work)
    code, _, err = run("render", "hammer", "--out", "x")
    assert (code, err) == (130, "interrupted; start the same command again to go on\n")


@dataclass(frozen=True)
class Odd:
    """A result with everything that JSON does not know."""

    faults: tuple[str, ...] = ()

    def to_dict(self) -> dict:
        return {
            "share": np.float32("nan"),
            "count": np.int64(3),
            "points": np.array([[1.5, np.inf]]),
            "ö": ("a",),
        }


def test_json_is_one_valid_line_and_nothing_else(run, monkeypatch):
    monkeypatch.setattr(doctor_room, "doctor", Odd)
    code, out, err = run("doctor", "--json")
    assert (code, err) == (0, "") and out.count("\n") == 1
    assert json.loads(out) == {"share": None, "count": 3, "points": [[1.5, None]], "ö": ["a"]}


class Called(Exception):
    """What a command was called with."""


def recorded(monkeypatch, module: str, name: str) -> None:
    """Replaces a command by one that only checks that it could have been called so."""
    room = importlib.import_module(f"heatmark.{module}")
    signature = inspect.signature(getattr(room, name))

    def work(*args, **kwargs):
        raise typer.Exit(0) from Called(signature.bind(*args, **kwargs).arguments)

    monkeypatch.setattr(room, name, work)


@pytest.mark.parametrize(
    "line",
    [
        "demo --out o --engine onnxruntime",
        "detect a.jpg --model hammer --boxes b.json --second-look --out o --limit 3 --threshold 0.2",
        "serve --model hammer --port 0 --no-browser",
        "landmarks a.obj --out a.json --port 0 --no-browser",
        "render hammer --count 3 --out o --seed 1 --size 64x48 --samples 2 --workers 2 --shard 1/2",
        "render hammer --out o --method render --variant scalar_rgb --copies 0 --format png --planes",
        "train ihm56 --data a --data b --validation c --out o --resume --set lr=1e-4",
        "evaluate hammer d --boxes whole --second-look --engine auto --out o",
        "evaluate hammer d --hidden ignore --category c --skip-bad",
        "export run --out o.onnx --to onnx --precision fp16 --pictures p --gate-px 1 --gate-pck 1",
        "check d",
        "convert a b --to coco --from yolo --category c",
        "bench hammer --frames 2 --threads 1",
        "models",
        "doctor",
    ],
)
def test_every_option_reaches_its_command(run, monkeypatch, line):
    verb = line.split()[0]
    recorded(monkeypatch, f"web.{verb}" if verb in WITHOUT_JSON else f"commands.{verb}", verb)
    code, _, err = run(*line.split())
    assert code == 0, err


def test_settings_arrive_nested_and_typed(run, monkeypatch):
    room = importlib.import_module("heatmark.commands.render")
    seen = {}

    def work(*_, **kwargs):
        seen.update(kwargs)
        raise typer.Exit(0)

    monkeypatch.setattr(room, "render", work)
    run(
        "render",
        "hammer",
        "--out",
        "o",
        "--set",
        "camera.tilt=[10, 80]",
        "--set",
        "camera.blur=1e-3",
        "--size",
        "48x64",
    )
    assert seen["settings"] == {"camera": {"tilt": [10, 80], "blur": 0.001}} and seen["size"] == (48, 64)


def test_a_faulty_dataset_ends_with_3_and_its_faults(run, tmp_path):
    (tmp_path / "images").mkdir()
    skeleton = {"id": 1, "name": "hammer", "keypoints": ["face"], "skeleton": []}
    images = [{"id": 1, "file_name": "gone.jpg", "width": 4, "height": 4}]
    coco = {"images": images, "categories": [skeleton], "annotations": []}
    (tmp_path / "annotations.json").write_text(json.dumps(coco))
    code, out, _ = run("check", str(tmp_path))
    assert code == 3 and "gone.jpg: the picture is missing\n" in out
    code, out, _ = run("check", str(tmp_path), "--json")
    assert code == 3 and json.loads(out)["ok"] is False


@pytest.mark.parametrize("line", ["--help", "detect --help", "render --help"])
def test_help_loads_nothing_heavy(line):
    code = (
        "import sys\nfrom heatmark.cli import main\nmain(sys.argv[1:])\n"
        "heavy = 'torch mitsuba scipy onnxruntime cv2 fastapi trimesh matplotlib PIL yaml'.split()\n"
        "print([m for m in heavy if m in sys.modules], file=sys.stderr)"
    )
    assert outside(code, *line.split()).stderr.strip() == "[]"


def test_a_reader_that_leaves_early_is_no_error():
    code = (
        "import sys\nfrom heatmark import cli\nfrom heatmark.commands import doctor\n"
        "class Long:\n    def to_dict(self): return {'a': 'x' * 1_000_000}\n"
        "doctor.doctor = Long\nsys.exit(cli.main(['doctor', '--json']))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stderr
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


def test_a_stdout_that_is_closed_is_no_fault():
    code = "import sys\nfrom heatmark.cli import main\nsys.stdout = None\nsys.exit(main(['--version']))"
    done = outside(code)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stderr_that_is_closed_is_no_fault():
    code = (
        "import sys\nfrom heatmark.cli import main\nfrom heatmark.commands import doctor\n"
        "from heatmark.commands.progress import track\n"
        "doctor.doctor = lambda: str(list(track([1, 2])))\n"
        "sys.stderr = None\nsys.exit(main(sys.argv[1:]))"
    )
    assert (done := outside(code, "doctor")).returncode == 0 and "1" in done.stdout
    wrong = outside(code, "detect", "nothing", "--model", "hammer")
    assert (wrong.returncode, wrong.stdout) == (2, "")  # stdout holds results only


def test_any_name_can_be_printed_whatever_the_terminal_speaks():
    code = (
        "import sys\nfrom heatmark import cli\nfrom heatmark.commands import doctor\n"
        "class Named(str):\n    def to_dict(self): return {'name': self}\n"
        "doctor.doctor = lambda: Named('h\\u00e4mmer \\udcff')\n"
        "sys.exit(cli.main(sys.argv[1:]))"
    )
    for encoding in ("ascii", "utf-8"):
        surroundings = dict(os.environ, PYTHONIOENCODING=encoding)
        done = outside(code, "doctor", "--json", env=surroundings)
        assert done.returncode == 0 and json.loads(done.stdout) == {"name": "hämmer \udcff"}
        done = outside(code, "doctor", env=surroundings | {"PYTHONIOENCODING": encoding})
        assert done.returncode == 0 and "mmer \\udcff" in done.stdout


def test_sigterm_is_answered_as_ctrl_c_is():
    code = (
        "import os, signal, sys, time\nfrom heatmark import cli\nfrom heatmark.commands import doctor\n"
        "def work():\n    os.kill(os.getpid(), signal.SIGTERM)\n    time.sleep(60)\n"
        "doctor.doctor = work\nsys.exit(cli.main(['doctor']))"
    )
    done = outside(code)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_python_m_heatmark_is_the_command_line():
    done = subprocess.run(
        [sys.executable, "-m", "heatmark", "--version"], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == f"heatmark {heatmark.__version__}\n"


def test_evaluate_prints_a_table_and_says_where_the_report_is(run, monkeypatch, tmp_path):
    from heatmark.metrics.pck import pck
    from heatmark.reports import rows
    from heatmark.types import Poses, Skeleton

    room = importlib.import_module("heatmark.commands.evaluate")
    truth = Poses(Skeleton("hammer", ("face", "claw")), np.ones((1, 2, 2)), boxes=np.array([[0.0, 0, 9, 9]]))

    class Scored:
        task, tables = "single", {"Every landmark": rows(pck([truth], [truth]))}

    monkeypatch.setattr(room, "evaluate", lambda *_, **__: Scored())
    monkeypatch.setenv("COLUMNS", "140")
    code, out, _ = run("evaluate", "hammer", "photos", "--out", str(tmp_path))
    lines = out.splitlines()
    assert code == 0 and lines[0].split()[:2] == ["landmark", "labelled"]
    assert [line.split()[0] for line in lines[1:4]] == ["face", "claw", "all"]
    assert str(tmp_path / "report.html") in lines[-1]
