"""PostgreSQL's logical decoding: the keys of changed rows, from a replication slot.

The slot is peeked into and moves on only after all tables have committed, so that a
load which was killed reads the same changes again. One slot serves all tables of a database.
"""

import struct
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import IO

from novade_pipeline.databases.database import Session
from novade_pipeline.databases.declaration import DatabaseTable, DatabaseTables
from novade_pipeline.databases.feeds import MOST_KEYS, Changes, typed_keys
from novade_pipeline.databases.pgoutput import Relation, Values, decoded
from novade_pipeline.databases.sql import literal, schema_of
from novade_pipeline.errors import PermanentFailure

_XIDS = 2**32
QUIET_BYTES = 16 * 2**20
"""Of other tables' changes, before a position without changes is recorded."""


@dataclass(frozen=True)
class Snapshot:
    """What is visible: what began before `following` and is not running."""

    following: int
    running: frozenset[int]

    def sees(self, xid: int) -> bool:
        """Whether a transaction of the log, by the 32 bits of its number, is visible."""
        is_later = (xid - self.following) % _XIDS < _XIDS // 2
        return not is_later and xid not in self.running


@dataclass(frozen=True)
class _Pending:
    """What the slot has of the declared tables.

    Attributes:
        keys: by schema and table: the end of the transaction, and a key.
        truncated: by schema and table, ends of transactions.
        position: up to which all is known.
    """

    keys: Mapping[tuple[str, str], list[tuple[int, Values]]]
    truncated: Mapping[tuple[str, str], list[int]]
    position: int


