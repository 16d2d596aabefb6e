"""The sandbox's exports are what they say they are; everything is recounted from the files."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from isal import igzip
from jsonschema import Draft7Validator

from novade_pipeline.sandbox.amplitude_exports import Landed, land, land_bulk, plan
from novade_pipeline.sandbox.amplitude_faults import NEW_FIELD
from novade_pipeline.sandbox.music_service import LOOKBACK_HOURS, day_of
from novade_pipeline.sandbox.music_users import World
from novade_pipeline.sandbox.tracking_plan import PLANNED_AND_NEVER_SEEN, SEEN_AND_UNPLANNED

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
TYPES = (
    (INTEGERS, int),
    (OBJECTS, dict),
    (FLOATS, float),
    (BOOLEANS, bool),
    (STRINGS | TIMES, str),
)


@dataclass
class Found:
    """What the files hold, read without the generator's help."""

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


def read(landing: Path) -> Found:
    found = Found()
    for path in sorted((landing / "amplitude/events").iterdir()):
        name = EVENTS_NAME.fullmatch(path.name)
        try:
            text = igzip.decompress(path.read_bytes()) if name else None
        except (EOFError, igzip.BadGzipFile):
            text = None
        if name is None or text is None:
            found.tally["faulty_files"] += 1
            continue
        found.tally["events_files"] += 1
        hour = hour_of(name)
        found.parts[hour].add(int(name[3]))
        for line in text.removeprefix(b"\xef\xbb\xbf").splitlines():
            count_line(found, hour, line)
    for path in sorted((landing / "amplitude/merged_ids").iterdir()):
        name = MERGES_NAME.fullmatch(path.name)
        assert name, path.name
        lines = igzip.decompress(path.read_bytes()).splitlines()
        found.merges += [(hour_of(name), json.loads(line)) for line in lines]
    return found


def count_line(found: Found, hour: datetime, line: bytes) -> None:
    event = event_in(line) if line else None
    found.tally["lines"] += 1
    if not line:
        found.tally["blank_lines"] += 1
    elif event is None:
        found.tally["quarantined_lines"] += 1
    elif (hour, event["uuid"]) in found.rows:
        found.tally["repeated_in_hour"] += 1
    else:
        found.tally["rows"] += 1
        found.rows[hour, event["uuid"]] = event
    if event is not None:
        found.spellings[event["uuid"]].add(line)


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


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Landed, Found]:
    folder = tmp_path_factory.mktemp("week")
    figures = landed_in(folder, MONDAY, 168)
    return folder, figures, read(folder)


@pytest.fixture(scope="module")
def rows(week: tuple[Path, Landed, Found]) -> list[tuple[datetime, dict[str, Any]]]:
    return [(hour, event) for (hour, _), event in week[2].rows.items()]


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    landed_in(tmp_path / "one", MONDAY, 30)
    landed_in(tmp_path / "two", MONDAY, 30)
    assert files_below(tmp_path / "one") == files_below(tmp_path / "two")


def test_another_seed_is_another_world(tmp_path: Path) -> None:
    one = landed_in(tmp_path / "one", MONDAY, 3)
    landed_in(tmp_path / "two", MONDAY, 3, seed=2)
    assert one.rows
    assert not read(tmp_path / "one").rows.keys() & read(tmp_path / "two").rows.keys()


def test_landing_again_touches_nothing(tmp_path: Path) -> None:
    first = landed_in(tmp_path, MONDAY, 26)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    second = landed_in(tmp_path, MONDAY, 26)
    assert (first.unchanged, second.written) == (0, 0)
    assert first.written == second.unchanged == len(files_below(tmp_path))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == stamps


def test_a_file_that_differs_is_written_anew(tmp_path: Path) -> None:
    landed_in(tmp_path, MONDAY, 3)
    wanted = files_below(tmp_path)
    next((tmp_path / "amplitude/events").iterdir()).write_bytes(b"cut short")
    assert landed_in(tmp_path, MONDAY, 3).written == 1
    assert files_below(tmp_path) == wanted


def test_two_days_landed_one_by_one_are_the_same_two_days(tmp_path: Path) -> None:
    landed_in(tmp_path / "whole", MONDAY, 48)
    landed_in(tmp_path / "split", MONDAY, 24)
    landed_in(tmp_path / "split", MONDAY + timedelta(days=1), 24)
    assert files_below(tmp_path / "split") == files_below(tmp_path / "whole")


