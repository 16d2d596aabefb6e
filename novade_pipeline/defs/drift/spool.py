"""What a final export has read so far, on the local disk, and the files that become of it.

Each table is kept twice: its rows, and the items as they were told, both as the personal-data
policy lets them be. What is read again takes the place of what was read of the same path before.
"""

import gzip
import hashlib
import shutil
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb
import pyarrow as pa

from novade_pipeline.defs.drift.reader import Item, Told
from novade_pipeline.defs.drift.tables import READ
from novade_pipeline.defs.drift.writer import PLACE
from novade_pipeline.lake.query import prepare, scan, sql_identifier, sql_literal
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.json_text import write_json
from novade_pipeline.privacy.policy import Personal, PersonalDataPolicy, protect
from novade_pipeline.storage.store import Store

_ROW_GROUP = 50_000
_LINES = 10_000
_PIECE = 2**20
# Beside what is marked, whatever we do not know of an item goes unless personal data is kept.
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
    """One file of the copy, as the manifest tells it; `count` is of rows, or of lines."""

    name: str
    bytes: int
    sha256: str
    count: int


@dataclass(frozen=True)
class Compared:
    """A table's copy beside the table.

    Attributes:
        unlike: rows of the copy that the table does not have just so.
        in_table: rows that the table has.
        only_in_table: of them those that the copy has not.
    """

    unlike: int
    in_table: int
    only_in_table: int


@dataclass(frozen=True)
class Counts:
    """Items of a table: rows, those that are none, and those of erased persons."""

    rows: int
    quarantined: int
    erased: int

    @property
    def told(self) -> int:
        """All of them."""
        return self.rows + self.quarantined + self.erased


