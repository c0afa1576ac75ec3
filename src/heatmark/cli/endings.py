"""How a command ends: what went wrong in one line on stderr, and the exit code.

0 fine, 1 a fault of ours (with its traceback), 2 the user's mistake, 3 bad data or a full disk, 4 a gate
failed, 130 interrupted, 141 the reader of stdout went away.
"""

import errno
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import typer

from ..commands.console import BROKEN_PIPE
from ..errors import HeatmarkError

INTERRUPTED = 130
# click's UsageError, wherever it is: newer Typers carry their own click.
USAGE_ERROR: type[Exception] = typer.BadParameter.__bases__[0]  # type: ignore[assignment]
OUR_FAULT = (
    "this is a fault in heatmark, not yours; please report it with the lines above and the command you typed"
)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # EFBIG: no file may be larger (ulimit -f)
USERS = {  # what the machine refuses because of a path that was given
    errno.ENOENT: "no such file or folder",
    errno.EEXIST: "is there already, and is no folder",
    errno.ENOTDIR: "a part of this path is a file, not a folder",
    errno.EISDIR: "is a folder, not a file",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EROFS: "read-only file system",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "links that go round in a circle",
}


def code_of(work: Callable[[], Any], go_on: str = "") -> int:
    """Do the work and return the exit code. Never raises for what a user can cause.

    Args:
        work: what it returns, if it is a number, is the code.
        go_on: what an interrupted user is told, after "interrupted".
    """
    _prepare()
    try:
        code = work()
        code = code if isinstance(code, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except USAGE_ERROR as error:
        code = _complain(_usage(error), 2)
    except HeatmarkError as error:
        code = _complain(str(error), error.code)
    except OSError as error:
        code = _complain_of_the_machine(error)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
        code = BROKEN_PIPE if isinstance(stop.__context__, BrokenPipeError) else code  # as rich says it
    except Exception:
        traceback.print_exc()
        code = _complain(OUR_FAULT, 1)
    if code == INTERRUPTED:
        print(f"interrupted{go_on}", file=sys.stderr)
    return _flushed(code)


def _prepare() -> None:
    """Streams that can print any file's name, and a stderr to print to where it is closed; a polite end on
    SIGTERM, as on Ctrl-C, so that nothing unfinished is left behind.
    """
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    with suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def _complain(message: str, code: int) -> int:
    """One line on stderr (the traceback before it, if HEATMARK_TRACEBACK is set)."""
    if os.environ.get("HEATMARK_TRACEBACK") and code != 1:
        traceback.print_exc()
    print(f"heatmark: {' '.join(message.split())}", file=sys.stderr)
    return code


def _complain_of_the_machine(error: OSError) -> int:
    if error.errno in FULL:
        file = error.filename2 or error.filename  # of a copy, what is written
        where = f"{file}: " if file else ""
        return _complain(f"{where}no space left on the disk; free some and start the same command again", 3)
    if error.filename is None:
        traceback.print_exc()
        return _complain(OUR_FAULT, 1)
    if error.errno in USERS:
        return _complain(f"{error.filename}: {USERS[error.errno]}", 2)
    return _complain(f"{error.filename}: {(error.strerror or type(error).__name__).lower()}", 3)


def _usage(error: Any) -> str:
    """Typer's own complaint, in our one line."""
    context = getattr(error, "ctx", None)
    help_line = f" (see: {context.command_path} --help)" if context else ""
    return f"{error.format_message().rstrip('.')}{help_line}"


def _flushed(code: int) -> int:
    """The exit code once stdout is out, where there is one; 141, as of any Unix tool, when its reader went
    away (`| head`)."""
    out = sys.stdout
    if out is None:
        return code
    try:
        out.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        return BROKEN_PIPE
    return code
