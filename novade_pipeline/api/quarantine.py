"""The quarantine of an API: items that are not valid rows, each with the reason."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Annotated

import pyarrow as pa
from pydantic import BaseModel, Field

from novade_pipeline.api.items import BadItem
from novade_pipeline.lake.delta import WriteReceipt, replace_window
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Where, Window
from novade_pipeline.privacy.marks import MayContain
from novade_pipeline.privacy.policy import Personal, PersonalDataPolicy, protect
from novade_pipeline.storage.store import Store

_ALL_TIME = Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
_CONTENT = ("place", "page", "position", "reason", "raw", "raw_bytes")


class Rejected(BaseModel):
    """An item that is not a valid row, as it was last read."""

    source: str = Field(description="The table whose row it would be.")
    place: str | None = Field(None, description="The requested path.")
    page: int = Field(description="Its page, from 1.")
    position: int = Field(description="Its place on that page, from 1.")
    reason: str = Field(description="What was expected and what was found, without the values.")
    raw: Annotated[bytes | None, Personal(), MayContain()] = Field(
        None, description="The item as JSON, 64 KiB at most; null unless personal data is kept."
    )
    raw_bytes: int = Field(description="The size of the item as JSON, bytes.")
    read_at: datetime = Field(description="When it was read, UTC.")


def quarantine(domain: str, *lines_of: Table) -> Table:
    """The quarantine of a domain's API.

    Args:
        lines_of: the tables of the valid items.
    """
    return Table(
        name=f"{domain}/quarantine",
        row=Rejected,
        key=("source", "place", "page", "position"),
        write_mode="replace_window",
        partition_by=("source",),
        window="read_at",
        lines_of=lines_of,
    )


def replace_rejected(
    lake: Store,
    table: Table,
    source: str,
    bad_items: Sequence[BadItem],
    policy: PersonalDataPolicy,
    now: datetime,
    places: Collection[str] | None = None,
) -> WriteReceipt | None:
    """Replace the quarantined items of the places that were read.

    Args:
        table: from `quarantine`.
        source: the table of the valid items.
        bad_items: all that these places have now.
        now: when they were read.
        places: what was read; None for everything.

    Returns:
        None where nothing has changed.
    """
    rows = pa.Table.from_pylist(
        [
            {"source": source, "read_at": now} | {name: getattr(item, name) for name in _CONTENT}
            for item in bad_items
        ],
        table.schema,
    )
    protected = protect(rows, table.personal, policy)
    where: Where = {"source": source}
    if places is not None:
        where = {**where, "place": sorted(places)}
    if _content(read(lake, table, where=where)) == _content(protected):
        return None
    return replace_window(lake, table, protected, [_ALL_TIME], where=where)


def _content(rows: pa.Table) -> list[tuple[object, ...]]:
    return sorted(zip(*(rows[name].to_pylist() for name in _CONTENT), strict=True), key=repr)
