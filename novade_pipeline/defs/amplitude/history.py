"""Fetches hours of Amplitude's history into the landing zone, and records which were fetched.

The files land beside those of the Blob Storage export, in a folder of their own that sorts after
them, under the names that Amplitude gives. So an hour that both have is loaded once: its first
copies stay, the others are repeated lines.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO

import pyarrow as pa

from novade_pipeline.api.client import Client
from novade_pipeline.defs.amplitude.export_api import HOUR, Archive, Span, fetch, spans
from novade_pipeline.defs.amplitude.export_files import EVENTS, events_hour
from novade_pipeline.defs.amplitude.settings import AmplitudeSettings
from novade_pipeline.defs.amplitude.tables import FILES, HISTORY
from novade_pipeline.errors import PermanentFailure, UserError
from novade_pipeline.lake.delta import WriteReceipt, replace_window
from novade_pipeline.lake.prefetch import map_ahead
from novade_pipeline.lake.read import read
from novade_pipeline.lake.windows import Window
from novade_pipeline.plurals import counted
from novade_pipeline.storage.store import Store

FOLDER = f"{EVENTS.folder}/history"
"""In the landing zone; its name comes after every project's number."""
_PART = 2**20


@dataclass
class HistoryReport:
    """What a run fetched.

    Attributes:
        hours: that are fetched now, with files or without.
        empty_hours: of these, those in which nothing was uploaded.
        files: that landed new or changed.
        unchanged_files: that had landed before with the same bytes.
        bytes: of all files.
        later_hours: hours of the window that Amplitude has not exported yet.
    """

    hours: int = 0
    empty_hours: int = 0
    files: int = 0
    unchanged_files: int = 0
    bytes: int = 0
    later_hours: int = 0
    receipts: list[WriteReceipt] = field(default_factory=list)