def test_short_ranges_bring_faulty_lines_and_no_faulty_files(tmp_path: Path) -> None:
    for start in range(0, 24, 12):
        part = landed_in(tmp_path / "split", MONDAY + timedelta(hours=start), 12)
        assert part.faulty_files == 0
    whole = landed_in(tmp_path / "whole", MONDAY + timedelta(days=1), 24)
    assert whole.faulty_files == 1
    assert read(tmp_path / "split").tally["quarantined_lines"]


def test_short_ranges_differ_from_a_whole_day_by_its_faulty_file_only(tmp_path: Path) -> None:
    tuesday = MONDAY + timedelta(days=1)
    landed_in(tmp_path / "whole", tuesday, 24)
    for start in range(0, 24, 8):
        landed_in(tmp_path / "split", tuesday + timedelta(hours=start), 8)
    whole, split = files_below(tmp_path / "whole"), files_below(tmp_path / "split")
    assert split.items() <= whole.items()
    assert len(whole) - len(split) == 1


def test_without_faults_every_line_is_an_event(tmp_path: Path) -> None:
    figures = landed_in(tmp_path, MONDAY, 48, faults=False)
    found = read(tmp_path)
    assert figures.lines == figures.rows + figures.repeated_in_hour
    assert not found.tally["quarantined_lines"] + found.tally["blank_lines"]
    assert not found.tally["faulty_files"]
    assert not any(NEW_FIELD in event for event in found.rows.values())


def test_faults_take_no_event_away(tmp_path: Path, week: tuple[Path, Landed, Found]) -> None:
    landed_in(tmp_path, MONDAY, 168, faults=False)
    assert read(tmp_path).rows.keys() == week[2].rows.keys()


def test_only_stray_files_break_the_naming_pattern(week: tuple[Path, Landed, Found]) -> None:
    names = [path.name for path in (week[0] / "amplitude/events").iterdir()]
    stray = [name for name in names if not EVENTS_NAME.fullmatch(name)]
    assert stray
    assert all(re.fullmatch(r"resent by hand [\d-]{10}\.json\.gz", name) for name in stray)


def test_the_figures_are_those_of_the_files(week: tuple[Path, Landed, Found]) -> None:
    folder, figures, found = week
    files = files_below(folder)
    unique = {uuid for _, uuid in found.rows}
    expected = {
        **found.tally,
        "merged_files": len({hour for hour, _ in found.merges}),
        "merges": len(found.merges),
        "unique_events": len(unique),
        "repeated_across_hours": len(found.rows) - len(unique),
        "late_events": len({e["uuid"] for e in found.rows.values() if delay(e) >= 1}),
        "new_field_rows": sum(NEW_FIELD in event for event in found.rows.values()),
        "bytes_landed": sum(map(len, files.values())),
        "written": len(files),
    }
    assert {name: getattr(figures, name) for name in expected} == expected
    assert min(expected.values()) > 0


def test_every_line_is_accounted_for(week: tuple[Path, Landed, Found]) -> None:
    figures = week[1]
    assert figures.lines == (
        figures.rows + figures.repeated_in_hour + figures.quarantined_lines + figures.blank_lines
    )
    assert figures.rows == figures.unique_events + figures.repeated_across_hours


def test_about_as_many_events_come_as_were_asked_for(week: tuple[Path, Landed, Found]) -> None:
    assert week[1].unique_events == pytest.approx(168 * EVENTS_PER_HOUR, rel=0.2)


def test_some_hours_have_two_parts_some_are_empty_some_have_no_file(
    week: tuple[Path, Landed, Found],
) -> None:
    found = week[2]
    full = {hour for hour, _ in found.rows}
    assert any(parts == {0, 1} for parts in found.parts.values())
    assert found.parts.keys() - full
    assert {MONDAY + timedelta(hours=h) for h in range(168)} - found.parts.keys()


def test_every_row_has_exactly_the_documented_fields(
    rows: list[tuple[datetime, dict[str, Any]]],
) -> None:
    documented = TIMES | INTEGERS | OBJECTS | FLOATS | BOOLEANS | STRINGS
    assert len(documented) == 55
    assert {frozenset(event) - {NEW_FIELD} for _, event in rows} == {frozenset(documented)}


@pytest.mark.parametrize(("names", "kind"), TYPES)
def test_every_value_has_its_documented_type_or_is_null(
    names: set[str], kind: type, rows: list[tuple[datetime, dict[str, Any]]]
) -> None:
    assert {type(event[name]) for _, event in rows for name in names} <= {kind, type(None)}


