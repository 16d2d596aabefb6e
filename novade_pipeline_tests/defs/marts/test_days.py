"""Days are those of the organisation's time zone, or of the one that is set."""

import shutil
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.defs.drift import tables as drift
from novade_pipeline.defs.marts.project import Project
from novade_pipeline.defs.salesforce.tables import EVENT, OPPORTUNITY, ORGANIZATION, TASK
from novade_pipeline_tests.defs.marts.crm import PRODUCT, Crm

MARTS = ("opportunity_history", "opportunity_enhanced", "sales_snapshot", "daily_activity")
CHAT = "conversation_enhanced"
CLOSES = "opportunity_closes_after_it_was_made"

# zone: ((made, closed, days to close), …)
ZONES: dict[str | None, list[tuple[str, str, int]]] = {
    "America/Los_Angeles": [
        ("2026-03-02T02:30", "2026-03-01", 0),
        # The clocks go forward on the 8th, and the day has 23 hours.
        ("2026-03-08T07:59", "2026-03-07", 0),
        ("2026-03-09T06:59", "2026-03-08", 0),
        ("2026-03-09T07:00", "2026-03-09", 0),
    ],
    "Asia/Tokyo": [("2026-03-01T16:00", "2026-03-02", 0), ("2026-03-01T14:59", "2026-03-02", 1)],
    "Asia/Kathmandu": [
        ("2026-03-01T18:15", "2026-03-02", 0),
        ("2026-03-01T18:14", "2026-03-02", 1),
    ],
    # Nothing that anybody knows, and nothing at all.
    "Nowhere/Land": [("2026-03-01T23:59", "2026-03-01", 0), ("2026-03-02T00:00", "2026-03-02", 0)],
    None: [("2026-03-01T23:59", "2026-03-01", 0)],
}


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _write(crm: Crm, zone: str | None, *deals: tuple[str, str]) -> None:
    if zone is not None:
        crm.write(ORGANIZATION, [{"id": "00D", "name": "Novade", "time_zone_sid_key": zone}])
    crm.write(
        OPPORTUNITY,
        [
            {"id": made, "created_date": _at(made), "system_modstamp": _at(made),
             "close_date": date.fromisoformat(closed), "is_closed": True, "is_won": True,
             "stage_name": "Won", "amount": 1.0}
            for made, closed in deals
        ],
    )  # fmt: skip


def _built(crm: Crm, **variables: Any) -> dict[str, bool]:
    """Check -> whether it passes, once the marts are built."""
    done = crm.refresh(*MARTS, CHAT, checks=True, **variables)
    assert not done.failures
    return {report.check.name: report.passed for report in done.checks}


def _days_to_close(crm: Crm) -> dict[str, int]:
    rows = crm.rows("opportunity_enhanced")
    return {row["opportunity_id"]: row["days_to_close"] for row in rows}


@pytest.mark.parametrize("zone", ZONES)
def test_an_opportunity_is_made_on_a_day_of_the_organisation(
    tmp_path: Path, project: Project, zone: str | None
) -> None:
    crm = Crm(tmp_path, project)
    _write(crm, zone, *((made, closed) for made, closed, _ in ZONES[zone]))
    assert all(_built(crm).values())
    assert _days_to_close(crm) == {made: days for made, _, days in ZONES[zone]}
    # Each state is of the day on which it began.
    first, last = crm.query("select min(day), max(day) from marts.sales_snapshot")[0]
    closed = [date.fromisoformat(day) for _, day, _ in ZONES[zone]]
    assert (first <= min(closed), last) == (True, max(closed))


# activities

DONE = {"is_closed": True, "owner_id": "u", "account_id": "a"}
LATE = _at("2026-03-10T12:00")
TASKS = [
    {"id": "done", **DONE, "completed_date_time": _at("2026-03-05T03:00")},
    # A due date is a day, whatever the zone.
    {"id": "due", **DONE, "activity_date": date(2026, 3, 5)},
    {"id": "due when the clocks go forward", **DONE, "activity_date": date(2026, 3, 8)},
]
EVENTS = [
    {"id": "met", "owner_id": "u", "start_date_time": _at("2026-03-05T03:00"),
     "duration_in_minutes": 30},
    # All day long: midnight of UTC stands for the day.
    {"id": "fair", "owner_id": "v", "is_all_day_event": True, "activity_date": date(2026, 3, 6),
     "start_date_time": _at("2026-03-06T00:00"), "duration_in_minutes": 1440},
    {"id": "only a time", "owner_id": "w", "is_all_day_event": True,
     "start_date_time": _at("2026-03-07T00:00"), "end_date_time": _at("2026-03-09T00:00")},
]  # fmt: skip


