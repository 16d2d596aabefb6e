"""DuckDB connections that can read the lake, and the SQL that names a table of it.

The extensions are loaded by file path from the wheels that hold them: nothing is installed into
a home directory, and nothing is fetched. The wheels are pinned by their hashes; to let DuckDB
verify the signature of 80 MB as well would cost each database 0.3 s.
"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import duckdb
import pyarrow as pa

from novade_pipeline.errors import PermanentFailure, UserError
from novade_pipeline.lake.memory import duckdb_limit, duckdb_threads
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "allow_unsigned_extensions": "true",
    "autoinstall_known_extensions": "false",
    # Of new files: rows are compressed better, and written a quarter faster.
    "storage_compatibility_version": "v1.5.0",
}
"""Of each database; `dbt/profiles.yml` says the same, for DuckDB shares no database otherwise."""
# Of the system, and of DuckDB where what it may spill would not fit.
_FULL_DISK = re.compile(
    "No space left on device|Disk quota exceeded|File too large|failed to offload data block"
)
_LOCKED = re.compile(r"Could not set lock on file(?!.*not supported)", re.DOTALL)
_HOLDER = re.compile(r"lock is held in (?P<program>.*?) ?\(PID (?P<pid>\d+)\)")
_TYPES: dict[pa.DataType, str] = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.binary(): "BLOB",
    pa.date32(): "DATE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
}


class DatabaseHeldError(UserError):
    """Another process has opened a DuckDB file; `holder` is what DuckDB says of that process."""

    def __init__(self, path: str | Path, holder: str, waited: str = "") -> None:
        """Describe a file that cannot be opened; `waited`: `after 10 minutes`."""
        still = f", {waited}, still" if waited else ""
        super().__init__(
            f"The DuckDB file {path} is{still} held by {holder}; close it there and try again."
        )
        self.holder = holder


def connect(
    path: str | Path = ":memory:",
    *,
    read_only: bool = False,
    threads: int | None = None,
    memory_limit: str | None = None,
    lake: Store | None = None,
) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB database that can scan Delta tables, in UTC.

    Args:
        path: the database file; its folder is created.
        memory_limit: as DuckDB writes it: `512MB`.
        lake: the lake that is read; None for tables on the local disk.

    Raises:
        DatabaseHeldError: another process holds the file.
        UserError: it is not a DuckDB database.
    """
    connection = open_database(path, read_only=read_only)
    if threads is not None:
        connection.execute(f"SET threads = {int(threads)}")
    if memory_limit is not None:
        connection.execute(f"SET memory_limit = {sql_literal(memory_limit)}")
    prepare(connection, lake)
    return connection


def open_database(path: str | Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB database, in UTC, for what does not read the lake.

    Raises:
        UserError: as `connect`.
    """
    if str(path) != ":memory:" and not read_only:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = duckdb.connect(str(path), read_only=read_only, config=CONFIG)
    except duckdb.Error as error:
        raise _why_not(path, str(error)) from None
    connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    return connection


def scratch() -> duckdb.DuckDBPyConnection:
    """A connection to the shared database in memory, in UTC; opening another one takes 15 ms."""
    connection = _memory().cursor()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


@contextmanager
def workspace(
    lake: Store | None = None, *, share: float = 0.5
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database that is gone afterwards, for what may be larger than memory: it spills to disk.

    Args:
        share: of the process's memory that it may use, see `lake.memory`.
    """
    with (
        tempfile.TemporaryDirectory(prefix="novade-workspace-") as folder,
        reports_full_disk(folder),
        closing(open_database(Path(folder, "workspace.duckdb"))) as connection,
    ):
        limit(connection, share)
        prepare(connection, lake)
        yield connection


@contextmanager
def reports_full_disk(place: str | Path) -> Iterator[None]:
    """Report in one sentence that DuckDB, or dbt that runs it, ran out of disk space.

    Args:
        place: the database's file or folder; what it spills is beside it.

    Raises:
        UserError: the disk is full.
    """
    try:
        yield
    except (duckdb.Error, PermanentFailure) as error:
        if message := full_disk_message(place, str(error)):
            raise UserError(message) from None
        raise


def full_disk_message(place: str | Path, failure: str) -> str | None:
    """The sentence for a failure that a full disk has caused; None for any other failure."""
    if not _FULL_DISK.search(failure):
        return None
    return (
        f"{place}: expected space for the database and for what it spills beside it, found the "
        "disk full; free some space, or move the file or TMPDIR to a larger disk, and run again. "
        "What was committed is kept."
    )


def limit(connection: duckdb.DuckDBPyConnection, share: float = 1.0) -> None:
    """Let a database use no more than its share of the process's memory; it spills to disk."""
    connection.execute(
        f"SET GLOBAL memory_limit = {sql_literal(duckdb_limit(share))};"
        f" SET GLOBAL threads = {duckdb_threads(share)};"
        " SET GLOBAL preserve_insertion_order = false"
    )


def prepare(connection: duckdb.DuckDBPyConnection, lake: Store | None = None) -> None:
    """Make any connection able to read the lake; None: on the local disk."""
    extensions, statements = (("delta",), ()) if lake is None else lake.duckdb_setup()
    for name in extensions:
        connection.execute(f"LOAD {sql_literal(str(extension_path(name)))}")
    for statement in statements:
        connection.execute(statement)


def extension_path(name: str) -> Path:
    """The file of a DuckDB extension in its installed wheel.

    Raises:
        UserError: the wheel is not installed, or is built for another version of DuckDB.
    """
    package = f"duckdb_extension_{name}"
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder, "extensions", f"v{duckdb.__version__}", f"{name}.duckdb_extension")
        if file.is_file():
            return file
    raise UserError(
        f"DuckDB {duckdb.__version__} needs the package {package.replace('_', '-')} of the same "
        "version; set up the environment again with `make setup`."
    )


def scan(store: Store, table: Table, version: int | None = None) -> str:
    """SQL that reads a table of the lake, at a version or as it is now."""
    pinned = "" if version is None else f", version := {int(version)}"
    return f"delta_scan({sql_literal(store.duckdb_path(*table.path))}{pinned})"


def sql_identifier(name: str) -> str:
    """A name as SQL writes it: `"event type"`."""
    return '"' + name.replace('"', '""') + '"'


def sql_literal(text: str) -> str:
    """A text as SQL writes it: `'it''s'`."""
    return "'" + text.replace("'", "''") + "'"


def sql_type(type_: pa.DataType) -> str:
    """The DuckDB type of a column's Arrow type.

    Raises:
        TypeError: no table of the house has a column of that type.
    """
    if pa.types.is_list(type_):
        return f"{sql_type(type_.value_type)}[]"
    if pa.types.is_struct(type_):
        fields = (type_.field(i) for i in range(type_.num_fields))
        return (
            f"STRUCT({', '.join(f'{sql_identifier(f.name)} {sql_type(f.type)}' for f in fields)})"
        )
    if pa.types.is_decimal(type_):
        return f"DECIMAL({type_.precision},{type_.scale})"
    if type_ not in _TYPES:
        raise TypeError(f"no DuckDB type for {type_}; known: {', '.join(map(str, _TYPES))}")
    return _TYPES[type_]


@cache
def _memory() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config=CONFIG)


def _why_not(path: str | Path, message: str) -> UserError:
    if not _LOCKED.search(message):
        first_line = message.splitlines()[0]
        return UserError(f"The DuckDB file {path} cannot be opened: {first_line}")
    process = "another process"
    if holder := _HOLDER.search(message):
        process += f" (PID {holder['pid']}, {holder['program'] or 'unknown program'})"
    return DatabaseHeldError(path, process)
