"""The Dagster component `DatabaseComponent`: tables of a database, declared in YAML.

`dg scaffold defs novade_pipeline.graph.database_component.DatabaseComponent crm` makes the domain
`crm`: its `defs.yaml`, which is edited, and the modules that every domain of a database has.
"""

from importlib import import_module
from pathlib import Path
from typing import Self

import dagster as dg
from pydantic import BaseModel

from novade_pipeline.databases.declaration import DatabaseTables
from novade_pipeline.graph.database_assets import database_definitions
from novade_pipeline.graph.domains import DOMAINS
from novade_pipeline.settings import load_settings

_YAML = """type: novade_pipeline.graph.database_component.DatabaseComponent

# Declare tables by their keys, then run: novade {domain} reflect
attributes:
  tables:
    - table: customers
      key: [id]
      columns:
        - {{name: id, type: integer, nullable: false}}
"""
_FILES = {
    "__init__.py": '''"""{title}: tables of its database, as `defs.yaml` declares them.

All other modules are those that every domain of a database has; see docs/databases.md.
"""
''',
    "settings.py": '''"""Settings of the {title} database."""

from pydantic_settings import SettingsConfigDict

from novade_pipeline.graph.database_settings import DatabaseSettings


class {camel}Settings(DatabaseSettings):
    """`NOVADE_{upper}_…`."""

    model_config = SettingsConfigDict(env_prefix="NOVADE_{upper}_")


SETTINGS = {camel}Settings
''',
    "tables.py": '''"""The lake's tables of the database, as `defs.yaml` declares them."""

from pathlib import Path

from novade_pipeline.databases.declaration_file import lake_tables
from novade_pipeline.lake.table import Table

DECLARATION = Path(__file__).with_name("defs.yaml")


def __getattr__(name: str) -> tuple[Table, ...]:
    if name in ("TABLES", "MART_SOURCES"):
        return lake_tables(DECLARATION)
    raise AttributeError(name)
''',
    "assets.py": '''"""{title} in the graph: one step that loads the tables of its database."""

import dagster as dg

from novade_pipeline.databases.declaration_file import read_declaration
from novade_pipeline.defs.{domain}.settings import {camel}Settings
from novade_pipeline.defs.{domain}.tables import DECLARATION
from novade_pipeline.graph.database_assets import database_definitions
from novade_pipeline.settings import Settings


def definitions(settings: Settings) -> dg.Definitions:
    """The assets of the database."""
    declared = read_declaration(DECLARATION)
    return database_definitions(settings, "{domain}", declared, settings.of({camel}Settings))
''',
    "access.py": '''"""The rights that the {title} database is read with."""

from collections.abc import Iterator

from novade_pipeline.databases.declaration_file import read_declaration
from novade_pipeline.defs.{domain}.settings import {camel}Settings
from novade_pipeline.defs.{domain}.tables import DECLARATION
from novade_pipeline.graph.access import Probe
from novade_pipeline.graph.database_access import database_not_configured, database_probes
from novade_pipeline.settings import Settings


def probes(settings: Settings) -> Iterator[Probe]:
    """Yields the probes of the connection and of each table."""
    declared = read_declaration(DECLARATION)
    return database_probes("{domain}", declared, settings.of({camel}Settings))


def not_configured(settings: Settings) -> dict[str, str]:
    """Says what to set where the database is not read."""
    return database_not_configured("{domain}", settings.of({camel}Settings))
''',
    "commands.py": '''"""`novade {domain} reflect`: the columns of the database."""

import typer

from novade_pipeline.defs.{domain}.settings import {camel}Settings
from novade_pipeline.defs.{domain}.tables import DECLARATION
from novade_pipeline.graph.database_commands import database_commands


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    commands = database_commands("{domain}", DECLARATION, {camel}Settings)
    app.add_typer(commands, name="{domain}")
''',
}


def scaffolded(domain: str) -> dict[str, str]:
    """The files of a new domain: name -> content."""
    upper = domain.upper()
    camel = domain.title().replace("_", "")
    names = {"domain": domain, "upper": upper, "camel": camel}
    names["title"] = upper if len(domain) <= 3 else camel
    return {n: t.format(**names) for n, t in {**_FILES, "defs.yaml": _YAML}.items()}


class DatabaseScaffolder(dg.Scaffolder):
    """Makes the folder of a domain."""

    def scaffold(self, request: dg.ScaffoldRequest) -> None:
        """Write the files that are not there."""
        folder = Path(request.target_path)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in scaffolded(folder.name).items():
            if not (folder / name).exists():
                (folder / name).write_text(content, encoding="utf-8")


@dg.scaffold_with(DatabaseScaffolder)
class DatabaseComponent(dg.Component):
    """Tables of a relational database, each an asset that is merged into the lake by its key."""

    def __init__(self, declared: DatabaseTables) -> None:
        self.declared = declared

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """What the attributes of `defs.yaml` may be."""
        return DatabaseTables

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        """The component of a file."""
        assert isinstance(attributes, DatabaseTables)
        return cls(attributes)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The assets of the domain in whose folder the file is."""
        domain = context.path.name
        settings = load_settings()
        access = settings.of(import_module(f"{DOMAINS}.{domain}.settings").SETTINGS)
        return database_definitions(settings, domain, self.declared, access)
