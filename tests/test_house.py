"""The house keeps its order: imports go down only, heavy guests enter by their own door, the face is
reviewed.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import heatmark

ROOT = Path(heatmark.__file__).parent
FLOORS = {
    "errors": 0,
    "types": 1, "geometry": 1,
    "heatmaps": 2, "grouping": 2, "imaging": 2, "metrics": 2, "card": 2, "zoo": 2, "skeletons": 2,
    "models": 3, "synth": 3, "data": 3,
    "training": 4, "runtime": 4, "reports": 4,
    "commands": 5,
    "web": 6,
    "cli": 7,
    "__main__": 8,
}  # fmt: skip
DOORS = {  # a foreign library -> the only rooms or files that may name it
    "mitsuba": ("synth", "commands/doctor.py"), "drjit": ("synth",), 
    "trimesh": ("synth",), "manifold3d": ("synth",), "pyoidn": ("synth",),
    "accelerate": ("training/fit.py",), "safetensors": ("training", "models", "runtime"),
    "onnxruntime": ("runtime", "commands/graphs.py", "commands/doctor.py"),
    "openvino": ("runtime", "commands"),
    "onnx": ("commands/graphs.py", "commands/export.py"), "onnxscript": ("commands/graphs.py",),
    "matplotlib": ("reports",),
    "fastapi": ("web",), "uvicorn": ("web",), "ray": ("commands/spread.py",),
    "torch": (
        "heatmaps", "models", "training", "runtime/decoding.py", "runtime/engines.py", "runtime/views.py",
        "commands",
    ),
    "typer": ("cli",),
    "pickle": ("commands/crew.py",),  # between its own processes; never a file
}  # fmt: skip
NO_TORCH = (
    "imaging",
    "metrics",
    "grouping",
    "card",
    "types",
    "skeletons",
    "geometry",
    "errors",
    "synth",
    "data",
    "zoo",
    "reports",
    "web",
)
FORBIDDEN = {
    "albumentations",
    "imgaug",
    "lightning",
    "pytorch_lightning",
    "hydra",
    "pycocotools",
    "ultralytics",
    "bpy",
}
VAGUE = {"utils", "core", "helpers", "common", "misc", "util", "helper"}
FACE = {
    "Boxes", "DataError", "Frame", "GateError", "HeatmarkError", "Poses", "Sample", "Skeleton", "UserError",
    "attack", "bench", "check", "convert", "demo", "detect", "doctor", "evaluate", "export", "heatmaps",
    "landmarks", "load", "render", "serve", "train",
}  # fmt: skip

FILES = sorted(p for p in ROOT.rglob("*.py"))


def room(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def imports(path: Path) -> list[str]:
    """Absolute names of all that a file imports, wherever in the file it does."""
    package = ["heatmark", *path.relative_to(ROOT).parts[:-1]]
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            names += [f"{stem}.{alias.name}" for alias in node.names] if node.level else [stem]
    return names


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [p for p in FILES if room(p) != "__init__"], ids=name)
def test_imports_go_down_and_rooms_of_one_floor_never_meet(path):
    for imported in imports(path):
        parts = imported.split(".")
        if parts[0] != "heatmark" or len(parts) < 2 or parts[1] in ("__version__", room(path)):
            continue
        assert parts[1] in FLOORS, f"{name(path)} imports {imported}, which is on no floor"
        assert FLOORS[parts[1]] < FLOORS[room(path)], (
            f"{name(path)} imports {imported}: that is not downwards"
        )


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_foreign_library_stands_behind_its_own_door(path):
    for imported in imports(path):
        top = imported.split(".")[0]
        assert top not in FORBIDDEN, f"{name(path)} imports {top}"
        if top in DOORS:
            assert any(name(path).startswith(door) for door in DOORS[top]), f"{name(path)} imports {top}"
        if top == "torch":
            assert room(path) not in NO_TORCH, f"{name(path)} imports torch"


def test_every_room_stands_on_a_floor_and_no_name_is_vague():
    for path in FILES:
        assert room(path) == "__init__" or room(path) in FLOORS, f"{name(path)} is on no floor"
        assert path.stem not in VAGUE, f"{name(path)} has a name that says nothing"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_file_opens_by_saying_what_it_is_for(path):
    documentation = ast.get_docstring(ast.parse(path.read_text()))
    assert documentation and len(documentation) > 20, f"{name(path)} does not say what it is for"


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_every_module_can_be_imported_alone_and_without_warnings():
    """One interpreter per room would cost a torch import each; one that forgets heatmark between modules does
    not.
    """
    modules = [
        ".".join(["heatmark", *p.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__")
        for p in FILES
    ]
    modules = [m for m in modules if not m.endswith("__main__")]
    run(
        "import importlib, sys, warnings\n"
        f"for module in {modules!r}:\n"
        "    for known in [m for m in sys.modules if m.split('.')[0] == 'heatmark']: del sys.modules[known]\n"
        "    with warnings.catch_warnings():\n"
        "        warnings.filterwarnings('error', module='heatmark')\n"
        "        importlib.import_module(module)\n"
    )


def test_importing_heatmark_is_light():
    heavy = run(
        "import sys, heatmark\n"
        "heavy = ('torch', 'mitsuba', 'scipy', 'onnxruntime', 'cv2', 'pydantic', 'matplotlib')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    assert heavy.strip() == "[]"


@pytest.mark.parametrize(
    "module", ["heatmark.runtime", "heatmark.cli", "heatmark.commands.detect", "heatmark.commands.demo"]
)
def test_whoever_only_predicts_loads_no_torch(module):
    rooms = run(
        f"import sys, {module}\n"
        "heavy = ('torch', 'mitsuba', 'heatmark.training', 'heatmark.synth', 'heatmark.models')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    assert rooms.strip() == "[]"


def test_the_face_is_the_reviewed_list_and_every_name_on_it_is_there():
    assert set(heatmark.__all__) == FACE
    for public in FACE:
        assert getattr(heatmark, public) is not None
    with pytest.raises(AttributeError, match="there are: Boxes"):
        heatmark.utils  # noqa: B018
