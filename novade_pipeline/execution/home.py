"""DAGSTER_HOME: the folder of Dagster's storage and settings."""

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from novade_pipeline.errors import UserError
from novade_pipeline.settings import Settings

DEFAULT_HOME = "data/dagster"
"""The home in `dagster.yaml`, below the current folder."""
_FOLDER = re.compile(rf"{DEFAULT_HOME}([/\w]*)(?=}})")


def dagster_instance(settings: Settings) -> dg.DagsterInstance:
    """Returns the instance that the web page shows; creates its folder."""
    home = prepare_home(settings)
    return dg.DagsterInstance.from_config(str(home))


@contextmanager
def only_command(settings: Settings) -> Iterator[None]:
    """No other command that runs the graph may begin meanwhile on the same home.

    Raises:
        UserError: one runs.
    """
    with (prepare_home(settings) / "command.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"Dagster's home {settings.dagster_home}: expected no other command that runs the "
                "graph, found one; wait for it to end."
            ) from None
        yield


def prepare_home(settings: Settings) -> Path:
    """Creates DAGSTER_HOME with this version's settings, unless a user has replaced them.

    Raises:
        UserError: it cannot be written.
    """
    home = settings.dagster_home.absolute()
    config = home / "dagster.yaml"
    content = Path(__file__).with_name("dagster.yaml").read_text()
    content = _FOLDER.sub(lambda match: json.dumps(f"{home}{match[1]}"), content)
    try:
        existing = config.read_text() if config.exists() else None
        if existing is None or (
            existing != content and existing.startswith(content.split("\n")[0])
        ):
            home.mkdir(parents=True, exist_ok=True)
            new = home / f"dagster.yaml.{os.getpid()}"
            new.write_text(content)
            new.replace(config)
    except OSError as error:
        raise UserError(
            f"Dagster's home: expected to write {home}, found: {error.strerror or error}; set "
            "NOVADE_DAGSTER_HOME."
        ) from None
    return home
