"""What a table is, said once: the Arrow schema, the Delta table, checks and dbt's source follow.

A `Table` joins a pydantic row model (types, descriptions, marks for personal data) with how the
table is keyed, partitioned and written. The name `amplitude/events` is the Dagster asset key, the
path below the lake's root, and the dbt source `amplitude.events`.
"""

import types
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pyarrow as pa
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from novade_pipeline.privacy.forget import Owners
from novade_pipeline.privacy.marks import BelongsTo, Identity, MayContain, Owner
from novade_pipeline.privacy.policy import Marks, Personal

WriteMode = Literal["replace_window", "merge", "replace", "append_once"]

TIMESTAMP = pa.timestamp("us", tz="UTC")
_SCALARS: dict[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    bytes: pa.binary(),
    datetime: TIMESTAMP,
    date: pa.date32(),
}


class JsonText:
    """Marks a text column that holds a JSON document."""


Json = Annotated[str, JsonText()]
"""A text column that holds a JSON document."""


class Distinct:
    """Marks a column whose values mostly differ: its files have no dictionary of them."""


@dataclass(frozen=True)
class Digits:
    """Says of a `Decimal` column how many digits it has, and how many of them after the point."""

    precision: int
    scale: int


@dataclass(frozen=True)
class Column:
    """One column, as the row model says it."""

    name: str
    source: str
    type: pa.DataType
    required: bool
    description: str
    json: bool
    personal: Personal | None
    owners: tuple[Owner, ...] = ()
    may_contain: MayContain | None = None
    distinct: bool = False


@dataclass(frozen=True)
class Table:
    """A table of the lake.

    Attributes:
        name: `<domain>/<table>`.
        row: the row model; its docstring describes the table.
        key: columns that identify a row.
        write_mode: how rows are written; see `delta`.
        window: for `replace_window`, the column (timestamp or date) that says a row's window.
        version: for `merge`, the column whose greatest value wins.
        data_time: the column whose maximum says how new the data is.
        time_travel_days: how long older versions stay readable at least, whatever upkeep asks for.
        follows: the table whose rows these are, under the same keys: an erased row's goes with it.
        lines_of: the tables whose unreadable rows are kept here as they came.
    """

    name: str
    row: type[BaseModel]
    key: tuple[str, ...]
    write_mode: WriteMode
    partition_by: tuple[str, ...] = ()
    window: str | None = None
    version: str | None = None
    data_time: str | None = None
    time_travel_days: int = 0
    follows: str | None = None
    lines_of: "tuple[Table, ...]" = ()
    owner: str = "team:data-platform"
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = {column.name for column in self.columns}
        named = {*self.key, *self.partition_by} | {self.window, self.version, self.data_time}
        if missing := named - names - {None}:
            raise ValueError(
                f"{self.name}: the row model has no column {sorted(map(str, missing))}"
            )
        if self.write_mode == "replace_window" and self.window is None:
            raise ValueError(f"{self.name}: replace_window needs a window column")
        if self.write_mode == "merge" and self.version is None:
            raise ValueError(f"{self.name}: merge needs a version column")
        for name in (*self.key, self.window, self.version, self.data_time):
            # Neither has an order that all engines agree on.
            if name and self.schema.field(name).type in (pa.float64(), pa.binary()):
                raise ValueError(f"{self.name}: rows cannot be found by floats or bytes: {name}")
        if self.write_mode == "merge" and self.partition_by:
            raise ValueError(f"{self.name}: merge cuts its files by key, and takes no partitions")

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns in their order."""
        return columns_of(self.row)

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema; times are microseconds in UTC."""
        return pa.schema(
            [pa.field(column.name, column.type, not column.required) for column in self.columns]
        )

    @cached_property
    def personal(self) -> Marks:
        """The marked columns, and those that say whose a row is."""
        return Marks(
            {c.name: c.personal for c in self.columns if c.personal is not None}, self.owners
        )

    @cached_property
    def owners(self) -> Owners:
        """Which columns say whose a row is."""
        return Owners(
            {c.name: c.owners for c in self.columns if c.owners},
            {c.name: c.may_contain for c in self.columns if c.may_contain is not None},
            {
                (table.path[-1], column.source): mark.kind
                for table in self.lines_of
                for column in table.columns
                for mark in column.owners
                if not (isinstance(mark, Identity) and mark.paths)
            },
        )

    @property
    def path(self) -> tuple[str, ...]:
        """The name in its parts: the asset key, and the folders below the lake's root."""
        return tuple(self.name.split("/"))

    @property
    def description(self) -> str:
        """The row model's docstring."""
        return row_description(self.row)


def columns_of(row: type[BaseModel]) -> tuple[Column, ...]:
    """The columns that a row model declares."""
    return tuple(_column(name, field) for name, field in row.model_fields.items())


def row_description(row: type[BaseModel]) -> str:
    """The docstring of a row model, unfolded to one line a paragraph."""
    paragraphs = (row.__doc__ or "").strip().split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _column(name: str, field: FieldInfo) -> Column:
    optional, inner, marks = _unwrap(field.annotation, list(field.metadata))
    return Column(
        name=name,
        source=field.alias or name,
        type=_arrow_type(inner, marks),
        required=not optional,
        description=field.description or "",
        json=any(isinstance(mark, JsonText) for mark in marks),
        personal=next((mark for mark in marks if isinstance(mark, Personal)), None),
        owners=tuple(mark for mark in marks if isinstance(mark, Identity | BelongsTo)),
        may_contain=next((mark for mark in marks if isinstance(mark, MayContain)), None),
        distinct=any(isinstance(mark, Distinct) for mark in marks),
    )


def _unwrap(annotation: Any, marks: list[Any]) -> tuple[bool, Any, list[Any]]:
    """Take `Annotated` and `| None` off: (may be null, the type inside, marks)."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        return _unwrap(inner, [*marks, *more])
    if origin in (Union, types.UnionType):
        inner = [a for a in get_args(annotation) if a is not types.NoneType]
        if len(inner) != 1:
            raise TypeError(f"a column has one type, or one type and None; found {annotation}")
        _, type_, more = _unwrap(inner[0], marks)
        return True, type_, more
    return False, annotation, marks


def _arrow_type(annotation: Any, marks: list[Any]) -> pa.DataType:
    if get_origin(annotation) is list:
        _, item, of_item = _unwrap(get_args(annotation)[0], [])
        return pa.list_(_arrow_type(item, of_item))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return pa.struct([pa.field(c.name, c.type) for c in columns_of(annotation)])
    if annotation is Decimal:
        digits = next((mark for mark in marks if isinstance(mark, Digits)), None)
        if digits is None:
            raise TypeError("a column of decimals says its Digits, found none")
        return pa.decimal128(digits.precision, digits.scale)
    if annotation not in _SCALARS:
        raise TypeError(f"no column type for {annotation}; known: {[t.__name__ for t in _SCALARS]}")
    return _SCALARS[annotation]
