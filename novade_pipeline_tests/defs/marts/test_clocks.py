"""Events whose clock is off: which they are, when they count, and what they leave as it is."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from novade_pipeline.defs.marts.project import Project
from novade_pipeline.defs.salesforce.tables import ACCOUNT
from novade_pipeline_tests.defs.marts.crm import CHATS, HISTORIES, PRODUCT, SALES, TICKETS, Crm

MARTS = (*PRODUCT, *HISTORIES, *SALES, *CHATS, *TICKETS)
JOINED = ("customer_keys", "customer_matches", "customer_360")
UPLOAD = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR, DAY, LEAST = timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)
# From the upload hour, which lasts an hour, to the event.
FROM_UPLOAD = {
    "2150": datetime(2150, 6, 1, tzinfo=UTC) - UPLOAD,
    "three days ahead": 3 * DAY,
    "a bit too far ahead": 25 * HOUR + LEAST,
    "a day ahead": 25 * HOUR,
    "now": LEAST,
    "two years behind": -731 * DAY,
    "a bit too far behind": -731 * DAY - LEAST,
    "1970": datetime(1970, 1, 1, tzinfo=UTC) - UPLOAD,
}
WRONG = {"2150", "three days ahead", "a bit too far ahead", "a bit too far behind", "1970"}


@pytest.fixture
def crm(tmp_path: Path, project: Project) -> Crm:
    crm = Crm(tmp_path, project)
    crm.write(ACCOUNT, [{"id": "a", "website": "https://acme.example"}])
    return crm


def _use(crm: Crm, *names: str) -> None:
    user = {"amplitude_id": 1, "user_properties": '{"email": "u1@acme.example"}'}
    landed = {"upload_date": UPLOAD.date(), "upload_hour": UPLOAD, "session_id": 1}
    crm.use(
        *(
            {"event_time": UPLOAD + FROM_UPLOAD[name], "event_type": name, **user, **landed}
            for name in names
        )
    )


def _counted(crm: Crm) -> dict[str, tuple[bool, datetime]]:
    """Event -> whether its clock is off, and the time at which it counts."""
    query = "select event_type, clock_is_off, effective_time from marts.event_enhanced"
    return {name: (is_off, time) for name, is_off, time in crm.query(query)}


def _expected(wrong: set[str]) -> dict[str, tuple[bool, datetime]]:
    return {
        name: (name in wrong, UPLOAD if name in wrong else UPLOAD + distance)
        for name, distance in FROM_UPLOAD.items()
    }


def test_an_event_of_a_wrong_clock_counts_at_its_upload_and_the_settings_say_which(
    crm: Crm,
) -> None:
    _use(crm, *FROM_UPLOAD)
    done = crm.refresh("event_enhanced", checks=True)
    assert _counted(crm) == _expected(WRONG)
    (check,) = [report for report in done.checks if report.check.name == "clocks_are_right"]
    assert not check.passed
    assert f"{len(WRONG)} rows fail" in check.message

    crm.refresh("event_enhanced", clock_ahead_hours=72, clock_behind_days=1)
    behind = {"two years behind", "a bit too far behind", "1970"}
    assert _counted(crm) == _expected({"2150", *behind})


def test_a_wrong_clock_moves_no_usage_of_an_account(crm: Crm) -> None:
    columns = "usage_until, events_7_days, events_28_days, events_90_days, sessions_7_days"
    for names in (["now", "a day ahead"], ["now", "a day ahead", *WRONG]):
        _use(crm, *names)
        assert not crm.refresh(*MARTS, *JOINED).failures
        assert crm.query(f"select {columns} from marts.customer_360") == [
            (date(2026, 3, 3), *[len(names)] * 3, 1)
        ]
        days = crm.query("select min(event_date), max(event_date) from marts.daily_performance")
        assert days == [(date(2026, 3, 2), date(2026, 3, 3))]
