"""Compression of the long JSON that Dagster stores in SQLite: events, ticks, evaluations.

An event is some 1,500 characters, of which 100 are its own; its asset's or check's events repeat
the rest, and each is stored twice. Dagster has no setting for it, but every row passes through
SQLAlchemy, which calls a function before each statement, and sqlite3, which calls one for each row.
So Dagster neither knows of it nor loses anything: a value that is not compressed, as those of
Dagster's own log, is read as it is.
"""

import sqlite3
import zlib
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

DICTIONARY = "dagster_json.txt"
"""Typical JSON, which streams refer to. Stored values need it for as long as they exist."""
_SERIALIZED = '{"__class__": '
"""How an object that Dagster has serialized begins."""
_SHORTEST = 200
_folders: set[Path] = set()


def compress_databases(folder: Path) -> None:
    """From now on, all engines of this process compress JSON in the databases below a folder."""
    if not _folders:
        event.listen(Engine, "connect", _decompress_rows)
        event.listen(Engine, "before_cursor_execute", _compress_parameters, retval=True)
    _folders.add(folder.resolve())
    _is_below.cache_clear()


# An event of an asset or check is stored two or three times in a row.
@lru_cache(maxsize=4)
def compressed(text: str) -> bytes:
    """A zlib stream, which begins with the checksum of the dictionary."""
    compressor = zlib.compressobj(9, zdict=_dictionary())
    return compressor.compress(text.encode()) + compressor.flush()


def decompressed(value: Any) -> Any:
    """The text of a stream with our dictionary; any other value as it is."""
    if isinstance(value, bytes) and value.startswith(_prefix()):
        return zlib.decompressobj(zdict=_dictionary()).decompress(value).decode()
    return value


def _decompress_rows(connection: Any, record: Any) -> None:
    if isinstance(connection, sqlite3.Connection) and _is_below(_file_of(connection)):
        connection.row_factory = lambda cursor, row: tuple(map(decompressed, row))


def _compress_parameters(
    connection: Connection,
    cursor: Any,
    statement: str,
    parameters: Any,
    context: Any,
    executemany: bool,
) -> tuple[str, Any]:
    url = connection.engine.url
    if url.get_backend_name() != "sqlite" or not _is_below(url.database):
        return statement, parameters
    if executemany:
        return statement, [_compressed_row(row) for row in parameters]
    return statement, _compressed_row(parameters)


def _compressed_row(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(
        compressed(value)
        if isinstance(value, str) and len(value) >= _SHORTEST and value.startswith(_SERIALIZED)
        else value
        for value in values
    )


def _file_of(connection: sqlite3.Connection) -> str:
    return str(connection.execute("pragma database_list").fetchone()[2])


@lru_cache
def _is_below(file: str | None) -> bool:
    return bool(file) and not _folders.isdisjoint(Path(str(file)).resolve().parents)


@cache
def _dictionary() -> bytes:
    return Path(__file__).with_name(DICTIONARY).read_bytes()


@cache
def _prefix() -> bytes:
    """Two bytes of flags, and the checksum of the dictionary."""
    return compressed("")[:6]