def pending_hours(
    lake: Store, window: Window, latest: datetime, *, again: bool = False
) -> list[datetime]:
    """The hours of a window, before `latest`, that were not fetched yet; with `again` all."""
    assert isinstance(window.start, datetime)
    assert isinstance(window.end, datetime)
    end = min(window.end, latest)
    hours = [*Span(window.start, max(0, (end - window.start) // HOUR))]
    if again or not hours:
        return hours
    rows = read(lake, HISTORY, columns=["upload_hour"], windows=[Window(hours[0], end)])
    fetched = set(rows["upload_hour"].to_pylist())
    return [hour for hour in hours if hour not in fetched]


def fetch_history(
    client: Client,
    landing: Store,
    lake: Store,
    window: Window,
    settings: AmplitudeSettings,
    *,
    again: bool = False,
    on_progress: Callable[[str], None] = lambda _: None,
) -> HistoryReport:
    """Fetches the hours of a window that were not fetched yet, span by span.

    Each span is recorded once its files have landed, so a run that is cut off goes on there.

    Args:
        window: of whole hours, UTC.
        again: fetch the others as well.

    Raises:
        PermanentFailure: the keys are refused, an hour is too large, or the budget is used up.
        TransientFailure: Amplitude or the storage does not answer.
    """
    exported_until = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    exported_until -= settings.api_delay_hours * HOUR
    assert isinstance(window.start, datetime)
    later = max(0, (window.end - max(window.start, exported_until)) // HOUR)
    report = HistoryReport(later_hours=later)
    hours = pending_hours(lake, window, exported_until, again=again)
    if not hours:
        on_progress(f"{HISTORY.name}: every hour of the window that is exported was fetched before")
    landed = _landed_sizes(landing, set(hours))
    with tempfile.TemporaryDirectory(prefix="novade-amplitude-") as folder:
        workers = [partial(_download_span, client, Path(folder))] * settings.api_concurrency
        for archives in map_ahead(workers, spans(hours, settings.api_hours_per_request)):
            for archive in archives:
                counts = _land(landing, landed, archive, report)
                report.receipts.append(_record(lake, archive.span, counts))
                report.hours += archive.span.hours
                report.empty_hours += sum(hour not in counts for hour in archive.span)
                on_progress(
                    f"{HISTORY.name}: {archive.span} has landed, {report.hours:,} of "
                    f"{counted(len(hours), 'hour')}, {report.bytes:,} bytes"
                )
            if report.bytes >= settings.api_max_bytes and report.hours < len(hours):
                raise PermanentFailure(
                    f"{HISTORY.name}: the budget of {settings.api_max_bytes:,} bytes is used up; "
                    f"{counted(report.hours, 'hour')} of {len(hours):,} are fetched; run it again "
                    "for the rest, or raise NOVADE_AMPLITUDE_API_MAX_BYTES."
                )
    on_progress(
        f"{HISTORY.name}: {client.receipt.requests:,} of {settings.api_max_requests:,} requests "
        f"and {report.bytes:,} of {settings.api_max_bytes:,} bytes that a run may use"
    )
    return report


def _download_span(client: Client, folder: Path, span: Span) -> Sequence[Archive]:
    """All answers for a span, downloaded."""
    return list(fetch(client, span, folder))


def _land(
    landing: Store, landed: Mapping[str, int], archive: Archive, report: HistoryReport
) -> dict[datetime, Counter[str]]:
    """Lands the files of a zip, each whole or not at all, counts them by hour, deletes the zip."""
    counts: dict[datetime, Counter[str]] = {}
    if archive.path is None:
        return counts
    for name, hour, size, content in archive.entries():
        path = f"{FOLDER}/{name}"
        if landed.get(path) == size and _is_same(landing, path, content):
            report.unchanged_files += 1
        else:
            content.seek(0)
            _write(landing, path, content)
            report.files += 1
        report.bytes += size
        counts.setdefault(hour, Counter()).update(files=1, bytes=size)
    archive.path.unlink()
    return counts


def _landed_sizes(landing: Store, hours: Collection[datetime]) -> dict[str, int]:
    """Path -> size of the files of these hours that have landed from the API."""
    entries = landing.entries(f"{FOLDER}/") if hours else ()
    return {e.file: e.size for e in entries if events_hour(e.file.rpartition("/")[2]) in hours}


def _is_same(landing: Store, path: str, content: IO[bytes]) -> bool:
    with landing.open(path) as landed:
        return all(part == landed.read(len(part)) for part in _parts(content))


def _write(landing: Store, path: str, content: IO[bytes]) -> None:
    try:
        new = landing.create(path)
        try:
            for part in _parts(content):
                new.write(part)
            new.finish()
        except BaseException:
            new.discard()
            raise
    except OSError as error:
        raise UserError(
            f"Landing zone: expected to write {landing.child(path)}, found: "
            f"{error.strerror or error}; history lands beside the exports, so give the right to "
            "write there."
        ) from None


def _parts(content: IO[bytes]) -> Iterator[bytes]:
    return iter(partial(content.read, _PART), b"")


def _record(lake: Store, span: Span, counts: dict[datetime, Counter[str]]) -> WriteReceipt:
    now = datetime.now(UTC)
    rows = [
        {
            "upload_date": hour.date(),
            "upload_hour": hour,
            "files": counts.get(hour, Counter())["files"],
            "bytes": counts.get(hour, Counter())["bytes"],
            "fetched_at": now,
        }
        for hour in span
    ]
    table = pa.Table.from_pylist(rows, schema=HISTORY.schema)
    return replace_window(lake, HISTORY, table, [Window(span.start, span.end)])


@dataclass(frozen=True)
class ExportDifference:
    """The upload hours, ascending, that one of Amplitude's two exports lacks.

    Attributes:
        only_storage: fetched hours that the storage's export has lines of, and the API no files.
        only_api: hours that the API has files of, and the storage's export has none, from its first
            hour to its last.
    """

    only_storage: list[datetime]
    only_api: list[datetime]


def compare_exports(lake: Store) -> ExportDifference:
    """Compares the hours that were fetched with those that the storage's export landed."""
    where = {"source": EVENTS.name}
    files = read(lake, FILES, columns=["file", "upload_hour", "lines"], where=where).to_pylist()
    stored = {
        row["upload_hour"]
        for row in files
        if row["upload_hour"] is not None
        and row["lines"]
        and not row["file"].startswith(f"{FOLDER}/")
    }
    history = read(lake, HISTORY, columns=["upload_hour", "files"]).to_pylist()
    fetched = {row["upload_hour"] for row in history}
    exported = {row["upload_hour"] for row in history if row["files"]}
    comparable = {hour for hour in exported if stored and min(stored) <= hour <= max(stored)}
    return ExportDifference(sorted(stored & (fetched - exported)), sorted(comparable - stored))
