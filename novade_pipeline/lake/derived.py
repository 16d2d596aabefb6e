"""The versions of its sources that a derived table was made from.

The version of each source is recorded as a Delta transaction of the derived table, in the commit
that holds what was made of it: 'nothing to do' is decided from the lake, whatever crashed. A table
that was deleted and made again counts its versions anew, so it is another source.
"""

from collections.abc import Mapping, Sequence

from novade_pipeline.lake.changes import unchanged_since
from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store

UNFINISHED = -1
"""Recorded as a source's version while only some of the rows are rebuilt by it."""
_ID = "@"


def recorded_versions(
    store: Store, table: Table, sources: Mapping[str, int]
) -> dict[str, int | None]:
    """Source -> the version that the table was last made from; None where there is none."""
    target = open_table(store, table)
    return {
        source: None if target is None else target.transaction_version(source) for source in sources
    }


def is_current(
    store: Store, table: Table, sources: Mapping[str, int], tables: Sequence[Table] = ()
) -> bool:
    """Whether the table was made from these versions, or from older ones with the same rows.

    Args:
        tables: the sources that are tables of the lake, to which maintenance gives new versions.
    """
    known = recorded_versions(store, table, sources)
    lake_tables = {source.name: source for source in tables}
    for name, version in sources.items():
        recorded = known[name]
        if recorded == version:
            continue
        source = lake_tables.get(name.partition(_ID)[0])
        if recorded is None or recorded > version or source is None:
            return False
        if unchanged_since(store, source, version) > recorded:
            return False
    return True


def source_of(store: Store, table: Table) -> tuple[str, int]:
    """(a table's name as a source, its version as it is recorded: -1 where it has none yet)."""
    target = open_table(store, table)
    if target is None:
        return table.name, -1
    return f"{table.name}{_ID}{target.metadata().id}", target.version()


def transactions_of_commit(
    number: int, count: int, sources: Mapping[str, int], anew_by: str | None
) -> Mapping[str, int] | None:
    """What is recorded with one commit of several: the sources with the last.

    Args:
        number: of the commit, from 1.
        anew_by: the source by which all rows are made anew; None where only some are. What is cut
            off is not current, whatever becomes of the source.
    """
    if number == count:
        return sources
    return {anew_by: UNFINISHED} if anew_by is not None and number == 1 else None
