"""The events, users and merges in the sandbox's exports."""

import re
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.sandbox.amplitude_exports import Landed, plan
from novade_pipeline.sandbox.amplitude_faults import NEW_FIELD
from novade_pipeline.sandbox.music_service import LOOKBACK_HOURS, day_of
from novade_pipeline.sandbox.music_users import World
from novade_pipeline.sandbox.tracking_plan import UNPLANNED_EVENT, UNUSED_EVENT
from novade_pipeline_tests.sandbox.landed_exports import (
    DOCUMENTED,
    EVENTS_PER_HOUR,
    MONDAY,
    TIMES,
    TYPES,
    ExportContents,
    delay,
    moment,
    verdicts,
)


def test_every_row_has_exactly_the_documented_fields(
    rows: list[tuple[datetime, dict[str, Any]]],
) -> None:
    assert len(DOCUMENTED) == 55
    assert {frozenset(event) - {NEW_FIELD} for _, event in rows} == {frozenset(DOCUMENTED)}


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


def test_some_events_come_up_to_three_days_late(
    rows: list[tuple[datetime, dict[str, Any]]],
) -> None:
    delays = [delay(event) for _, event in rows]
    late = sum(hours >= 1 for hours in delays)
    assert 0.01 < late / len(rows) < 0.06
    assert 24 < max(delays) < 72


def test_a_repeated_line_is_the_same_line(week: tuple[Path, Landed, ExportContents]) -> None:
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
    week: tuple[Path, Landed, ExportContents],
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


def test_some_merges_form_chains_in_the_order_of_time(
    week: tuple[Path, Landed, ExportContents],
) -> None:
    merges = {merge["amplitude_id"]: merge for _, merge in week[2].merges}
    chains = [
        (merge, merges[merge["merged_amplitude_id"]])
        for merge in merges.values()
        if merge["merged_amplitude_id"] in merges
    ]
    assert chains
    assert all(first["merge_time"] < second["merge_time"] for first, second in chains)


def test_an_identity_is_merged_once(week: tuple[Path, Landed, ExportContents]) -> None:
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


def test_the_plan_judges_the_rows_as_the_figures_say(
    week: tuple[Path, Landed, ExportContents], rows: list[tuple[datetime, dict[str, Any]]]
) -> None:
    judged = Counter(verdicts(rows))
    assert judged["violating"] == week[1].violating_rows > 0
    assert judged["unplanned"] == week[1].unplanned_rows > 0


def test_the_plan_and_the_exports_differ_by_one_event_each_way(
    rows: list[tuple[datetime, dict[str, Any]]],
) -> None:
    planned = {rule["key"] for rule in plan()["rules"]}
    exported = {event["event_type"] for _, event in rows}
    assert planned - exported == {UNUSED_EVENT}
    assert exported - planned == {UNPLANNED_EVENT}
