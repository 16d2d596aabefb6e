"""ERP in the graph: one step that loads the tables of its database."""

import dagster as dg

from novade_pipeline.databases.declaration_file import read_declaration
from novade_pipeline.defs.erp.settings import ErpSettings
from novade_pipeline.defs.erp.tables import DECLARATION
from novade_pipeline.graph.database_assets import database_definitions
from novade_pipeline.settings import Settings


def definitions(settings: Settings) -> dg.Definitions:
    """The assets of the database."""
    declared = read_declaration(DECLARATION)
    return database_definitions(settings, "erp", declared, settings.of(ErpSettings))
