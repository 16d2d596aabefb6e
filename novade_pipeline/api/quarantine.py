"""The quarantine of an API's items: what is no row stays there, with the reason, until it is."""

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

_ALWAYS = Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
_CONTENT = ("place", "page", "position", "reason", "raw", "raw_bytes")


class Rejected(BaseModel):
    """One item of the service that is not what it should be, as it was last read."""

    source: str = Field(description="Which table it would be a row of.")
    place: str | None = Field(None, description="Where it was told: the path that was asked for.")
    page: int = Field(description="The page that it was on, from 1.")
    position: int = Field(description="Its place on that page, from 1.")
    reason: str = Field(description="What was expected and what was found, without the values.")
    raw: Annotated[bytes | None, Personal(), MayContain()] = Field(
        None, description="The item as JSON, 64 KiB at most; null unless personal data is kept."
    )
    raw_bytes: int = Field(description="How many bytes the item has as JSON.")
    read_at: datetime = Field(description="When it was read, UTC.")


def quarantine(domain: str, *lines_of: Table) -> Table:
    """The quarantine of a domain's API.

    Args:
        lines_of: the tables that the items would have been rows of.
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
    found: Sequence[BadItem],
    policy: PersonalDataPolicy,
    now: datetime,
    places: Collection[str] | None = None,
) -> WriteReceipt | None:
    """Put the bad items of what was read in the place of those that stand for it.

    Args:
        table: from `quarantine`.
        source: the table that they would be rows of.
        found: the bad items.
        now: when they were read.
        places: what was read; None: all that the source has.

    Returns:
        None where just these stand there.
    """
    rows = pa.Table.from_pylist(
        [
            {
                "source": source,
                "place": one.place,
                "page": one.page,
                "position": one.position,
                "reason": one.reason,
                "raw": one.raw,
                "raw_bytes": one.raw_bytes,
                "read_at": now,
            }
            for one in found
        ],
        table.schema,
    )
    protected = protect(rows, table.personal, policy)
    where: Where = {"source": source}
    if places is not None:
        where = {**where, "place": sorted(places)}
    if _content(read(lake, table, where=where)) == _content(protected):
        return None
    return replace_window(lake, table, protected, [_ALWAYS], where=where)


def _content(rows: pa.Table) -> list[tuple[object, ...]]:
    return sorted(zip(*(rows[name].to_pylist() for name in _CONTENT), strict=True), key=repr)
