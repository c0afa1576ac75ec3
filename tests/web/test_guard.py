"""Our servers answer our own pages on this machine, and nobody else."""

import socket
from typing import Literal

import fastapi
import pytest
from starlette.requests import ClientDisconnect

from heatmark.errors import UserError
from heatmark.web import guard

LIMIT = 1000


@pytest.fixture
def client(browser):
    """A guarded app that echoes how much it was sent."""
    app = fastapi.FastAPI()
    guard.errors_in_one_line(app)

    @app.get("/")
    def home() -> dict:
        return {}

    @app.post("/count")
    async def count(request: fastapi.Request) -> int:
        return len(await request.body())

    @app.get("/fault")
    def fault() -> None:
        raise UserError("no such thing")

    @app.get("/number")
    def number(of: int, or_none: bool | Literal["x"] = False) -> int:
        return of

    @app.post("/broken-off")
    def broken_off() -> None:
        raise ClientDisconnect

    return browser(guard.guarded(app, guard.LOOPBACK, LIMIT))


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:9000", "[::1]:8000", "LOCALHOST"])
def test_every_name_of_this_machine_is_served(client, host):
    assert client.get("/", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example:8000", "127.0.0.1.evil.example", "", "localhost.", "[", "a@b"]
)
def test_a_foreign_name_for_this_machine_is_refused(client, host):
    answer = client.get("/", headers={"host": host})
    assert answer.status_code == 403 and "is not called" in answer.json()["error"]


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "https://localhost:8000", "http://["]
)
def test_another_page_may_not_change_anything(client, origin):
    answer = client.post("/count", content=b"x", headers={"origin": origin})
    assert answer.status_code == 403 and answer.json()["error"].count("\n") == 0


def test_another_site_may_not_change_anything_though_it_hides_its_origin(client):
    assert client.post("/count", content=b"x", headers={"sec-fetch-site": "cross-site"}).status_code == 403


def test_our_own_page_and_programs_may(client):
    assert client.post("/count", content=b"xy").json() == 2
    assert client.post("/count", content=b"xy", headers={"origin": "http://127.0.0.1:8000"}).json() == 2


def test_too_much_is_refused_whether_announced_or_sent_in_pieces(client):
    assert client.post("/count", content=b"x" * LIMIT).json() == LIMIT
    announced = client.post("/count", content=b"x" * (LIMIT + 1))
    pieces = client.post("/count", content=(b"x" * 300 for _ in range(5)))
    for answer in (announced, pieces):
        assert answer.status_code == 413 and answer.json() == {
            "error": "a request may carry 1000 bytes at most"
        }
    assert client.post("/count", content=b"", headers={"content-length": "-5"}).status_code == 413


def test_whatever_goes_wrong_is_one_line(client):
    assert client.get("/fault").json() == {"error": "no such thing"}
    assert client.get("/fault").status_code == 422
    assert client.get("/number?of=x").json()["error"].startswith("of: input should be a valid integer")
    assert client.get("/number?of=1&or_none=y_").json()["error"].startswith("or_none: ")
    assert client.get("/nowhere").json() == {"error": "not found"}
    assert client.post("/broken-off").json() == {"error": "the request ended before it was whole"}


def test_nothing_from_elsewhere_is_loaded_and_nobody_may_frame_our_pages(client):
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy


def test_no_page_of_ours_names_an_address_elsewhere():
    for page in guard.STATIC.glob("*.*"):
        text = page.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text and "https://" not in text, page.name


def test_a_busy_port_gives_another():
    with socket.create_server(("127.0.0.1", 0)) as busy:
        taken = busy.getsockname()[1]
        with guard.listening("127.0.0.1", taken) as other:
            assert other.getsockname()[1] not in (0, taken)


def test_an_address_that_is_not_ours_is_a_users_mistake():
    with pytest.raises(UserError, match="nothing can be served on 192.0.2.1 port 0"):
        guard.listening("192.0.2.1", 0)
    with pytest.raises(UserError, match="a port is 0 to 65535, got 99999"):
        guard.listening("127.0.0.1", 99_999)


def test_without_a_screen_no_browser_takes_over_the_terminal(monkeypatch):
    monkeypatch.setattr(guard.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not guard.has_screen()
