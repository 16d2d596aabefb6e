"""Dagster's home: the folder where it keeps its runs, with the settings of this version."""

import json
import os
from pathlib import Path

import dagster as dg

from novade_pipeline.errors import UserError
from novade_pipeline.settings import Settings


def dagster_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance that the web page shows; its folder is made where it is missing."""
    home = prepare_home(settings)
    return dg.DagsterInstance.from_config(str(home))


def prepare_home(settings: Settings) -> Path:
    """DAGSTER_HOME, with the settings of this version, unless somebody made them their own.

    Raises:
        UserError: it cannot be made.
    """
    home = settings.dagster_home.absolute()
    config = home / "dagster.yaml"
    ours = Path(__file__).with_name("dagster.yaml").read_text()
    ours = ours.replace("$EVENTS", json.dumps(str(home / "history" / "runs")))
    try:
        there = config.read_text() if config.exists() else None
        if there is None or (there != ours and there.startswith(ours.split("\n")[0])):
            home.mkdir(parents=True, exist_ok=True)
            new = home / f"dagster.yaml.{os.getpid()}"
            new.write_text(ours)
            new.replace(config)
    except OSError as error:
        raise UserError(
            f"Dagster's home: expected to write {home}, found: {error.strerror or error}; set "
            "NOVADE_DAGSTER_HOME."
        ) from None
    return home
