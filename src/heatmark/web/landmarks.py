"""The mesh landmark picker: a page of this machine where one clicks landmarks on a mesh and names them.

What is saved is what `synth.meshes.load` reads; every save is read by it before it replaces the file.
"""

import json
import math
import os
import re
import shlex
import struct
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import HeatmarkError, UserError, require
from . import guard

BODY_LIMIT = 1 << 20  # bytes a save may carry
NAME_LIMIT = 64  # characters of a landmark's name
CREASE_LIMIT = 400_000  # faces; above, normals are left to the browser
TEXTURE_LIMIT = 4096  # pixels on a side that any browser's graphics take


def landmarks(
    mesh: str | Path, *, out: str | Path | None = None, port: int = 8000, open_browser: bool = True
) -> Path:
    """Serve the picker for one mesh until Ctrl-C. Returns the file that it saves to.

    Args:
        mesh: an OBJ, PLY, STL or GLB file, or a folder with one of them.
        out: where to save; by default the landmark file beside the mesh, which is opened if it exists.
        port: of 127.0.0.1; another is taken if this one is busy.

    Raises:
        UserError, DataError: no such mesh, or an unreadable one; an existing landmark file that is damaged.
    """
    require("fastapi", "uvicorn", "trimesh", to="pick landmarks")
    picker = Picker.open(mesh, out)
    listener = guard.listening("127.0.0.1", port)
    port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    print(f"Pick the landmarks of {picker.mesh} at {url}", flush=True)
    print(f"They are saved to {picker.out}. Ctrl-C ends.", flush=True)
    if not guard.has_screen():
        print(f"From elsewhere: ssh -L {port}:127.0.0.1:{port} THIS_MACHINE, then open that address there.")
    guard.run(app_of(picker), listener, url, open_browser)
    if picker.out.is_file() and out is None:
        print(f"\nNext: heatmark render {shlex.quote(str(picker.mesh))} --count 10 --out pictures")
    return picker.out


@dataclass(frozen=True)
class Picker:
    """One mesh being marked: its file, where its landmarks go, and what the browser shows of it."""

    mesh: Path
    out: Path
    header: dict[str, Any]  # what describes `blob` to the page
    blob: bytes  # all arrays of the mesh, one after the other
    textures: tuple[bytes, ...]  # JPEG
    saving: threading.Lock

    @classmethod
    def open(cls, mesh: str | Path, out: str | Path | None = None) -> "Picker":
        """Read the mesh for the page. Raises UserError or DataError, one line naming file and fault."""
        from ..synth import meshes

        path = _mesh_in(Path(mesh))
        parts = meshes.read_parts(path)
        target = _target(path) if out is None else Path(out)
        if out is not None and (target.is_dir() or target.suffix != ".json"):
            raise UserError(f"{target}: the landmarks' file must be a .json file")
        if target.is_file():
            meshes.read_description(target)
        header, blob, textures = packed(parts)
        return cls(path, target, header, blob, textures, threading.Lock())

    def description(self) -> dict[str, Any]:
        """What is saved; or a first guess: the file's name, the unit that makes its size plausible."""
        from ..synth import meshes

        if self.out.is_file():
            saved = meshes.read_description(self.out)
            return {"name": self.mesh.resolve().parent.name, "unit": "m", **saved}
        return {"name": _name_of(self.mesh), "unit": likely_unit(self.header["size"]), "landmarks": {}}

    def save(self, body: bytes) -> dict[str, Any]:
        """Check what the page sent and put it where the renderer finds it, atomically.

        Raises:
            HeatmarkError: one line, and the file is as it was.
        """
        from ..synth import meshes

        description = posted(body)
        scale = self.header["size"]
        for name, point in description["landmarks"].items():
            description["landmarks"][name] = [_rounded(value, scale) for value in point]
        with self.saving:
            draft = self.out.with_name(f".{self.out.name}.{os.getpid()}.draft")
            try:
                draft.write_text(written(description), encoding="utf-8")
                asset = meshes.load(self.mesh, landmarks=draft)
                os.replace(draft, self.out)
            except HeatmarkError as error:
                raise type(error)(str(error).replace(str(draft), self.out.name)) from error
            finally:
                draft.unlink(missing_ok=True)
        return {"saved": str(self.out), "landmarks": len(asset.landmarks), "size_m": asset.size_m}


