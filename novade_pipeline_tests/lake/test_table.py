"""What a table is, said once: the row model becomes schema, columns and marks."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

import pyarrow as pa
import pytest
from pydantic import BaseModel, Field, create_model

from novade_pipeline.lake.table import Json, Table, columns_of
from novade_pipeline.privacy.policy import Personal


class Part(BaseModel):
    """A part."""

    name: str = Field(description="Its name.")
    size: int | None = Field(None, description="Its size.")


class Row(BaseModel):
    """A row of everything.

    Told over
    several lines.
    """

    text: str = Field(description="A text.")
    whole: int | None = Field(None, alias="$whole", description="A number.")
    number: float | None = Field(None, description="A number.")
    yes: bool = Field(description="Yes or no.")
    raw: bytes | None = Field(None, description="Bytes.")
    at: datetime = Field(description="A moment.")
    day: date | None = Field(None, description="A day.")
    document: Json | None = Field(None, description="A document.")
    marked: Annotated[Json | None, Personal("email")] = Field(None, description="Who.")
    outside: Annotated[str, Personal()] | None = Field(None, description="Who.")
    parts: list[Part] = Field(description="Parts.")


def _table(**changed: Any) -> Table:
    return Table(
        **{"name": "some/rows", "row": Row, "key": ("text",), "write_mode": "replace", **changed}
    )


def test_field_types_become_arrow_types() -> None:
    part = pa.struct([("name", pa.string()), ("size", pa.int64())])
    assert {field.name: field.type for field in _table().schema} == {
        "text": pa.string(),
        "whole": pa.int64(),
        "number": pa.float64(),
        "yes": pa.bool_(),
        "raw": pa.binary(),
        "at": pa.timestamp("us", "UTC"),
        "day": pa.date32(),
        "document": pa.string(),
        "marked": pa.string(),
        "outside": pa.string(),
        "parts": pa.list_(part),
    }


def test_a_field_that_may_be_none_may_be_null() -> None:
    required = [field.name for field in _table().schema if not field.nullable]
    assert required == ["text", "yes", "at", "parts"]


def test_an_alias_is_the_name_in_the_source() -> None:
    sources = {column.name: column.source for column in _table().columns}
    assert (sources["whole"], sources["text"]) == ("$whole", "text")


def test_json_and_marks_are_found_wherever_they_are_annotated() -> None:
    columns = {column.name: column for column in _table().columns}
    assert [name for name, column in columns.items() if column.json] == ["document", "marked"]
    assert set(_table().personal) == {"marked", "outside"}
    assert _table().personal["marked"].paths == ("email",)


def test_the_docstring_is_the_description_one_line_a_paragraph() -> None:
    assert _table().description == "A row of everything.\n\nTold over several lines."


def test_the_name_is_the_path() -> None:
    assert _table(name="a/b/c").path == ("a", "b", "c")


WRONG = {
    "key": ({"key": ("nothing",)}, r"some/rows: the row model has no column \['nothing'\]"),
    "partition": ({"partition_by": ("nothing",)}, "no column"),
    "window": ({"window": "nothing"}, "no column"),
    "version": ({"version": "nothing"}, "no column"),
    "data time": ({"data_time": "nothing"}, "no column"),
    "a float as key": ({"key": ("number",)}, "rows cannot be found by floats or bytes: number"),
    "no window": ({"write_mode": "replace_window"}, "replace_window needs a window column"),
    "no version": ({"write_mode": "merge"}, "merge needs a version column"),
    "parts": (
        {"write_mode": "merge", "version": "whole", "partition_by": ("day",)},
        "merge cuts its files by key",
    ),
}


@pytest.mark.parametrize(("changed", "message"), WRONG.values(), ids=WRONG)
def test_a_declaration_that_cannot_be_meant_is_refused(
    changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        _table(**changed)


@pytest.mark.parametrize("kind", [Decimal, dict, int | str, list[Decimal], set[int]])
def test_a_type_that_no_column_has_is_refused(kind: Any) -> None:
    with pytest.raises(TypeError):
        columns_of(create_model("Odd", field=(kind, ...)))
