"""What is printed on products: faces with bands, blobs, invented names and small type. For products.py alone.

A face is (H, W, 3) uint8 sRGB, its top the product's top.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

Rng = np.random.Generator
TEXELS = 144  # of a face's longer side; on a shelf a product is some 40 pixels high

STARTS = ("Ba", "Ve", "Lo", "Mi", "Na", "Ru", "So", "Ta", "Flo", "Cre", "Pu", "Ka", "Zi", "Go", "Har", "El")
ENDS = ("lia", "nex", "ro", "dy", "vita", "max", "la", "no", "mel", "rix", "tine", "ky", "sa", "fresh", "do")
GOODS = (
    "OATS", "TEA", "RICE", "COLA", "SOAP", "MILK", "CHIPS", "BEANS", "COCOA", "PASTA", "WHITE", "CARE",
    "HONEY", "FLAKES", "SHAMPOO", "COFFEE", "BISCUIT", "SAUCE", "CRACKERS", "SPRING", "LEMON", "TOMATO",
)  # fmt: skip
TAGS = ("NEW", "500 g", "2x", "BIO", "1 l", "20%", "MILD", "ORIGINAL", "6 pcs", "250 ml", "EXTRA")
INKS = (
    (0.78, 0.06, 0.08), (0.05, 0.22, 0.55), (0.95, 0.75, 0.05), (0.08, 0.42, 0.20), (0.93, 0.42, 0.06),
    (0.42, 0.12, 0.45), (0.05, 0.45, 0.62), (0.96, 0.96, 0.94), (0.12, 0.10, 0.10), (0.88, 0.45, 0.60),
    (0.45, 0.26, 0.12), (0.55, 0.70, 0.15), (0.85, 0.80, 0.68), (0.10, 0.14, 0.32), (0.70, 0.85, 0.92),
)  # fmt: skip


@dataclass(frozen=True)
class Brand:
    """What the products of one maker share: name, colours, the way their faces are laid out."""

    name: str
    ground: np.ndarray  # (3,) sRGB
    ink: np.ndarray  # of the name
    accent: np.ndarray
    plan: int  # of PLANS
    heavy: int  # of the letters' strokes, in 48ths of their height


def brand(rng: Rng) -> Brand:
    """A maker nobody has heard of."""
    first, second, third = (np.array(INKS[i]) for i in rng.choice(len(INKS), 3, replace=False))
    if abs(first.mean() - second.mean()) < 0.25:  # a name is there to be read
        second = np.array([0.97, 0.96, 0.93]) if first.mean() < 0.55 else np.array([0.10, 0.09, 0.12])
    name = STARTS[rng.integers(len(STARTS))] + ENDS[rng.integers(len(ENDS))]
    name = name.upper() if rng.random() < 0.5 else name
    return Brand(name, jittered(rng, first), second, third, int(rng.integers(6)), int(rng.integers(1, 6)))


def jittered(rng: Rng, color: np.ndarray, by: float = 0.05) -> np.ndarray:
    return np.clip(color + rng.normal(0, by, 3), 0.02, 0.98)


def face(rng: Rng, brand: Brand, aspect: float, turn: int = 0) -> np.ndarray:
    """The printed front of a product.

    Args:
        aspect: width over height.
        turn: which of the brand's varieties; the accent's hue turns with it.
    """
    w, h = (TEXELS, round(TEXELS / aspect)) if aspect > 1 else (round(TEXELS * aspect), TEXELS)
    w, h = max(w, 24), max(h, 24)
    accent = turned_hue(brand.accent, 47.0 * turn)
    ground = brand.ground if rng.random() < 0.75 else 0.3 * brand.ground + 0.7 * accent
    picture = np.empty((h, w, 3), np.float32)
    fall = np.linspace(1 + rng.uniform(-0.1, 0.12), 1 - rng.uniform(-0.05, 0.18), h)[:, None, None]
    picture[:] = np.clip(ground * fall, 0, 1)
    y_name = _planned(rng, picture, brand.plan, accent)
    _blob(rng, picture, accent, y_name)
    pixels = Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))
    pen = ImageDraw.Draw(pixels)
    beneath = picture[int(h * y_name), w // 4 : 3 * w // 4].mean(0)
    _word(
        pen,
        brand.name,
        (w / 2, h * y_name),
        (0.86 * w, 0.2 * h),
        contrasting(brand.ink, beneath),
        brand.heavy,
    )
    good = GOODS[int(rng.integers(len(GOODS)))]
    ink = contrasting(accent if rng.random() < 0.4 else brand.ink, ground)
    _word(pen, good, (w / 2, h * (y_name + 0.17)), (0.62 * w, 0.1 * h), ink, 2)
    _small_type(rng, pen, (w, h), contrasting(brand.ink, ground))
    return np.asarray(pixels)


def side(rng: Rng, brand: Brand, turn: int = 0) -> np.ndarray:
    """The side of a carton: the same colours, a table, a code of bars."""
    picture = np.empty((64, 32, 3), np.float32)
    picture[:] = brand.ground * 0.92
    picture[: int(rng.integers(6, 20))] = turned_hue(brand.accent, 47.0 * turn)
    picture[40:56, 6:26] = 0.95
    bars = np.repeat(rng.random(10) < 0.5, 2)
    picture[41:55, 6:26][:, bars] = 0.08
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)


def wrapped(face: np.ndarray, body: np.ndarray, low: float, high: float) -> np.ndarray:
    """A face twice round a body: from `low` to `high` of its height, the body's colour above and below."""
    h, w = face.shape[:2]
    tall = round(h / max(high - low, 0.1))
    round_it = np.empty((tall, 2 * w, 3), np.uint8)
    round_it[:] = (np.clip(body, 0, 1) * 255).astype(np.uint8)
    top = min(round((1 - high) * tall), tall - h)
    round_it[top : top + h] = np.concatenate([face, face], 1)
    return cv2.resize(round_it, (min(2 * w, TEXELS), min(tall, TEXELS)), interpolation=cv2.INTER_AREA)