class Spool:
    """A database in a folder; to be used as a context."""

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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._database.close()

    def take(self, table: Table, told: Told, rows: pa.Table, places: Collection[str]) -> None:
        """Keep what was read of these places, in the place of what was read of them before."""
        asked = pa.table({"place": pa.array(sorted(places), pa.string())})
        self._database.register("asked", asked)
        for name, column in ((_rows(table), PLACE), (_lines(table), "place")):
            self._database.execute(
                f"delete from {name} where {column} in (select place from asked)"
            )
        self._insert(_rows(table), self._numbered(rows))
        kept = set(map(str, rows[table.key[0]].to_pylist()))
        self._insert(_lines(table), self._told(table, told, kept))

    def counts(self, table: Table) -> Counts:
        """What was told, each item once."""
        row = self._one(
            "select "
            + ", ".join(
                f"count(distinct name) filter (kind = {sql_literal(kind)})"
                for kind in ("row", "bad", "erased")
            )
            + f" from {_lines(table)}"
        )
        return Counts(*row)

    def compared(self, lake: Store, table: Table, file: File) -> Compared:
        """A table's Parquet file beside the table; when rows were read does not count."""
        if not self._reads_lake:
            prepare(self._database, lake)
            self._reads_lake = True
        (key,) = map(sql_identifier, table.key)
        told = [sql_identifier(name) for name in table.schema.names if name != "read_at"]
        mine = ", ".join(f"f.{name}" for name in told)
        theirs = ", ".join(f"t.{name}" for name in told)
        unlike, both = self._one(
            f"select count(*) filter (row({mine}) is distinct from row({theirs})),"
            f" count(t.{key})"
            f" from read_parquet({sql_literal(str(self.path(file)))}) as f"
            f" left join {scan(lake, table)} as t"
            f" on f.{key} = t.{key}"
        )
        (there,) = self._one(f"select count(*) from {scan(lake, table)}")
        return Compared(unlike, there, there - both)

    def write_rows(self, table: Table) -> File:
        """The table's Parquet file, ordered by key."""
        name = f"{table.path[-1]}.parquet"
        names = ", ".join(map(sql_identifier, table.schema.names))
        self._database.execute(
            f"copy (select {names} from ({self._each_once(table)})"
            f" order by {sql_identifier(table.key[0])})"
            f" to {sql_literal(str(self._folder / name))}"
            f" (format parquet, compression zstd, row_group_size {_ROW_GROUP})"
        )
        (count,) = self._one(f"select count(*) from ({self._each_once(table)})")
        return self._file(name, count)

    def write_told(self, table: Table) -> File:
        """The items as they were told, a line each, ordered by name."""
        name, count = f"{table.path[-1]}.jsonl.gz", 0
        found = self._database.execute(
            f"select line from {_lines(table)} where line is not null"
            " qualify 1 = row_number() over (partition by name order by nth desc) order by name"
        )
        with (
            (self._folder / name).open("wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped,
        ):
            while rows := found.fetchmany(_LINES):
                zipped.write("".join(f"{line}\n" for (line,) in rows).encode())
                count += len(rows)
        return self._file(name, count)

    def path(self, file: File) -> Path:
        """Where a file is."""
        return self._folder / file.name

    def _numbered(self, rows: pa.Table) -> pa.Table:
        """Rows with how many came before them."""
        begin = self._nth
        self._nth += len(rows)
        return rows.append_column("_nth", pa.array(range(begin, self._nth), pa.int64()))

    def _told(self, table: Table, told: Told, kept: Collection[str]) -> pa.Table:
        """The items as lines; of erased persons only that there was one."""
        names = [_name(table, item) for item in told.items]
        kinds = [
            "bad" if item.row is None else "row" if name in kept else "erased"
            for name, item in zip(names, told.items, strict=True)
        ]
        lines = [
            None if kind == "erased" else self._line(table, item)
            for kind, item in zip(kinds, told.items, strict=True)
        ]
        marks = {"line": _MARKS[table.name]} if table.name in _MARKS else {}
        protected = protect(pa.table({"line": pa.array(lines, pa.string())}), marks, self._policy)
        begin = self._nth
        self._nth += len(told.items)
        return pa.table(
            {
                "place": pa.array([item.place for item in told.items], pa.string()),
                "nth": pa.array(range(begin, self._nth), pa.int64()),
                "name": pa.array(names, pa.string()),
                "line": protected["line"],
                "kind": pa.array(kinds, pa.string()),
            }
        )

    def _line(self, table: Table, item: Item) -> str | None:
        """The item as one line of JSON; nothing where nobody knows what of it is personal."""
        if self._policy.mode == "keep":
            return write_json(item.told)
        if item.row is None:
            return None
        known = {*_KNOWN[table.name], *(column.source for column in table.columns)}
        kept = {name: value for name, value in item.told.items() if name in known}
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

    def _one(self, query: str) -> tuple[Any, ...]:
        row = self._database.execute(query).fetchone()
        assert row is not None
        return tuple(row)

    def _file(self, name: str, count: int) -> File:
        return file_of(self._folder / name, count)


def file_of(path: Path, count: int) -> File:
    """A file of the local disk, as the manifest tells it."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return File(path.name, path.stat().st_size, digest.hexdigest(), count)


def upload(lake: Store, path: Path, *parts: str) -> None:
    """Put a file of the local disk into the lake, piece by piece."""
    target = lake.create(*parts)
    try:
        with path.open("rb") as source:
            shutil.copyfileobj(source, target, _PIECE)
        target.finish()
    except BaseException:
        target.discard()
        raise


def as_document(file: File) -> dict[str, Any]:
    """A file as the manifest tells it."""
    return asdict(file)


def _rows(table: Table) -> str:
    return sql_identifier(f"{table.path[-1]}_rows")


def _lines(table: Table) -> str:
    return sql_identifier(f"{table.path[-1]}_told")


def _name(table: Table, item: Item) -> str:
    """What names an item: its key, or where it was told."""
    if item.row is not None:
        return str(item.row[table.key[0]])
    assert item.bad is not None
    return f"{item.place}#{item.bad.page}#{item.bad.position}"
