"""The folders and files of PASCAL3D+ by hand, for the tests."""

from typing import Any

import numpy as np
from PIL import Image
from scipy.io import savemat

from heatmark.data import pascal3d

NONE = np.empty((0, 0))
HEADLIGHT = {"left_front_light": (11.0, 9.0, 1), "right_front_light": (31.0, 9.0, 1)}


def anchors(**points):
    """{name: (x, y, status)} as MATLAB keeps it; a status alone has no location."""
    kept = {}
    for name, value in points.items():
        located = isinstance(value, tuple)
        kept[name] = {
            "location": np.array([value[:2]]) if located else NONE,
            "status": value[2] if located else value,
        }
    return kept


def thing(kind="car", box=(6, 4, 35, 13), marks: Any = NONE, **flags):
    flags = {flag: flags.get(flag, 0) for flag in pascal3d.FLAGS}
    return {"class": kind, "bbox": np.array([box], float), "anchors": marks, "view": "", **flags}


def write(root, source, name, *things, size=(20, 40), kind="car"):
    folder = root / "Annotations" / f"{kind}_{source}"
    folder.mkdir(parents=True, exist_ok=True)
    objects = np.empty(len(things), dtype=[(n, object) for n in things[0]])
    for i, one in enumerate(things):
        objects[i] = tuple(one.values())
    record = {"filename": f"{name}.jpg", "database": source, "objects": objects.reshape(1, -1)}
    savemat(folder / f"{name}.mat", {"record": record})
    pictures = root / "Images" / f"{kind}_{source}"
    pictures.mkdir(parents=True, exist_ok=True)
    ending = ".JPEG" if source == "imagenet" else ".jpg"
    Image.fromarray(np.full((*size, 3), 80, np.uint8)).save(pictures / f"{name}{ending}", "JPEG")


def write_list(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
