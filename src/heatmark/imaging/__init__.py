"""Pictures to pictures, with their points: NumPy and OpenCV, no file and no network."""

from .decode import decode as decode
from .decode import encode_jpeg as encode_jpeg
from .decode import encode_png as encode_png
