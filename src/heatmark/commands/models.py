"""heatmark models: the shipped detectors with what their cards say; networks and recipes one can train."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from .. import zoo
from ..card import Card
from ..errors import DataError, UserError, install_line
from ..runtime.engines import with_onnxruntime

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class Shipped:
    """One detector of the zoo."""

    name: str
    card: Card | None  # None where it cannot be read
    bytes: int = 0
    fault: str = ""

    @property
    def there(self) -> bool:
        return self.card is not None

    def to_dict(self) -> dict[str, Any]:
        if self.card is None:
            return {"name": self.name, "fault": self.fault}
        facts = {"landmarks": list(self.card.skeleton_of().landmarks), "size": list(self.card.size)}
        card = self.card
        facts |= {"network": card.model, "options": card.options, "results": card.results}
        facts |= {"licence": card.licence, "limits": card.limits, "data": card.data, "bytes": self.bytes}
        return {"name": self.name} | facts


@dataclass(frozen=True)
class Models:
    """What there is: detectors to use, networks and recipes to train."""

    detectors: tuple[Shipped, ...]
    networks: tuple[str, ...]  # empty without torch
    recipes: tuple[str, ...]  # likewise

    def to_dict(self) -> dict[str, Any]:
        names = {"networks": list(self.networks), "recipes": list(self.recipes)}
        return {"detectors": [d.to_dict() for d in self.detectors]} | names

    def __rich__(self) -> "RenderableType":
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        table = Table(title="shipped detectors")
        for column in ("detector", "landmarks", "sees", "network", "measured", "MB", "licence"):
            table.add_column(column, no_wrap=column == "detector")
        for shipped in self.detectors:
            if shipped.card is None:
                table.add_row(shipped.name, shipped.fault)
                continue
            card = shipped.card
            landmarks, sees = ", ".join(card.skeleton_of().landmarks), f"{card.size[0]}x{card.size[1]}"
            row = (
                landmarks,
                sees,
                card.model,
                _results(card.results),
                f"{shipped.bytes / 1e6:.1f}",
                card.licence,
            )
            table.add_row(shipped.name, *row)
        none = f"none without torch: {install_line('train')}"
        lists = {"networks to train": self.networks, "recipes": self.recipes}
        return Group(table, *(Text(f"{what}: {', '.join(names) or none}") for what, names in lists.items()))


def models() -> Models:
    """The shipped detectors, whether or not they are in this installation, and what can be trained."""
    networks: tuple[str, ...] = ()
    recipes: tuple[str, ...] = ()
    if find_spec("torch"):
        from ..models import CROWDS, DENSE, MODELS
        from ..training.recipe import shipped

        networks, recipes = (*MODELS, *CROWDS, *DENSE), tuple(shipped())
    return Models(tuple(_shipped(name) for name in zoo.DETECTORS), networks, recipes)


def _shipped(name: str) -> Shipped:
    try:
        path = zoo.detector(name)
        return Shipped(name, with_onnxruntime(path, 1)[1], path.stat().st_size)
    except UserError:
        return Shipped(name, None, fault="not in this installation")
    except DataError as error:
        return Shipped(name, None, fault=str(error))


def _results(results: dict[str, Any]) -> str:
    """The numbers of a card in a few words.

    >>> _results({"PCK@0.1": 0.812, "on": "41 photographs"})
    'PCK@0.1 0.812, on 41 photographs'
    """
    words = (f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in results.items())
    return ", ".join(w for w, v in zip(words, results.values()) if isinstance(v, (int, float, str)))
