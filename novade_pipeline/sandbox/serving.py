"""A sandbox app as a real HTTP server on this machine: in a thread for tests, or until Ctrl-C."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import uvicorn
from starlette.applications import Starlette

STARTS_WITHIN = 30.0


@contextmanager
def serving(app: Starlette, port: int = 0) -> Iterator[str]:
    """Serve an app on 127.0.0.1, by default on a free port, and yield its URL.

    Raises:
        OSError: the port is in use.
        RuntimeError: the server did not start.
    """
    listening = listen(port)
    server = uvicorn.Server(_config(app))
    thread = Thread(target=server.run, args=([listening],), name="sandbox-server", daemon=True)
    thread.start()
    until = time.monotonic() + STARTS_WITHIN
    while not server.started:
        if not thread.is_alive() or time.monotonic() > until:
            raise RuntimeError("the sandbox server did not start")
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join()
        listening.close()


def serve_for_ever(app: Starlette, listening: socket.socket) -> None:
    """Serve an app on a socket until the process is interrupted."""
    uvicorn.Server(_config(app)).run([listening])


def listen(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1; port 0 chooses a free one.

    Raises:
        OSError: the port is in use.
    """
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError:
        listening.close()
        raise
    listening.listen(128)
    return listening


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        # An app with a clock of its own sets the header itself.
        date_header=not getattr(app.state, "sets_date_header", False),
    )
