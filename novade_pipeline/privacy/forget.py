"""Rows without those of erased persons, and texts without their addresses.

The same rules apply to new and to stored rows: a later load leaves out what an erasure removed.
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
"""Replaces an erased person's address in a text."""

_WORD = re.compile(r"[\w-]{6,}")
_MOST_BYTES = 2**20


class ErasedIdentifiers(Protocol):
    """The identifiers of persons who are erased or being erased."""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of these identifiers; empty where no person is erased."""

    def contains(self, identifier: Identifier) -> bool:
        """Whether an identifier is one of these."""

    def contains_any_word(self, words: Iterable[str]) -> bool:
        """Whether any of these words is an identifier of any kind."""


@dataclass(frozen=True)
class GivenIdentifiers:
    """Identifiers of persons to erase."""

    identifiers: frozenset[Identifier]

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of these identifiers."""
        return frozenset(name.kind for name in self.identifiers)

    def contains(self, identifier: Identifier) -> bool:
        """Whether an identifier is one of these."""
        return identifier in self.identifiers

    def contains_any_word(self, words: Iterable[str]) -> bool:
        """Whether any of these words is an identifier of any kind."""
        return not {name.value for name in self.identifiers}.isdisjoint(words)


@dataclass(frozen=True)
class EitherErased:
    """The identifiers of both."""

    first: ErasedIdentifiers
    second: ErasedIdentifiers

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of these identifiers."""
        return self.first.kinds | self.second.kinds

    def contains(self, identifier: Identifier) -> bool:
        """Whether an identifier is one of these."""
        return self.first.contains(identifier) or self.second.contains(identifier)

    def contains_any_word(self, words: Iterable[str]) -> bool:
        """Whether any of these words is an identifier of any kind."""
        distinct = set(words)
        return self.first.contains_any_word(distinct) or self.second.contains_any_word(distinct)


@dataclass(frozen=True)
class Owners:
    """The columns of a table that identify the owner of a row.

    Attributes:
        columns: column -> its marks.
        may_contain: columns of unreadable bytes -> their mark.
        lines: source and field of unreadable rows -> the kind of identifier in that field.
    """

    columns: Mapping[str, Sequence[Owner]] = field(default_factory=dict)
    may_contain: Mapping[str, MayContain] = field(default_factory=dict)
    lines: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.columns or self.may_contain)


def without_erased(rows: pa.Table, owners: Owners, erased: ErasedIdentifiers) -> pa.Table:
    """`rows` without those of erased persons, and without their addresses in other rows."""
    if not erased.kinds or not rows.num_rows:
        return rows
    gone = erased_rows(rows, owners, erased)
    remaining = rows if gone is None else rows.filter(pa.array(~gone))
    for name, column in redacted_columns(remaining, owners, erased).items():
        remaining = remaining.set_column(
            remaining.schema.get_field_index(name), remaining.schema.field(name), [column]
        )
    return remaining


def erased_rows(rows: pa.Table, owners: Owners, erased: ErasedIdentifiers) -> Mask | None:
    """True for each row of an erased person; None where there is no such row."""
    gone = np.zeros(rows.num_rows, bool)
    for name, marks in owners.columns.items():
        if rows.schema.get_field_index(name) < 0:
            continue
        for mark in marks:
            if mark.kind in erased.kinds or EMAIL in erased.kinds:
                gone |= _owned_by(rows, name, mark, erased)
    for name, mark_ in owners.may_contain.items():
        if rows.schema.get_field_index(name) >= 0:
            matches = _lines_of_erased(rows, name, owners, erased)
            gone |= matches & ~_is_whole(rows, mark_)
    return gone if gone.any() else None


def redacted_columns(
    rows: pa.Table, owners: Owners, erased: ErasedIdentifiers
) -> dict[str, pa.Array]:
    """The columns that contain an erased person's address, or a file with identifiers, changed."""
    changed: dict[str, pa.Array] = {}
    if EMAIL in erased.kinds:
        for field_ in rows.schema:
            if pa.types.is_string(field_.type) or pa.types.is_large_string(field_.type):
                column = _replaced(rows[field_.name], lambda text: _redact(text, erased))
                if column is not None:
                    changed[field_.name] = column
    for name, mark in owners.may_contain.items():
        if rows.schema.get_field_index(name) >= 0:
            matches = _lines_of_erased(rows, name, owners, erased) & _is_whole(rows, mark)
            if matches.any():
                kind = rows.schema.field(name).type
                changed[name] = pc.if_else(
                    pa.array(matches), pa.scalar(None, kind), rows[name].combine_chunks()
                )
    return changed


