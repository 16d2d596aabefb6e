"""What a topic is, declared once: name, value, table, quarantine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import pyarrow as pa
from pydantic import BaseModel

from novade_pipeline.json_rows.text import OTHER_FIELDS
from novade_pipeline.lake.table import Column, Table, columns_of
from novade_pipeline.streams.tables import StreamRow


@dataclass(frozen=True)
class Normalised:
    """Rows that a topic's `normalise` made of parsed values, one for each, in their order.

    Attributes:
        rows: the table's columns, without those of `StreamRow`.
        wrong: position of a row -> why it belongs in quarantine, without the values.
    """

    rows: pa.Table
    wrong: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class JsonValues:
    """Values are JSON objects."""


@dataclass(frozen=True)
class AvroValues:
    """Values are Avro in Confluent's wire format: a zero byte, the schema's id, the datum."""


@dataclass(frozen=True)
class Topic:
    """A topic of the broker and the table that its records become rows of.

    Attributes:
        name: of the topic in the broker.
        table: its row model is a `StreamRow`; written with `append_once`.
        quarantine: from `stream_quarantine_table`; the topics of a domain may share it.
        value: the fields of a value as they are parsed, and `other_fields` for all others; None
            where they are the table's own columns. A field that is not `| None` is required.
        format: how a value is parsed into these fields.
        normalise: makes the table's columns of parsed values, whole batches at a time, in an
            executor: a function of a module. None where they are the same.
        tombstones: whether a record without a value is a row with `is_deleted` and nothing but its
            key, or belongs in quarantine.
    """

    name: str
    table: Table
    quarantine: Table
    value: type[BaseModel] | None = None
    format: JsonValues | AvroValues = field(default_factory=JsonValues)
    normalise: Callable[[pa.Table], Normalised] | None = None
    tombstones: Literal["rows", "quarantine"] = "quarantine"

    def __post_init__(self) -> None:
        if not issubclass(self.table.row, StreamRow):
            raise ValueError(f"{self.table.name}: the row model of a topic is a StreamRow")
        if self.table.write_mode != "append_once":
            raise ValueError(f"{self.table.name}: a topic's table is written with append_once")
        if self.value is not None and self.normalise is None:
            raise ValueError(f"{self.table.name}: a value model needs normalise to make rows of it")
        own = (column for column in self.table.columns if column.name not in STREAM_COLUMNS)
        if self.tombstones == "rows" and (required := [c.name for c in own if c.required]):
            raise ValueError(
                f"{self.table.name}: a tombstone has no value for the required columns {required}"
            )

    @property
    def domain(self) -> str:
        """The folder of the domain."""
        return self.table.path[0]

    @property
    def source(self) -> str:
        """What the quarantine calls it: the table's name without its domain."""
        return self.table.path[-1]

    @cached_property
    def fields(self) -> tuple[Column, ...]:
        """The fields of a value that are parsed by name."""
        columns = self.table.columns if self.value is None else columns_of(self.value)
        return tuple(c for c in columns if c.name not in (*STREAM_COLUMNS, OTHER_FIELDS))

    @property
    def other_fields(self) -> str | None:
        """The column of all other fields; None where they are dropped."""
        row = self.table.row if self.value is None else self.value
        return OTHER_FIELDS if OTHER_FIELDS in row.model_fields else None


STREAM_COLUMNS = tuple(StreamRow.model_fields)
"""The columns that are not parsed from the value."""
