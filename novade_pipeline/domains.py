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
from collections.abc import Iterator
from types import ModuleType

from novade_pipeline import defs


def modules(*names: str) -> Iterator[ModuleType]:
    """The modules of these names in each domain's folder, where it has them."""
    for domain in sorted(pkgutil.iter_modules(defs.__path__, f"{defs.__name__}.")):
        if domain.ispkg:
            package = importlib.import_module(domain.name)
            there = {module.name for module in pkgutil.iter_modules(package.__path__)}
            for name in names:
                if name in there:
                    yield importlib.import_module(f"{domain.name}.{name}")
