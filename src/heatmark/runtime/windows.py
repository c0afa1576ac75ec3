"""What a network sees of a picture: the window it looks through, cut out to its size."""

import numpy as np

from ..card import Card
from ..geometry import Frame, enlarged, translation
from ..imaging import msra
from ..imaging.transforms import crop, within

Window = Frame | msra.Window  # both have `size` and `back`


def window(box: np.ndarray, card: Card, enlarge: float | None = None) -> Window:
    """Where a network looks for an object in a box x1 y1 x2 y2, enlarged by the card's factor if None."""
    enlarge = card.enlarge if enlarge is None else enlarge
    if card.decoding.method == "msra":
        return msra.Window.around(box, card.size, enlarge, card.stride)
    return Frame.around(box, card.size, enlarge)


def seen(picture: np.ndarray, frame: Window, box: np.ndarray | None = None) -> np.ndarray:
    """What a window shows of a picture (H, W, 3) uint8: (h, w, 3) uint8, outside black.

    Args:
        box: (4,) only this part is shown, and its mean colour around it.
    """
    if isinstance(frame, msra.Window):
        return frame.cut(picture)
    if box is None:
        return crop(picture, frame)
    part, corner = within(picture, box)
    colour = part.mean((0, 1)).tolist()
    return crop(part, Frame(frame.matrix @ translation(*corner), frame.size), value=colour)


def network_input(picture: np.ndarray, frame: Window, box: np.ndarray | None = None) -> np.ndarray:
    """What the network sees of a picture (H, W, 3) uint8: (3, *frame.size) float32 in [0, 1]. `box` as in
    `seen`.
    """
    return seen(picture, frame, box).transpose(2, 0, 1).astype(np.float32) / 255


def shown_part(box: np.ndarray, card: Card) -> np.ndarray | None:
    """The only part that the network sees of a picture when it is given a box; None: all of it."""
    return None if card.context or not np.isfinite(box).all() else enlarged(box, card.enlarge)
