"""Dagster's web page on this machine, with the daemon that runs sensors and schedules."""

import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

from novade_pipeline.errors import UserError
from novade_pipeline.execution.home import DEFAULT_HOME, prepare_home
from novade_pipeline.graph.project_files import project_file
from novade_pipeline.settings import Settings

_DAEMON = re.compile(r"dagster(\._|-)daemon|\b(dagster|dagster_dev|dg) dev\b")
"""Command lines that run Dagster's daemon, or will in a few seconds."""


def open_web_page(
    settings: Settings, host: str, port: int, *, on_message: Callable[[str], None]
) -> NoReturn:
    """Become `dagster dev`, which runs until it is interrupted.

    Raises:
        UserError: the port is taken, or another daemon runs on the same home.
    """
    home = prepare_home(settings)
    for daemon in _daemons(home):
        raise UserError(
            f"Dagster's home {home}: expected no running daemon, found process {daemon}; use its "
            "web page, end it, or set NOVADE_DAGSTER_HOME to another folder."
        )
    _refuse_taken(host, port)
    on_message(f"The web page opens at http://{host}:{port} in a few seconds.")
    command = ("dev", "--workspace", str(project_file("workspace.yaml")))
    options = ("--host", host, "--port", str(port), "--log-level", "warning")
    # A shell lets what it starts in the background ignore SIGINT, and Dagster would do with SIGTERM
    # as with SIGINT: it could not be ended.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execve(  # noqa: S606
        sys.executable,
        [sys.executable, "-m", "novade_pipeline.execution.dagster_dev", *command, *options],
        {**os.environ, "DAGSTER_HOME": str(home)},
    )


def _refuse_taken(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        # As the web server does: a port whose connections have just been closed is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(
                f"Web page: expected to listen on {host}:{port}, found: "
                f"{error.strerror or error}; choose another port, as `novade ui --port "
                f"{port % 65535 + 1}` or `make ui PORT={port % 65535 + 1}`."
            ) from None


def _daemons(home: Path) -> Iterator[int]:
    """Processes that run Dagster's daemon on a home."""
    import psutil

    for process in psutil.process_iter():
        try:
            if not _DAEMON.search(" ".join(process.cmdline())):
                continue
            its_home = process.environ().get("DAGSTER_HOME")
            # Without it, `dagster.yaml` of the current folder applies.
            its_home = its_home or str(Path(process.cwd(), DEFAULT_HOME))
        except psutil.Error:
            # It has ended, or is another user's.
            continue
        if Path(its_home).resolve() == home.resolve():
            yield process.pid
