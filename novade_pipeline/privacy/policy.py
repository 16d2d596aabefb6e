"""What is marked personal, and what becomes of it at the first write.

A row model marks a column with `Personal()`, or parts of a JSON column with
`Personal("email", "contact.phone")`. The policy is applied once, before the first write, so that
no table, quarantine included, ever holds what it may not: neither what the setting forbids, nor
rows of persons that were erased.
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
# Another number wherever another part of rows is protected, or in another way.
_FORM = 3
_E_MAIL = re.compile(r"\s*([^@\s]+)@([^@\s]+\.[^@\s.]+)\s*", re.ASCII)


class Personal:
    """Marks a column; with paths, only those parts of a JSON column.

    Args:
        paths: as `Paths` has them: `email`, `contact.phone`, `**.email`.
    """

    def __init__(self, *paths: str) -> None:
        self.paths = paths
        self.parsed_paths = Paths(paths)


class Marks(dict[str, Personal]):
    """The personal columns of a table, and which of its columns say whose a row is."""

    def __init__(self, personal: Mapping[str, Personal], owners: Owners) -> None:
        super().__init__(personal)
        self.owners = owners


class Tombstones(Protocol):
    """Where it stands who was erased; looked at again whenever it is asked."""

    def current(self) -> ErasedIdentifiers:
        """The names of those who are erased now."""


@dataclass(frozen=True)
class PersonalDataPolicy:
    """`keep`, `hash` (HMAC-SHA256, 32 hex digits, equal values stay equal) or `drop`.

    Attributes:
        mode: what becomes of marked values.
        key: of the hash.
        tombstones: who is erased, whatever the mode; None where nobody is.
    """

    mode: Literal["keep", "hash", "drop"] = "keep"
    key: bytes = field(default=b"", repr=False)
    tombstones: Tombstones | None = field(default=None, repr=False, compare=False)

    @property
    def fingerprint(self) -> str:
        """Changes when data written under this policy would look different; safe to store."""
        if self.mode == "keep":
            return "keep"
        key = f":{self.hash('novade')[:8]}" if self.mode == "hash" else ""
        return f"{self.mode}{_FORM}{key}"

    @property
    def erased(self) -> ErasedIdentifiers | None:
        """Who is erased now, by the names that the outside world has for them."""
        if self.tombstones is None:
            return None
        return self.as_landed(self.tombstones.current())

    def as_landed(self, erased: ErasedIdentifiers) -> ErasedIdentifiers:
        """Names as the lake has them, found in what comes from outside.

        Of what was erased from a lake of hashes, only hashes are known.
        """
        if not self.key or not erased.kinds or isinstance(erased, _Hashed):
            return erased
        return _Hashed(erased, self)

    def pinned(self) -> "PersonalDataPolicy":
        """The same, with who is erased looked up once: for a load of many pieces."""
        found = self.erased
        return self if found is None else replace(self, tombstones=_Pinned(found))

    def hash(self, text: str) -> str:
        """The stand-in of a value: the same for the same text and key, in every table.

        An e-mail address is taken without regard to case and keeps its domain, which says of an
        employer and not of a person: `4f0c…@example.com` matches by domain as the address does.
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
    """`rows` as a stranger may see them: marked columns null, marked JSON parts gone."""
    return protect(rows, marks, PersonalDataPolicy("drop"))


@dataclass(frozen=True)
class _Hashed:
    """Knows a name by its hash as well."""

    names: ErasedIdentifiers
    policy: PersonalDataPolicy

    @property
    def kinds(self) -> frozenset[str]:
        return self.names.kinds

    def contains(self, name: Identifier) -> bool:
        hashed = identifier_of(name.kind, self.policy.hash(name.value))
        return self.names.contains(name) or (hashed is not None and self.names.contains(hashed))

    def contains_any_word(self, words: Iterable[str]) -> bool:
        told = set(words)
        return self.names.contains_any_word(told | {self.policy.hash(word) for word in told})


@dataclass(frozen=True)
class _Pinned:
    found: ErasedIdentifiers

    def current(self) -> ErasedIdentifiers:
        return self.found


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
    taken = pc.take(pa.array(replaced, column.type), encoded.indices)
    return pa.chunked_array([taken])


def _json(text: str, mark: Personal, policy: PersonalDataPolicy, exact: bool) -> str | None:
    if text in ("{}", "null"):
        return text
    try:
        return edit_json(text, lambda it: _protected(it, mark.parsed_paths, policy), exact=exact)
    except (ValueError, RecursionError):
        # What cannot be read cannot be searched for personal data either.
        return None


def _protected(document: Any, paths: Paths, policy: PersonalDataPolicy) -> Any:
    """A document, changed in place, from the outside in: what is hashed is not looked into."""
    if not isinstance(document, dict | list):
        return _leaf(document, policy) if paths.matches_scalar else document
    todo = [(document, paths)]
    while todo:
        value, at = todo.pop()
        if isinstance(value, list):
            for place, item in enumerate(value):
                if isinstance(item, dict | list):
                    todo.append((item, at))
                elif at.matches_scalar:
                    value[place] = _leaf(item, policy)
            continue
        for key in list(value):
            item, there = value[key], at.below(key)
            is_leaf = not isinstance(item, dict | list)
            if there.is_match or (there.matches_scalar and is_leaf):
                if policy.mode == "drop":
                    del value[key]
                else:
                    value[key] = _leaf(item, policy)
            elif not is_leaf and not there.is_dead_end:
                todo.append((item, there))
    return document


def _leaf(value: Any, policy: PersonalDataPolicy) -> str | None:
    if value is None or policy.mode == "drop":
        return None
    return policy.hash(value if isinstance(value, str) else json.dumps(value, sort_keys=True))
