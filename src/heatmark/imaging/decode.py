"""Bytes to a picture and back, strictly: what is broken is an error with the file's name, never a grey half.

`decode` gives (H, W, 3) uint8 RGB whatever came in:

- the EXIF orientation is applied; of an animation the first frame is taken;
- grey, palette, CMYK and 16-bit pictures are converted (of 16 bits the upper 8 are kept; colour profiles are
  not applied); what is transparent is laid on white;
- truncated, empty, damaged or foreign bytes are a DataError, and so is a picture with more pixels than
  `limit`, which is read from the header before anything is unpacked.

Ordinary JPEGs are unpacked by OpenCV, which is faster but takes a truncated file without a word; so the
header is walked and the end marker looked for first. Everything else goes through Pillow.
"""

import io
import struct
import warnings
import zlib
from threading import Lock

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import DataError

LIMIT = 100_000_000  # pixels; the cap Pillow itself refuses at is 178,956,970
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
PNG = b"\x89PNG\r\n\x1a\n"  # how one begins
_warnings = Lock()  # warnings.catch_warnings is not safe in threads


def decode(data: bytes, name: str, limit: int = LIMIT) -> np.ndarray:
    """The picture in a file's bytes.

    Args:
        data: a whole JPEG, PNG, WebP, BMP, GIF, TIFF or PPM file.
        name: what errors call it.
        limit: pixels; a larger picture is refused from its header alone.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        DataError: empty, truncated, damaged, not a picture, or too large.
    """
    if not data:
        raise DataError(f"{name}: the file is empty")
    if data[:2] == b"\xff\xd8" and _ordinary_jpeg(data, name, limit):
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)  # applies EXIF
        if picture is not None:
            return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    return _rgb(_unpacked(data, name, limit), name)


def decode_plane(data: bytes, name: str, limit: int = LIMIT) -> np.ndarray:
    """A one-channel PNG as it is, a mask or depth: (H, W) uint8 or uint16. Raises DataError like `decode`."""
    if data[:8] != PNG or len(data) < 33:
        raise DataError(f"{name}: wanted a PNG, this {_looks_like(data)}")
    w, h = struct.unpack(">II", data[16:24])
    _check_size(w, h, name, limit)
    plane = (
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) if b"IEND" in data[-32:] else None
    )
    if plane is None:
        raise DataError(f"{name}: the picture is truncated or damaged")
    if plane.ndim != 2:
        raise DataError(f"{name}: wanted one channel, got {plane.shape[2]}")
    return plane


def encode_jpeg(picture: np.ndarray, quality: int = 95) -> bytes:
    """(H, W, 3) uint8 RGB -> a JPEG file. The same picture gives the same bytes."""
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    assert done
    return data.tobytes()


def encode_png(picture: np.ndarray) -> bytes:
    """(H, W, 3) or (H, W, 4) uint8 RGB(A), or a plane (H, W) uint8 or uint16 -> a PNG file, nothing lost."""
    swap = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    swapped = picture if picture.ndim == 2 else cv2.cvtColor(picture, swap[picture.shape[2]])
    done, data = cv2.imencode(".png", swapped, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    assert done
    return data.tobytes()


def decode_rgba(data: bytes, name: str, limit: int = LIMIT) -> np.ndarray:
    """Like `decode`, but with the transparency kept: (H, W, 4) uint8 RGBA."""
    if not data:
        raise DataError(f"{name}: the file is empty")
    picture = _unpacked(data, name, limit)
    if picture.mode.startswith("I") or picture.mode in ("F", "LAB"):  # none of these is transparent
        return cv2.cvtColor(_rgb(picture, name), cv2.COLOR_RGB2RGBA)
    return np.asarray(picture.convert("RGBA"))


def _ordinary_jpeg(data: bytes, name: str, limit: int) -> bool:
    """True for a complete 8-bit grey or colour JPEG; False sends it to Pillow. Raises DataError if truncated.

    The header is walked, marker by marker, up to the first scan. After it 0xFF 0xD9 occurs in no
    entropy-coded byte, so a file without it ends too early (or was padded with zeros by a broken download).
    """
    at, ordinary = 2, False
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and at + 10 <= len(data):
            bits, h, w, channels = struct.unpack(">BHHB", data[at + 4 : at + 10])
            _check_size(w, h, name, limit)
            ordinary = bits == 8 and channels in (1, 3) and marker in (0xC0, 0xC1, 0xC2)
        if marker == 0xDA:
            if data.find(b"\xff\xd9", at) < 0:
                raise DataError(f"{name}: the picture is truncated")
            return ordinary
        at += 2 + length
    return False


def _check_sums(data: bytes, name: str) -> None:
    """Raises a DataError if a PNG's bytes do not give the checksums that stand in it. Pillow does not look at
    those of pixels, and takes changed ones.
    """
    at, view = 8, memoryview(data)
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4])
        needed = not data[at + 4] & 32  # a capital letter: not one of text, time or colour profile
        if (
            needed
            and end + 4 <= len(data)
            and zlib.crc32(view[at + 4 : end]) != int.from_bytes(data[end : end + 4])
        ):
            raise DataError(f"{name}: the picture is damaged (a wrong checksum)")
        at = end + 4


def _unpacked(data: bytes, name: str, limit: int) -> Image.Image:
    """The first frame, unpacked and upright, in the mode it was saved in."""
    if data[:8] == PNG:
        _check_sums(data, name)
    try:
        with _warnings, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures; `limit` decides here
            opened = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise DataError(f"{name}: more pixels than the {limit:,} allowed") from error
    except UnidentifiedImageError as error:
        raise DataError(f"{name}: not a picture; it {_looks_like(data)}") from error
    except Exception as error:  # Pillow's readers raise half a dozen kinds for damaged headers
        raise DataError(f"{name}: the picture's header is damaged ({error})") from error
    _check_size(*opened.size, name, limit)
    try:
        with opened:
            opened.load()
            return ImageOps.exif_transpose(opened)
    except Exception as error:
        raise DataError(f"{name}: the picture is truncated or damaged ({error})") from error


def _rgb(picture: Image.Image, name: str) -> np.ndarray:
    """Any mode -> (H, W, 3) uint8."""
    if picture.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion would clip it at 255
        grey = np.asarray(picture)
        if grey.min() < 0 or grey.max() > 65535:
            raise DataError(f"{name}: 32-bit grey values are not a picture")
        return np.repeat((grey.astype(np.int64) >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
    if picture.mode in ("F", "LAB"):
        raise DataError(f"{name}: pictures in mode {picture.mode} are not read; save it as 8-bit RGB")
    if picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return np.array(picture.convert("RGB"))


def _check_size(w: int, h: int, name: str, limit: int) -> None:
    if w < 1 or h < 1:
        raise DataError(f"{name}: a picture of {w} x {h} pixels")
    if w * h > limit:
        raise DataError(f"{name}: {w} x {h} pixels are more than the {limit:,} allowed")


def _looks_like(data: bytes) -> str:
    """What the bytes are, in words, when they are no picture."""
    start = data[:512].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head")) or b"<html" in start:
        return "is an HTML page (a download page saved under the picture's name?)"
    if start.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer (run `git lfs pull`)"
    if start.startswith((b"<?xml", b"<svg")):
        return "is XML or SVG"
    if not any(data[:4096]):
        return "holds zeros only"
    return f"begins with {data[:8]!r}"
