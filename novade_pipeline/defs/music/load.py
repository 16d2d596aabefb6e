"""From a list of the service to its table: read, protect, quarantine, merge what changed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from novade_pipeline.api.auth import Bearer
from novade_pipeline.api.client import Client
from novade_pipeline.api.contract import Api
from novade_pipeline.api.pace import Budget
from novade_pipeline.defs.music.changes import Changes, changes
from novade_pipeline.defs.music.service_rows import Bad
from novade_pipeline.defs.music.settings import MusicSettings
from novade_pipeline.defs.music.settled_read import Settled, settled_read
from novade_pipeline.defs.music.tables import QUARANTINE
from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.delta import WriteReceipt, replace_window
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.personal_data import PersonalDataPolicy, protect
from novade_pipeline.storage import Store

_ALWAYS = Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))


@dataclass(frozen=True)
class Loaded:
    """What a load read and wrote; no receipt where that was nothing."""

    read: Settled
    changes: Changes
    receipt: WriteReceipt | None
    quarantine: WriteReceipt | None


def api_of(settings: MusicSettings) -> Api:
    """The service as the settings describe it; its address is set."""
    assert settings.api_url is not None
    token = settings.api_token.get_secret_value() if settings.api_token is not None else ""
    return Api(
        name="music",
        url=settings.api_url,
        auth=Bearer(token) if token else None,
        budget=Budget(
            concurrent=settings.api_concurrency,
            requests=settings.api_requests_per_minute,
            seconds=60.0,
        ),
        timeout=settings.api_timeout_seconds,
        hint="look at NOVADE_MUSIC_API_URL",
    )


def load(
    client: Client,
    lake: Store,
    table: Table,
    policy: PersonalDataPolicy,
    settings: MusicSettings,
    tell: Callable[[str], None] = lambda told: None,
) -> Loaded:
    """Bring a table to what the service has now. The quarantine is written first.

    Raises:
        PermanentFailure: the service does not answer with such a list, or has nothing although
            the lake has rows.
        TransientFailure: the service cannot be read now; nothing is written.
    """
    now = datetime.now(UTC)
    found = settled_read(client, table, now, most_reads=settings.api_most_reads, tell=tell)
    there = read(lake, table)
    live = sum(not gone for gone in there["is_deleted"].to_pylist())
    if live and not found.last.items and not settings.api_accept_empty:
        raise PermanentFailure(
            f"{table.name}: expected rows, since the lake has {live:,}, found that the service has "
            "none; nothing is written. Where that is right, set NOVADE_MUSIC_API_ACCEPT_EMPTY=true."
        )
    what = changes(table, there, protect(found.rows, table.personal, policy), found.keys, now)
    quarantine = _quarantine(lake, table, found.last.bad, policy, now)
    receipt = merge(lake, table, what.rows, ties=True) if len(what.rows) else None
    return Loaded(found, what, receipt, quarantine)


def _quarantine(
    lake: Store, table: Table, bad: list[Bad], policy: PersonalDataPolicy, now: datetime
) -> WriteReceipt | None:
    """Put the list's bad rows in the place of those of the last read; the same ones are left."""
    source = table.path[-1]
    rows = pa.Table.from_pylist(
        [
            {
                "source": source,
                "page": one.page,
                "position": one.position,
                "reason": one.reason,
                "raw": one.raw,
                "raw_bytes": one.raw_bytes,
                "read_at": now,
            }
            for one in bad
        ],
        QUARANTINE.schema,
    )
    protected = protect(rows, QUARANTINE.personal, policy)
    there = read(lake, QUARANTINE, where={"source": source})
    if _contents(there) == _contents(protected):
        return None
    return replace_window(lake, QUARANTINE, protected, [_ALWAYS], where={"source": source})


def _contents(rows: pa.Table) -> list[tuple[object, ...]]:
    names = ("page", "position", "reason", "raw", "raw_bytes")
    return sorted(zip(*(rows[name].to_pylist() for name in names), strict=True), key=repr)
