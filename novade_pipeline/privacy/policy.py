"""Marks of personal data, and the policy that is applied to it before the first write.

A row model marks a column with `Personal()`, or parts of a JSON column with
`Personal("email", "contact.phone")`. No table, quarantine included, ever stores what the policy
forbids, nor rows of erased persons.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.privacy.forget import ErasedIdentifiers, Owners, without_erased
from novade_pipeline.privacy.identifiers import Identifier, Paths, identifier_of
from novade_pipeline.privacy.json_text import ODD_NUMBER, edit_json

HASH_DIGITS = 32
# Incremented when protection changes.
_FORM = 3
_E_MAIL = re.compile(r"\s*([^@\s]+)@([^@\s]+\.[^@\s.]+)\s*", re.ASCII)


class Personal:
    """Marks a column; with paths such as `contact.phone` or `**.email`, parts of a JSON column."""

    def __init__(self, *paths: str) -> None:
        self.paths = paths
        self.parsed_paths = Paths(paths)


class Marks(dict[str, Personal]):
    """The personal columns of a table, and those that identify the owner of a row."""

    def __init__(self, personal: Mapping[str, Personal], owners: Owners) -> None:
        super().__init__(personal)
        self.owners = owners


class Tombstones(Protocol):
    """The record of erased persons, read again by each call."""

    def current(self) -> ErasedIdentifiers:
        """The identifiers of the erased persons."""


@dataclass(frozen=True)
class PersonalDataPolicy:
    """`keep`, `hash` (HMAC-SHA256, 32 hex digits, equal values stay equal) or `drop`.

    Attributes:
        tombstones: the erased persons, whatever the mode; None where there are none.
    """

    mode: Literal["keep", "hash", "drop"] = "keep"
    key: bytes = field(default=b"", repr=False)
    tombstones: Tombstones | None = field(default=None, repr=False, compare=False)

    @property
    def fingerprint(self) -> str:
        """Differs for policies that write different data; safe to store."""
        if self.mode == "keep":
            return "keep"
        key = f":{self.hash('novade')[:8]}" if self.mode == "hash" else ""
        return f"{self.mode}{_FORM}{key}"

    @property
    def erased(self) -> ErasedIdentifiers | None:
        """The erased persons, matched by their identifiers in the sources."""
        if self.tombstones is None:
            return None
        return self.as_landed(self.tombstones.current())

    def as_landed(self, erased: ErasedIdentifiers) -> ErasedIdentifiers:
        """The erased, matched in rows that are not hashed yet, by their hashes too."""
        if not self.key or not erased.kinds or isinstance(erased, _PlainOrHashed):
            return erased
        return _PlainOrHashed(erased, self)

    def pinned(self) -> "PersonalDataPolicy":
        """The same policy with the erased persons read once, for a load of many batches."""
        erased = self.erased
        return self if erased is None else replace(self, tombstones=_PinnedTombstones(erased))

    def hash(self, text: str) -> str:
        """The hash of a value: the same for the same text and key, in every table.

        An e-mail address is hashed in lower case and keeps its domain, which identifies an employer
        and not a person: `4f0c…@example.com`.
        """
        if address := _E_MAIL.fullmatch(text):
            text = text.strip().lower()
        digest = hmac.new(self.key, text.encode(), hashlib.sha256).hexdigest()[:HASH_DIGITS]
        return f"{digest}@{address[2].lower()}" if address else digest


def protect(rows: pa.Table, marks: Mapping[str, Personal], policy: PersonalDataPolicy) -> pa.Table:
    """Apply the policy to the marked columns that `rows` has; rows of erased persons go.

    Under `hash`, text becomes its HMAC; a marked column of another type becomes null, since a
    hash cannot stand in it. Under `drop`, marked columns become null and marked JSON parts go.
    """
    if (erased := policy.erased) is not None:
        owners = marks.owners if isinstance(marks, Marks) else Owners()
        rows = without_erased(rows, owners, erased)
    if policy.mode == "keep":
        return rows
    for name, mark in marks.items():
        index = rows.schema.get_field_index(name)
        if index >= 0:
            rows = rows.set_column(
                index, rows.schema.field(index), _column(rows[name], mark, policy)
            )
    return rows


def masked(rows: pa.Table, marks: Mapping[str, Personal]) -> pa.Table:
    """`rows` without personal data: marked columns null, marked JSON parts removed."""
    return protect(rows, marks, PersonalDataPolicy("drop"))


@dataclass(frozen=True)
class _PlainOrHashed:
    """Matches an identifier by its hash as well."""

    identifiers: ErasedIdentifiers
    policy: PersonalDataPolicy

    @property
    def kinds(self) -> frozenset[str]:
        return self.identifiers.kinds

    def contains(self, identifier: Identifier) -> bool:
        hashed = identifier_of(identifier.kind, self.policy.hash(identifier.value))
        return self.identifiers.contains(identifier) or (
            hashed is not None and self.identifiers.contains(hashed)
        )

    def contains_any_word(self, words: Iterable[str]) -> bool:
        distinct = set(words)
        return self.identifiers.contains_any_word(
            distinct | {self.policy.hash(word) for word in distinct}
        )


@dataclass(frozen=True)
class _PinnedTombstones:
    erased: ErasedIdentifiers

    def current(self) -> ErasedIdentifiers:
        return self.erased


def _column(column: pa.ChunkedArray, mark: Personal, policy: PersonalDataPolicy) -> pa.ChunkedArray:
    textual = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    if not textual or (policy.mode == "drop" and not mark.paths):
        return pa.chunked_array([pa.nulls(len(column), column.type)])
    encoded = column.combine_chunks().dictionary_encode()
    values: list[str] = encoded.dictionary.to_pylist()
    replaced: list[str | None]
    if mark.paths:
        exact = pc.match_substring_regex(encoded.dictionary, ODD_NUMBER).to_pylist()
        replaced = [_json(v, mark, policy, e) for v, e in zip(values, exact, strict=True)]
    else:
        replaced = [policy.hash(value) for value in values]
    values_of_rows = pc.take(pa.array(replaced, column.type), encoded.indices)
    return pa.chunked_array([values_of_rows])


def _json(text: str, mark: Personal, policy: PersonalDataPolicy, exact: bool) -> str | None:
    if text in ("{}", "null"):
        return text
    try:
        return edit_json(text, lambda it: _protected(it, mark.parsed_paths, policy), exact=exact)
    except (ValueError, RecursionError):
        # An unreadable document cannot be searched for personal data.
        return None


def _protected(document: Any, paths: Paths, policy: PersonalDataPolicy) -> Any:
    """A document, changed in place from the root down; a hashed value is not searched."""
    if not isinstance(document, dict | list):
        return _leaf(document, policy) if paths.matches_scalar else document
    pending = [(document, paths)]
    while pending:
        value, remaining = pending.pop()
        if isinstance(value, list):
            for position, item in enumerate(value):
                if isinstance(item, dict | list):
                    pending.append((item, remaining))
                elif remaining.matches_scalar:
                    value[position] = _leaf(item, policy)
            continue
        for key in list(value):
            item, child = value[key], remaining.below(key)
            is_leaf = not isinstance(item, dict | list)
            if child.is_match or (child.matches_scalar and is_leaf):
                if policy.mode == "drop":
                    del value[key]
                else:
                    value[key] = _leaf(item, policy)
            elif not is_leaf and not child.is_dead_end:
                pending.append((item, child))
    return document


def _leaf(value: Any, policy: PersonalDataPolicy) -> str | None:
    if value is None or policy.mode == "drop":
        return None
    return policy.hash(value if isinstance(value, str) else json.dumps(value, sort_keys=True))
