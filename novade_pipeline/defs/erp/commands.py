"""`novade erp reflect`: the columns of the database."""

import typer

from novade_pipeline.defs.erp.settings import ErpSettings
from novade_pipeline.defs.erp.tables import DECLARATION
from novade_pipeline.graph.database_commands import database_commands


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    commands = database_commands("erp", DECLARATION, ErpSettings)
    app.add_typer(commands, name="erp")
