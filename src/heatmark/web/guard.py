"""What stands before our pages: who may ask, from where, and how much they may send.

A server on this machine can be reached by every page the browser has open. So a request must name a host that
we serve (else a foreign name points at this machine: DNS rebinding), and a change must come from our page.
"""

import json
import socket
import sys
import webbrowser
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..errors import HeatmarkError, UserError

if TYPE_CHECKING:
    from fastapi import FastAPI

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

STATIC = Path(__file__).parent / "static"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


class TooLarge(Exception):
    """A request's body went over the limit."""


def guarded(app: App, hosts: frozenset[str] | None, limit: int) -> App:
    """The ASGI app behind checks that answer 403 or 413 with a one-line JSON {"error": ...}.

    Args:
        hosts: the names this server may be called by; None for any (a server opened to a network).
        limit: bytes a request may carry.
    """

    async def checked(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await app(scope, receive, send)
            return
        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        if fault := _stranger(scope["method"], headers, hosts):
            return await _refuse(send, 403, fault)
        too_large = f"a request may carry {limit} bytes at most"
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > limit:
            return await _refuse(send, 413, too_large)
        taken, refused = 0, False

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:  # a body sent in pieces, or one longer than it said
                raise TooLarge
            return message

        async def with_headers(message: Message) -> None:
            nonlocal refused
            if taken > limit:  # whatever the app makes of TooLarge
                if not refused:
                    refused = True
                    await _refuse(send, 413, too_large)
                return
            if message["type"] == "http.response.start":
                ours = [(key.encode(), value.encode()) for key, value in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *ours]}
            await send(message)

        try:
            await app(scope, counted, with_headers)
        except TooLarge:
            await with_headers({})

    return checked


def _stranger(method: str, headers: dict[str, str], hosts: frozenset[str] | None) -> str | None:
    """Why this request is not for us, or None."""
    host = headers.get("host", "")
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        name = None
    if hosts is not None and name not in hosts:
        return f"this server is not called {host!r}"
    origin = headers.get("origin")
    if method not in ("GET", "HEAD") and origin is not None and _host_of(origin) != host:
        return f"a page of {origin} may not change anything here"
    if method not in ("GET", "HEAD") and headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return "a page of another site may not change anything here"
    return None


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def errors_in_one_line(app: "FastAPI") -> None:
    """Whatever goes wrong with a request is answered as {"error": "one line"}."""
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse
    from starlette.exceptions import HTTPException
    from starlette.requests import ClientDisconnect

    @app.exception_handler(HeatmarkError)
    def refused(request: object, error: HeatmarkError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status_code=422)

    @app.exception_handler(RequestValidationError)
    def malformed(request: object, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        return JSONResponse({"error": f"{first['loc'][1]}: {first['msg'].lower()}"}, status_code=422)

    @app.exception_handler(ClientDisconnect)
    def gone(request: object, error: ClientDisconnect) -> JSONResponse:
        return JSONResponse({"error": "the request ended before it was whole"}, status_code=400)

    @app.exception_handler(HTTPException)
    def missing(request: object, error: HTTPException) -> JSONResponse:
        return JSONResponse({"error": error.detail.lower()}, status_code=error.status_code)


async def _refuse(send: Send, status: int, fault: str) -> None:
    body = json.dumps({"error": fault}).encode()
    start = {
        "type": "http.response.start",
        "status": status,
        "headers": [(b"content-type", b"application/json")],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})


def listening(host: str, port: int) -> socket.socket:
    """A socket on `port`, or on any free one if that is taken. Raises a UserError if there is none."""
    if not 0 <= port <= 65535:
        raise UserError(f"a port is 0 to 65535, got {port}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for choice in (port, 0):
        try:
            return socket.create_server((host, choice), family=family)
        except OSError as error:
            fault = error
    raise UserError(f"nothing can be served on {host} port {port}: {(fault.strerror or str(fault)).lower()}")


def run(app: App, listener: socket.socket, url: str, open_browser: bool) -> None:
    """Serve until Ctrl-C, which is the normal end."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", server_header=False))
    if open_browser and has_screen():
        import threading

        threading.Timer(0.5, webbrowser.open, [url]).start()
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        pass


def has_screen() -> bool:
    """Whether a browser with windows can be opened; without one `webbrowser` would take over the terminal."""
    import os

    return sys.platform in ("win32", "darwin") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
