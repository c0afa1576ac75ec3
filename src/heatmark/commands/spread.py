"""Many jobs, many machines: parts of them as tasks of a Ray cluster (https://docs.ray.io).

Every machine has heatmark installed, and sees the same folders under the same paths. What a task hands back
is small (a line a picture); pictures go where the work writes them.
"""

import logging
import os
import socket
from collections.abc import Callable, Generator, Sequence
from typing import Any

from ..errors import UserError, require
from .crew import RECYCLED, Work

SHARE = 20  # jobs of one task: few enough that the last machine is not waited for
CORES = 2  # that a task is given


def spread(make: Callable[[], Work], jobs: Sequence[Any], address: str) -> Generator[Any, None, None]:
    """The results of `make()(jobs)`, in the order they come.

    Args:
        make: gives the function that does jobs one after the other, once for each task.
        address: of the cluster: "auto" (the one of this machine), "ray://HOST:PORT", or "local" to start one
            here that ends with the work.

    Raises:
        UserError: no cluster answers there, or a machine of it died more often than Ray tries again. And what
        the work raises.
    """
    require("ray", to="spread work over machines")
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        _knock(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(f"no Ray cluster answers at {address} ({str(error).splitlines()[0]})") from error
    try:
        cores = min(CORES, int(max(node["Resources"].get("CPU", 1) for node in ray.nodes())))
        task = ray.remote(num_cpus=cores, max_calls=RECYCLED // SHARE)(done)
        parts = [list(jobs[i : i + SHARE]) for i in range(0, len(jobs), SHARE)]
        waiting = [task.remote(make, part, os.getcwd()) for part in parts]
        while waiting:
            ready, waiting = ray.wait(waiting)
            yield from ray.get(ready[0])
    except RayTaskError as error:
        raise error.cause from None
    except RayError as error:
        raise UserError(f"the Ray cluster at {address}: {str(error).splitlines()[0]}") from error
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise an OSError unless something listens at HOST:PORT: Ray itself would wait for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()


def done(make: Callable[[], Work], jobs: Sequence[Any], folder: str) -> list[Any]:
    """What a task does, in the folder that relative paths begin at."""
    os.chdir(folder)
    return list(make()(jobs))
