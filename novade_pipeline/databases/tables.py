"""The lake's table of a declared one: the row model is made from its columns."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, create_model

from novade_pipeline.databases.declaration import DatabaseColumn, DatabaseTable
from novade_pipeline.databases.kinds import parse_kind
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.marks import BelongsTo, Identity
from novade_pipeline.privacy.policy import Personal

DELETED, VERSION = "is_deleted", "row_version"


def lake_table(domain: str, declared: DatabaseTable) -> Table:
    """The table in the lake, `<domain>/<name>`; a row that is gone stays, with `is_deleted`."""
    fields: dict[str, Any] = {column.name: _field(column, declared) for column in declared.columns}
    fields[DELETED] = (bool, Field(description="The database has no such row any more."))
    fields[VERSION] = (int, Field(description="The number of the load that wrote the row last."))
    title = "".join(part.title() for part in declared.lake_name.split("_"))
    row: type[BaseModel] = create_model(
        title, __doc__=declared.description or f"Table {declared.table} of the database.", **fields
    )
    times = {c.name for c in declared.columns if "timestamp" in parse_kind(c.type).name}
    return Table(
        name=f"{domain}/{declared.lake_name}",
        row=row,
        key=declared.key,
        write_mode="merge",
        version=VERSION,
        data_time=next(
            (name for name in (declared.data_time, declared.changed_by) if name in times), None
        ),
        tags=("database",),
    )


def _field(column: DatabaseColumn, table: DatabaseTable) -> tuple[Any, Any]:
    annotation = parse_kind(column.type).annotation
    description = column.description or f"Column {column.column} of table {table.table}."
    marks: list[Any] = [Personal()] if column.personal else []
    marks += [Identity(column.identity)] if column.identity else []
    marks += [BelongsTo(column.belongs_to)] if column.belongs_to else []
    for mark in marks:
        annotation = Annotated[annotation, mark]
    # What is dropped or hashed may become null, and the database may drop a column.
    if column.name not in table.key:
        annotation = annotation | None
        return annotation, Field(None, alias=column.source, description=description)
    return annotation, Field(alias=column.source, description=description)
