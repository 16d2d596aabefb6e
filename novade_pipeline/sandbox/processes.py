"""Servers of the sandbox as processes: started with an owner, and ended when it ends."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from typing import IO

import psutil

from novade_pipeline.errors import UserError

STOP_SECONDS = 20.0

# Ends the server when its owner is gone, even if the owner was killed: at first it may end by
# itself, which Kafka does not always do.
_GUARD = """owner=$1; left=$2; shift 2; "$@" & server=$!
trap 'kill $server; wait $server; exit' TERM
while kill -0 $server 2>/dev/null; do
  if ! kill -0 $owner 2>/dev/null; then
    kill $server
    left=$((left - 1))
    [ $left -gt 0 ] || kill -9 $server
  fi
  sleep 1
done; wait $server"""


def start_guarded(
    command: Sequence[str], output: IO[bytes], owner: int | None = None
) -> "subprocess.Popen[bytes]":
    """Start a server as a process group of its own, which ends with its owner.

    Args:
        command: the server in the foreground, and its arguments.
        output: where it writes what it has to say.
        owner: the process (its id) whose end ends the server; this process where None.
    """
    return subprocess.Popen(  # noqa: S603
        ["/bin/sh", "-c", _GUARD, "sh", str(owner or os.getpid()), f"{STOP_SECONDS:.0f}", *command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def stop(pid: int, *, at_once: bool = False) -> None:
    """End a server by the id of its process group, and wait until it is gone.

    Args:
        pid: of the server.
        at_once: kill it, when what it has stored is not needed any more.
    """
    _signal(pid, signal.SIGKILL if at_once else signal.SIGTERM)
    until = time.monotonic() + STOP_SECONDS
    while is_running(pid):
        if time.monotonic() > until:
            _signal(pid, signal.SIGKILL)
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether a server is running, by the id of its process group."""
    with contextlib.suppress(ChildProcessError):
        # A child of this process stays known until it is waited for; that of another may be, too.
        os.waitpid(pid, os.WNOHANG)
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def free_ports(requested: Sequence[int]) -> list[int]:
    """The ports, 0 replaced by free ones; all are bound at once, so that none comes twice."""
    with contextlib.ExitStack() as until_end:
        chosen = []
        for port in requested:
            listening = until_end.enter_context(socket.socket())
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listening.bind(("127.0.0.1", port))
            except OSError as error:
                raise UserError(
                    f"port {port} for the sandbox: {error.strerror}; choose another one."
                ) from None
            chosen.append(listening.getsockname()[1])
        return chosen


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)
