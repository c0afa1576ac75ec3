"""`heatmark doctor`: what this machine can do, and the one line that mends what it cannot.

Nothing here raises: a package that is broken, a driver that aborts, is a finding.
"""

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import EXTRAS, install_line
from ..runtime.engines import cores
from . import progress

if TYPE_CHECKING:
    from rich.console import Group

GIB = 2**30
DISTRIBUTIONS = {"multipart": "python-multipart", "faster_coco_eval": "faster-coco-eval"}


@dataclass(frozen=True)
class Finding:
    """One thing this machine has or lacks."""

    name: str
    works: bool
    what: str  # its version, its size, or why it does not work
    mend: str = ""  # how to get it, where that can be said

    def to_dict(self) -> dict[str, Any]:
        return {"works": self.works, "what": self.what, "mend": self.mend or None}


@dataclass(frozen=True)
class Doctor:
    """Everything `heatmark doctor` found, by subject."""

    machine: dict[str, str | int | float | None]
    rendering: tuple[Finding, ...]
    engines: tuple[Finding, ...]
    extras: tuple[Finding, ...]
    detectors: tuple[Finding, ...]

    def to_dict(self) -> dict[str, Any]:
        """The `--json` form."""
        subjects = ("rendering", "engines", "extras", "detectors")
        found = {name: {f.name: f.to_dict() for f in getattr(self, name)} for name in subjects}
        return {"heatmark": __version__, "machine": dict(self.machine), **found}

    def __rich__(self) -> "Group":
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        m = self.machine
        head = Text.assemble(
            (f"heatmark {__version__}", "bold"),
            f" on Python {m['python']}, {m['system']}\n",
            f"{m['cores']} of {m['cores_of_machine']} CPU cores ({m['processor']})",
            f", {_gib(m['memory_gib'])} memory, {_gib(m['disk_free_gib'])} free in {m['folder']}\n",
        )
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for title in ("", "", "what", "how to get it"):
            table.add_column(title, overflow="fold")
        subjects = {"Rendering": self.rendering, "Engines": self.engines}
        subjects |= {"Extras": self.extras, "Detectors": self.detectors}
        for title, findings in subjects.items():
            table.add_row(Text(title, "bold"))
            for found in findings:
                mark = Text("yes", "green") if found.works else Text("no", "yellow" if found.mend else "dim")
                table.add_row(Text(f"  {found.name}"), mark, Text(found.what), Text(found.mend, "cyan"))
        return Group(head, table)


def doctor() -> Doctor:
    """Look at everything; takes a few seconds, because drivers are tried, not believed."""
    progress.note("trying what this machine has ...")
    return Doctor(machine(), rendering(), engines(), extras(), detectors())


def machine() -> dict[str, str | int | float | None]:
    """Python, processor, the cores and memory this process may use, the disk of the current folder."""
    folder = Path.cwd()
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": cores(),
        "cores_of_machine": os.cpu_count(),
        "memory_gib": _memory_gib(),
        "disk_free_gib": round(shutil.disk_usage(folder).free / GIB, 1),
        "folder": str(folder),
    }


def rendering() -> tuple[Finding, ...]:
    """Every Mitsuba variant, each tried in a process of its own, and the denoiser."""
    if find_spec("mitsuba") is None:
        return (Finding("mitsuba", False, "not installed", install_line("synth")),)
    from ..synth import render

    found = []
    for variant in render.VARIANTS:
        why = render.works(variant)
        found.append(
            Finding(variant, not why, why or _speed(variant), render.mending(variant) if why else "")
        )
    fastest = next((f.name for f in found if f.works), None)
    found = [f if f.name != fastest else Finding(f.name, True, f"{f.what}; taken by default") for f in found]
    return (*found, _package("pyoidn", "denoiser"))


def engines() -> tuple[Finding, ...]:
    """What can run a network here: ONNX Runtime, OpenVINO, torch, and the GPUs torch sees."""
    return (
        _tried("onnxruntime", "onnxruntime", _onnxruntime),
        _tried("openvino", "openvino", _openvino),
        _tried("torch", "torch", _torch),
        *_gpus(),
    )