@pytest.fixture(scope="module")
def active(tmp_path_factory: pytest.TempPathFactory, project: Project) -> Crm:
    crm = Crm(tmp_path_factory.mktemp("active"), project)
    _write(crm, "America/Los_Angeles")
    crm.write(TASK, [{**row, "system_modstamp": LATE} for row in TASKS])
    crm.write(EVENT, [{**row, "system_modstamp": LATE} for row in EVENTS])
    crm.write(drift.USERS, [{"id": 1, "name": "Ada"}])
    crm.write(
        drift.CONVERSATIONS,
        [{"id": 1, "contact_id": 2, "status": "open", "created_at": _at("2026-03-05T03:00")}],
    )
    message = {"id": "m", "conversation_id": 1, "type": "chat", "author_type": "user"}
    crm.write(drift.MESSAGES, [{**message, "author_id": 1, "created_at": _at("2026-03-05T03:00")}])
    _built(crm)
    return crm


def _activities(crm: Crm) -> dict[tuple[int, str], tuple[int, int]]:
    return {
        (row["day"].day, row["kind"] + row["owner_id"][:1]): (row["activities"], row["seconds"])
        for row in crm.rows("daily_activity")
    }


def test_an_activity_is_of_a_day_of_the_organisation(active: Crm) -> None:
    assert _activities(active) == {
        (4, "tasku"): (1, 0),
        (5, "tasku"): (1, 0),
        (8, "tasku"): (1, 0),
        (4, "meetingu"): (1, 1800),
        (6, "meetingv"): (1, 0),
        (7, "meetingw"): (1, 0),
        (4, "chatd"): (1, 0),
    }


def test_the_chats_own_days_are_of_the_reporting_zone(active: Crm) -> None:
    (row,) = active.rows("conversation_enhanced")
    assert row["conversation_date"] == date(2026, 3, 5)


def test_the_zone_that_is_set_wins_and_is_heard_at_once(active: Crm, tmp_path: Path) -> None:
    shutil.copytree(active.warehouse.parent, tmp_path, dirs_exist_ok=True)
    crm = Crm(tmp_path, active.project)
    _built(crm, reporting_time_zone="Asia/Tokyo")
    assert _activities(crm)[5, "meetingu"] == (1, 1800)
    assert _activities(crm)[6, "meetingv"] == (1, 0)
    assert _activities(crm)[5, "tasku"] == (2, 0)
    _built(crm, reporting_time_zone="America/New_York")
    (row,) = crm.rows("conversation_enhanced")
    assert row["conversation_date"] == date(2026, 3, 4)
    again = crm.refresh(*MARTS, CHAT, reporting_time_zone="America/New_York")
    assert all(mart.is_unchanged for mart in again.marts.values())
    _built(crm)
    assert _activities(crm) == _activities(active)


def test_only_marts_with_days_of_the_zone_are_rebuilt_for_another_zone(project: Project) -> None:
    changed = {
        one.name
        for one, other in zip(
            project.models,
            project.models_under({"reporting_time_zone": "Asia/Tokyo", "matched_users": 1}),
            strict=True,
        )
        if one != other
    }
    assert {*MARTS, CHAT, "owner_performance", "customer_360"} - changed == {"opportunity_history"}
    assert not changed & {"top_tracks_by_genre", "dim_users", "account_history"}


# the product: the clocks of Paris go forward on 29 March and back on 25 October
PARIS = {
    "2026-03-28T22:59": "2026-03-28",
    "2026-03-28T23:00": "2026-03-29",
    "2026-03-29T21:59": "2026-03-29",
    "2026-03-29T22:00": "2026-03-30",
    "2026-10-24T21:59": "2026-10-24",
    "2026-10-24T22:00": "2026-10-25",
    "2026-10-25T22:59": "2026-10-25",
    "2026-10-25T23:00": "2026-10-26",
}

PRODUCT_DAYS = {
    "event_enhanced": "event_date",
    "sessions": "session_date",
    "user_days": "event_date",
}


def _product_days(crm: Crm) -> dict[str, list[str]]:
    """Mart -> the days of its rows, in order."""
    return {
        mart: [str(day) for (day,) in crm.query(f"select {column} from marts.{mart} order by 1")]
        for mart, column in PRODUCT_DAYS.items()
    }


def test_the_days_of_the_product_are_of_the_reporting_zone_and_of_utc_without_one(
    tmp_path: Path, project: Project
) -> None:
    crm = Crm(tmp_path, project)
    crm.use(*({"event_time": _at(time), "amplitude_id": n} for n, time in enumerate(PARIS)))
    assert not crm.refresh(*PRODUCT).failures
    assert _product_days(crm) == {mart: [time[:10] for time in PARIS] for mart in PRODUCT_DAYS}
    assert not crm.refresh(*PRODUCT, reporting_time_zone="Europe/Paris").failures
    assert _product_days(crm) == {mart: [*PARIS.values()] for mart in PRODUCT_DAYS}
    totals = crm.query("select event_date, sum(events) from marts.daily_performance group by all")
    counted = {str(day): int(events) for day, events in totals if events}
    assert counted == Counter(PARIS.values())
