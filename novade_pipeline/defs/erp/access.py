"""The rights that the ERP database is read with."""

from collections.abc import Iterator

from novade_pipeline.databases.declaration_file import read_declaration
from novade_pipeline.defs.erp.settings import ErpSettings
from novade_pipeline.defs.erp.tables import DECLARATION
from novade_pipeline.graph.access import Probe
from novade_pipeline.graph.database_access import database_not_configured, database_probes
from novade_pipeline.settings import Settings


def probes(settings: Settings) -> Iterator[Probe]:
    """Yields the probes of the connection and of each table."""
    declared = read_declaration(DECLARATION)
    return database_probes("erp", declared, settings.of(ErpSettings))


def not_configured(settings: Settings) -> dict[str, str]:
    """Says what to set where the database is not read."""
    return database_not_configured("erp", settings.of(ErpSettings))
