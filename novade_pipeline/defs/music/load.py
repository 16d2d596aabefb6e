"""Loads a list of the service into its table: read, protect, quarantine, merge changes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from novade_pipeline.api.auth import Bearer
from novade_pipeline.api.client import Client
from novade_pipeline.api.contract import Api
from novade_pipeline.api.quarantine import replace_rejected
from novade_pipeline.api.request_budget import Budget
from novade_pipeline.defs.music.settings import MusicSettings
from novade_pipeline.defs.music.stable_read import StableRead, read_until_stable
from novade_pipeline.defs.music.tables import QUARANTINE
from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.delta import WriteReceipt
from novade_pipeline.lake.differences import Comparison, compare
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.policy import PersonalDataPolicy, protect
from novade_pipeline.storage.store import Store


@dataclass(frozen=True)
class LoadResult:
    """What a load read and wrote; a receipt is None if nothing was written."""

    read: StableRead
    changes: Comparison
    receipt: WriteReceipt | None
    quarantine: WriteReceipt | None


def api_of(settings: MusicSettings) -> Api:
    """The service's API as the settings describe it; `api_url` must be set."""
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
    log: Callable[[str], None] = lambda _: None,
) -> LoadResult:
    """Update a table to the service's current list. The quarantine is written first.

    Raises:
        PermanentFailure: the answer is not such a list, or is empty although the lake has rows.
        TransientFailure: the service cannot be read now; nothing is written.
    """
    now = datetime.now(UTC)
    listed = read_until_stable(client, table, now, most_reads=settings.api_most_reads, log=log)
    existing = read(lake, table)
    live = sum(not is_deleted for is_deleted in existing["is_deleted"].to_pylist())
    if live and not listed.last.items and not settings.api_accept_empty:
        raise PermanentFailure(
            f"{table.name}: expected rows, since the lake has {live:,}, found that the service has "
            "none; nothing is written. If that is right, set NOVADE_MUSIC_API_ACCEPT_EMPTY=true."
        )
    diff = compare(table, existing, protect(listed.rows, table.personal, policy), listed.keys, now)
    quarantine = replace_rejected(lake, QUARANTINE, table.path[-1], listed.last.bad, policy, now)
    receipt = merge(lake, table, diff.rows, replace_equal=True) if len(diff.rows) else None
    return LoadResult(listed, diff, receipt, quarantine)
