"""The routes in use: those of the landed file, else those that the lake has, else the default."""

import pyarrow as pa

from novade_pipeline.defs.tickets.tables import TEAMS
from novade_pipeline.defs.tickets.teams import DEFAULT, FOLDER, NAME, parse_teams
from novade_pipeline.errors import UserError
from novade_pipeline.lake.delta import WriteReceipt, current_version, replace
from novade_pipeline.lake.read import read
from novade_pipeline.storage.store import Store

FILE = f"landing/{FOLDER}/{NAME}"


def update_teams(landing: Store, lake: Store) -> tuple[list[WriteReceipt], str | None]:
    """Write the routes where they differ from those that the lake has.

    Returns:
        (the receipt, if anything was written; why the file is not used, if it is not).
    """
    teams, refusal = DEFAULT, None
    try:
        teams = parse_teams(landing.read(FOLDER, NAME), FILE)
    except FileNotFoundError:
        pass
    except UserError as error:
        refusal = str(error)
        if current_version(lake, TEAMS) is not None:
            return [], refusal
    rows = pa.Table.from_pylist(teams.rows(), schema=TEAMS.schema)
    order = [(name, "ascending") for name in TEAMS.key]
    if rows.sort_by(order).equals(read(lake, TEAMS).sort_by(order)):
        return [], refusal
    return [replace(lake, TEAMS, rows)], refusal
