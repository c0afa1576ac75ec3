"""Predictions and truth to numbers: NumPy in, frozen results out; no network and no file."""

from .calibration import calibration_error as calibration_error
from .calibration import chances as chances
from .calibration import logistic as logistic
from .calibration import precision_above as precision_above
from .oks import AveragePrecision as AveragePrecision
from .oks import average_precision as average_precision
from .oks import oks as oks
from .pck import ALPHAS as ALPHAS
from .pck import PCK as PCK
from .pck import pck as pck
from .pckh import PCKh as PCKh
from .pckh import pckh as pckh