def line_identifies_erased(
    raw: bytes, source: str, owners: Owners, erased: ErasedIdentifiers
) -> bool:
    """Whether the bytes of an unreadable row contain an erased person's identifier."""
    for text in _texts(raw):
        if any(erased.contains(Identifier(EMAIL, address)) for _, _, address in addresses_in(text)):
            return True
        if erased.contains_any_word(set(_WORD.findall(text))):
            return True
    return any(map(erased.contains, _identifiers_of_line(raw, source, owners)))


def links_in(rows: pa.Table, owners: Owners) -> set[frozenset[Identifier]]:
    """The sets of identifiers that rows give to one person; of `BelongsTo` columns single ones."""
    links: set[frozenset[Identifier]] = set()
    identifiers_by_column: list[list[tuple[Identifier, ...]]] = []
    positions = []
    for column, marks in owners.columns.items():
        for mark in marks:
            values, position = _distinct(rows[column])
            identifiers = [*(tuple(_identifiers_in(value, mark)) for value in values), ()]
            if isinstance(mark, BelongsTo):
                links |= {frozenset({name}) for of_value in identifiers for name in of_value}
                continue
            # Documents mostly differ; the identifiers in them are few.
            number = {of_value: at for at, of_value in enumerate(dict.fromkeys(identifiers))}
            identifiers_by_column.append(list(number))
            positions.append(np.array([number[of_value] for of_value in identifiers])[position])
    if positions:
        for combination in np.unique(np.stack(positions), axis=1).T.tolist():
            links.add(
                frozenset(
                    n
                    for identifiers, at in zip(identifiers_by_column, combination, strict=True)
                    for n in identifiers[at]
                )
            )
    return links - {frozenset()}


def _owned_by(rows: pa.Table, name: str, mark: Owner, erased: ErasedIdentifiers) -> Mask:
    values, position = _distinct(rows[name])
    is_erased = np.array(
        [any(map(erased.contains, _identifiers_in(v, mark))) for v in values] + [False]
    )
    gone: Mask = is_erased[position]
    if isinstance(mark, BelongsTo) and mark.when is not None:
        column, value = mark.when
        gone &= pc.fill_null(pc.equal(rows[column], value), False).to_numpy()
    return gone


def _identifiers_in(value: Any, mark: Owner) -> Iterator[Identifier]:
    """The identifiers in one value of a column."""
    values: Iterable[Any] = value if isinstance(value, list) else (value,)
    if isinstance(mark, Identity) and mark.paths:
        values = _at_paths(value, mark)
    for item in values:
        if (identifier := identifier_of(mark.kind, item)) is not None:
            yield identifier


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
    mask: Mask = pc.equal(rows[column], value).to_numpy()
    return mask


def _lines_of_erased(rows: pa.Table, name: str, owners: Owners, erased: ErasedIdentifiers) -> Mask:
    sources: list[str] = rows[owners.may_contain[name].source].to_pylist()
    raws: list[bytes | None] = rows[name].to_pylist()
    return np.array(
        [
            raw is not None and line_identifies_erased(raw, source, owners, erased)
            for raw, source in zip(raws, sources, strict=True)
        ],
        bool,
    )


def _identifiers_of_line(raw: bytes, source: str, owners: Owners) -> Iterator[Identifier]:
    """The identifiers in the fields of a rejected line."""
    try:
        # A number in a field for texts is a text of its digits.
        value = json.loads(raw, parse_float=str)
    except (ValueError, RecursionError):
        return
    for (of_source, key), kind in owners.lines.items():
        if of_source == source.lower() and isinstance(value, dict):
            identifier = identifier_of(kind, value.get(key))
            if identifier is not None:
                yield identifier


def _texts(raw: bytes) -> Iterator[str]:
    """The bytes of a line, or of the head of a file, decoded."""
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
