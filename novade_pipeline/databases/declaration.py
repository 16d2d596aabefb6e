"""What is declared of a database's tables, as `defs.yaml` has it; nothing here connects.

The models describe themselves: Dagster's `dg check yaml` and `dg list components` show their texts.
"""

import re
from collections import Counter
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from novade_pipeline.databases.kinds import parse_kind

KEY_KINDS = frozenset({"integer", "text", "uuid", "date"})
"""Kinds that rows can be found by, in the database and in the lake."""
CHANGED_KINDS = frozenset({"integer", "rowversion", "timestamp", "local_timestamp"})
ADDED_COLUMNS = frozenset({"is_deleted", "row_version"})
"""Columns that the lake has beside the database's."""
_NAME = re.compile(r"[a-z_][a-z0-9_]*")

LakeName = Annotated[str, Field(pattern=_NAME.pattern + "$", max_length=120)]


class Declared(BaseModel):
    """Refuses what it does not know, so that a misspelt name is reported."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseColumn(Declared):
    """A column; `novade <domain> reflect` writes all but the marks and descriptions."""

    name: LakeName = Field(description="Its name in the lake.")
    source: str | None = Field(None, description="Its name in the database, if that is another.")
    type: str = Field(
        description="integer, decimal(p,s), float, boolean, text, uuid, json, bytes, date, time, "
        "timestamp (with a zone), local_timestamp (without one), or SQL Server's rowversion."
    )
    nullable: bool = Field(True, description="Whether it may be null.")
    description: str = Field("", description="What it means, for the catalogue.")
    personal: bool = Field(False, description="It is personal data: see NOVADE_PERSONAL_DATA.")
    identity: str | None = Field(
        None, description="It identifies the person that the row is about: email, or another kind."
    )
    belongs_to: str | None = Field(
        None, description="It identifies an owner of the row, by the kind of an identity."
    )

    @field_validator("type")
    @classmethod
    def _is_known(cls, text: str) -> str:
        parse_kind(text)
        return text

    @field_validator("name")
    @classmethod
    def _is_not_added(cls, name: str) -> str:
        if name in ADDED_COLUMNS:
            raise ValueError(f"the lake adds a column {name}; give it another name, and its source")
        return name

    @property
    def column(self) -> str:
        """Its name in the database."""
        return self.source or self.name


class DatabaseTable(Declared):
    """A table of the database, and how it is read."""

    name: LakeName | None = Field(
        None, description="Its name in the lake; by default that in the database, in small letters."
    )
    table: str = Field(description="Its name in the database.")
    schema_name: str | None = Field(
        None, alias="schema", description="The schema it is in; by default public, dbo, or MySQL's."
    )
    description: str = Field("", description="What a row is, for the catalogue.")
    key: tuple[str, ...] = Field(
        min_length=1, description="The columns that identify a row, by their names in the lake."
    )
    mode: Literal["full", "changed", "changes"] = Field(
        "full",
        description="full: all rows are read and compared. changed: rows whose changed_by rose. "
        "changes: by PostgreSQL's logical decoding or SQL Server's change tracking.",
    )
    changed_by: str | None = Field(
        None, description="For changed: the column that rises with every change of a row."
    )
    overlap_seconds: int = Field(
        300,
        ge=0,
        description="For changed: rows of so long before the newest are read again, for "
        "transactions that were open meanwhile; of an integer column, so many numbers.",
    )
    sweep_hours: float = Field(
        24.0, ge=0, description="For changed: hours between two sweeps of keys; 0: in every load."
    )
    data_time: str | None = Field(
        None, description="The timestamp that says how new the data is; by default changed_by."
    )
    columns: tuple[DatabaseColumn, ...] = Field(min_length=1, description="The columns to read.")

    @model_validator(mode="after")
    def _fits_together(self) -> "DatabaseTable":
        by_name = {column.name: column for column in self.columns}
        twice = [name for name, count in Counter(c.name for c in self.columns).items() if count > 1]
        if twice:
            raise ValueError(f"{self.table}: column {twice[0]} is declared twice")
        for name in self.key:
            if name not in by_name:
                raise ValueError(f"{self.table}: expected the key {name} among the columns")
            column = by_name[name]
            if parse_kind(column.type).name not in KEY_KINDS:
                raise ValueError(
                    f"{self.table}: expected a key of {', '.join(sorted(KEY_KINDS))}, found "
                    f"{name} of {column.type}"
                )
            if column.personal:
                raise ValueError(
                    f"{self.table}: {name} is part of the key and cannot be marked personal"
                )
        if (self.mode == "changed") != (self.changed_by is not None):
            raise ValueError(f"{self.table}: changed_by goes with the mode changed, and only there")
        for rising in filter(None, (self.changed_by, self.data_time)):
            if rising not in by_name or parse_kind(by_name[rising].type).name not in CHANGED_KINDS:
                raise ValueError(
                    f"{self.table}: expected {rising} among the columns, as "
                    f"{', '.join(sorted(CHANGED_KINDS))}"
                )
        return self

    @property
    def lake_name(self) -> str:
        """Its name in the lake, without the domain."""
        return self.name or self.table.lower()

    def of_name(self, name: str) -> DatabaseColumn:
        """A column by its name in the lake."""
        return next(column for column in self.columns if column.name == name)


class DatabaseTables(Declared):
    """The tables of one database; its URL is a setting."""

    time_zone: str = Field("UTC", description="The zone of times that have none: Europe/Paris.")
    slot: LakeName = Field("novade", description="PostgreSQL's replication slot, for changes.")
    publication: str = Field("novade", description="PostgreSQL's publication, for changes.")
    tables: tuple[DatabaseTable, ...] = Field(description="The tables to read.")

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError(f"expected a time zone as Europe/Paris, found {zone}")
        return zone

    @field_validator("tables")
    @classmethod
    def _have_different_names(
        cls, tables: tuple[DatabaseTable, ...], info: ValidationInfo
    ) -> tuple[DatabaseTable, ...]:
        names = Counter(table.lake_name for table in tables)
        if twice := [name for name, count in names.items() if count > 1]:
            raise ValueError(f"expected different names in the lake, found {twice[0]} twice")
        return tables
