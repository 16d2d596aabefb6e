"""Rows without those of erased persons, and texts without their addresses.

The same rules hold for rows on their way into the lake and for rows that are there: what an erasure
takes away, a later load leaves out.
"""

import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.privacy.identifiers import (
    EMAIL,
    Identifier,
    Paths,
    addresses_in,
    identifier_of,
    values_at,
)
from novade_pipeline.privacy.marks import BelongsTo, Identity, MayContain, Owner

Mask = np.ndarray[Any, np.dtype[np.bool_]]
ERASED = "erased"
"""What stands in a text in the place of an erased person's address."""

_WORD = re.compile(r"[\w-]{6,}")
_MOST_BYTES = 2**20


class ErasedIdentifiers(Protocol):
    """The names of erased persons, or of those who are to be."""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds that there are names of; nobody is erased where there are none."""

    def contains(self, name: Identifier) -> bool:
        """Whether a name is one of these."""

    def contains_any_word(self, words: Iterable[str]) -> bool:
        """Whether any of these words is a name of any kind."""


@dataclass(frozen=True)
class GivenIdentifiers:
    """Names that somebody told, of persons who are to be erased."""

    names: frozenset[Identifier]

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds that there are names of."""
        return frozenset(name.kind for name in self.names)

    def contains(self, name: Identifier) -> bool:
        """Whether a name is one of these."""
        return name in self.names

    def contains_any_word(self, words: Iterable[str]) -> bool:
        """Whether any of these words is a name of any kind."""
        return not {name.value for name in self.names}.isdisjoint(words)


@dataclass(frozen=True)
class EitherErased:
    """The names of both."""

    one: ErasedIdentifiers
    other: ErasedIdentifiers

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds that there are names of."""
        return self.one.kinds | self.other.kinds

    def contains(self, name: Identifier) -> bool:
        """Whether a name is one of these."""
        return self.one.contains(name) or self.other.contains(name)

    def contains_any_word(self, words: Iterable[str]) -> bool:
        """Whether any of these words is a name of any kind."""
        told = set(words)
        return self.one.contains_any_word(told) or self.other.contains_any_word(told)


@dataclass(frozen=True)
class Owners:
    """Which columns of a table say whose its rows are.

    Attributes:
        columns: column -> its marks.
        may_hold: columns of bytes that could not be read -> their mark.
        lines: source and field of what could not be read -> the kind of name that the field has.
    """

    columns: Mapping[str, Sequence[Owner]] = field(default_factory=dict)
    may_contain: Mapping[str, MayContain] = field(default_factory=dict)
    lines: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.columns or self.may_contain)


def without_erased(rows: pa.Table, owners: Owners, erased: ErasedIdentifiers) -> pa.Table:
    """`rows` without the erased persons' rows, and without their addresses in those of others."""
    if not erased.kinds or not rows.num_rows:
        return rows
    gone = erased_rows(rows, owners, erased)
    kept = rows if gone is None else rows.filter(pa.array(~gone))
    for name, column in redacted_columns(kept, owners, erased).items():
        kept = kept.set_column(kept.schema.get_field_index(name), kept.schema.field(name), [column])
    return kept


def erased_rows(rows: pa.Table, owners: Owners, erased: ErasedIdentifiers) -> Mask | None:
    """True for each row of an erased person; None where there is no such row."""
    gone = np.zeros(rows.num_rows, bool)
    for name, marks in owners.columns.items():
        if rows.schema.get_field_index(name) < 0:
            continue
        for mark in marks:
            if mark.kind in erased.kinds or EMAIL in erased.kinds:
                gone |= _owned_by(rows, name, mark, erased)
    for name, held in owners.may_contain.items():
        if rows.schema.get_field_index(name) >= 0:
            found = _holding(rows, name, owners, erased)
            gone |= found & ~_is_whole(rows, held)
    return gone if gone.any() else None


def redacted_columns(
    rows: pa.Table, owners: Owners, erased: ErasedIdentifiers
) -> dict[str, pa.Array]:
    """The columns in which an erased person's address stands, or a whole file that holds names."""
    changed: dict[str, pa.Array] = {}
    if EMAIL in erased.kinds:
        for field_ in rows.schema:
            if pa.types.is_string(field_.type) or pa.types.is_large_string(field_.type):
                column = _replaced(rows[field_.name], lambda text: _redact(text, erased))
                if column is not None:
                    changed[field_.name] = column
    for name, held in owners.may_contain.items():
        if rows.schema.get_field_index(name) >= 0:
            found = _holding(rows, name, owners, erased) & _is_whole(rows, held)
            if found.any():
                kind = rows.schema.field(name).type
                changed[name] = pc.if_else(
                    pa.array(found), pa.scalar(None, kind), rows[name].combine_chunks()
                )
    return changed


def line_identifies_erased(
    raw: bytes, source: str, owners: Owners, erased: ErasedIdentifiers
) -> bool:
    """Whether bytes that could not be read as a row hold an erased person's name."""
    for text in _texts(raw):
        if any(erased.contains(Identifier(EMAIL, address)) for _, _, address in addresses_in(text)):
            return True
        if erased.contains_any_word(set(_WORD.findall(text))):
            return True
    return any(map(erased.contains, _names_of_line(raw, source, owners)))


