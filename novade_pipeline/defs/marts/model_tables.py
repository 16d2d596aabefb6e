"""Derives the lake table of a mart from the YAML of its dbt model.

dbt enforces the columns and types of the YAML (`contract`), so they are declared only there.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, create_model

from novade_pipeline.lake.table import Digits, Table
from novade_pipeline.privacy.marks import BelongsTo
from novade_pipeline.privacy.policy import Personal

_TYPES: dict[str, Any] = {
    "VARCHAR": str,
    "BIGINT": int,
    "DOUBLE": float,
    "BOOLEAN": bool,
    "DATE": date,
    "TIMESTAMP WITH TIME ZONE": datetime,
    "BIGINT[]": list[int],
    "VARCHAR[]": list[str],
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")


def mart_table(node: Mapping[str, Any]) -> Table:
    """The table `marts/<model>` of the lake.

    Args:
        node: the model's node of dbt's manifest. Its `meta` says the `key`, by which column the
            `newest` rows are known, the `day` column by which it is partitioned, if it is, and the
            `window` column that says which of its rows are touched, where that is finer; a
            column's says whether it is `personal`, and of which kind of name the `owner` is.
    """
    meta = node["config"]["meta"]
    day = meta.get("day")
    window = meta.get("window", day)
    always = {*meta["key"], day, window}
    fields = {name: _field(column, name in always) for name, column in node["columns"].items()}
    row = create_model(node["name"], __doc__=node["description"], **fields)
    return Table(
        name=f"marts/{node['name']}",
        row=row,
        key=tuple(meta["key"]),
        write_mode="replace_window" if day else "replace",
        partition_by=(day,) if day else (),
        window=window,
        data_time=meta.get("newest"),
    )


def _field(column: Mapping[str, Any], required: bool) -> Any:
    kind = _type(column["data_type"])
    if column["meta"].get("personal"):
        kind = Annotated[kind, Personal()]
    if owner := column["meta"].get("owner"):
        kind = Annotated[kind, BelongsTo(owner)]
    if required:
        return (kind, Field(description=column["description"]))
    return (kind | None, Field(None, description=column["description"]))


def _type(column_type: str) -> Any:
    """The Python type of a DuckDB type."""
    if digits := _DECIMAL.fullmatch(column_type):
        return Annotated[Decimal, Digits(int(digits[1]), int(digits[2]))]
    return _TYPES[column_type]
