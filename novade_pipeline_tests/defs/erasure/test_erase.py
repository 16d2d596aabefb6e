"""A person is erased from a whole world: product, music, CRM, chat, marts, and stays away."""

import gzip
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from novade_pipeline.defs.amplitude.assets import SOURCES
from novade_pipeline.defs.amplitude.tables import EVENTS, FILES, QUARANTINE, REPEATS
from novade_pipeline.defs.drift import tables as drift
from novade_pipeline.defs.erasure.commands import erasure_scope
from novade_pipeline.defs.erasure.erase import Erasure, erase
from novade_pipeline.defs.music import tables as music
from novade_pipeline.defs.salesforce import tables as salesforce
from novade_pipeline.defs.tracking_plan.tables import EVENT_VERDICTS
from novade_pipeline.errors import UserError
from novade_pipeline.execution.local_run import run_graph
from novade_pipeline.execution.runner import LocalRunner
from novade_pipeline.graph.domains import tables
from novade_pipeline.graph.landing_assets import LandingConfig
from novade_pipeline.lake.database_copies import reader_copy, working_copy
from novade_pipeline.lake.delta import current_version
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.tombstones import TOMBSTONES
from novade_pipeline.landing.reconciliation import differences
from novade_pipeline.privacy.policy import protect
from novade_pipeline.sandbox import amplitude_exports
from novade_pipeline.settings import Settings
from novade_pipeline_tests.byte_search import files_below_with, files_with, tables_with
from novade_pipeline_tests.worlds import marts_of, published_of, settings_in

NOW = datetime(2026, 3, 4, tzinfo=UTC)
FIRST_HOUR = datetime(2026, 3, 2, tzinfo=UTC)


def write(settings: Settings, table: Table, *rows: dict[str, Any]) -> None:
    """Rows as a loader writes them: by the policy, then merged."""
    always: dict[pa.DataType, Any] = {
        pa.bool_(): False,
        pa.timestamp("us", tz="UTC"): NOW,
        pa.list_(pa.int64()): [],
    }
    told = [
        {f.name: always.get(f.type) for f in table.schema if not f.nullable} | row for row in rows
    ]
    made = pa.Table.from_pylist(told, schema=table.schema)
    merge(settings.lake, table, protect(made, table.personal, settings.personal_data_policy))


def write_business(settings: Settings, address: str) -> None:
    """The person in CRM, chat and music, and others who speak of the address."""
    write(
        settings,
        salesforce.CONTACT,
        {"id": "003A", "email": address.upper(), "last_name": "Doomed"},
        {"id": "003B", "email": "other@example.com", "last_name": "Stays"},
    )
    write(settings, salesforce.LEAD, {"id": "00QA", "converted_contact_id": "003A"})
    write(
        settings,
        salesforce.TASK,
        {"id": "00TA", "who_id": "003A", "subject": "Call the doomed one"},
        {"id": "00TB", "who_id": "003B", "description": f"Was told of <{address}>, who left"},
    )
    write(
        settings,
        drift.CONTACTS,
        {"id": 71, "email": address, "attributes": json.dumps({"email": address})},
        {"id": 72, "email": "other@example.com"},
    )
    talks = ({"id": 501, "contact_id": 71}, {"id": 502, "contact_id": 72})
    write(settings, drift.CONVERSATIONS, *talks)
    write(
        settings,
        drift.MESSAGES,
        {"id": "m1", "conversation_id": 501, "author_type": "user", "author_id": 9, "body": "Hi"},
        {"id": "m2", "conversation_id": 502, "author_type": "contact", "author_id": 72},
    )
    write(settings, drift.USERS, {"id": 9, "email": "agent@example.com"})
    write(settings, music.USERS, {"id": 17, "email": address}, {"id": 18, "email": "b@example.com"})
    write(
        settings,
        music.LISTEN_HISTORY,
        {"history_id": "h17", "user_id": 17, "items": [1]},
        {"history_id": "h18", "user_id": 18, "items": [1]},
    )


@dataclass(frozen=True)
class World:
    """A loaded world before and after somebody was erased from it.

    Attributes:
        uuids: of the events that somebody has whose address it is, found by hand.
        before: the events of all.
        tried: what a dry run said, and done what was done.
    """

    settings: Settings
    address: str
    uuids: set[str]
    before: list[dict[str, Any]]
    tried: Erasure
    changed_by_trying: bool
    done: Erasure


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    root = tmp_path_factory.mktemp("erased")
    landing = root / "landing"
    amplitude_exports.land(
        landing, first_hour=FIRST_HOUR, hours=14, events_per_hour=30, seed=1, faults=False
    )
    settings = settings_in(root, landing)
    address, uuids = somebody(settings)
    land_more(settings, address)
    write_business(settings, address)
    outcome = run_graph(settings)
    assert outcome.success, outcome.failures
    before = read(settings.lake, EVENTS).to_pylist()
    graph = erasure_scope(settings, LocalRunner())
    versions = {name: current_version(settings.lake, table) for name, table in graph.tables.items()}
    tried = erase(settings, graph, address, dry_run=True)
    after = {name: current_version(settings.lake, table) for name, table in graph.tables.items()}
    # What somebody who types dbt leaves.
    shutil.copy(settings.warehouse_path, working_copy(settings.warehouse_path))
    done = erase(settings, graph, f" {address.upper()}")
    return World(settings, address, uuids, before, tried, versions != after, done)


