"""Compares rows read from a source with the lake's, so that only differing ones are written."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from novade_pipeline.lake.merge import CLOCKS_DIFFER
from novade_pipeline.lake.query import scratch, sql_identifier
from novade_pipeline.lake.table import Table

_NOT_COMPARED = ("read_at",)


@dataclass(frozen=True)
class Comparison:
    """The rows to merge, and why each is among them.

    Attributes:
        rows: new ones, changed ones, and those that vanished, marked.
        new: the lake had none of that key.
        changed: the lake had it in another state, or marked as deleted.
        vanished: the source no longer has it.
        passed_over: the lake has it in a newer version, which is not a time to come; these are not
            among the rows.
        unchanged: the lake has it just so.
    """

    rows: pa.Table
    new: int
    changed: int
    vanished: int
    passed_over: int
    unchanged: int


def compare(
    table: Table, stored: pa.Table, read_rows: pa.Table, keys: Iterable[Any] | None, now: datetime
) -> Comparison:
    """Compare the lake's rows with those that the source returned.

    Args:
        table: written by `merge`, with one column as its key, and `read_at`, which is its version
            where the source's present state wins; where rows can vanish, with `is_deleted`.
        stored: the lake's rows; all where some can have vanished, else those of the keys.
        read_rows: the source's rows; of several rows of a key the newest counts, of equally new
            ones the last.
        keys: those that did not vanish, though there may be no row of them; None: none can have.
        now: when rows that vanished are said to have been read so.
    """
    assert table.version is not None, f"{table.name} has no version column"
    (key,), version = map(sql_identifier, table.key), sql_identifier(table.version)
    can_be_gone = "is_deleted" in table.schema.names
    is_live = "not t.is_deleted" if can_be_gone else "true"
    names = [column.name for column in table.columns]
    compared = [sql_identifier(name) for name in names if name not in (*table.key, *_NOT_COMPARED)]
    differs = f"({_struct('f', compared)}) is distinct from ({_struct('t', compared)})"
    kind = table.schema.field(table.key[0]).type
    if not len(read_rows) and keys is None:
        return Comparison(table.schema.empty_table(), 0, 0, 0, 0, 0)
    with closing(scratch()) as connection:
        numbered = read_rows.append_column("_nth", pa.array(range(len(read_rows)), pa.int64()))
        connection.register("stored", stored)
        connection.register("numbered", numbered)
        connection.execute(
            f"""
            create temp table compared as
            with f as (
                select * from numbered
                qualify 1 = row_number() over (
                    partition by {key} order by {version} desc, _nth desc
                )
            )
            select
                f.* exclude (_nth),
                case
                    when t.{key} is null then 'new'
                    when not {differs} then 'unchanged'
                    when f.{version} < t.{version} and t.{version} <= $1::timestamptz and {is_live}
                        then 'passed_over'
                    else 'changed'
                end as _what
            from f left join stored as t on f.{key} = t.{key}
        """,
            [now + CLOCKS_DIFFER],
        )
        if keys is not None and can_be_gone:
            connection.register("existing", pa.table({"key": pa.array(list(keys), kind)}))
            connection.execute(
                f"""
                insert into compared by name
                select
                    t.* replace (true as is_deleted, $1::timestamptz as read_at),
                    'vanished' as _what
                from stored as t
                where {is_live} and t.{key} not in (select key from existing)
            """,
                [now],
            )
        counts = dict(
            connection.execute("select _what, count(*) from compared group by 1").fetchall()
        )
        columns = ", ".join(map(sql_identifier, names))
        rows = connection.execute(
            f"select {columns} from compared where _what not in ('unchanged', 'passed_over')"
        ).to_arrow_table()
    return Comparison(
        rows=rows.cast(table.schema),
        **{name: counts.get(name, 0) for name in ("new", "changed", "vanished", "passed_over")},
        unchanged=counts.get("unchanged", 0),
    )


def _struct(alias: str, columns: Iterable[str]) -> str:
    return "row(" + ", ".join(f"{alias}.{column}" for column in columns) + ")"
