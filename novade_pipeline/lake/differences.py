"""What was read of a source, beside what the lake holds: what is the same is not written."""

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from novade_pipeline.lake.merge import CLOCKS_DIFFER
from novade_pipeline.lake.query import scratch, sql_identifier
from novade_pipeline.lake.table import Table

_OURS = ("read_at",)


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
    table: Table, there: pa.Table, found: pa.Table, keys: Iterable[Any] | None, now: datetime
) -> Comparison:
    """Compare what the lake holds with what the source told.

    Args:
        table: written by `merge`, with one column as its key, and `read_at`, which is its version
            where the source's present state wins; where rows can vanish, with `is_deleted`.
        there: the lake's rows; all of them where some can have vanished, else those of the keys.
        found: what was read; of several rows of a key the newest stands, of equally new ones the
            one that was read last.
        keys: those that did not vanish, though there may be no row of them; None: none can have.
        now: when rows that vanished are said to have been read so.
    """
    assert table.version is not None, f"{table.name} has no version column"
    (key,), version = map(sql_identifier, table.key), sql_identifier(table.version)
    can_be_gone = "is_deleted" in table.schema.names
    is_live = "not t.is_deleted" if can_be_gone else "true"
    names = [column.name for column in table.columns]
    told = [sql_identifier(name) for name in names if name not in (*table.key, *_OURS)]
    differs = f"({_struct('f', told)}) is distinct from ({_struct('t', told)})"
    kind = table.schema.field(table.key[0]).type
    if not len(found) and keys is None:
        return Comparison(table.schema.empty_table(), 0, 0, 0, 0, 0)
    with closing(scratch()) as connection:
        numbered = found.append_column("_nth", pa.array(range(len(found)), pa.int64()))
        connection.register("there", there)
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
            from f left join there as t on f.{key} = t.{key}
        """,
            [now + CLOCKS_DIFFER],
        )
        if keys is not None and can_be_gone:
            connection.register("seen", pa.table({"key": pa.array(list(keys), kind)}))
            connection.execute(
                f"""
                insert into compared by name
                select
                    t.* replace (true as is_deleted, $1::timestamptz as read_at),
                    'vanished' as _what
                from there as t
                where {is_live} and t.{key} not in (select key from seen)
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
