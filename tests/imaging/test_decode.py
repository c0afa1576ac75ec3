import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from heatmark.errors import DataError
from heatmark.imaging.decode import decode, decode_plane, decode_rgba, encode_jpeg, encode_png


@pytest.fixture
def picture():
    """Smooth and with four different corners, 40 x 24, so that a JPEG hardly changes it."""
    y, x = np.mgrid[0:24, 0:40]
    return np.stack([x * 6, y * 10, 255 - x * 6], -1).astype(np.uint8)


def file_of(picture, format, mode="RGB", **options):
    out = io.BytesIO()
    Image.fromarray(picture).convert(mode).save(out, format, **options)
    return out.getvalue()


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "WEBP", "GIF", "PPM", "JPEG"])
def test_every_format_gives_rgb(picture, format):
    decoded = decode(file_of(picture, format, lossless=True), "a")  # only WebP knows the option
    assert decoded.shape == picture.shape and decoded.dtype == np.uint8
    assert np.abs(decoded.astype(int) - picture).mean() < 6  # GIF has 256 colours, JPEG loses a little


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_applied(picture, orientation, format):
    exif = Image.Exif()
    exif[0x0112] = orientation
    undo = {  # how the sensor's picture must lie so that the orientation brings it upright
        1: lambda p: p, 2: lambda p: p[:, ::-1], 3: lambda p: p[::-1, ::-1], 4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1), 6: lambda p: np.rot90(p, 1), 7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
        8: lambda p: np.rot90(p, -1),
    }  # fmt: skip
    stored = np.ascontiguousarray(undo[orientation](picture))
    decoded = decode(file_of(stored, format, exif=exif), "a")
    assert decoded.shape == picture.shape
    assert np.abs(decoded.astype(int) - picture).mean() < 4


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_a_truncated_file_is_an_error_wherever_it_ends(format):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = file_of(noise, format)
    for share in (0.3, 0.6, 0.9, 0.99):
        with pytest.raises(DataError, match=r"shelf\.jpg"):
            decode(data[: int(len(data) * share)], "shelf.jpg")


def test_a_jpeg_whose_end_was_filled_with_zeros_is_an_error():
    data = file_of(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8), "JPEG")
    with pytest.raises(DataError, match="truncated"):
        decode(data[:2000] + bytes(len(data) - 2000), "a")


def test_bytes_after_a_jpegs_end_are_ignored(picture):
    data = file_of(picture, "JPEG")
    np.testing.assert_array_equal(decode(data, "a"), decode(data + b"phone's own notes" * 5, "a"))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>404", "HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (bytes(300), "zeros only"),
        (b"hello", "b'hello'"),
        (b"\xff\xd8\xff\xe0", "a.jpg"),
    ],
)
def test_what_is_no_picture_is_named(data, says):
    with pytest.raises(DataError, match=says) as error:
        decode(data, "a.jpg")
    assert "a.jpg" in str(error.value) and "\n" not in str(error.value)


def huge_png(w, h):
    """A PNG that says it is huge and holds nothing."""
    chunks = b""
    for kind, body in (
        (b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
    ):
        chunks += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize("side", [11_000, 13_000, 60_000])
def test_too_many_pixels_are_refused_from_the_header(side):
    with pytest.raises(DataError, match="pixels"):
        decode(huge_png(side, side), "big.png")


def test_the_cap_is_an_argument_and_holds_for_jpegs_too(picture):
    data = encode_jpeg(picture)
    assert decode(data, "a", limit=picture.shape[0] * picture.shape[1]).shape == picture.shape
    with pytest.raises(DataError, match="40 x 24 pixels are more than the 959 allowed"):
        decode(data, "a", limit=959)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "LA", "RGBA", "YCbCr"])
def test_every_mode_becomes_rgb(picture, mode):
    format = {"CMYK": "TIFF", "YCbCr": "JPEG"}.get(mode, "PNG")
    assert decode(file_of(picture, format, mode), "a").shape == picture.shape


def test_a_grey_and_a_cmyk_jpeg_keep_their_colours(picture):
    grey = np.repeat(np.asarray(Image.fromarray(picture).convert("L"))[:, :, None], 3, 2)
    assert np.abs(decode(file_of(picture, "JPEG", "L"), "a").astype(int) - grey).mean() < 3
    red = np.zeros((16, 16, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
    assert np.abs(decode(file_of(red, "JPEG", "CMYK"), "a").astype(int) - red).mean() < 10


def test_sixteen_bits_keep_their_upper_eight():
    ramp = np.linspace(0, 65535, 64 * 32).reshape(32, 64).astype(np.uint16)
    np.testing.assert_array_equal(decode(encode_png(ramp), "a")[..., 0], ramp >> 8)


def test_what_is_transparent_is_laid_on_white():
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[:2, :, 3] = 255
    decoded = decode(encode_png(rgba), "a")
    assert (decoded[:2] == 0).all() and (decoded[2:] == 255).all()
    np.testing.assert_array_equal(decode_rgba(encode_png(rgba), "a"), rgba)


def test_a_png_loses_nothing_and_a_plane_comes_back(picture):
    np.testing.assert_array_equal(decode(encode_png(picture), "a"), picture)
    depth = np.arange(60, dtype=np.uint16).reshape(6, 10) * 1000
    np.testing.assert_array_equal(decode_plane(encode_png(depth), "d.png"), depth)
    with pytest.raises(DataError, match="truncated"):
        decode_plane(encode_png(depth)[:-20], "d.png")
    with pytest.raises(DataError, match="one channel"):
        decode_plane(encode_png(picture), "d.png")


def test_a_png_with_any_byte_of_its_pixels_changed_is_an_error():
    data = encode_png(
        np.repeat(np.arange(200, dtype=np.uint8)[:, None] // 40, 200, 1)[..., None].repeat(3, 2)
    )
    for at in range(data.index(b"IDAT") + 4, data.index(b"IEND") - 4, 3):
        damaged = bytearray(data)
        damaged[at] ^= 0x55
        with pytest.raises(DataError, match="a: the picture is damaged"):
            decode(bytes(damaged), "a")


def test_transparency_is_asked_of_every_mode():
    deep = Image.fromarray((np.arange(64 * 64).reshape(64, 64) * 16).astype(np.uint16))
    out = io.BytesIO()
    deep.save(out, "PNG")
    rgba = decode_rgba(out.getvalue(), "a")
    assert (rgba[..., 3] == 255).all()
    np.testing.assert_array_equal(rgba[..., :3], decode(out.getvalue(), "a"))
    out = io.BytesIO()
    Image.fromarray(np.zeros((4, 4), np.float32)).save(out, "TIFF")
    with pytest.raises(DataError, match="mode F"):
        decode_rgba(out.getvalue(), "a")
