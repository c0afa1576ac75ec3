"""What the synth tests share: small meshes with landmarks, and one tiny renderer that works everywhere."""

import json
from pathlib import Path

import numpy as np
import pytest

from heatmark.synth.render import Renderer

BOX = """mtllib box.mtl
usemtl paint
v -0.1 -0.02 -0.01
v 0.1 -0.02 -0.01
v 0.1 0.02 -0.01
v -0.1 0.02 -0.01
v -0.1 -0.02 0.01
v 0.1 -0.02 0.01
v 0.1 0.02 0.01
v -0.1 0.02 0.01
vt 0 0
vt 1 0
vt 1 1
vt 0 1
f 1/1 4/4 3/3 2/2
f 5/1 6/2 7/3 8/4
f 1/1 2/2 6/3 5/4
f 3/1 4/2 8/3 7/4
f 2/1 3/2 7/3 6/4
f 1/1 5/2 8/3 4/4
"""


def write_box(folder: Path) -> Path:
    """A 20 x 4 x 2 cm textured bar along x: landmarks on its two ends, one inside, one under it."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "box.obj").write_text(BOX)
    (folder / "box.mtl").write_text("newmtl paint\nmap_Kd box.png\n")
    Image.fromarray(np.full((8, 8, 3), (200, 40, 40), np.uint8)).save(folder / "box.png")
    points = {"left": [-0.1, 0, 0], "right": [0.1, 0, 0], "inside": [0, 0, 0], "under": [0, 0, -0.01]}
    (folder / "landmarks.json").write_text(json.dumps({"name": "bar", "unit": "m", "landmarks": points}))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A mesh folder of the test's own, to spoil."""
    return write_box(tmp_path / "bar")


@pytest.fixture(scope="session")
def bar(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A mesh folder that nobody changes."""
    return str(write_box(tmp_path_factory.mktemp("meshes") / "bar"))


@pytest.fixture(scope="session")
def small_renderer() -> Renderer:
    return Renderer((32, 32), samples=4, variant="scalar_rgb", denoise=False)
