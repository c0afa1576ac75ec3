"""(seed, index) -> labelled pictures: a scene is invented, drawn and developed, and its copies are made.

One Studio serves one process; it loads meshes and kernels once. What it gives depends on its settings and the
index alone, so pictures may be made in any order, by any number of processes, on any day.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserError, unknown
from ..types import Sample
from . import invention, scraps, stage, things
from .compose import Cutout, copied, cut_and_paste, cut_out, develop
from .invention import invent
from .render import Ready, Renderer
from .settings import SceneSettings, merged
from .things import build, families

METHODS = ("render", "cut-and-paste")
POOL = 10  # cut-outs that are pasted over and over; the paper's screwdrivers
BARE: dict[str, Any] = {  # how an object is drawn for its cut-out: alone, whole, sharp
    "object": {"extent": (0.85, 0.95), "small": 0.0, "truncated": 0.0, "closeup": 0.0},
    "camera": {"depth_of_field": 0.0},
    "clutter": {"count": (0, 0), "hand": 0.0, "kin": 0.0},
    "effects": {
        "blur_px": (0.0, 0.0),
        "motion": 0.0,
        "noise": (0.0, 0.005),
        "grey": 0.0,
        "vignette": (0.0, 0.0),
    },
}


class Studio:
    """Makes the pictures of one dataset.

    Args:
        settings: what is in them.
        size: (H, W).
        samples: paths per pixel.
        variant: of the renderer; None takes the fastest that works here.
        method: "render", or "cut-and-paste".
        copies: how many copies are made of each rendering; none of a cut-and-pasted picture.
        cutouts: what to cut and paste; drawn from the settings when there are none.

    Raises:
        UserError, DataError: as Renderer and invent.
    """

    def __init__(
        self,
        settings: SceneSettings,
        seed: int,
        size: tuple[int, int],
        samples: int,
        variant: str | None = None,
        method: str = "render",
        copies: int = 1,
        cutouts: Sequence[Cutout] = (),
    ):
        if method not in METHODS:
            raise unknown("method", method, METHODS)
        self.settings, self.seed, self.size, self.method, self.copies = settings, seed, size, method, copies
        self.photos = scraps.photographs(settings.background.folder or settings.ground.folder)
        if method == "render" or not cutouts:
            self.renderer = Renderer(size, samples, variant)
        if method == "cut-and-paste":
            self.cutouts = tuple(cutouts) or self._drawn_cutouts()

    def __call__(self, index: int) -> list[tuple[str, Sample]]:
        """What the picture is ("rendered", "occluder", "background", "pasted") and the picture: one, and its
        copies."""
        return next(self.many([index]))

    def many(self, indices: Iterable[int]) -> Iterator[list[tuple[str, Sample]]]:
        """The same for several; while one scene is drawn, the next is invented and prepared in a thread."""
        if self.method == "cut-and-paste":
            for index in indices:
                rng = np.random.default_rng([self.seed, index, 31])
                name = self._name(index)
                yield [("pasted", cut_and_paste(self.cutouts, self.size, rng, self.photos, name=name))]
            return
        coming = iter(indices)
        with ThreadPoolExecutor(1) as thread:
            ahead = [(index, thread.submit(self._prepared, index)) for index in islice(coming, 1)]
            while ahead:
                index, ready = ahead.pop()
                ready = ready.result()
                ahead += [(i, thread.submit(self._prepared, i)) for i in islice(coming, 1)]
                yield self._finished(index, ready)

    def _prepared(self, index: int) -> Ready:
        aspect = self.size[1] / self.size[0]
        return self.renderer.prepare(invent(self.settings, self.seed, index, aspect))

    def _finished(self, index: int, ready: Ready) -> list[tuple[str, Sample]]:
        layers = self.renderer.draw(ready)
        sample = develop(layers, ready.scene.effects, self._name(index))
        chances = (np.random.default_rng([self.seed, index, 29, copy]) for copy in range(self.copies))
        seats = [i for i, placed in enumerate(ready.scene.objects) if placed.source.kind == "seat"]
        return [("rendered", sample)] + [copied(sample, layers, rng, self.photos, seats) for rng in chances]

    def _name(self, index: int) -> str:
        return f"{self.settings.objects[0]} {self.seed} {index}"

    def _drawn_cutouts(self) -> tuple[Cutout, ...]:
        bare = SceneSettings.model_validate(merged(self.settings.model_dump(), BARE))
        found = []
        for index in range(4 * POOL):  # one whose object is hidden or tiny is of no use
            scene = invent(bare, self.seed + 7_919, index, self.size[1] / self.size[0])
            layers = self.renderer(scene)
            if (layers.mask == 1).sum() > 0.01 * layers.mask.size:
                found.append(cut_out(layers, scene.effects))
            if len(found) == POOL:
                return tuple(found)
        raise UserError(f"{self.settings.objects[0]}: no object was seen in {4 * POOL} drawings of it")


def look_again() -> None:
    """Forget what was read from files: between two renderings of one process somebody may change them."""
    things.forget()
    for kept in (scraps.photographs, scraps.photograph, invention.files, stage.environment):
        kept.cache_clear()


def check_objects(settings: SceneSettings) -> None:
    """Builds what the scenes will show once, so that a faulty mesh is named before anything is drawn.

    Raises:
        UserError: a name that is neither a family nor a file, or objects with other landmarks than the
            first's.
        DataError: a mesh or its landmarks are faulty, clutter's too.
    """
    for path in settings.clutter.meshes:
        build("distractor", path)
    skeletons = {}
    for name in settings.objects:
        if name not in families() and not Path(name).exists():
            raise unknown("family or mesh", name, families())
        skeletons[name] = build("family" if name in families() else "mesh", name, 0).skeleton
    first = settings.objects[0]
    for name, skeleton in skeletons.items():
        if skeleton != skeletons[first]:
            raise UserError(
                f"the objects of a scene share their landmarks, but {name} has others than {first}"
            )


def cutout_folder(path: str | Path) -> bool:
    """Whether a path is a dataset to cut objects out of, not a mesh to draw."""
    return (Path(path) / "annotations.json").is_file()
