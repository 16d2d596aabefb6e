"""The domains are the folders of `defs`: each is found by itself, nothing is listed anywhere.

What a domain may bring, by the name of the module that brings it:

| module                                              | what is taken from it                 |
|-----------------------------------------------------|---------------------------------------|
| `assets`, `checks`, `sensors`, `automation`, `dbt`  | `definitions(settings)` for the graph |
| `tables`                                            | `TABLES`; of them `MART_SOURCES`      |
| `settings`                                          | `SETTINGS`, its `DomainSettings`      |
| `commands`                                          | `add_to(app)` for the command line    |
| `access`                                            | `probes(settings)`: rights it needs   |
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
"""The package of the domains, by its name: what is imported here is below it."""


def modules(*names: str) -> Iterator[ModuleType]:
    """The modules of these names in each domain's folder, where it has them."""
    folder = importlib.import_module(DOMAINS).__path__
    for domain in sorted(pkgutil.iter_modules(folder, f"{DOMAINS}.")):
        if domain.ispkg:
            package = importlib.import_module(domain.name)
            there = {module.name for module in pkgutil.iter_modules(package.__path__)}
            for name in names:
                if name in there:
                    yield importlib.import_module(f"{domain.name}.{name}")


def tables() -> dict[str, "Table"]:
    """Every declared table by its name."""
    return {
        table.name: table for module in modules("tables") for table in getattr(module, "TABLES", ())
    }


def landing_sources() -> list[Sequence["Source"]]:
    """Of each domain that loads files, its sources."""
    return [m.SOURCES for m in modules("assets") if hasattr(m, "SOURCES")]
