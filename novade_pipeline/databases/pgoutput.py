"""The messages of PostgreSQL's output plugin pgoutput, version 1: which rows a transaction changed.

Source: https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_CHARACTER = 1042
"""The type `character(n)`, whose values are padded with spaces."""

Values = tuple[str | None, ...]


@dataclass(frozen=True)
class Relation:
    """A table, as the feed describes it: its columns, and which are padded."""

    schema: str
    name: str
    columns: tuple[str, ...]
    padded: tuple[bool, ...]


@dataclass(frozen=True)
class Transaction:
    """The changes of one transaction.

    Attributes:
        xid: its number, 32 bits.
        end: its end in the log.
        rows: old and new rows, in the relation's columns; of an old one perhaps the key alone.
        truncated: relations that were emptied.
    """

    xid: int
    end: int
    rows: tuple[tuple[Relation, Values], ...]
    truncated: tuple[Relation, ...]


def decoded(messages: Iterable[bytes]) -> Iterator[Transaction]:
    """The transactions of a feed of pgoutput."""
    relations: dict[int, Relation] = {}
    xid = 0
    rows: list[tuple[Relation, Values]] = []
    truncated: list[Relation] = []
    for message in messages:
        kind, body = message[:1], _Body(message, 1)
        if kind == b"B":
            _, _, xid = body.unpack(">QQI")
            rows, truncated = [], []
        elif kind == b"R":
            (number,) = body.unpack(">I")
            relations[number] = _relation(body)
        elif kind in (b"I", b"U", b"D"):
            (number,) = body.unpack(">I")
            rows += [(relations[number], values) for values in _tuples(body)]
        elif kind == b"T":
            count, _ = body.unpack(">IB")
            truncated += [relations[n] for n in body.unpack(f">{count}I")]
        elif kind == b"C":
            _, _, end, _ = body.unpack(">BQQQ")
            yield Transaction(xid, end, tuple(rows), tuple(truncated))


class _Body:
    """Reads a message from a place on."""

    def __init__(self, content: bytes, place: int) -> None:
        self._content, self._place = content, place

    @property
    def is_at_end(self) -> bool:
        return self._place >= len(self._content)

    def unpack(self, form: str) -> tuple[int, ...]:
        values = struct.unpack_from(form, self._content, self._place)
        self._place += struct.calcsize(form)
        return values

    def bytes(self, count: int) -> bytes:
        self._place += count
        return self._content[self._place - count : self._place]

    def text(self) -> str:
        end = self._content.index(0, self._place)
        text = self._content[self._place : end].decode()
        self._place = end + 1
        return text


def _relation(body: _Body) -> Relation:
    schema, name = body.text(), body.text()
    _, count = body.unpack(">BH")
    names, padded = [], []
    for _ in range(count):
        body.unpack(">B")
        names.append(body.text())
        type_, _ = body.unpack(">Ii")
        padded.append(type_ == _CHARACTER)
    return Relation(schema or "pg_catalog", name, tuple(names), tuple(padded))


def _tuples(body: _Body) -> Iterator[Values]:
    """The rows of a message: the old key or row, if it has one, and the new row."""
    while not body.is_at_end:
        body.unpack(">B")
        (count,) = body.unpack(">H")
        values: list[str | None] = []
        for _ in range(count):
            if body.bytes(1) == b"t":
                (size,) = body.unpack(">I")
                values.append(body.bytes(size).decode())
            else:
                # Null, or a large value that did not change, which no key is.
                values.append(None)
        yield tuple(values)
