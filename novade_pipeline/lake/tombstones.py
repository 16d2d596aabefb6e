"""Erased persons, as hashes of their identifiers, so that no later load brings them back.

The key of the hash is NOVADE_PERSONAL_DATA_KEY where that is set: readers of the lake without the
key cannot guess identifiers. Without it, the key is a random salt stored beside the hashes, and
readers of the table can guess identifiers as of any password file. Each row records its key's id or
salt: a key that is set later applies to new rows only, and while the key of some rows is missing,
nothing is loaded.
"""

import hmac
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
from pydantic import BaseModel, Field

from novade_pipeline.errors import UserError
from novade_pipeline.lake.delta import current_version
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.identifiers import Identifier
from novade_pipeline.storage.store import Store

_DIGITS = 40


class Tombstone(BaseModel):
    """One name of an erased person, as a hash; later loads and rebuilds leave such rows out."""

    kind: str = Field(description="What sort of name it is: email, amplitude_id, …")
    digest: str = Field(description="HMAC-SHA256 of the name, 40 hex digits.")
    salt: str | None = Field(None, description="What it was hashed with, hex; null: with the key.")
    key_id: str | None = Field(None, description="Tells keys apart; null: hashed with the salt.")
    erased_at: datetime = Field(description="When the person was erased first, UTC.")


TOMBSTONES = Table(
    name="operations/tombstones",
    row=Tombstone,
    key=("kind", "digest"),
    write_mode="merge",
    version="erased_at",
)


@dataclass(frozen=True)
class HashedIdentifiers:
    """The tombstones of the lake, as `ErasedIdentifiers`."""

    by_key: Mapping[bytes, frozenset[tuple[str, str]]] = field(default_factory=dict, repr=False)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of these identifiers."""
        return frozenset(kind for known in self.by_key.values() for kind, _ in known)

    def contains(self, identifier: Identifier) -> bool:
        """Whether an identifier is an erased person's."""
        return any(
            (identifier.kind, digest(key, identifier.value)) in known
            for key, known in self.by_key.items()
        )

    def contains_any_word(self, words: Iterable[str]) -> bool:
        """Whether any of these words is an erased person's identifier of any kind."""
        distinct = set(words)
        for key, known in self.by_key.items():
            digests = {value for _, value in known}
            if any(digest(key, word) in digests for word in distinct):
                return True
        return False


class TombstoneRegistry:
    """The current tombstones of a lake; read again when there are new ones."""

    def __init__(self, lake: Store, key: bytes) -> None:
        self._lake = lake
        self._key = key
        self._version: int | None = None
        self._current = HashedIdentifiers()

    def current(self) -> HashedIdentifiers:
        """The erased persons.

        Raises:
            UserError: some were hashed with a key that is not set any more.
        """
        version = current_version(self._lake, TOMBSTONES)
        if version != self._version:
            self._current = _hashed(read(self._lake, TOMBSTONES), self._key)
            self._version = version
        return self._current

    def add(self, identifiers: Iterable[Identifier], now: datetime) -> None:
        """Write the tombstones of a person, except existing ones."""
        key, salt = self._key, None if self._key else self._salt()
        if salt is not None:
            key = bytes.fromhex(salt)
        known = self.current()
        new = [
            identifier for identifier in sorted(set(identifiers)) if not known.contains(identifier)
        ]
        if new:
            rows = [
                {
                    "kind": identifier.kind,
                    "digest": digest(key, identifier.value),
                    "salt": salt,
                    "key_id": None if salt is not None else _key_id(key),
                    "erased_at": now,
                }
                for identifier in new
            ]
            merge(self._lake, TOMBSTONES, pa.Table.from_pylist(rows, TOMBSTONES.schema))

    def _salt(self) -> str:
        salts = read(self._lake, TOMBSTONES, columns=["salt"])["salt"].drop_null().to_pylist()
        return salts[0] if salts else os.urandom(16).hex()


def digest(key: bytes, value: str) -> str:
    """The hash of an identifier; it differs from the hash of the value under the policy."""
    return hmac.digest(key, b"tombstone:" + value.encode(), "sha256").hex()[:_DIGITS]


def _key_id(key: bytes) -> str:
    return digest(key, "novade")[:8]


def _hashed(rows: pa.Table, key: bytes) -> HashedIdentifiers:
    by_key: dict[bytes, set[tuple[str, str]]] = {}
    for row in rows.to_pylist():
        if row["salt"] is None and (not key or row["key_id"] != _key_id(key)):
            raise UserError(
                f"{TOMBSTONES.name}: expected the key that erased persons were hashed with, found "
                f"{'another one' if key else 'none'} in NOVADE_PERSONAL_DATA_KEY; set it to that "
                "one again, or they could not be left out."
            )
        used = key if row["salt"] is None else bytes.fromhex(row["salt"])
        by_key.setdefault(used, set()).add((row["kind"], row["digest"]))
    return HashedIdentifiers({used: frozenset(known) for used, known in by_key.items()})
