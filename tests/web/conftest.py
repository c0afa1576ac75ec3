"""Asks our ASGI apps as a browser on this machine would."""

import pytest


@pytest.fixture
def browser():
    """app -> a client that calls it 127.0.0.1, as our own page does; no socket is opened."""
    testclient = pytest.importorskip("fastapi.testclient")
    return lambda app: testclient.TestClient(
        app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False
    )
