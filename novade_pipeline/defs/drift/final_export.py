"""One complete, verified copy of a Drift workspace, after which its tables are frozen.

Everything is read anew; the tables are brought to it on the way, and the list of conversations is
read again until nothing changed while the rest was read. The copy is written beside the tables,
read back, and compared with them. Only then the manifest is written, and it freezes the tables:
an export that fails, or is killed, freezes nothing.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.api.client import Client
from novade_pipeline.defs.drift.listing import Listing, listing
from novade_pipeline.defs.drift.load import WATERMARK, ChatLoad, Tell, load_accounts, load_users
from novade_pipeline.defs.drift.manifest import (
    FOLDER,
    Manifest,
    faults,
    sweep,
    violations,
    write_manifest,
)
from novade_pipeline.defs.drift.settings import DriftSettings
from novade_pipeline.defs.drift.spool import Spool, as_document, upload
from novade_pipeline.defs.drift.tables import CONVERSATIONS, READ, milliseconds
from novade_pipeline.defs.drift.writer import Writer
from novade_pipeline.errors import PermanentFailure, TransientFailure
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.watermarks import watermark
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.storage.store import Store


@dataclass(frozen=True)
class Exported:
    """A final export: its manifest, and what it wrote to the tables."""

    manifest: Manifest
    writer: Writer


def final_export(
    client: Client,
    lake: Store,
    policy: PersonalDataPolicy,
    settings: DriftSettings,
    tell: Tell,
    now: datetime | None = None,
) -> Exported:
    """Make the copy, verify it, and freeze the tables.

    Raises:
        PermanentFailure: the copy is not what was read, or not what the tables hold; nothing is
            frozen.
        TransientFailure: the workspace did not hold still, or cannot be read now.
    """
    began = now or datetime.now(UTC)
    sweep(lake)
    with (
        tempfile.TemporaryDirectory(prefix="drift-final-export-") as folder,
        Spool(Path(folder), policy) as spool,
    ):
        writer = Writer(lake, policy, began, copy=spool.take)
        load_accounts(client, writer, settings)
        load_users(client, writer)
        listed = _read_chats(client, writer, settings, tell)
        parts = (*FOLDER, f"{began:%Y-%m-%dT%H-%M-%SZ}")
        tables: dict[str, Any] = {}
        with _unless_done(lake, parts) as written:
            for table in READ:
                tell(f"{table.name}: the copy is written")
                tables[table.name] = _copied(lake, parts, spool, table, written)
            told = {
                "format": 1,
                "began_at": began.isoformat(),
                "finished_at": datetime.now(UTC).isoformat(),
                "verified": True,
                "api": client.api.url,
                "personal_data": {"mode": policy.mode, "fingerprint": policy.fingerprint},
                "folder": "/".join(parts),
                "tables": tables,
            }
            tell("drift/final_export: the copy is read back")
            _refuse(_unsound(told, listed) + faults(lake, told))
            write_manifest(lake, told)
    return Exported(told, writer)


def _read_chats(client: Client, writer: Writer, settings: DriftSettings, tell: Tell) -> Listing:
    """Read all conversations, then those that changed meanwhile, until none did."""
    most, before = settings.api_most_reads, None
    for _ in range(most):
        now = milliseconds(writer.now)
        found = listing(client, down_to=None, most_reads=most, now=now, tell=tell)
        todo = found.changed if before is None else _changed(found.changed, before.changed)
        if before is not None and not len(todo) and found.is_settled:
            return found
        mark = watermark(writer.lake, CONVERSATIONS, WATERMARK, writer.policy)
        load = ChatLoad(client, writer, mark.restarted() if before is None else mark, tell)
        load.take_in(found, todo, is_sweep=True)
        before = found
    raise TransientFailure(
        f"drift/final_export: expected the workspace to hold still, found that conversations "
        f"changed in each of {most} reads; nothing is frozen. Make the export when nobody chats, "
        "or raise NOVADE_DRIFT_API_MOST_READS."
    )


def _changed(now: pa.Table, before: pa.Table) -> pa.Table:
    """What of a list is not on the one before in that state."""
    was = before.rename_columns(["id", "was_updated_at"])
    joined = now.join(was, "id", join_type="left outer")
    same = pc.equal(joined["updated_at"], joined["was_updated_at"])
    changed = joined.filter(pc.invert(pc.fill_null(same, False)))
    return changed.select(now.column_names).sort_by([("updated_at", "ascending")])


def _copied(
    lake: Store, parts: tuple[str, ...], spool: Spool, table: Table, written: list[str]
) -> dict[str, Any]:
    """Write both files of a table; what the manifest says of it."""
    counts = spool.counts(table)
    as_rows = spool.write_rows(table)
    beside = spool.compared(lake, table, as_rows)
    if beside.unlike:
        raise PermanentFailure(
            f"drift/final_export: expected {table.name} to hold what was read, found "
            f"{beside.unlike:,} of {counts.rows:,} rows that it has not, or otherwise; nothing is "
            "frozen. Make the export again."
        )
    files = {"as_rows": as_rows, "as_told": spool.write_told(table)}
    for file in files.values():
        written.append(file.name)
        upload(lake, spool.path(file), *parts, file.name)
    return {
        "told": counts.told,
        "rows": counts.rows,
        "quarantined": counts.quarantined,
        "erased": counts.erased,
        "in_table": beside.in_table,
        "only_in_table": beside.only_in_table,
        **{name: as_document(file) for name, file in files.items()},
    }


def _unsound(told: Manifest, listed: Listing) -> list[str]:
    """Where counts do not agree, a sentence each."""
    found = [f"manifest: {broken}" for broken in violations(told)]
    for name, table in told["tables"].items():
        is_kept = told["personal_data"]["mode"] == "keep"
        lines = table["rows"] + (table["quarantined"] if is_kept else 0)
        for part, expected in (("as_rows", table["rows"]), ("as_told", lines)):
            if table[part]["count"] != expected:
                found.append(
                    f"{table[part]['name']}: expected {expected:,}, found {table[part]['count']:,}."
                )
        if name == CONVERSATIONS.name and table["told"] < len(listed.changed):
            found.append(
                f"{name}: expected the {len(listed.changed):,} conversations that the list has, "
                f"found {table['told']:,}."
            )
    return found


def _refuse(found: list[str]) -> None:
    if found:
        raise PermanentFailure(
            f"drift/final_export: expected a copy that is what was read, found {len(found)} "
            f"faults, the first: {found[0]} Nothing is frozen."
        )


@contextmanager
def _unless_done(lake: Store, parts: tuple[str, ...]) -> Iterator[list[str]]:
    """Take away the files of a copy that is not to be."""
    written: list[str] = []
    try:
        yield written
    except BaseException:
        for name in written:
            lake.delete(*parts, name)
        raise
