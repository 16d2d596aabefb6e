"""The items of a final export on the local disk, and the files that are made of them.

Each table is stored twice: its rows, and the items as the service returned them, both under the
personal-data policy. Items that are read again replace those of the same path.
"""

import gzip
import hashlib
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa

from novade_pipeline.defs.drift.reader import Item, ItemBatch
from novade_pipeline.defs.drift.tables import READ
from novade_pipeline.defs.drift.writer import PLACE
from novade_pipeline.lake.query import prepare, scan, sql_identifier, sql_literal
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.json_text import write_json
from novade_pipeline.privacy.policy import Personal, PersonalDataPolicy, protect
from novade_pipeline.storage.store import Store

_ROW_GROUP = 50_000
_LINES = 10_000
_CHUNK_BYTES = 2**20
# Unknown fields of an item may be personal: they are stored only where personal data is kept.
_KNOWN: dict[str, tuple[str, ...]] = {
    "drift/conversations": ("conversationTags",),
    "drift/messages": ("author", "context"),
    "drift/contacts": (),
    "drift/accounts": (),
    "drift/users": (),
}
_MARKS: dict[str, Personal] = {
    "drift/messages": Personal("body", "buttons.**", "context.**", "attributes.**"),
    "drift/contacts": Personal("attributes.**"),
    "drift/users": Personal("name", "alias", "email", "phone"),
}


@dataclass(frozen=True)
class File:
    """A file of the copy, as in the manifest; `count` is of rows, or of lines."""

    name: str
    bytes: int
    sha256: str
    count: int


@dataclass(frozen=True)
class CopyComparison:
    """A comparison of a table's copy with the table.

    Attributes:
        different: rows of the copy that the table lacks or has in another state.
        in_table: rows of the table.
        only_in_table: of them those that the copy lacks.
    """

    different: int
    in_table: int
    only_in_table: int


@dataclass(frozen=True)
class Counts:
    """Numbers of items of a table: rows, quarantined ones, and those of erased persons."""

    rows: int
    quarantined: int
    erased: int

    @property
    def total(self) -> int:
        """Of all items."""
        return self.rows + self.quarantined + self.erased