def links_in(rows: pa.Table, owners: Owners) -> set[frozenset[Identifier]]:
    """What rows say of who is who: sets of names of one person; those of an owner stand alone."""
    links: set[frozenset[Identifier]] = set()
    told: list[list[tuple[Identifier, ...]]] = []
    positions = []
    for column, marks in owners.columns.items():
        for mark in marks:
            values, position = _distinct(rows[column])
            names = [*(tuple(_names(value, mark)) for value in values), ()]
            if isinstance(mark, BelongsTo):
                links |= {frozenset({name}) for of_value in names for name in of_value}
                continue
            # Documents are all different; the names in them are few.
            number = {of_value: at for at, of_value in enumerate(dict.fromkeys(names))}
            told.append(list(number))
            positions.append(np.array([number[of_value] for of_value in names])[position])
    if positions:
        for found in np.unique(np.stack(positions), axis=1).T.tolist():
            links.add(frozenset(n for of, at in zip(told, found, strict=True) for n in of[at]))
    return links - {frozenset()}


def _owned_by(rows: pa.Table, name: str, mark: Owner, erased: ErasedIdentifiers) -> Mask:
    values, position = _distinct(rows[name])
    hits = np.array([any(map(erased.contains, _names(v, mark))) for v in values] + [False])
    gone: Mask = hits[position]
    if isinstance(mark, BelongsTo) and mark.when is not None:
        other, wanted = mark.when
        gone &= pc.fill_null(pc.equal(rows[other], wanted), False).to_numpy()
    return gone


def _names(value: Any, mark: Owner) -> Iterator[Identifier]:
    """The names in one value of a column."""
    found: Iterable[Any] = value if isinstance(value, list) else (value,)
    if isinstance(mark, Identity) and mark.paths:
        found = _at_paths(value, mark)
    for one in found:
        if (name := identifier_of(mark.kind, one)) is not None:
            yield name


def _at_paths(text: str, mark: Identity) -> Iterator[Any]:
    if mark.kind == EMAIL and "@" not in text:
        return
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return
    yield from values_at(document, _paths(mark.paths))


@cache
def _paths(paths: tuple[str, ...]) -> Paths:
    return Paths(paths)


def _distinct(column: pa.ChunkedArray) -> tuple[list[Any], np.ndarray[Any, np.dtype[np.int64]]]:
    """(the different values, for each row which of them it has or -1)."""
    column = column.combine_chunks()
    if pa.types.is_list(column.type):
        return column.to_pylist(), np.where(column.is_valid(), np.arange(len(column)), -1)
    encoded = column.dictionary_encode()
    position = pc.fill_null(encoded.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
    return encoded.dictionary.to_pylist(), position


def _replaced(column: pa.ChunkedArray, change: Callable[[str], str]) -> pa.Array | None:
    """The column with its texts that hold an `@` changed; None where all stay as they are."""
    suspects = pc.fill_null(pc.match_substring(column, "@"), False)
    if not pc.any(suspects).as_py():
        return None
    values, position = _distinct(column)
    changed = [change(text) if "@" in text else text for text in values]
    if changed == values:
        return None
    return pa.array([*changed, None], column.type).take(
        pa.array(np.where(position < 0, len(values), position))
    )


def _redact(text: str, erased: ErasedIdentifiers) -> str:
    parts, at = [], 0
    for start, end, address in addresses_in(text):
        if erased.contains(Identifier(EMAIL, address)):
            parts += [text[at:start], ERASED]
            at = end
    return "".join([*parts, text[at:]]) if parts else text


def _is_whole(rows: pa.Table, mark: MayContain) -> Mask:
    if mark.whole is None:
        return np.zeros(rows.num_rows, bool)
    column, value = mark.whole
    found: Mask = pc.equal(rows[column], value).to_numpy()
    return found


def _holding(rows: pa.Table, name: str, owners: Owners, erased: ErasedIdentifiers) -> Mask:
    sources: list[str] = rows[owners.may_contain[name].source].to_pylist()
    raws: list[bytes | None] = rows[name].to_pylist()
    return np.array(
        [
            raw is not None and line_identifies_erased(raw, source, owners, erased)
            for raw, source in zip(raws, sources, strict=True)
        ],
        bool,
    )


def _names_of_line(raw: bytes, source: str, owners: Owners) -> Iterator[Identifier]:
    """The names that a refused line has in the fields that would have been columns."""
    try:
        # A number in a field for texts is a text of its digits.
        value = json.loads(raw, parse_float=str)
    except (ValueError, RecursionError):
        return
    for (of_source, key), kind in owners.lines.items():
        if of_source == source.lower() and isinstance(value, dict):
            name = identifier_of(kind, value.get(key))
            if name is not None:
                yield name


def _texts(raw: bytes) -> Iterator[str]:
    """What bytes of a line or of the head of a file may say, as text."""
    if raw.startswith(b"\x1f\x8b"):
        raw = _gunzipped(raw)
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        yield raw.decode("utf-16", "replace")
    yield raw.decode("utf-8", "replace")


def _gunzipped(head: bytes) -> bytes:
    """As much as the head of a gzip file, perhaps damaged, gives."""
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
    parts = []
    try:
        for at in range(0, len(head), 256):
            parts.append(unpack.decompress(head[at : at + 256], _MOST_BYTES))
    except zlib.error:
        pass
    return b"".join(parts)