def somebody(settings: Settings) -> tuple[str, set[str]]:
    """Of the known users who were merged the one with the most events, and the events by hand."""
    events = list(lines_of(settings, "amplitude/events/"))
    persons: list[set[int]] = []
    for merge_ in lines_of(settings, "amplitude/merged_ids/"):
        pair = {merge_["amplitude_id"], merge_["merged_amplitude_id"]}
        joined = [person for person in persons if not person.isdisjoint(pair)]
        persons = [person for person in persons if person not in joined] + [pair.union(*joined)]
    found: dict[str, set[str]] = {}
    for person in persons:
        theirs = [event for event in events if event["amplitude_id"] in person]
        for address in {event["user_id"] for event in theirs if event["user_id"]}:
            found[address] = {event["uuid"] for event in theirs}
    address = max(sorted(found), key=lambda name: len(found[name]))
    return address, found[address]


def lines_of(settings: Settings, prefix: str) -> Iterator[dict[str, Any]]:
    for entry in settings.landing.entries(prefix):
        yield from map(json.loads, gzip.decompress(settings.landing.read(entry.file)).splitlines())


def land_more(settings: Settings, address: str) -> None:
    """Somebody else's event that tells the address, a broken line and a damaged file with it."""
    (first, *_) = sorted(
        entry.file for entry in settings.landing.entries("amplitude/events/") if entry.size > 500
    )
    lines = gzip.decompress(settings.landing.read(first)).splitlines()
    other = next(json.loads(line) for line in lines if address.encode() not in line)
    told = {**other, "uuid": "11111111-mention", "event_properties": {"invited": address}}
    text = json.dumps(told).encode() + b"\n" + f'{{"user_id": "{address}"\n'.encode()
    folder = "amplitude/events"
    settings.landing.write(gzip.compress(text), folder, "187520_2026-03-02_3#7.json.gz")
    damaged = gzip.compress(f'{{"user_id": "{address}"}}\n'.encode())[:-6]
    settings.landing.write(damaged, folder, "187520_2026-03-02_4#7.json.gz")


def rows_of(done: Erasure) -> dict[str, int]:
    return {table.table: table.rows for table in done.tables if table.rows}


def test_a_dry_run_says_what_goes_and_changes_nothing(world: World) -> None:
    assert not world.changed_by_trying
    tried = rows_of(world.tried)
    assert tried == rows_of(world.done)
    assert tried.items() >= {
        ("amplitude/events", len(world.uuids)),
        ("amplitude/quarantine", 1),
        ("tracking_plan/event_verdicts", len(world.uuids)),
        ("salesforce/contact", 1),
        ("salesforce/lead", 1),
        ("salesforce/task", 1),
        ("drift/contacts", 1),
        ("drift/conversations", 1),
        ("drift/messages", 1),
        ("music/users", 1),
        ("music/listen_history", 1),
        ("marts/event_enhanced", len(world.uuids)),
        ("marts/user_enhanced", 1),
        ("marts/dim_users", 1),
    }
    amended = {table.table: table.amended for table in world.tried.tables if table.amended}
    assert amended.items() >= {("salesforce/task", 1), ("amplitude/events", 1)}
    assert world.tried.names == world.done.names
    assert world.done.failures == []


def test_no_byte_holds_the_address_any_more(world: World) -> None:
    settings = world.settings
    assert files_with(settings.lake, world.address) == []
    assert tables_with(settings.warehouse_path, world.address) == []
    homes = (settings.warehouse_path.parent / "lake", settings.dagster_home)
    assert [file for home in homes for file in files_below_with(home, world.address)] == []
    around = list(settings.warehouse_path.parent.glob("warehouse*"))
    copy = reader_copy(settings.warehouse_path)
    assert set(around) == {settings.warehouse_path, copy}
    needle = world.address.encode()
    assert [path for path in around if needle in path.read_bytes().lower()] == []


def test_readers_have_the_marts_without_the_person(world: World) -> None:
    marts = marts_of(world.settings)
    assert marts_of(world.settings, reader_copy(world.settings.warehouse_path)) == marts


def test_the_search_finds_what_landing_still_holds(world: World) -> None:
    assert files_with(world.settings.landing, world.address) != []