def app_of(picker: Picker) -> guard.App:
    """The ASGI app: the page, the mesh, its textures, and the landmarks to read and to write."""
    from fastapi import FastAPI, Request, Response
    from fastapi.responses import FileResponse, JSONResponse
    from fastapi.staticfiles import StaticFiles

    app = FastAPI(title="heatmark landmarks", docs_url=None, redoc_url=None, openapi_url=None)
    guard.errors_in_one_line(app)
    app.mount("/static", StaticFiles(directory=guard.STATIC), name="static")

    @app.exception_handler(OSError)
    def unwritable(request: Request, error: OSError) -> JSONResponse:
        return JSONResponse(
            {"error": f"{picker.out}: {(error.strerror or str(error)).lower()}"}, status_code=507
        )

    @app.get("/")
    def page() -> FileResponse:
        return FileResponse(guard.STATIC / "landmarks.html")

    @app.get("/mesh")
    def mesh() -> Response:
        head = json.dumps(picker.header).encode()
        head += b" " * (-len(head) % 4)
        return Response(
            struct.pack("<I", len(head)) + head + picker.blob, media_type="application/octet-stream"
        )

    @app.get("/textures/{index}")
    def texture(index: int) -> Response:
        if not 0 <= index < len(picker.textures):
            return Response(status_code=404)
        return Response(picker.textures[index], media_type="image/jpeg")

    @app.get("/landmarks")
    def read() -> dict[str, Any]:
        return {"mesh": str(picker.mesh), "out": str(picker.out), "description": picker.description()}

    @app.put("/landmarks")
    async def write(request: Request) -> dict[str, Any]:
        from fastapi.concurrency import run_in_threadpool

        return await run_in_threadpool(picker.save, await request.body())

    return guard.guarded(app, guard.LOOPBACK, BODY_LIMIT)


def posted(body: bytes) -> dict[str, Any]:
    """The page's JSON as a landmarks.json description. Raises a UserError saying which field is wrong.

    The page sends the landmarks as a list [{"name": ..., "point": [x, y, z]}, ...], so that a name given
    twice can be seen.
    """
    try:
        raw = json.loads(body)
        _json(raw).encode()  # half a character cannot be written
    except (ValueError, RecursionError) as error:
        raise UserError(f"the page sent what is not JSON: {error}") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("landmarks"), list):
        raise UserError("the page must send an object with a list of 'landmarks'")
    if not raw["landmarks"]:
        raise UserError("there is no landmark yet: click on the mesh to put one")
    points: dict[str, list[float]] = {}
    for entry in raw["landmarks"]:
        if not isinstance(entry, dict) or set(entry) != {"name", "point"}:
            raise UserError(f"a landmark must have a name and a point, got {entry!r:.80}")
        name = _checked_name(entry["name"])
        if name in points:
            raise UserError(f"two landmarks are called {name!r}")
        points[name] = _checked_point(name, entry["point"])
    name = raw.get("name")
    if not isinstance(name, str) or not name.strip() or len(name) > NAME_LIMIT:
        raise UserError("the object needs a name")
    return {**raw, "name": name.strip(), "landmarks": points}


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or not name.strip():
        raise UserError("a landmark has no name")
    if len(name) > NAME_LIMIT or not name.isprintable():
        raise UserError(
            f"a landmark's name must be printable and at most {NAME_LIMIT} characters, got {name!r:.80}"
        )
    return name.strip()


def _checked_point(name: str, point: Any) -> list[float]:
    numbers = isinstance(point, list) and all(type(value) in (int, float) for value in point)
    try:
        finite = numbers and len(point) == 3 and all(math.isfinite(value) for value in point)
    except OverflowError:
        finite = False
    if not finite:
        raise UserError(f"landmark {name!r} must be three finite numbers, got {point!r:.80}")
    return [float(value) for value in point]