class Spool:
    """A database in a folder; a context manager."""

    def __init__(self, folder: Path, policy: PersonalDataPolicy) -> None:
        self._folder = folder
        self._policy = policy
        self._nth = 0
        self._reads_lake = False
        self._database = duckdb.connect(str(folder / "spool.duckdb"))
        self._database.execute("SET TimeZone = 'UTC'")
        self._database.execute(f"SET temp_directory = {sql_literal(str(folder / 'spill'))}")
        for table in READ:
            empty = table.schema.empty_table().append_column(PLACE, pa.array([], pa.string()))
            self._database.register("empty", self._numbered(empty))
            self._database.execute(f"create table {_rows(table)} as from empty")
            self._database.unregister("empty")
            self._database.execute(
                f"create table {_lines(table)} (place varchar, nth bigint, name varchar, "
                "line varchar, kind varchar)"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def record(
        self, table: Table, batch: ItemBatch, rows: pa.Table, places: Collection[str]
    ) -> None:
        """Replaces the items and rows of these places."""
        requested = pa.table({"place": pa.array(sorted(places), pa.string())})
        self._database.register("requested", requested)
        for name, column in ((_rows(table), PLACE), (_lines(table), "place")):
            self._database.execute(
                f"delete from {name} where {column} in (select place from requested)"
            )
        self._insert(_rows(table), self._numbered(rows))
        kept = set(map(str, rows[table.key[0]].to_pylist()))
        self._insert(_lines(table), self._item_lines(table, batch, kept))

    def counts(self, table: Table) -> Counts:
        """Counts each item once."""
        row = self._row_of(
            "select "
            + ", ".join(
                f"count(distinct name) filter (kind = {sql_literal(kind)})"
                for kind in ("row", "bad", "erased")
            )
            + f" from {_lines(table)}"
        )
        return Counts(*row)

    def compare(self, lake: Store, table: Table, file: File) -> CopyComparison:
        """Compares a table's Parquet file with the table, `read_at` aside."""
        if not self._reads_lake:
            prepare(self._database, lake)
            self._reads_lake = True
        (key,) = map(sql_identifier, table.key)
        columns = [sql_identifier(name) for name in table.schema.names if name != "read_at"]
        copy_columns = ", ".join(f"f.{name}" for name in columns)
        table_columns = ", ".join(f"t.{name}" for name in columns)
        different, both = self._row_of(
            f"select count(*) filter (row({copy_columns}) is distinct from row({table_columns})),"
            f" count(t.{key})"
            f" from read_parquet({sql_literal(str(self.path(file)))}) as f"
            f" left join {scan(lake, table)} as t"
            f" on f.{key} = t.{key}"
        )
        (in_table,) = self._row_of(f"select count(*) from {scan(lake, table)}")
        return CopyComparison(different, in_table, in_table - both)

    def write_rows(self, table: Table) -> File:
        """Writes the table's Parquet file, ordered by key."""
        name = f"{table.path[-1]}.parquet"
        names = ", ".join(map(sql_identifier, table.schema.names))
        self._database.execute(
            f"copy (select {names} from ({self._each_once(table)})"
            f" order by {sql_identifier(table.key[0])})"
            f" to {sql_literal(str(self._folder / name))}"
            f" (format parquet, compression zstd, row_group_size {_ROW_GROUP})"
        )
        (count,) = self._row_of(f"select count(*) from ({self._each_once(table)})")
        return file_of(self._folder / name, count)

    def write_items(self, table: Table) -> File:
        """Writes the items as JSON lines, ordered by name."""
        name, count = f"{table.path[-1]}.jsonl.gz", 0
        lines = self._database.execute(
            f"select line from {_lines(table)} where line is not null"
            " qualify 1 = row_number() over (partition by name order by nth desc) order by name"
        )
        with (
            (self._folder / name).open("wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped,
        ):
            while rows := lines.fetchmany(_LINES):
                zipped.write("".join(f"{line}\n" for (line,) in rows).encode())
                count += len(rows)
        return file_of(self._folder / name, count)

    def path(self, file: File) -> Path:
        """Returns the path of a file."""
        return self._folder / file.name

    def _numbered(self, rows: pa.Table) -> pa.Table:
        """Appends the serial numbers of rows."""
        begin = self._nth
        self._nth += len(rows)
        return rows.append_column("_nth", pa.array(range(begin, self._nth), pa.int64()))

    def _item_lines(self, table: Table, batch: ItemBatch, kept: Collection[str]) -> pa.Table:
        """Formats items as lines; an erased person's has only its kind."""
        names = [_name(table, item) for item in batch.items]
        kinds = [
            "bad" if item.row is None else "row" if name in kept else "erased"
            for name, item in zip(names, batch.items, strict=True)
        ]
        lines = [
            None if kind == "erased" else self._line(table, item)
            for kind, item in zip(kinds, batch.items, strict=True)
        ]
        marks = {"line": _MARKS[table.name]} if table.name in _MARKS else {}
        protected = protect(pa.table({"line": pa.array(lines, pa.string())}), marks, self._policy)
        begin = self._nth
        self._nth += len(batch.items)
        return pa.table(
            {
                "place": pa.array([item.place for item in batch.items], pa.string()),
                "nth": pa.array(range(begin, self._nth), pa.int64()),
                "name": pa.array(names, pa.string()),
                "line": protected["line"],
                "kind": pa.array(kinds, pa.string()),
            }
        )

    def _line(self, table: Table, item: Item) -> str | None:
        """Formats an item as JSON; None where its personal parts are unknown."""
        if self._policy.mode == "keep":
            return write_json(item.payload)
        if item.row is None:
            return None
        known = {*_KNOWN[table.name], *(column.source for column in table.columns)}
        kept = {name: value for name, value in item.payload.items() if name in known}
        return write_json(kept)

    def _each_once(self, table: Table) -> str:
        key = sql_identifier(table.key[0])
        return (
            f"select * from {_rows(table)}"
            f" qualify 1 = row_number() over (partition by {key} order by _nth desc)"
        )

    def _insert(self, into: str, rows: pa.Table) -> None:
        self._database.register("more", rows)
        self._database.execute(f"insert into {into} by name from more")
        self._database.unregister("more")

    def _row_of(self, query: str) -> tuple[Any, ...]:
        row = self._database.execute(query).fetchone()
        assert row is not None
        return tuple(row)


def file_of(path: Path, count: int) -> File:
    """Describes a file of the local disk for the manifest."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return File(path.name, path.stat().st_size, digest.hexdigest(), count)


def upload(lake: Store, path: Path, *parts: str) -> None:
    """Uploads a file of the local disk into the lake, in chunks."""
    target = lake.create(*parts)
    try:
        with path.open("rb") as source:
            shutil.copyfileobj(source, target, _CHUNK_BYTES)
        target.finish()
    except BaseException:
        target.discard()
        raise


def _rows(table: Table) -> str:
    return sql_identifier(f"{table.path[-1]}_rows")


def _lines(table: Table) -> str:
    return sql_identifier(f"{table.path[-1]}_items")


def _name(table: Table, item: Item) -> str:
    """Returns an item's key, or where it was read."""
    if item.row is not None:
        return str(item.row[table.key[0]])
    assert item.bad is not None
    return f"{item.place}#{item.bad.page}#{item.bad.position}"