def test_the_rows_of_others_are_as_they_were(world: World) -> None:
    def place(row: dict[str, Any]) -> tuple[str, int]:
        return row["file"], row["line"]

    left = [row for row in world.before if row["uuid"] not in world.uuids]
    (mention,) = [row for row in left if row["uuid"] == "11111111-mention"]
    mention["event_properties"] = mention["event_properties"].replace(world.address, "erased")
    after = read(world.settings.lake, EVENTS).to_pylist()
    assert sorted(after, key=place) == sorted(left, key=place)
    for table, ids in (
        (salesforce.CONTACT, ["003B"]),
        (salesforce.TASK, ["00TB"]),
        (drift.CONTACTS, [72]),
        (drift.MESSAGES, ["m2"]),
        (drift.USERS, [9]),
        (music.USERS, [18]),
    ):
        assert read(world.settings.lake, table)["id"].to_pylist() == ids


def test_every_line_is_still_accounted_for(world: World) -> None:
    lake = world.settings.lake
    by_file = Counter(read(lake, EVENTS)["file"].to_pylist())
    bad = Counter(row["file"] for row in read(lake, QUARANTINE).to_pylist() if row["line"])
    erased = 0
    for row in read(lake, FILES, where={"source": "events"}).to_pylist():
        told = row["rows"] + row["repeated"] + row["quarantined"] + row["blank"] + row["erased"]
        assert row["lines"] == told
        assert (row["rows"], row["quarantined"]) == (by_file[row["file"]], bad[row["file"]])
        erased += row["erased"]
    gone = sum(row["uuid"] in world.uuids for row in world.before)
    assert erased == gone + 1
    assert [d for source in SOURCES for d in differences(lake, source)] == []


def test_the_marts_are_what_the_tables_say(world: World) -> None:
    marts = marts_of(world.settings)
    lake = world.settings.lake
    repeats = read(lake, REPEATS).num_rows
    assert len(marts["event_enhanced"]) == read(lake, EVENTS).num_rows - repeats
    published = published_of(world.settings)
    assert {name: len(rows) for name, rows in marts.items()} == {
        name: len(rows) for name, rows in published.items()
    }
    verdicts = read(lake, EVENT_VERDICTS)["uuid"].to_pylist()
    assert sorted(verdicts) == sorted(read(world.settings.lake, EVENTS)["uuid"].to_pylist())


def test_landing_is_listed_file_by_file_and_left_as_it_is(world: World) -> None:
    landing, counted, damaged = world.settings.landing, Counter[str](), "_4#7.json.gz"
    uuids = {uuid.encode() for uuid in world.uuids} | {b"11111111-mention"}
    for entry in landing.entries("amplitude/events/"):
        if not entry.file.endswith(damaged) and entry.size:
            for line in gzip.decompress(landing.read(entry.file)).splitlines():
                is_theirs = any(uuid in line for uuid in uuids) or b'{"user_id": "' in line[:13]
                counted[entry.file] += is_theirs
    events = {file: n for file, n in world.done.landed.lines.items() if "/events/" in file}
    assert events == dict(+counted)
    assert world.done.landed.lines.keys() - events.keys() != set()
    assert [file for file in world.done.landed.unread if file.endswith(damaged)] != []
    assert world.tried.landed == world.done.landed


def test_only_hashes_say_who_was_erased(world: World) -> None:
    stones = read(world.settings.lake, TOMBSTONES).to_pylist()
    assert {stone["kind"] for stone in stones} == set(world.done.names)
    assert world.address not in repr(stones)


def test_nobody_is_brought_back_by_a_reload_or_a_second_erasure(world: World) -> None:
    settings = world.settings
    before = read(settings.lake, EVENTS)["uuid"].to_pylist()
    outcome = run_graph(settings, config=LandingConfig(reload=True))
    assert outcome.success, outcome.failures
    write_business(settings, world.address)
    assert files_with(settings.lake, world.address) == []
    assert sorted(read(settings.lake, EVENTS)["uuid"].to_pylist()) == sorted(before)
    again = erase(
        settings,
        replace(erasure_scope(settings, LocalRunner()), rebuild=lambda _: []),
        world.address,
    )
    assert rows_of(again) == {}
    assert again.landed == world.done.landed
    assert files_with(settings.lake, world.address) == []
    assert set(tables()) >= {table.table for table in again.tables if "marts" not in table.table}


def test_a_person_whom_nobody_knows_is_one_sentence(world: World) -> None:
    with pytest.raises(UserError, match="expected an identifier of a person in the lake"):
        erase(world.settings, erasure_scope(world.settings, LocalRunner()), "nobody@example.com")


def test_an_id_of_several_systems_must_say_of_which(world: World) -> None:
    settings = world.settings
    write(settings, drift.CONTACTS, {"id": 18, "email": "c@example.com"})
    with pytest.raises(UserError, match=r"drift_contact_id:….*music_user_id:…"):
        erase(settings, erasure_scope(settings, LocalRunner()), "18", dry_run=True)
    tried = erase(
        settings, erasure_scope(settings, LocalRunner()), "music_user_id:18", dry_run=True
    )
    assert rows_of(tried).items() >= {("music/users", 1), ("music/listen_history", 1)}
    assert "drift/contacts" not in rows_of(tried)
