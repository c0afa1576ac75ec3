"""`heatmark serve`: detectors behind HTTP, and a page with upload and webcam.

    POST /detect?model=hammer    a picture's bytes, or a form with a picture -> the object of `detect --json`
    GET  /models                 what can be asked for
    GET  /health                 whether it is up

What is wrong with a request is one line, {"error": "..."}: 422 for a picture or parameter, 413 for too much.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..errors import UserError, require, unknown
from . import guard

if TYPE_CHECKING:
    from ..runtime import Detector
    from ..runtime.detector import SecondLook

BODY_LIMIT = 25 << 20  # bytes of a picture file
PIXEL_LIMIT = 50_000_000  # read from its header, before it is unpacked


def serve(
    model: str | Sequence[str] | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    engine: str = "auto",
    threads: int | None = None,
    open_browser: bool = False,
) -> None:
    """Serve until Ctrl-C.

    Args:
        model: shipped detectors or model files, one or several; every shipped one that is installed if None.
        host: 127.0.0.1 serves this machine only; anything else whoever can reach it, without a password.
        port: another is taken if this one is busy.

    Raises:
        UserError, DataError: a model that cannot be loaded; an address that cannot be served on.
    """
    require("fastapi", "uvicorn", to="serve")
    detectors = loaded([model] if isinstance(model, str) else model, engine, threads)
    listener = guard.listening(host, port)
    url = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/"
    print(f"{', '.join(detectors)} at {url} (Ctrl-C ends)", flush=True)
    alone = host in guard.LOOPBACK
    if not alone:
        print("Anybody who can reach this address can use it; there is no password.", flush=True)
    guard.run(app_of(detectors, None if not alone else guard.LOOPBACK), listener, url, open_browser)


def loaded(model: Sequence[str] | None, engine: str, threads: int | None) -> "dict[str, Detector]":
    """Predictors by the name one asks for them with: a shipped name, or the name on a model file's card."""
    from .. import zoo
    from ..runtime import load

    names = list(model or (name for name, file in zoo.DETECTORS.items() if (zoo.folder() / file).is_file()))
    if not names:
        raise UserError("no detector is shipped with this installation; name a model file with --model")
    detectors: dict[str, Detector] = {}
    for name in names:
        predictor = load(name, engine=engine, threads=threads)
        short = name if name in zoo.DETECTORS else predictor.card.name
        if short in detectors:
            raise UserError(f"two models are called {short!r}; serve them on two ports")
        detectors[short] = predictor
    return detectors


def app_of(detectors: "Mapping[str, Detector]", hosts: frozenset[str] | None) -> guard.App:
    """The ASGI app. `hosts` are the names this server may be called by; None for any."""
    from fastapi import FastAPI, Request
    from fastapi.concurrency import run_in_threadpool
    from fastapi.responses import FileResponse, JSONResponse
    from fastapi.staticfiles import StaticFiles

    from ..runtime.detector import SecondLook

    # The API description stays, the pages that show it do not: they would load scripts from elsewhere.
    app = FastAPI(title="heatmark", version=__version__, docs_url=None, redoc_url=None)
    guard.errors_in_one_line(app)
    app.mount("/static", StaticFiles(directory=guard.STATIC), name="static")
    locks = {name: threading.Lock() for name in detectors}  # a predictor keeps the times of its last call

    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(guard.STATIC / "serve.html")

    @app.get("/health")
    def health() -> dict[str, Any]:
        return {"status": "ok", "heatmark": __version__, "models": list(detectors)}

    @app.get("/models")
    def models() -> list[dict[str, Any]]:
        return [described(name, predictor) for name, predictor in detectors.items()]

    @app.get("/examples", include_in_schema=False)
    def examples() -> dict[str, list[str]]:
        return shipped_examples(detectors)

    @app.get("/examples/{name}", include_in_schema=False)
    def example(name: str) -> FileResponse:
        from .. import zoo

        paths = {path.name: path for path in zoo.photographs()}
        if name not in paths:
            raise unknown("example", name, paths)
        return FileResponse(paths[name])

    @app.post("/detect")
    async def detect(
        request: Request, model: str | None = None, second_look: SecondLook = False, threshold: float = 0.0
    ) -> JSONResponse:
        name = model or next(iter(detectors))
        if name not in detectors:
            raise unknown("model", name, detectors)
        data, source = await picture_of(request)
        with_lock = locks[name]
        found = await run_in_threadpool(
            look, detectors[name], with_lock, data, source, name, second_look=second_look, threshold=threshold
        )
        return JSONResponse(found)

    return guard.guarded(app, hosts, BODY_LIMIT)


async def picture_of(request: Any) -> tuple[bytes, str]:
    """A request's picture and its name: the one file of a form, or the bare body."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return await request.body(), "picture"
    require("multipart", to="read a form")
    from starlette.exceptions import HTTPException

    try:
        async with request.form(max_files=1, max_fields=8) as form:
            files = [value for value in form.values() if not isinstance(value, str)]
            if not files:
                raise UserError("the form holds no picture; send it as the field 'picture'")
            return await files[0].read(), files[0].filename or "picture"
    except HTTPException as error:
        raise UserError(f"the form cannot be read: {error.detail}") from error


def look(
    predictor: "Detector",
    lock: threading.Lock,
    data: bytes,
    source: str,
    name: str,
    *,
    second_look: "SecondLook" = False,
    threshold: float = 0.0,
) -> dict[str, Any]:
    """One picture's object of `detect --json`. Raises a DataError for bytes that are no good picture."""
    import time

    from ..commands.detect import Detection, above
    from ..imaging import decode

    if not 0 <= threshold <= 1:
        raise UserError(f"threshold must be in [0, 1], got {threshold}")
    start = time.perf_counter()
    picture = decode(data, source, limit=PIXEL_LIMIT)
    decoded_ms = (time.perf_counter() - start) * 1e3
    with lock:
        poses = predictor(picture, second_look=second_look)
        latency = replace(predictor.latency, decode=decoded_ms)
    poses, size = above(poses, threshold, predictor), (picture.shape[0], picture.shape[1])
    return Detection(source, 0, size, name, poses, latency).to_dict()


def described(name: str, predictor: "Detector") -> dict[str, Any]:
    """What GET /models says of one."""
    card = predictor.card
    return {
        "name": name,
        "task": card.task,
        "landmarks": list(predictor.skeleton.landmarks),
        "bones": [list(bone) for bone in predictor.skeleton.bones],
        "interchangeable": [list(group) for group in predictor.skeleton.interchangeable],
        "size": list(card.size),
        "licence": card.licence,
        "limits": card.limits,
        "results": dict(card.results),
    }


def shipped_examples(detectors: "Mapping[str, Detector]") -> dict[str, list[str]]:
    """Names of the shipped photographs that show what each detector looks for."""
    from .. import zoo

    return {
        name: [path.name for path in zoo.photographs(name)] if name in zoo.DETECTORS else []
        for name in detectors
    }
