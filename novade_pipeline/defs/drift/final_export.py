"""One complete, verified copy of a Drift workspace, after which its tables are frozen.

Everything is read again and loaded into the tables; the list of conversations is read until
nothing changes meanwhile. The copy is written beside the tables, read back, and compared with them.
Only then the manifest is written, which freezes the tables: a failed export freezes nothing.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.api.client import Client
from novade_pipeline.defs.drift.listing import Listing, listing
from novade_pipeline.defs.drift.load import (
    WATERMARK,
    ChatLoad,
    OnProgress,
    load_accounts,
    load_users,
)
from novade_pipeline.defs.drift.manifest import (
    FOLDER,
    Manifest,
    faults,
    remove_unfinished,
    violations,
    write_manifest,
)
from novade_pipeline.defs.drift.settings import DriftSettings
from novade_pipeline.defs.drift.spool import Spool, upload
from novade_pipeline.defs.drift.tables import CONVERSATIONS, READ, milliseconds
from novade_pipeline.defs.drift.writer import Writer
from novade_pipeline.errors import PermanentFailure, TransientFailure
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.watermarks import watermark
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.storage.store import Store


def final_export(
    client: Client,
    lake: Store,
    policy: PersonalDataPolicy,
    settings: DriftSettings,
    on_progress: OnProgress,
    now: datetime | None = None,
) -> Manifest:
    """Makes the copy, verifies it, freezes the tables, and returns the manifest.

    Raises:
        PermanentFailure: the copy differs from what was read or from the tables.
        TransientFailure: the workspace kept changing, or cannot be read now.
    """
    started_at = now or datetime.now(UTC)
    remove_unfinished(lake)
    with (
        tempfile.TemporaryDirectory(prefix="drift-final-export-") as folder,
        Spool(Path(folder), policy) as spool,
    ):
        writer = Writer(lake, policy, started_at, copy=spool.record)
        load_accounts(client, writer, settings)
        load_users(client, writer)
        listed = _read_chats(client, writer, settings, on_progress)
        parts = (*FOLDER, f"{started_at:%Y-%m-%dT%H-%M-%SZ}")
        tables: dict[str, Any] = {}
        with _removed_on_failure(lake, parts) as written:
            for table in READ:
                on_progress(f"{table.name}: the copy is written")
                tables[table.name] = _copied(lake, parts, spool, table, written)
            manifest = {
                "format": 1,
                "began_at": started_at.isoformat(),
                "finished_at": datetime.now(UTC).isoformat(),
                "verified": True,
                "api": client.api.url,
                "personal_data": {"mode": policy.mode, "fingerprint": policy.fingerprint},
                "folder": "/".join(parts),
                "tables": tables,
            }
            on_progress("drift/final_export: the copy is read back")
            _require_sound(_inconsistencies(manifest, listed) + faults(lake, manifest))
            write_manifest(lake, manifest)
    return manifest


def _read_chats(
    client: Client, writer: Writer, settings: DriftSettings, on_progress: OnProgress
) -> Listing:
    """Reads all conversations, then those that changed meanwhile, until none did."""
    max_reads, before = settings.api_most_reads, None
    for _ in range(max_reads):
        now = milliseconds(writer.now)
        listed = listing(
            client, down_to=None, most_reads=max_reads, now=now, on_progress=on_progress
        )
        pending = listed.changed if before is None else _changed(listed.changed, before.changed)
        if before is not None and not len(pending) and listed.is_stable:
            return listed
        mark = watermark(writer.lake, CONVERSATIONS, WATERMARK, writer.policy)
        load = ChatLoad(client, writer, mark.restarted() if before is None else mark, on_progress)
        load.ingest(listed, pending, is_sweep=True)
        before = listed
    raise TransientFailure(
        f"drift/final_export: expected the workspace not to change, found that conversations "
        f"changed in each of {max_reads} reads; nothing is frozen. Make the export when no chat is "
        "open, or raise NOVADE_DRIFT_API_MOST_READS."
    )


def _changed(now: pa.Table, before: pa.Table) -> pa.Table:
    """Returns the entries of a list that an earlier one does not have in that state."""
    earlier = before.rename_columns(["id", "was_updated_at"])
    joined = now.join(earlier, "id", join_type="left outer")
    same = pc.equal(joined["updated_at"], joined["was_updated_at"])
    changed = joined.filter(pc.invert(pc.fill_null(same, False)))
    return changed.select(now.column_names).sort_by([("updated_at", "ascending")])


def _copied(
    lake: Store, parts: tuple[str, ...], spool: Spool, table: Table, written: list[str]
) -> dict[str, Any]:
    """Writes both files of a table, and returns its manifest entry."""
    counts = spool.counts(table)
    as_rows = spool.write_rows(table)
    comparison = spool.compare(lake, table, as_rows)
    if comparison.different:
        raise PermanentFailure(
            f"drift/final_export: expected {table.name} to have the rows that were read, found "
            f"{comparison.different:,} of {counts.rows:,} missing or different; nothing is frozen. "
            "Make the export again."
        )
    files = {"as_rows": as_rows, "as_told": spool.write_items(table)}
    for file in files.values():
        written.append(file.name)
        upload(lake, spool.path(file), *parts, file.name)
    return {
        "told": counts.total,
        "rows": counts.rows,
        "quarantined": counts.quarantined,
        "erased": counts.erased,
        "in_table": comparison.in_table,
        "only_in_table": comparison.only_in_table,
        **{name: asdict(file) for name, file in files.items()},
    }


def _inconsistencies(manifest: Manifest, listed: Listing) -> list[str]:
    """Returns where counts do not agree, a sentence each."""
    problems = [f"manifest: {broken}" for broken in violations(manifest)]
    for name, table in manifest["tables"].items():
        is_kept = manifest["personal_data"]["mode"] == "keep"
        lines = table["rows"] + (table["quarantined"] if is_kept else 0)
        for part, expected in (("as_rows", table["rows"]), ("as_told", lines)):
            if table[part]["count"] != expected:
                problems.append(
                    f"{table[part]['name']}: expected {expected:,}, found {table[part]['count']:,}."
                )
        if name == CONVERSATIONS.name and table["told"] < len(listed.changed):
            problems.append(
                f"{name}: expected the {len(listed.changed):,} conversations that the list has, "
                f"found {table['told']:,}."
            )
    return problems


def _require_sound(problems: list[str]) -> None:
    if problems:
        raise PermanentFailure(
            f"drift/final_export: expected a copy of what was read, found {len(problems)} "
            f"faults, the first: {problems[0]} Nothing is frozen."
        )


@contextmanager
def _removed_on_failure(lake: Store, parts: tuple[str, ...]) -> Iterator[list[str]]:
    """Deletes the files of a copy that fails."""
    written: list[str] = []
    try:
        yield written
    except BaseException:
        for name in written:
            lake.delete(*parts, name)
        raise