def extras() -> tuple[Finding, ...]:
    """Each extra of the package: complete, or what is missing of it."""
    found = []
    for extra in dict.fromkeys(EXTRAS.values()):
        missing = [module for module, of in EXTRAS.items() if of == extra and find_spec(module) is None]
        what = f"missing: {', '.join(DISTRIBUTIONS.get(m, m) for m in missing)}" if missing else "complete"
        found.append(Finding(extra, not missing, what, install_line(extra) if missing else ""))
    return tuple(found)


def detectors() -> tuple[Finding, ...]:
    """The shipped detectors, by whether their files are there, and whole."""
    from .. import zoo
    from ..runtime.seal import broken

    found = []
    for name, file in zoo.DETECTORS.items():
        path = zoo.folder() / file
        if not path.is_file():
            found.append(Finding(name, False, f"{file} is not in this installation"))
        elif broken(path):
            found.append(Finding(name, False, f"{file} is damaged: it has not the checksum at its end"))
        else:
            found.append(Finding(name, True, f"{path.stat().st_size / 2**20:.1f} MiB"))
    return tuple(found)


def _speed(variant: str) -> str:
    return {
        "cuda_ad_rgb": "path tracing on the GPU",
        "llvm_ad_rgb": "path tracing on all cores",
        "scalar_rgb": "path tracing without LLVM, about ten times slower",
    }.get(variant, "works")


def _package(module: str, name: str) -> Finding:
    if find_spec(module) is None:
        return Finding(name, False, f"{module} is not installed", install_line(EXTRAS[module]))
    return Finding(name, True, f"{module} {_version(module)}")


def _tried(module: str, name: str, look: Callable[[], str]) -> Finding:
    """A package that is imported and asked; one that cannot be imported is a finding too."""
    if find_spec(module) is None:
        return Finding(name, False, "not installed", install_line(EXTRAS[module]) if module in EXTRAS else "")
    try:
        return Finding(name, True, f"{_version(module)}; {look()}")
    except Exception as error:  # a broken installation raises whatever it likes
        said = (str(error).splitlines() or [type(error).__name__])[0]
        return Finding(name, False, f"{_version(module)} is installed, but broken: {said:.100}")


def _onnxruntime() -> str:
    import onnxruntime

    names = [
        name.removesuffix("ExecutionProvider")
        for name in onnxruntime.get_available_providers()
        if "Azure" not in name
    ]
    return ", ".join(names)


def _openvino() -> str:
    from ..runtime.engines import openvino_core

    return ", ".join(openvino_core().available_devices)


def _torch() -> str:
    import torch

    return f"{torch.get_num_threads()} threads" + (
        f", CUDA {torch.version.cuda}" if torch.version.cuda else ""
    )


def _gpus() -> tuple[Finding, ...]:
    """One finding for each GPU; one that says none is seen."""
    if find_spec("torch") is None:
        return ()
    try:
        import torch

        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        named = [torch.cuda.get_device_properties(i) for i in range(count)]
        found = [
            Finding(f"gpu {i}", True, f"{p.name}, {p.total_memory / GIB:.0f} GiB")
            for i, p in enumerate(named)
        ]
        if torch.backends.mps.is_available():
            found.append(Finding("gpu", True, "Apple, through MPS"))
        return tuple(found) or (Finding("gpu", False, "none that torch sees; the CPU does the work"),)
    except Exception as error:
        return (
            Finding(
                "gpu", False, f"torch fails to look for one: {(str(error).splitlines() or [''])[0]:.100}"
            ),
        )


def _version(module: str) -> str:
    try:
        return version(DISTRIBUTIONS.get(module, module))
    except PackageNotFoundError:
        return "of unknown version"


def _processor() -> str:
    """The processor's name as its maker prints it, where the system tells."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _memory_gib() -> float | None:
    """Memory this process may use: the machine's, or less if a container caps it. None where nobody tells."""
    limits = []
    try:
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):
        pass
    try:
        limits.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):
        pass
    return round(min(limits) / GIB, 1) if limits else None


def _gib(value: Any) -> str:
    return f"{value} GiB" if value is not None else f"unknown ({sys.platform})"
