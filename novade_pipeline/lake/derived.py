"""What a derived table has taken in of its sources, and so what it still has to do.

The version of each source is recorded as a Delta transaction of the derived table, in the commit
that holds what was made of it: 'nothing to do' is decided from the lake, whatever crashed.
"""

from collections.abc import Mapping, Sequence

from novade_pipeline.lake.changes import unchanged_since
from novade_pipeline.lake.delta import current_version, open_table
from novade_pipeline.lake.table import Table
from novade_pipeline.storage import Store


def taken_in(store: Store, table: Table, sources: Mapping[str, int]) -> dict[str, int | None]:
    """Source -> the version of it that the table has taken in; None where it never has."""
    found = open_table(store, table)
    return {
        source: None if found is None else found.transaction_version(source) for source in sources
    }


def is_current(
    store: Store, table: Table, sources: Mapping[str, int], tables: Sequence[Table] = ()
) -> bool:
    """The table has taken in these versions, or older ones with the same rows.

    Args:
        store: the lake.
        table: the derived table.
        sources: source -> its version.
        tables: those of the sources that are tables of the lake, which upkeep gives new versions.
    """
    known = taken_in(store, table, sources)
    upkept = {source.name: source for source in tables}
    for name, version in sources.items():
        taken = known[name]
        if taken == version:
            continue
        if taken is None or taken > version or name not in upkept:
            return False
        if unchanged_since(store, upkept[name], version) > taken:
            return False
    return True


def version_of(store: Store, table: Table) -> int:
    """The version of a source as it is recorded; -1 where it has none yet."""
    found = current_version(store, table)
    return -1 if found is None else found
