"""The quarantine of records that break their types, until they are read without error."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa

from novade_pipeline.defs.salesforce.rows import BadRecord
from novade_pipeline.defs.salesforce.tables import OBJECTS, QUARANTINE
from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.delta import WriteReceipt, replace_window
from novade_pipeline.lake.read import read
from novade_pipeline.lake.windows import Window
from novade_pipeline.privacy.policy import PersonalDataPolicy, protect
from novade_pipeline.storage.store import Store

MOST_BAD = 10_000
"""In one read; with more, the fault is not in single records."""

_ALWAYS = Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
_COMPARED = ("record", "reason", "raw", "raw_bytes")


def refuse_too_many(name: str, bad: list[BadRecord]) -> None:
    """Fails where there are too many bad records for the quarantine.

    Raises:
        PermanentFailure: there are more than `MOST_BAD`.
    """
    if len(bad) > MOST_BAD:
        raise PermanentFailure(
            f"Salesforce: expected records of {name} in the types of its describe, found more than "
            f"{MOST_BAD:,} that break them, the first with {bad[0].reason}; nothing is written."
        )


def update_quarantine(
    lake: Store,
    name: str,
    bad: list[BadRecord],
    read_well: Callable[[list[str]], set[str]],
    policy: PersonalDataPolicy,
    now: datetime,
) -> list[WriteReceipt]:
    """Adds an object's bad records to the quarantine, and removes those that were read well.

    Args:
        read_well: returns which of some Ids were read without error this time.
        now: `read_at` of new records.

    Returns:
        The receipt of the commit, if there was one.
    """
    source = OBJECTS[name].path[-1]
    existing = read(lake, QUARANTINE, where={"source": source})
    if not bad and not len(existing):
        return []
    rows = [
        _row(source, record, now) for record in {_key_of(record): record for record in bad}.values()
    ]
    new = protect(pa.Table.from_pylist(rows, QUARANTINE.schema), QUARANTINE.personal, policy)
    read_now = read_well(existing["record"].to_pylist()) | {row["record"] for row in rows}
    kept = [row for row in existing.to_pylist() if row["record"] not in read_now]
    kept += _with_first_read_at(new.to_pylist(), existing.to_pylist())
    after = pa.Table.from_pylist(kept, QUARANTINE.schema)
    if _contents(existing.to_pylist()) == _contents(kept):
        return []
    return [replace_window(lake, QUARANTINE, after, [_ALWAYS], where={"source": source})]


def _with_first_read_at(
    new: list[dict[str, object]], existing: list[dict[str, object]]
) -> list[dict[str, object]]:
    """Replaces unchanged records by the existing rows, which say when they were first read."""
    known = {tuple(row[name] for name in _COMPARED): row for row in existing}
    return [known.get(tuple(row[name] for name in _COMPARED), row) for row in new]


def _row(source: str, record: BadRecord, now: datetime) -> dict[str, object]:
    return {
        "source": source,
        "record": _key_of(record),
        "reason": record.reason,
        "raw": record.raw,
        "raw_bytes": record.raw_bytes,
        "read_at": now,
    }


def _key_of(record: BadRecord) -> str:
    return record.key or hashlib.sha256(record.raw).hexdigest()[:32]


def _contents(rows: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return sorted((tuple(row[name] for name in _COMPARED) for row in rows), key=repr)
