"""The content of exports, read and counted from the files without the generator's help."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from isal import igzip
from jsonschema import Draft7Validator

from novade_pipeline.sandbox.amplitude_exports import Landed, land, plan

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
EVENTS_PER_HOUR = 60

EVENTS_NAME = re.compile(r"187520_(\d{4}-\d\d-\d\d)_(0|[1-9]|1\d|2[0-3])#(\d+)\.json\.gz")
MERGES_NAME = re.compile(r"-9187_(\d{4}-\d\d-\d\d)_(0|[1-9]|1\d|2[0-3])\.json\.gz")

TIMES = {
    "client_event_time", "client_upload_time", "event_time", "processed_time",
    "server_received_time", "server_upload_time", "user_creation_time",
}  # fmt: skip
INTEGERS = {"$schema", "amplitude_id", "app", "event_id", "session_id"}
OBJECTS = {
    "data", "event_properties", "global_user_properties", "group_properties", "groups", "plan",
    "user_properties",
}  # fmt: skip
FLOATS = {"location_lat", "location_lng"}
BOOLEANS = {"is_attribution_event", "paying"}
STRINGS = {
    "$insert_id", "$insert_key", "adid", "amplitude_attribution_ids", "amplitude_event_type",
    "city", "country", "data_type", "device_brand", "device_carrier", "device_family", "device_id",
    "device_manufacturer", "device_model", "device_type", "dma", "event_type", "idfa",
    "ip_address", "language", "library", "os_name", "os_version", "partner_id", "platform",
    "region", "sample_rate", "source_id", "start_version", "user_id", "uuid", "version_name",
}  # fmt: skip
DOCUMENTED = TIMES | INTEGERS | OBJECTS | FLOATS | BOOLEANS | STRINGS
TYPES = (
    (INTEGERS, int),
    (OBJECTS, dict),
    (FLOATS, float),
    (BOOLEANS, bool),
    (STRINGS | TIMES, str),
)


@dataclass
class ExportContents:
    """The content of the files."""

    rows: dict[tuple[datetime, str], dict[str, Any]] = field(default_factory=dict)
    tally: Counter[str] = field(default_factory=Counter)
    parts: defaultdict[datetime, set[int]] = field(default_factory=lambda: defaultdict(set))
    merges: list[tuple[datetime, dict[str, int]]] = field(default_factory=list)
    spellings: defaultdict[str, set[bytes]] = field(default_factory=lambda: defaultdict(set))


def hour_of(name: re.Match[str]) -> datetime:
    return datetime.fromisoformat(f"{name[1]}T{int(name[2]):02}:00:00+00:00")


def moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)


def event_in(line: bytes) -> dict[str, Any] | None:
    """The event that a line holds, or None where it belongs in quarantine."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    if not event["uuid"] or not isinstance(event["session_id"], int):
        return None
    return dict(event)


def read(landing: Path) -> ExportContents:
    contents = ExportContents()
    for path in sorted((landing / "amplitude/events").iterdir()):
        name = EVENTS_NAME.fullmatch(path.name)
        try:
            text = igzip.decompress(path.read_bytes()) if name else None
        except (EOFError, igzip.BadGzipFile):
            text = None
        if name is None or text is None:
            contents.tally["faulty_files"] += 1
            continue
        contents.tally["events_files"] += 1
        hour = hour_of(name)
        contents.parts[hour].add(int(name[3]))
        for line in text.removeprefix(b"\xef\xbb\xbf").splitlines():
            count_line(contents, hour, line)
    for path in sorted((landing / "amplitude/merged_ids").iterdir()):
        name = MERGES_NAME.fullmatch(path.name)
        assert name, path.name
        lines = igzip.decompress(path.read_bytes()).splitlines()
        contents.merges += [(hour_of(name), json.loads(line)) for line in lines]
    return contents


def count_line(contents: ExportContents, hour: datetime, line: bytes) -> None:
    event = event_in(line) if line else None
    contents.tally["lines"] += 1
    if not line:
        contents.tally["blank_lines"] += 1
    elif event is None:
        contents.tally["quarantined_lines"] += 1
    elif (hour, event["uuid"]) in contents.rows:
        contents.tally["repeated_in_hour"] += 1
    else:
        contents.tally["rows"] += 1
        contents.rows[hour, event["uuid"]] = event
    if event is not None:
        contents.spellings[event["uuid"]].add(line)


def files_below(landing: Path) -> dict[str, bytes]:
    files = (path for path in landing.rglob("*") if path.is_file())
    return {str(path.relative_to(landing)): path.read_bytes() for path in files}


def landed_in(
    folder: Path, first: datetime, hours: int, *, seed: int = 1, faults: bool = True
) -> Landed:
    return land(
        folder,
        first_hour=first,
        hours=hours,
        events_per_hour=EVENTS_PER_HOUR,
        seed=seed,
        faults=faults,
    )


def delay(event: dict[str, Any]) -> float:
    """Hours from an event to its reception."""
    passed = moment(event["server_received_time"]) - moment(event["event_time"])
    return passed / timedelta(hours=1)


def verdicts(rows: list[tuple[datetime, dict[str, Any]]]) -> Iterator[str]:
    validators = {rule["key"]: Draft7Validator(rule["jsonSchema"]) for rule in plan()["rules"]}
    for _, event in rows:
        validator = validators.get(event["event_type"])
        if validator is None:
            yield "unplanned"
        elif validator.is_valid({"properties": event["event_properties"]}):
            yield "conforming"
        else:
            yield "violating"