def test_times_fit_together(rows: list[tuple[datetime, dict[str, Any]]]) -> None:
    for hour, event in rows:
        time = {name: moment(event[name]) for name in TIMES if event[name] is not None}
        client_delay = time["server_received_time"] - time["client_upload_time"]
        assert time["event_time"] == time["client_event_time"] + client_delay
        assert time["event_time"] < time["server_received_time"] < time["server_upload_time"]
        assert time["server_upload_time"] < time["processed_time"] < hour + timedelta(hours=1)
        assert time.get("user_creation_time", time["event_time"]) <= time["event_time"]


def test_a_session_is_named_by_its_start_on_the_device(
    rows: list[tuple[datetime, dict[str, Any]]],
) -> None:
    started = [event for _, event in rows if event["session_id"] >= 0]
    for event in started:
        begin = datetime.fromtimestamp(event["session_id"] / 1000, UTC)
        since = moment(event["client_event_time"]) - begin
        assert timedelta(0) <= since < timedelta(hours=4)
    without = {event["event_type"] for _, event in rows if event["session_id"] == -1}
    assert without == {"Payment Received", "Digest Sent"}
    assert len(started) < len(rows)


def delay(event: dict[str, Any]) -> float:
    """Hours from an event to its reception."""
    passed = moment(event["server_received_time"]) - moment(event["event_time"])
    return passed / timedelta(hours=1)


def test_some_events_come_up_to_three_days_late(
    rows: list[tuple[datetime, dict[str, Any]]],
) -> None:
    delays = [delay(event) for _, event in rows]
    late = sum(hours >= 1 for hours in delays)
    assert 0.01 < late / len(rows) < 0.06
    assert 24 < max(delays) < 72


def test_a_repeated_line_is_the_same_line(week: tuple[Path, Landed, Found]) -> None:
    assert {len(lines) for lines in week[2].spellings.values()} == {1}


def test_users_are_many_on_several_devices_and_from_documentation_networks(
    rows: list[tuple[datetime, dict[str, Any]]],
) -> None:
    devices = defaultdict(set)
    for _, event in rows:
        if event["user_id"] and event["platform"] != "Server":
            devices[event["user_id"]].add(event["device_id"])
    assert all(re.fullmatch(r"[a-z]+\.[a-z]+\.\d+@[a-z-]+\.example", u) for u in devices)
    assert max(map(len, devices.values())) == 2
    networks = ("192.0.2.", "198.51.100.", "203.0.113.", "2001:db8::")
    addresses = {event["ip_address"] for _, event in rows} - {None}
    assert all(address.startswith(networks) for address in addresses)


def test_visitors_are_merged_into_users_in_the_hour_of_their_login(
    week: tuple[Path, Landed, Found],
) -> None:
    logins = {
        (hour, event["amplitude_id"])
        for (hour, _), event in week[2].rows.items()
        if event["event_type"] in {"Signed Up", "Logged In"}
    }
    into_users = [(h, m) for h, m in week[2].merges if m["merged_amplitude_id"] >= 9e11]
    assert into_users
    for hour, merge in into_users:
        assert (hour, merge["merged_amplitude_id"]) in logins
        assert merge.keys() == {
            "scope", "merge_time", "merge_server_time", "amplitude_id", "merged_amplitude_id",
        }  # fmt: skip


def test_some_merges_form_chains_in_the_order_of_time(week: tuple[Path, Landed, Found]) -> None:
    merges = {merge["amplitude_id"]: merge for _, merge in week[2].merges}
    chains = [
        (merge, merges[merge["merged_amplitude_id"]])
        for merge in merges.values()
        if merge["merged_amplitude_id"] in merges
    ]
    assert chains
    assert all(first["merge_time"] < second["merge_time"] for first, second in chains)


def test_an_identity_is_merged_once(week: tuple[Path, Landed, Found]) -> None:
    merged = [merge["amplitude_id"] for _, merge in week[2].merges]
    assert len(merged) == len(set(merged))


def test_users_come_back_less_and_less() -> None:
    world = World(seed=1, events_per_hour=EVENTS_PER_HOUR)
    monday = (MONDAY - datetime(1970, 1, 1, tzinfo=UTC)).days
    weeks = [range(monday + 7 * week, monday + 7 * week + 7) for week in range(6)]

    def of_the_first_week(week: range) -> set[int]:
        users = ((day, user) for day in week for user in world.users_on(day))
        return {u.index for day, u in users if day in u.active and u.born in weeks[0]}

    sizes = [len(of_the_first_week(week)) for week in weeks]
    assert sizes == sorted(sizes, reverse=True)
    assert 0.3 < sizes[1] / sizes[0] < 0.7
    assert 0.03 < sizes[5] / sizes[0] < 0.3


