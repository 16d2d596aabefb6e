"""Records that break their types: kept with the reason until they are read without fault."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

import pyarrow as pa

from novade_pipeline.defs.salesforce.rows import Bad
from novade_pipeline.defs.salesforce.tables import OBJECTS, QUARANTINE
from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.delta import WriteReceipt, replace_window
from novade_pipeline.lake.read import read
from novade_pipeline.lake.windows import Window
from novade_pipeline.privacy.policy import PersonalDataPolicy, protect
from novade_pipeline.storage.store import Store

MOST_BAD = 10_000
"""In one read; more are no faults of single records."""

_ALWAYS = Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
_COMPARED = ("record", "reason", "raw", "raw_bytes")


def refuse_too_many(name: str, bad: list[Bad]) -> None:
    """Stop where so much is wrong that the quarantine is not the place for it.

    Raises:
        PermanentFailure: there are more than `MOST_BAD`.
    """
    if len(bad) > MOST_BAD:
        raise PermanentFailure(
            f"Salesforce: expected records of {name} in the types of its describe, found more than "
            f"{MOST_BAD:,} that break them, the first with {bad[0].reason}; nothing is written."
        )


def keep_bad(
    lake: Store,
    name: str,
    bad: list[Bad],
    mended: Callable[[list[str]], set[str]],
    policy: PersonalDataPolicy,
    now: datetime,
) -> WriteReceipt | None:
    """Add an object's bad records to the quarantine, and take out those that were read well.

    Args:
        mended: which of some Ids were read without fault this time.
        now: when the bad ones are said to have been read.
    """
    source = OBJECTS[name].path[-1]
    there = read(lake, QUARANTINE, where={"source": source})
    if not bad and not len(there):
        return None
    rows = [_row(source, one, now) for one in {_record(one): one for one in bad}.values()]
    new = protect(pa.Table.from_pylist(rows, QUARANTINE.schema), QUARANTINE.personal, policy)
    read_now = mended(there["record"].to_pylist()) | {row["record"] for row in rows}
    kept = [row for row in there.to_pylist() if row["record"] not in read_now]
    kept += _as_before(new.to_pylist(), there.to_pylist())
    after = pa.Table.from_pylist(kept, QUARANTINE.schema)
    if _contents(there.to_pylist()) == _contents(kept):
        return None
    return replace_window(lake, QUARANTINE, after, [_ALWAYS], where={"source": source})


def _as_before(
    new: list[dict[str, object]], there: list[dict[str, object]]
) -> list[dict[str, object]]:
    """A record that was there just so keeps the time when it was first read so."""
    known = {tuple(row[name] for name in _COMPARED): row for row in there}
    return [known.get(tuple(row[name] for name in _COMPARED), row) for row in new]


def _row(source: str, one: Bad, now: datetime) -> dict[str, object]:
    return {
        "source": source,
        "record": _record(one),
        "reason": one.reason,
        "raw": one.raw,
        "raw_bytes": one.raw_bytes,
        "read_at": now,
    }


def _record(one: Bad) -> str:
    return one.key or hashlib.sha256(one.raw).hexdigest()[:32]


def _contents(rows: list[dict[str, object]]) -> list[tuple[object, ...]]:
    return sorted((tuple(row[name] for name in _COMPARED) for row in rows), key=repr)
