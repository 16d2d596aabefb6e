"""Discovers the domains, which are the folders of `defs`.

A domain may have these modules:

| module                                              | what it provides                      |
|-----------------------------------------------------|---------------------------------------|
| `assets`, `checks`, `sensors`, `automation`, `dbt`  | `definitions(settings)` for the graph |
| `tables`                                            | `TABLES` and their `MART_SOURCES`     |
| `settings`                                          | `SETTINGS`, its `DomainSettings`      |
| `commands`                                          | `add_to(app)` for the command line    |
| `access`                                            | `probes(settings)` of rights          |
| `topic`                                             | `TOPICS` of a broker                  |
| `copies`                                            | `forget_in_copies(lake, erased)`      |
"""

import importlib
import pkgutil
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from novade_pipeline.lake.table import Table
    from novade_pipeline.landing.source import Source

DOMAINS = "novade_pipeline.defs"
"""The package of the domains, by name, since importing it here would be a circle."""


def modules(*names: str) -> Iterator[ModuleType]:
    """Yields the modules with these names in each domain's folder."""
    folder = importlib.import_module(DOMAINS).__path__
    for domain in sorted(pkgutil.iter_modules(folder, f"{DOMAINS}.")):
        if domain.ispkg:
            package = importlib.import_module(domain.name)
            available = {module.name for module in pkgutil.iter_modules(package.__path__)}
            for name in names:
                if name in available:
                    yield importlib.import_module(f"{domain.name}.{name}")


def tables() -> dict[str, "Table"]:
    """Every declared table by its name."""
    return {
        table.name: table for module in modules("tables") for table in getattr(module, "TABLES", ())
    }


def landing_sources() -> list[Sequence["Source"]]:
    """The sources of each domain that loads files."""
    return [m.SOURCES for m in modules("assets") if hasattr(m, "SOURCES")]