def price(rng: Rng, length_m: float, height_m: float) -> np.ndarray:
    """The strip along a board's edge: tags, white or yellow, each with a price and a line of type."""
    h, w = 20, int(np.clip(length_m * 400, 64, 1024))
    strip = np.empty((h, w, 3), np.uint8)
    strip[:] = (np.array([0.86, 0.86, 0.85]) * rng.uniform(0.6, 1.05) * 255).clip(0, 255)
    if rng.random() < 0.25:
        strip[:] = (jittered(rng, np.array(INKS[rng.integers(len(INKS))])) * 255).astype(np.uint8)
    pixels = Image.fromarray(strip)
    pen, x = ImageDraw.Draw(pixels), int(rng.integers(0, 30))
    yellow, tag = rng.random() < 0.35, int(rng.integers(22, 36))
    while x < w - tag:
        if rng.random() < 0.8:
            bright = (250, 214, 40) if yellow or rng.random() < 0.15 else (248, 248, 246)
            pen.rectangle([x, 2, x + tag, h - 3], fill=bright)
            text = f"{rng.integers(0, 9)}.{rng.integers(10, 99)}"
            _word(pen, text, (x + tag * 0.5, 12), (tag * 0.6, 9), np.array([0.1, 0.08, 0.1]), 3)
            pen.line([x + 3, 5, x + tag - 4, 5], fill=(90, 90, 95))
        x += tag + int(rng.integers(4, 60))
    return np.asarray(pixels)


def sign(rng: Rng) -> np.ndarray:
    """The board above a rack, which says what is sold there."""
    word, color = GOODS[rng.integers(len(GOODS))].title(), jittered(rng, np.array(INKS[rng.integers(14)]))
    pixels = Image.new("RGB", (512, 48), tuple(int(255 * c) for c in color))
    ink = contrasting(np.array([0.97, 0.97, 0.95]), color)
    at = (256.0, 24.0) if rng.random() < 0.5 else (110.0, 24.0)
    _word(ImageDraw.Draw(pixels), word, at, (180, 34), ink, 2)
    return np.asarray(pixels)


def turned_hue(color: np.ndarray, degrees: float) -> np.ndarray:
    """A colour whose hue is turned about the grey axis, (3,) sRGB."""
    hls = cv2.cvtColor(np.clip(color, 0, 1).astype(np.float32)[None, None], cv2.COLOR_RGB2HLS)
    hls[..., 0] = (hls[..., 0] + degrees) % 360
    return np.asarray(cv2.cvtColor(hls, cv2.COLOR_HLS2RGB))[0, 0]


