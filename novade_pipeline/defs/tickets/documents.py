"""The tickets with their team, and the counts by request type, as JSON in object storage.

    documents/tickets/tickets.json                 the manifest: which parts there are
    documents/tickets/tickets/<name>-00001.json    a part: a list of tickets, of bounded size
    documents/tickets/requests_by_type.json        counts by request type, in total and by day

A part belongs to a data file of `tickets/tickets` and is never changed: the manifest, written last
and in one step, is what makes parts valid. A reader that began with the manifest before still
finds its parts; those before that are deleted. Only parts of data files that are new are written.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from novade_pipeline.defs.tickets.request_counts import TOTAL
from novade_pipeline.defs.tickets.tables import REQUESTS_BY_TYPE, TICKETS
from novade_pipeline.lake.derived import source_of
from novade_pipeline.lake.documents import write_document
from novade_pipeline.lake.file_differences import FileDifferences, file_differences
from novade_pipeline.lake.query import scratch
from novade_pipeline.lake.read import read
from novade_pipeline.plurals import counted
from novade_pipeline.storage.store import Store

FOLDER = ("documents", "tickets")
MANIFEST = (*FOLDER, "tickets.json")
COUNTS = (*FOLDER, "requests_by_type.json")
PARTS = (*FOLDER, "tickets")
PART_TICKETS = 10_000
PART_BYTES = 8 * 2**20
"""A part ends where it has so many tickets, or bytes; a single larger ticket is a part."""
FIELDS = (*("ticket_id", "client_id", "created_at", "request", "request_type", "priority", "team"),)
_SECONDS = "'%Y-%m-%dT%H:%M:%S"
_TIME = (
    "if(epoch_us(created_at) % 1000000 = 0,"
    f" strftime(created_at, {_SECONDS}Z'), strftime(created_at, {_SECONDS}.%fZ'))"
)
_AS_JSON = (
    "select cast(to_json({"
    + ", ".join(f"'{name}': {_TIME if name == 'created_at' else name}" for name in FIELDS)
    + "}) as varchar) from ticket where not is_deleted"
)


@dataclass(frozen=True)
class Published:
    """What was written.

    Attributes:
        tickets: of all parts.
        parts: all of them.
        written: the parts that are new.
        changed: whether the tickets' document differs from before.
        counts: of the other document, by day and in total.
        changed_counts: whether the other document differs from before.
    """

    tickets: int
    parts: int
    written: int
    changed: bool
    counts: int
    changed_counts: bool


def publish(
    lake: Store, on_progress: Callable[[str], None] = lambda _: None, *, keep_former: bool = True
) -> Published:
    """Write both documents as the tables are now.

    Args:
        on_progress: called with one sentence where something has changed.
        keep_former: keep the parts of the manifest before for readers that have begun.
    """
    former = read_manifest(lake)
    counts = _count_rows(lake)
    of_counts = len(counts), write_document(lake, counts_document(counts), *COUNTS)
    source, version = source_of(lake, TICKETS)
    differences = file_differences(lake, TICKETS, None)
    if former is not None and former["source"] == [source, version] and keep_former:
        tickets = former["tickets"]
        return Published(tickets, len(former["parts"]), 0, False, *of_counts)
    known = _by_data_file(former)
    parts: list[dict[str, Any]] = []
    written = 0
    for file in sorted(differences.added, key=lambda file: file.path) if differences else ():
        stem = file.path.removesuffix(".parquet")
        if stem not in known:
            assert differences is not None
            known[stem] = list(_write_parts(lake, stem, differences, file))
            written += len(known[stem])
        parts += known[stem]
    manifest = {
        "source": [source, version],
        "tickets": sum(part["tickets"] for part in parts),
        # A data file whose tickets are all deleted has an entry without a file, and no part.
        "parts": [part for part in parts if part["file"] is not None],
        "empty": sorted(part["data"] for part in parts if part["file"] is None),
    }
    lake.write(_json(manifest), *MANIFEST)
    kept = {part["file"] for part in manifest["parts"]}
    if former is not None and keep_former:
        kept |= {part["file"] for part in former["parts"]}
    _delete_other_parts(lake, kept)
    on_progress(
        f"{'/'.join(MANIFEST)}: {counted(manifest['tickets'], 'ticket')} in "
        f"{counted(len(manifest['parts']), 'part')}, {written} of them new"
    )
    return Published(manifest["tickets"], len(manifest["parts"]), written, True, *of_counts)


def read_manifest(lake: Store) -> dict[str, Any] | None:
    """The manifest of the tickets; None before the first."""
    try:
        manifest: dict[str, Any] = json.loads(lake.read(*MANIFEST))
    except FileNotFoundError:
        return None
    return manifest


def read_tickets(lake: Store) -> Iterator[dict[str, Any]]:
    """The tickets of the document, part by part."""
    manifest = read_manifest(lake)
    for part in manifest["parts"] if manifest else ():
        yield from json.loads(lake.read(*PARTS, part["file"]))


def counts_document(rows: Iterable[dict[str, Any]]) -> bytes:
    """The counts by request type: `{"total": {"billing": 2}, "by_day": {"2026-11-28": {…}}}`."""
    total: dict[str, int] = {}
    days: dict[str, dict[str, int]] = {}
    for row in sorted(rows, key=lambda row: (row["period"], row["request_type"])):
        counts = total if row["period"] == TOTAL else days.setdefault(row["period"], {})
        counts[row["request_type"]] = row["tickets"]
    return _json({"total": total, "by_day": days})


def cut(
    tickets: Iterable[str], most: int = PART_TICKETS, most_bytes: int = PART_BYTES
) -> Iterator[tuple[int, bytes]]:
    """(number of tickets, JSON list of them) of each part.

    Args:
        tickets: each as JSON.
        most: tickets of a part.
        most_bytes: of a part with more than one ticket.
    """
    lines: list[bytes] = []
    size = 0
    for ticket in tickets:
        line = ticket.encode()
        if lines and (len(lines) == most or size + len(line) > most_bytes):
            yield len(lines), _list_of(lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line) + 2
    if lines:
        yield len(lines), _list_of(lines)


def _count_rows(lake: Store) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read(lake, REQUESTS_BY_TYPE).to_pylist()
    return rows


def _write_parts(
    lake: Store, stem: str, differences: FileDifferences, file: Any
) -> Iterator[dict[str, Any]]:
    number = 0
    batches = differences.rows([file], (*FIELDS, "is_deleted"))
    for number, (tickets, content) in enumerate(cut(_tickets(batches)), 1):
        name = f"{stem}-{number:05d}.json"
        lake.write(content, *PARTS, name)
        yield {"data": stem, "file": name, "tickets": tickets, "bytes": len(content)}
    if not number:
        yield {"data": stem, "file": None, "tickets": 0, "bytes": 0}


def _tickets(batches: Iterable[pa.RecordBatch]) -> Iterator[str]:
    """The tickets that are not deleted, each as a JSON object."""
    with closing(scratch()) as connection:
        for batch in batches:
            rows = pa.Table.from_batches([batch])
            # Without a zone, so that the time is written as UTC whatever the session's is.
            place = rows.schema.get_field_index("created_at")
            times = rows["created_at"].cast(pa.timestamp("us"))
            connection.register("ticket", rows.set_column(place, "created_at", times))
            texts = connection.execute(_AS_JSON).to_arrow_table()
            yield from texts.column(0).to_pylist()


def _by_data_file(manifest: dict[str, Any] | None) -> dict[str, list[dict[str, Any]]]:
    """Data file -> its parts, in order."""
    known: dict[str, list[dict[str, Any]]] = {}
    if manifest is not None:
        for part in manifest["parts"]:
            known.setdefault(part["data"], []).append(part)
        for data in manifest["empty"]:
            known[data] = [{"data": data, "file": None, "tickets": 0, "bytes": 0}]
    return known


def _delete_other_parts(lake: Store, kept: set[str]) -> None:
    prefix = "/".join(PARTS) + "/"
    for entry in list(lake.entries(prefix)):
        if entry.file.removeprefix(prefix) not in kept:
            lake.delete(entry.file)


def _list_of(lines: Sequence[bytes]) -> bytes:
    return b"[\n" + b",\n".join(lines) + b"\n]\n"


def _json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"
