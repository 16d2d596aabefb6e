"""Segment's warehouse tables of the events that Amplitude has, as BigQuery exports them to Parquet.

    segment/<dataset>/tracks/000000000000.parquet        all events, without properties
    segment/<dataset>/<event>/000000000000.parquet       each event with its properties
    segment/<dataset>/identifies/…  users/…              who the known users are
    segment/<dataset>/<event>/again-<id>.parquet         an event that is there twice

The events are those of Amplitude's export lines, so both sides have the same ids, as in a company
that sends everything through Segment. Differences are planted on request. The same arguments give
the same bytes. Of events of one hour landing stores the first, so on the local disk what is there
twice is in a file of the hour before.
"""

import gzip
import io
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from novade_pipeline.lake.documents import write_document
from novade_pipeline.storage.local import LocalStore
from novade_pipeline.storage.store import Store

FOLDER = "segment"
DATASET = "lantern"
KINDS = ("missing", "extra", "twice", "other_time", "other_property")
OTHER_TIME = timedelta(minutes=7)

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
_STAMP = pa.timestamp("us", tz="UTC")
_TIMES = {
    "timestamp": "event_time",
    "original_timestamp": "client_event_time",
    "sent_at": "client_upload_time",
    "received_at": "server_received_time",
    "uuid_ts": "server_upload_time",
    "loaded_at": "server_upload_time",
}
_CONTEXT = {
    "context_ip": "ip_address",
    "context_locale": "language",
    "context_library_name": "library",
    "context_os_name": "os_name",
    "context_os_version": "os_version",
    "context_app_version": "version_name",
    "context_device_type": "device_type",
    "context_device_manufacturer": "device_manufacturer",
    "context_device_model": "device_model",
    "context_device_advertising_id": "adid",
}

AmplitudeEvent = Mapping[str, Any]


@dataclass(frozen=True)
class Landed:
    """What was landed.

    Attributes:
        events: distinct ids of events.
        tables: of the dataset.
        files: written or unchanged.
        planted: kind of difference -> the ids that have it.
    """

    events: int
    tables: int
    files: int
    planted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def land(
    landing: Store,
    events: Iterable[AmplitudeEvent],
    *,
    dataset: str = DATASET,
    differences: Mapping[str, int] | None = None,
    seed: int = 1,
) -> Landed:
    """Land events as the tables of a dataset.

    Args:
        events: lines of Amplitude's export; of several with one `$insert_id` the first counts.
        differences: kind, one of `KINDS` -> how many events differ so from Amplitude's: missing
            here, extra here, here twice, at another time, with another property.
        seed: another seed plants differences in other events.

    Raises:
        ValueError: there are fewer events than differences.
    """
    by_id = {event["$insert_id"]: event for event in reversed(list(events)) if event["$insert_id"]}
    ordered = sorted(by_id.values(), key=lambda event: (event["event_time"], event["$insert_id"]))
    planted = _planted(ordered, differences or {}, Random(f"{seed}:segment"))
    rows = [row for event in ordered for row in _rows(event, planted)]
    tables: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        tables["tracks"].append({name: row[name] for name in row if not name.startswith("p:")})
        tables[row["event"]].append(row)
    known = [event for event in ordered if event["user_id"]]
    tables["identifies"] = _identifies(known)
    tables["users"] = _users(known)
    files = 0
    for name, of_table in sorted(tables.items()):
        if of_table:
            path = (FOLDER, dataset, name, "000000000000.parquet")
            write_document(landing, _parquet(of_table), *path)
            files += 1
    again = [row for row in rows if row["id"] in planted["twice"]]
    for row in again:
        name = f"again-{row['id']}.parquet"
        path = (FOLDER, dataset, row["event"], name)
        write_document(landing, _parquet([row]), *path)
        if isinstance(landing, LocalStore):
            tracks = landing.path(FOLDER, dataset, "tracks", "000000000000.parquet")
            an_hour_before = Path(tracks).stat().st_mtime - 3600
            os.utime(landing.path(*path), (an_hour_before, an_hour_before))
    ids = {kind: tuple(sorted(planted[kind])) for kind in KINDS if planted[kind]}
    return Landed(len({row["id"] for row in rows}), files, files + len(again), ids)


def exported_events(
    landing: Store, first: datetime | None = None, end: datetime | None = None
) -> Iterator[AmplitudeEvent]:
    """The events of Amplitude's exports in a landing zone; broken files and lines are left out.

    Args:
        first: only events that happened from this time on.
        end: only events that happened before this time.
    """
    for page in landing.pages("amplitude/events/"):
        for entry in page.entries:
            try:
                lines = gzip.decompress(landing.read(entry.file)).splitlines()
            except (OSError, EOFError, ValueError):
                continue
            for event in map(_parsed, lines):
                if event is not None and _is_within(event, first, end):
                    yield event


def made_up_events(
    first: datetime, end: datetime, *, events_per_hour: int, seed: int
) -> Iterator[AmplitudeEvent]:
    """The events of the made-up music service that happened in a span of whole days, UTC."""
    from novade_pipeline.sandbox.amplitude_files import APP
    from novade_pipeline.sandbox.amplitude_lines import event_line
    from novade_pipeline.sandbox.music_service import day_of
    from novade_pipeline.sandbox.music_users import World

    world = World(seed, events_per_hour)
    days = (first - datetime(1970, 1, 1, tzinfo=UTC)).days
    # A session belongs to the day on which it began.
    for day in range(days - 1, days + (end - first).days):
        for event in day_of(world, day).events:
            line = json.loads(event_line(APP, event))
            if _is_within(line, first, end):
                yield line


