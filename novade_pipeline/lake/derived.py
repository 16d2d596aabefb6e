"""What a derived table has taken in of its sources, and so what it still has to do.

The version of each source is recorded as a Delta transaction of the derived table, in the commit
that holds what was made of it: 'nothing to do' is decided from the lake, whatever crashed.
"""

from collections.abc import Mapping

from novade_pipeline.lake.delta import current_version, open_table
from novade_pipeline.lake.table import Table
from novade_pipeline.storage import Store


def taken_in(store: Store, table: Table, sources: Mapping[str, int]) -> dict[str, int | None]:
    """Source -> the version of it that the table has taken in; None where it never has."""
    found = open_table(store, table)
    return {
        source: None if found is None else found.transaction_version(source) for source in sources
    }


def is_current(store: Store, table: Table, sources: Mapping[str, int]) -> bool:
    """The table has taken in exactly these versions."""
    return taken_in(store, table, sources) == dict(sources)


def version_of(store: Store, table: Table) -> int:
    """The version of a source as it is recorded; -1 where it has none yet."""
    found = current_version(store, table)
    return -1 if found is None else found
