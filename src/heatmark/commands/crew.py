"""Many jobs, several processes: each works through a part, is replaced now and then, and hands back as it
goes.

A process is started afresh after some hundreds of jobs, so that whatever a renderer holds on to is given
back. They are plain `python -m heatmark.commands.crew`, so that a caller's script needs no `if __name__ ==
"__main__"`, and a fault that ends one (a bad libLLVM aborts) does not end the caller.
"""

import os
import pickle
import selectors
import struct
import subprocess
import sys
import traceback
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

from ..errors import HeatmarkError, UserError

RECYCLED = 300  # jobs after which a process is replaced
Work = Callable[[Sequence[Any]], Iterable[Any]]  # jobs -> their results, in order, as they are done


def worked(
    make: Callable[[], Work], jobs: Sequence[Any], workers: int = 1, recycled: int = RECYCLED
) -> Generator[Any, None, None]:
    """The results of `make()(jobs)`, in the order they come.

    Args:
        make: gives the function that does jobs one after the other, once in each process. It, the jobs and
            the results are pickled.
        workers: processes at a time. One with few jobs works in this process.

    Raises:
        What the work raises (a HeatmarkError or OSError as it is; else a RuntimeError with its traceback), or
        a UserError when a process ends without a word. Unfinished processes are ended then, and on any
        exception here.
    """
    if not jobs:
        return
    if workers == 1 and len(jobs) <= recycled:
        yield from make()(jobs)
        return
    share = min(recycled, -(-len(jobs) // workers))
    parts = [jobs[i : i + share] for i in range(0, len(jobs), share)]
    cores = _shared_cores(workers)
    running: dict[int, subprocess.Popen] = {}
    with selectors.DefaultSelector() as selector:
        try:
            for slot in range(min(workers, len(parts))):
                running[slot] = _started(make, parts.pop(0), cores[slot])
                selector.register(_out(running[slot]), selectors.EVENT_READ, slot)
            while running:
                for key, _ in selector.select():
                    slot = key.data
                    kind, value = _received(_out(running[slot]))
                    if kind == "done":
                        yield value
                    elif kind == "failed":
                        raise value
                    else:
                        selector.unregister(key.fileobj)
                        _ended(running.pop(slot), kind)
                        if parts:
                            running[slot] = _started(make, parts.pop(0), cores[slot])
                            selector.register(_out(running[slot]), selectors.EVENT_READ, slot)
        finally:
            for process in running.values():
                process.kill()
                process.wait()
                _out(process).close()


def _started(make: Callable[[], Work], jobs: Sequence[Any], cores: tuple[int, ...]) -> subprocess.Popen:
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(p for p in sys.path if p))
    process = subprocess.Popen(
        [sys.executable, "-m", "heatmark.commands.crew"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,  # what a buffer holds, a selector does not see
        env=environment,
        start_new_session=True,  # Ctrl-C reaches this process alone, which ends the others
    )
    assert process.stdin is not None
    try:
        _send(process.stdin, (make, list(jobs), cores))
        process.stdin.close()
    except BrokenPipeError:
        pass  # it has died already; _received notices
    return process


def _ended(process: subprocess.Popen, kind: str) -> None:
    code = process.wait()
    _out(process).close()
    if kind == "end":
        return
    how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    hint = " (out of memory? try fewer workers)" if code == -9 else ""
    raise UserError(
        f"a working process {how}{hint}; what is done is kept, the same command goes on from there"
    )


def _shared_cores(workers: int) -> list[tuple[int, ...]]:
    """The cores each process may use: an even share of two cores at least, or all of them where there are too
    few to share.
    """
    if not hasattr(os, "sched_getaffinity"):
        return [()] * workers
    mine = sorted(os.sched_getaffinity(0))
    if len(mine) < 2 * workers or workers == 1:
        return [tuple(mine)] * workers
    return [tuple(mine[slot::workers]) for slot in range(workers)]


def _out(process: subprocess.Popen) -> Any:
    assert process.stdout is not None
    return process.stdout


def _send(stream: Any, value: Any) -> None:
    data = pickle.dumps(value)
    left = memoryview(struct.pack(">Q", len(data)) + data)
    while left:
        left = left[stream.write(left) :]


def _received(stream: Any) -> tuple[str, Any]:
    head = _exactly(stream, 8)
    data = _exactly(stream, struct.unpack(">Q", head)[0]) if head else b""
    return pickle.loads(data) if data else ("died", None)


def _exactly(stream: Any, count: int) -> bytes:
    """`count` bytes, or none where the stream ends before."""
    data = b""
    while len(data) < count:
        if not (more := stream.read(count - len(data))):
            return b""
        data += more
    return data


def _serve() -> None:
    """What a process does: read what to do, do it, tell. Its own stdout becomes stderr, so that no library's
    chatter gets between the results."""
    results = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    make, jobs, cores = pickle.loads(sys.stdin.buffer.read()[8:])
    if cores:
        os.sched_setaffinity(0, cores)
    try:
        work = make()
        for done in work(jobs):
            _send(results, ("done", done))
        _send(results, ("end", None))
    except BrokenPipeError:
        os._exit(1)  # whoever asked is gone
    except (HeatmarkError, OSError) as error:
        _send(results, ("failed", error))
    except BaseException:
        _send(results, ("failed", RuntimeError(f"a working process failed:\n{traceback.format_exc()}")))


if __name__ == "__main__":
    _serve()