def snake_case(name: str) -> str:
    """A name as Segment's warehouse writes it: `Order Completed` -> `order_completed`."""
    return "_".join(part for part in _WORDS.split(name) if part).lower()


def _parsed(line: bytes) -> AmplitudeEvent | None:
    try:
        event = json.loads(line)
        return event if event["$insert_id"] and _time(event["event_time"]) else None
    except (ValueError, TypeError, KeyError):
        return None


def _is_within(event: AmplitudeEvent, first: datetime | None, end: datetime | None) -> bool:
    happened = _time(event["event_time"])
    assert happened is not None
    return (first is None or happened >= first) and (end is None or happened < end)


def _planted(
    events: Sequence[AmplitudeEvent], differences: Mapping[str, int], rng: Random
) -> dict[str, frozenset[str]]:
    """Kind -> the ids of the events that have this difference; no event has two."""
    with_properties = [event["$insert_id"] for event in events if event["event_properties"]]
    ids = [event["$insert_id"] for event in events]
    total = sum(differences.values())
    other_properties = differences.get("other_property", 0)
    if total > len(ids) or other_properties > len(with_properties):
        raise ValueError(f"expected at most {len(ids)} differences, found {total}")
    chosen = {"other_property": frozenset(rng.sample(with_properties, other_properties))}
    rest = [name for name in ids if name not in chosen["other_property"]]
    for kind in KINDS[:-1]:
        chosen[kind] = frozenset(rng.sample(rest, differences.get(kind, 0)))
        rest = [name for name in rest if name not in chosen[kind]]
    # An extra event is a copy of one that exists, under an id of its own.
    chosen["copied"] = chosen["extra"]
    chosen["extra"] = frozenset(f"{name}-extra" for name in chosen["extra"])
    return chosen


def _rows(event: AmplitudeEvent, planted: Mapping[str, frozenset[str]]) -> Iterator[dict[str, Any]]:
    """The rows of an event; properties are named `p:…`."""
    name = event["$insert_id"]
    if name in planted["missing"]:
        return
    row = {
        "id": name,
        "anonymous_id": event["device_id"],
        "user_id": event["user_id"],
        "event": snake_case(event["event_type"]),
        "event_text": event["event_type"],
        **{column: _time(event.get(source)) for column, source in _TIMES.items()},
        **{column: event.get(source) for column, source in _CONTEXT.items()},
    }
    properties = dict(_flattened(event["event_properties"] or {}))
    if name in planted["other_time"]:
        row["timestamp"] += OTHER_TIME
    if name in planted["other_property"]:
        first = sorted(properties)[0]
        properties[first] = _other(properties[first])
    row |= {f"p:{key}": value for key, value in properties.items() if key not in row}
    yield row
    if name in planted["copied"]:
        yield {**row, "id": f"{name}-extra"}


def _other(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int | float) else f"{value} (changed)"


def _flattened(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Columns of nested values: objects by path, arrays as JSON text."""
    for key, value in values.items():
        name = f"{prefix}{snake_case(key)}"
        if isinstance(value, dict):
            yield from _flattened(value, f"{name}_")
        elif isinstance(value, list):
            yield name, json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        elif value is not None:
            yield name, value


def _identifies(known: Sequence[AmplitudeEvent]) -> list[dict[str, Any]]:
    """A call for each pair of a user and a device, at its first event."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for event in known:
        pair = (event["user_id"], event["device_id"])
        if pair not in rows:
            rows[pair] = {
                "id": f"identify-{event['$insert_id']}",
                "anonymous_id": event["device_id"],
                "user_id": event["user_id"],
                **{column: _time(event.get(source)) for column, source in _TIMES.items()},
                **_traits(event),
            }
    return list(rows.values())


def _users(known: Sequence[AmplitudeEvent]) -> list[dict[str, Any]]:
    """The last state of each user."""
    newest = {event["user_id"]: event for event in known}
    return [
        {
            "id": user,
            "received_at": _time(event["server_received_time"]),
            "uuid_ts": _time(event["server_upload_time"]),
            **_traits(event),
        }
        for user, event in newest.items()
    ]


def _traits(event: AmplitudeEvent) -> dict[str, Any]:
    return {f"p:{key}": value for key, value in _flattened(event["user_properties"] or {})}


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).replace(tzinfo=UTC)


def _parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as BigQuery writes them; a column exists where it has a value."""
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        if name in ("id", "event") or any(value is not None for value in values):
            columns[name.removeprefix("p:")] = _column(name, values)
    content = io.BytesIO()
    parquet.write_table(pa.table(columns), content, compression="snappy", row_group_size=50_000)
    return content.getvalue()


def _column(name: str, values: Sequence[Any]) -> pa.Array:
    if name in _TIMES:
        return pa.array(values, _STAMP)
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float}:
        return pa.array(values, pa.float64())
    if len(kinds) > 1:
        # A column has one type: values of several are texts.
        return pa.array([v if v is None or isinstance(v, str) else json.dumps(v) for v in values])
    return pa.array(values)