class LogicalDecoding:
    """The feed of a database of PostgreSQL."""

    def __init__(self, session: Session, declared: DatabaseTables) -> None:
        self._session, self._slot = session, declared.slot
        self._publication = declared.publication
        self._tables = {_name(table): table for table in declared.tables if table.mode == "changes"}

    def check(self, table: DatabaseTable) -> None:
        """Whether the table is published, and the slot could be made or read."""
        self._require_published(table)
        self._require_logical()
        if self._confirmed() is None:
            rows = self._session.query(
                "select rolreplication or rolsuper from pg_roles where rolname = current_user"
            )
            if rows != [(True,)]:
                database = self._session.database
                raise PermanentFailure(
                    f"database {database.location}: expected {database.user} to have the attribute "
                    f"REPLICATION, found it has not; run: ALTER ROLE {database.user} REPLICATION, "
                    "or declare another mode."
                )

    def start(self, table: DatabaseTable) -> int:
        """Where the slot is, which is made where there is none."""
        self._require_published(table)
        confirmed = self._confirmed()
        if confirmed is None:
            self._make_slot()
            confirmed = self._confirmed()
        assert confirmed is not None
        return confirmed

    def changes(self, table: DatabaseTable, since: int) -> Changes:
        """The keys of rows that changed in transactions which ended after a position."""
        self._require_published(table)
        confirmed = self._confirmed()
        if confirmed is None:
            lost = f"the replication slot {self._slot} is gone"
            return Changes(frozenset(), self.start(table), lost)
        if confirmed > since:
            lost = f"the replication slot {self._slot} has moved on without this table"
            return Changes(frozenset(), confirmed, lost)
        pending = self._pending
        if pending.position < since:
            lost = "the database's log ends before what was read: it was restored"
            return Changes(frozenset(), pending.position, lost)
        if any(end > since for end in pending.truncated.get(_name(table), ())):
            return Changes(frozenset(), pending.position, "the table was truncated")
        keys = {key for end, key in pending.keys.get(_name(table), ()) if end > since}
        if len(keys) > MOST_KEYS:
            lost = f"more than {MOST_KEYS:,} rows changed"
            return Changes(frozenset(), pending.position, lost)
        if not keys and pending.position - since < QUIET_BYTES:
            # A position alone is worth a commit only where it frees some of the database's log.
            return Changes(frozenset(), since)
        return Changes(typed_keys(table, keys), pending.position)

    def release(self, position: int) -> None:
        """Let the database delete its log up to a position."""
        if (confirmed := self._confirmed()) is not None and confirmed < position:
            lsn = f"('0/0'::pg_lsn + {position}::numeric)"
            slot = literal("postgresql", self._slot)
            self._session.query(f"select pg_replication_slot_advance({slot}, {lsn})")

    @cached_property
    def _pending(self) -> _Pending:
        """What waits in the slot and is visible to others; read once for all tables."""
        # What is written and not flushed yet is not decoded either.
        ((end,),) = self._session.query(f"select {_number('pg_current_wal_flush_lsn()')}")
        start = self._confirmed() or 0
        # A transaction is in the log just before others see its rows: what runs after the log was
        # read is left for the next load.
        with tempfile.TemporaryFile() as spool:
            self._spool(spool)
            snapshot = self._snapshot()
            keys: dict[tuple[str, str], list[tuple[int, Values]]] = {}
            truncated: dict[tuple[str, str], list[int]] = {}
            position = start
            for transaction in decoded(_messages(spool)):
                if not snapshot.sees(transaction.xid):
                    return _Pending(keys, truncated, position)
                position = transaction.end
                for relation, values in transaction.rows:
                    name = (relation.schema, relation.name)
                    if (table := self._tables.get(name)) is not None:
                        key = _key(table, relation, values)
                        keys.setdefault(name, []).append((position, key))
                for relation in transaction.truncated:
                    truncated.setdefault((relation.schema, relation.name), []).append(position)
        return _Pending(keys, truncated, max(position, int(end)))

    def _snapshot(self) -> "Snapshot":
        """Which transactions are visible to others now."""
        ((following, running),) = self._session.query(
            "select pg_snapshot_xmax(s)::text::bigint, "
            "array(select x::text::bigint from pg_snapshot_xip(s) as x) "
            "from (select pg_current_snapshot() as s) as snapshots"
        )
        return Snapshot(int(following), frozenset(xid % _XIDS for xid in running))

    def _spool(self, spool: IO[bytes]) -> None:
        """Write the slot's messages to a file, each after its size."""
        slot = literal("postgresql", self._slot)
        publication = literal("postgresql", '"' + self._publication.replace('"', '""') + '"')
        for (message,) in self._session.stream(
            f"select data from pg_logical_slot_peek_binary_changes({slot}, pg_current_wal_lsn(), "
            f"null, 'proto_version', '1', 'publication_names', {publication})",
            f"the changes of the replication slot {self._slot}",
        ):
            spool.write(struct.pack(">I", len(message)))
            spool.write(message)
        spool.seek(0)

    def _confirmed(self) -> int | None:
        """Where the slot is; None where there is none, or one whose changes are lost."""
        slot = literal("postgresql", self._slot)
        rows = self._session.query(
            f"select {_number('confirmed_flush_lsn')}, wal_status, plugin, database = "
            f"current_database() from pg_replication_slots where slot_name = {slot}"
        )
        if not rows:
            return None
        ((position, status, plugin, is_here),) = rows
        if plugin != "pgoutput" or not is_here:
            raise PermanentFailure(
                f"database {self._session.database.location}: expected the replication slot "
                f"{self._slot} to be this database's, with pgoutput, found another; name another "
                "slot in defs.yaml."
            )
        return None if status == "lost" or position is None else int(position)

    def _make_slot(self) -> None:
        self._require_logical()
        slot = literal("postgresql", self._slot)
        # One whose log is lost is in the way.
        self._session.query(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots "
            f"where slot_name = {slot}"
        )
        self._session.query(
            f"select pg_create_logical_replication_slot({slot}, 'pgoutput')",
            f"to make the replication slot {self._slot}",
        )

    def _require_logical(self) -> None:
        ((level,),) = self._session.query("show wal_level")
        if level != "logical":
            raise PermanentFailure(
                f"database {self._session.database.location}: expected wal_level logical, found "
                f"{level}; set wal_level = logical in postgresql.conf and restart it, or declare "
                "another mode."
            )

    def _require_published(self, table: DatabaseTable) -> None:
        schema = schema_of("postgresql", table, "")
        rows = self._session.query(
            "select 1 from pg_publication_tables where pubname = "
            f"{literal('postgresql', self._publication)} and schemaname = "
            f"{literal('postgresql', schema)} and tablename = {literal('postgresql', table.table)}"
        )
        if not rows:
            raise PermanentFailure(
                f"table {schema}.{table.table}: expected it in the publication "
                f"{self._publication}, found it is not; its owner runs: CREATE PUBLICATION "
                f"{self._publication} FOR TABLE {schema}.{table.table} (or ALTER PUBLICATION … ADD "
                "TABLE …), or declare another mode."
            )


def _key(table: DatabaseTable, relation: Relation, values: Values) -> Values:
    """The key of a row.

    Raises:
        PermanentFailure: the database does not record it.
    """
    row: Mapping[str, str | None] = {
        name: value.rstrip(" ") if padded and value is not None else value
        for name, value, padded in zip(relation.columns, values, relation.padded, strict=True)
    }
    key = tuple(row.get(table.of_name(name).column) for name in table.key)
    if None in key:
        raise PermanentFailure(
            f"table {relation.schema}.{relation.name}: expected its replica identity to have the "
            f"key ({', '.join(table.key)}), found it has not; make it the table's primary key, or "
            "run: ALTER TABLE … REPLICA IDENTITY FULL"
        )
    return key


def _messages(spool: IO[bytes]) -> Iterator[bytes]:
    while size := spool.read(4):
        yield spool.read(struct.unpack(">I", size)[0])


def _name(table: DatabaseTable) -> tuple[str, str]:
    """The schema and the name of a table."""
    return schema_of("postgresql", table, ""), table.table


def _number(lsn: str) -> str:
    """A position of the log as a number."""
    return f"({lsn} - '0/0'::pg_lsn)::bigint"
