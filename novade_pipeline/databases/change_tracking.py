"""SQL Server's change tracking: the keys of changed rows, as long as it keeps them.

Source: https://learn.microsoft.com/en-us/sql/relational-databases/track-changes/work-with-change-tracking-sql-server.
The current version is asked for before the changes, and the oldest valid one after them: what
changes or is cleaned up meanwhile is noticed by this load or comes again in the next one.
"""

from collections.abc import Callable
from typing import Any

from novade_pipeline.databases.declaration import DatabaseTable
from novade_pipeline.databases.feeds import Changes, typed_keys
from novade_pipeline.databases.sql import literal, quoted, table_name
from novade_pipeline.errors import PermanentFailure

Query = Callable[[str], list[tuple[Any, ...]]]


class ChangeTracking:
    """The feed of a database of SQL Server."""

    def __init__(self, query: Query, location: str) -> None:
        self._query, self._location = query, location

    def check(self, table: DatabaseTable) -> None:
        """Whether change tracking is on, for the database and for the table."""
        self._current()
        self._oldest(table)

    def start(self, table: DatabaseTable) -> int:
        """The current version."""
        version = self._current()
        self._oldest(table)
        return version

    def changes(self, table: DatabaseTable, since: int) -> Changes:
        """The keys of rows that changed after a version."""
        version = self._current()
        if version < since:
            lost = f"the database is at version {version:,}, before {since:,}: it was restored"
            return Changes(frozenset(), version, lost)
        oldest = self._oldest(table)
        if since < oldest:
            return Changes(frozenset(), version, self._cleaned(since, oldest))
        rows = self._query(changes_sql(table, since))
        oldest = self._oldest(table)
        if since < oldest:
            return Changes(frozenset(), version, self._cleaned(since, oldest))
        texts = (tuple(None if v is None else str(v) for v in row) for row in rows)
        return Changes(typed_keys(table, texts), version)

    def release(self, position: int) -> None:
        """Nothing: the database's own CHANGE_RETENTION says how long it keeps changes."""

    def _current(self) -> int:
        ((version,),) = self._query("SELECT CHANGE_TRACKING_CURRENT_VERSION()")
        if version is None:
            raise PermanentFailure(
                f"database {self._location}: expected change tracking, found it switched off; "
                "ALTER DATABASE … SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 7 DAYS), or declare "
                "another mode."
            )
        return int(version)

    def _oldest(self, table: DatabaseTable) -> int:
        ((version,),) = self._query(oldest_sql(table))
        if version is None:
            name = table_name("mssql", table)
            raise PermanentFailure(
                f"table {name}: expected change tracking, found it switched off, or no right to "
                f"see it; ALTER TABLE {name} ENABLE CHANGE_TRACKING, GRANT VIEW CHANGE TRACKING, "
                "or declare another mode."
            )
        return int(version)

    def _cleaned(self, since: int, oldest: int) -> str:
        return (
            f"change tracking keeps changes from version {oldest:,} on, and the table was read up "
            f"to {since:,}: its history was cleaned; load more often, or raise CHANGE_RETENTION"
        )


def oldest_sql(table: DatabaseTable) -> str:
    """The oldest version whose changes the table still has; null without change tracking."""
    name = literal("mssql", table_name("mssql", table))
    return f"SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID({name}))"


def changes_sql(table: DatabaseTable, since: int) -> str:
    """The keys of the rows that changed after a version."""
    keys = ", ".join(
        f"CT.{quoted('mssql', table.of_name(name).column)} AS {quoted('mssql', name)}"
        for name in table.key
    )
    return (
        f"SELECT {keys} FROM CHANGETABLE(CHANGES {table_name('mssql', table)}, {int(since)}) AS CT"
    )