def test_no_event_is_exported_later_than_the_lookback() -> None:
    world, day = World(seed=1, events_per_hour=200), 20_759
    latest = max(max(event.upload_hours) for event in day_of(world, day).events)
    assert latest < (day + 1) * 24 + LOOKBACK_HOURS


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


def test_the_plan_judges_the_rows_as_the_figures_say(
    week: tuple[Path, Landed, Found], rows: list[tuple[datetime, dict[str, Any]]]
) -> None:
    judged = Counter(verdicts(rows))
    assert judged["violating"] == week[1].violating_rows > 0
    assert judged["unplanned"] == week[1].unplanned_rows > 0


def test_the_plan_is_landed_and_its_schemas_are_valid(week: tuple[Path, Landed, Found]) -> None:
    landed = json.loads((week[0] / "tracking_plan/lantern.json").read_bytes())
    assert landed == plan()
    for rule in landed["rules"]:
        Draft7Validator.check_schema(rule["jsonSchema"])


def test_what_is_planned_is_seen_but_for_one_event_each_way(
    rows: list[tuple[datetime, dict[str, Any]]],
) -> None:
    planned = {rule["key"] for rule in plan()["rules"]}
    seen = {event["event_type"] for _, event in rows}
    assert planned - seen == {PLANNED_AND_NEVER_SEEN}
    assert seen - planned == {SEEN_AND_UNPLANNED}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"first_hour": MONDAY.replace(tzinfo=None)}, "UTC"),
        ({"first_hour": MONDAY.replace(tzinfo=timezone(timedelta(hours=1)))}, "UTC"),
        ({"first_hour": MONDAY.replace(minute=30)}, "full hour"),
        ({"first_hour": datetime(1999, 1, 1, tzinfo=UTC)}, "2000"),
        ({"hours": 0}, "hours"),
        ({"events_per_hour": 0}, "events_per_hour"),
    ],
)
def test_arguments_without_a_meaning_are_refused(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    arguments = {"first_hour": MONDAY, "hours": 1, "events_per_hour": 1, **options}
    with pytest.raises(ValueError, match=message):
        land(tmp_path, **arguments)
    assert not files_below(tmp_path)


@pytest.fixture(scope="module")
def bulk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Landed, Found]:
    folder = tmp_path_factory.mktemp("bulk")
    figures = land_bulk(folder, events=5_003, files=7, first_hour=MONDAY, spread_days=3)
    (folder / "amplitude/merged_ids").mkdir()
    return figures, read(folder)


def test_bulk_lands_as_many_distinct_events_as_were_asked_for(bulk: tuple[Landed, Found]) -> None:
    figures, found = bulk
    assert figures.events_files == found.tally["events_files"] == 7
    assert figures.unique_events == len({uuid for _, uuid in found.rows}) == 5_003
    assert figures.lines == found.tally["lines"] == found.tally["rows"]
    assert 1_550 < figures.bytes_raw / figures.lines < 1_800


def test_bulk_is_spread_over_its_days_and_each_event_is_of_its_hour(
    bulk: tuple[Landed, Found],
) -> None:
    found = bulk[1]
    assert {(hour - MONDAY).days for hour, _ in found.rows} == {0, 1, 2}
    for (hour, _), event in found.rows.items():
        assert hour <= moment(event["event_time"]) < moment(event["processed_time"])
        assert moment(event["processed_time"]) < hour + timedelta(hours=1)


def test_bulk_rows_conform_to_the_documented_fields_and_types(bulk: tuple[Landed, Found]) -> None:
    for event in bulk[1].rows.values():
        assert event.keys() == TIMES | INTEGERS | OBJECTS | FLOATS | BOOLEANS | STRINGS
        for names, kind in TYPES:
            assert {type(event[name]) for name in names} <= {kind, type(None)}


def test_bulk_figures_know_the_verdicts(bulk: tuple[Landed, Found]) -> None:
    figures, found = bulk
    judged = Counter(verdicts([(hour, event) for (hour, _), event in found.rows.items()]))
    assert judged["violating"] == figures.violating_rows
    assert judged["unplanned"] == figures.unplanned_rows


def test_bulk_numbers_the_parts_where_an_hour_has_several_files(tmp_path: Path) -> None:
    land_bulk(tmp_path, events=60, files=60, first_hour=MONDAY)
    names = [path.name for path in (tmp_path / "amplitude/events").iterdir()]
    found = [EVENTS_NAME.fullmatch(name) for name in names]
    assert Counter(int(name[3]) for name in found if name) == {0: 24, 1: 24, 2: 12}
