"""Fields that a table has no column for: together one JSON object."""

import json
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc


def object_of(fields: Iterable[tuple[str, str]]) -> str | None:
    """A JSON object of fields whose values are JSON already; None without fields."""
    written = ",".join(f"{name_of(name)}:{value}" for name, value in fields)
    return f"{{{written}}}" if written else None


def objects_of(extra: pa.Table, rows: int) -> pa.ChunkedArray:
    """As `object_of`, for each row of a table: of the columns that are not null.

    Args:
        rows: the number of rows, which a table without columns does not have.
    """
    # pyarrow's `null_handling="skip"` drops rows that are null in all columns.
    parts = [
        pc.fill_null(pc.binary_join_element_wise(f",{name_of(name)}:", column, ""), "")
        for name, column in zip(extra.column_names, extra.columns, strict=True)
        if column.null_count < len(column)
    ]
    if not parts:
        return pa.chunked_array([pa.nulls(rows, pa.string())])
    fields = pc.binary_join_element_wise(*parts, "")
    objects = pc.binary_join_element_wise("{", pc.utf8_slice_codeunits(fields, 1), "}", "")
    return pc.if_else(pc.equal(fields, ""), None, objects)


def name_of(name: str) -> str:
    """A field's name as JSON has it."""
    return json.dumps(name, ensure_ascii=False)