def written(description: dict[str, Any]) -> str:
    """landmarks.json as people like to read it: a line for each point; empty fields are left out."""
    fields = ("name", "unit", "landmarks", "bones", "mirror", "interchangeable", "parts", "sigmas")
    known = {key: description[key] for key in fields if description.get(key)}
    rest = {key: value for key, value in description.items() if key not in fields}  # for the reader to name
    lines = []
    for key, value in {**known, **rest}.items():
        text = _json(value)
        if isinstance(value, dict):
            inner = ",\n".join(f"    {_json(name)}: {_json(entry)}" for name, entry in value.items())
            text = f"{{\n{inner}\n  }}"
        lines.append(f"  {_json(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def packed(parts: Any) -> tuple[dict[str, Any], bytes, tuple[bytes, ...]]:
    """(header, blob, JPEG textures) of a mesh for the page.

    Vertices are moved and scaled into a unit box, so that float32 and the camera suit any unit and place: a
    vertex of the mesh is blob * size + centre.
    """
    import cv2

    low = np.min([part.vertices.min(0) for part in parts], 0).astype(np.float64)
    high = np.max([part.vertices.max(0) for part in parts], 0).astype(np.float64)
    centre, size = (low + high) / 2, float((high - low).max())
    blob, described, textures = bytearray(), [], []

    def put(array: np.ndarray | None, kind: type) -> list[int] | None:
        if array is None:
            return None
        raw = np.ascontiguousarray(array, kind)
        blob.extend(raw.tobytes())
        return [len(blob) - raw.nbytes, raw.size]

    for part in parts:
        shaded = part.shaded if len(part.faces) <= CREASE_LIMIT else part
        color, texture = shaded.material.base_color, None
        if isinstance(color, np.ndarray):
            scale = min(1.0, TEXTURE_LIMIT / max(color.shape[:2]))
            picture = (
                cv2.resize(color, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
                if scale < 1
                else color
            )
            textures.append(
                cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()
            )
            texture, color = len(textures) - 1, (1.0, 1.0, 1.0)
        described.append(
            {
                "vertices": put((shaded.vertices - centre) / size, np.float32),
                "faces": put(shaded.faces, np.uint32),
                "normals": put(shaded.normals, np.float32),
                "uv": put(shaded.uv, np.float32),
                "color": list(color),
                "texture": texture,
            }
        )
    header = {"centre": centre.tolist(), "size": size, "extent": (high - low).tolist(), "parts": described}
    return header, bytes(blob), tuple(textures)


def likely_unit(size: float) -> str:
    """The unit in which a thing of this size is one that one would pick up.

    >>> likely_unit(0.33), likely_unit(33.0), likely_unit(330.0)
    ('m', 'cm', 'mm')
    """
    return "m" if size < 5 else "cm" if size < 60 else "mm"


def _rounded(value: float, size: float) -> float:
    """A millionth of the object is fine enough; more digits only look precise."""
    return round(value, 6 - math.floor(math.log10(size)))


def _name_of(mesh: Path) -> str:
    """hammer for hammer.obj, and for textured.obj in the folder 048_hammer."""
    generic = {"textured", "textured_simple", "nontextured", "mesh", "model", "object", "scene", "untitled"}
    name = mesh.resolve().parent.name if mesh.stem.lower() in generic else mesh.stem
    return re.sub(r"^\d+[-_ ]+", "", name) or mesh.stem


def _mesh_in(path: Path) -> Path:
    """The mesh file: `path`, or the one in the folder `path`."""
    from ..synth import meshes

    found = _meshes(path) if path.is_dir() else [path]
    if not path.exists() or path.suffix.lower() not in meshes.MESHES and not path.is_dir():
        kinds = ", ".join(meshes.MESHES)
        raise UserError(
            f"{path}: {'no reader for this' if path.exists() else 'no such mesh'}; we read {kinds}"
        )
    if len(found) != 1:
        raise UserError(f"{path}: name one mesh; there are: {', '.join(p.name for p in found) or 'none'}")
    return found[0]


def _meshes(folder: Path) -> list[Path]:
    from ..synth import meshes

    return sorted(path for path in folder.iterdir() if path.suffix.lower() in meshes.MESHES)


def _target(mesh: Path) -> Path:
    """Where the renderer looks: MESH.landmarks.json if it is there or the folder holds more than one mesh."""
    own = mesh.with_suffix(".landmarks.json")
    return own if own.is_file() or len(_meshes(mesh.parent)) > 1 else mesh.with_name("landmarks.json")
