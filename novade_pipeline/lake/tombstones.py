"""Who was erased, so that no later load brings them back: hashes of their names, and nothing else.

A name is hashed with the key of NOVADE_PERSONAL_DATA_KEY where that is set: who can read the lake
but not the key cannot even try names one by one. Without a key there is a random salt, kept beside
the hashes, since a key that is made up and lost would let erased persons return; names can then be
tried by those who may read the table, as they could try the hashes of any password file. Each row
says what it was made with: a key that is set later makes new rows only, and while the key of some
rows is missing nothing is loaded, for nobody could tell whom to leave out.
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
    """The tombstones of the lake, as `persons.forget` asks them."""

    by_key: Mapping[bytes, frozenset[tuple[str, str]]] = field(default_factory=dict, repr=False)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds that there are names of."""
        return frozenset(kind for known in self.by_key.values() for kind, _ in known)

    def contains(self, name: Identifier) -> bool:
        """Whether a name is an erased person's."""
        return any(
            (name.kind, digest(key, name.value)) in known for key, known in self.by_key.items()
        )

    def contains_any_word(self, words: Iterable[str]) -> bool:
        """Whether any of these words is an erased person's name, of whatever kind."""
        told = set(words)
        for key, known in self.by_key.items():
            digests = {found for _, found in known}
            if any(digest(key, word) in digests for word in told):
                return True
        return False


class TombstoneRegistry:
    """The tombstones of a lake as they are now; read again when there are new ones."""

    def __init__(self, lake: Store, key: bytes) -> None:
        self._lake = lake
        self._key = key
        self._version: int | None = None
        self._found = HashedIdentifiers()

    def current(self) -> HashedIdentifiers:
        """Who is erased now.

        Raises:
            UserError: some were hashed with a key that is not set any more.
        """
        version = current_version(self._lake, TOMBSTONES)
        if version != self._version:
            self._found = _hashed(read(self._lake, TOMBSTONES), self._key)
            self._version = version
        return self._found

    def add(self, names: Iterable[Identifier], now: datetime) -> None:
        """Write the tombstones of a person; those that are there already stay as they are."""
        key, salt = self._key, None if self._key else self._salt()
        if salt is not None:
            key = bytes.fromhex(salt)
        known = self.current()
        new = [name for name in sorted(set(names)) if not known.contains(name)]
        if new:
            rows = [
                {
                    "kind": name.kind,
                    "digest": digest(key, name.value),
                    "salt": salt,
                    "key_id": None if salt is not None else _key_id(key),
                    "erased_at": now,
                }
                for name in new
            ]
            merge(self._lake, TOMBSTONES, pa.Table.from_pylist(rows, TOMBSTONES.schema))

    def _salt(self) -> str:
        salts = read(self._lake, TOMBSTONES, columns=["salt"])["salt"].drop_null().to_pylist()
        return salts[0] if salts else os.urandom(16).hex()


def digest(key: bytes, value: str) -> str:
    """What stands for a name; never what stands for the same value under `hash`."""
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