def contrasting(ink: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """The ink, or black or white where it could not be read on the ground."""
    if abs(float(np.mean(ink)) - float(np.mean(ground))) > 0.22:
        return ink
    return np.array([0.98, 0.97, 0.95]) if np.mean(ground) < 0.55 else np.array([0.08, 0.08, 0.10])


def _planned(rng: Rng, picture: np.ndarray, plan: int, accent: np.ndarray) -> float:
    """Lays the brand's areas of colour; the height of its name, from the top."""
    h, w = picture.shape[:2]
    y, x = np.mgrid[:h, :w] / np.array([h, w])[:, None, None]
    if plan == 0:  # a band across the middle
        area, name = abs(y - 0.42) < 0.16, 0.42
    elif plan == 1:  # the lower part, a slanting edge
        area, name = y > 0.5 + 0.15 * (x - 0.5) + rng.uniform(-0.05, 0.05), 0.25
    elif plan == 2:  # an arc from above
        area, name = (x - 0.5) ** 2 + (y * 1.2 + 0.35) ** 2 < 0.5, 0.2
    elif plan == 3:  # stripes up the sides
        area, name = abs(x - 0.5) > 0.36, 0.25
    elif plan == 4:  # a disc
        area, name = (x - 0.5) ** 2 + ((y - 0.42) * h / w) ** 2 < 0.16, 0.42
    else:  # a head
        area, name = y < 0.3, 0.16
    picture[area] = accent
    return name


def _blob(rng: Rng, picture: np.ndarray, accent: np.ndarray, y_name: float) -> None:
    """What the product is made of, as the eye takes it in from afar: a heap of round or long things."""
    h, w = picture.shape[:2]
    color, count = jittered(rng, np.array(INKS[rng.integers(len(INKS))]), 0.1), int(rng.integers(1, 9))
    y0 = 0.76 if y_name < 0.4 else 0.82
    for _ in range(count):
        at = (int(w * rng.normal(0.5, 0.13)), int(h * rng.normal(y0, 0.04)))
        size = np.maximum((np.array([w, h]) * rng.uniform(0.05, 0.2, 2) / count**0.3).astype(int), 1)
        shade = np.clip(jittered(rng, color, 0.08), 0, 1).tolist()
        cv2.ellipse(picture, at, size.tolist(), float(rng.uniform(0, 180)), 0, 360, shade, -1, cv2.LINE_AA)
        lit = np.maximum(size // 3, 1).tolist()
        at = (at[0] - size[0] // 3, at[1] - size[1] // 3)
        cv2.ellipse(picture, at, lit, 0, 0, 360, np.clip(np.array(shade) * 1.4, 0, 1).tolist(), -1)


def _small_type(rng: Rng, pen: ImageDraw.ImageDraw, size: tuple[int, int], ink: np.ndarray) -> None:
    w, h = size
    color = _bytes(ink)
    for line in range(int(rng.integers(0, 4))):
        y, x = h * (0.55 + 0.035 * line), w * rng.uniform(0.2, 0.3)
        pen.line([x, y, w - x - rng.uniform(0, 0.15) * w, y], fill=color)
    if rng.random() < 0.5:
        _word(pen, TAGS[int(rng.integers(len(TAGS)))], (w * 0.8, h * 0.93), (0.3 * w, 0.06 * h), ink, 1)
    if rng.random() < 0.25:  # a star or stamp
        x, y, r = w * rng.choice([0.18, 0.82]), h * rng.uniform(0.06, 0.65), w * 0.13
        pen.ellipse([x - r, y - r, x + r, y + r], fill=_bytes(np.array(INKS[rng.integers(len(INKS))])))


@lru_cache(maxsize=64)
def _font(height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(height)


def _word(
    pen: ImageDraw.ImageDraw, text: str, at: tuple[float, float], room: tuple[float, float], ink, heavy: int
) -> None:
    """Text about a point, as large as fits into `room` (width, height)."""
    height = int(max(room[1], 5))
    width = pen.textlength(text, font=_font(height)) + height * heavy / 24
    height = int(max(min(height, height * room[0] / max(width, 1)), 5))
    stroke = round(height * heavy / 48)
    pen.text(at, text, font=_font(height), fill=_bytes(ink), anchor="mm", stroke_width=stroke)


def _bytes(color: np.ndarray) -> tuple[int, int, int]:
    r, g, b = (int(255 * c) for c in np.clip(color, 0, 1))
    return r, g, b
