"""What is a meeting, and how often: series, invitees, whole days."""

from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.defs.marts.project import Project
from novade_pipeline.defs.salesforce.tables import ACCOUNT, EVENT, TASK
from novade_pipeline_tests.defs.marts.crm import (
    CHATS,
    HISTORIES,
    JOINED,
    PRODUCT,
    SALES,
    Crm,
    Row,
    ago,
    day,
)

MARTS = (*PRODUCT, *HISTORIES, *SALES, *CHATS, *JOINED)


def _meeting(id_: str, owner: str = "u", days: float = 2, **fields: Any) -> Row:
    times = {"start_date_time": ago(days), "duration_in_minutes": 30}
    return {"id": id_, "owner_id": owner, "account_id": "a", **times, **fields}


def _series(master: Row, *days: float) -> list[Row]:
    of = {"recurrence_activity_id": master["id"]}
    return [master, *(_meeting(f"{master['id']}{n}", days=n, **of) for n in days)]


GROUP = {"group_event_type": "1"}
# name: (events, meetings of the account, meetings of each owner, seconds of all)
CASES: dict[str, tuple[list[Row], int, dict[str, int], int]] = {
    "one": ([_meeting("1", group_event_type="0")], 1, {"u": 1}, 1800),
    "a series of Classic": (
        _series(_meeting("m", is_recurrence=True, recurrence_activity_id="m"), 1, 2, 3),
        3, {"u": 3}, 5400,
    ),
    "whose master names none": (
        _series(_meeting("m", is_recurrence=True), 1, 2, 3), 3, {"u": 3}, 5400,
    ),
    "a series of Lightning": (
        _series(_meeting("m", group_event_type="3", is_recurrence=False), 1, 2, 3),
        3, {"u": 3}, 5400,
    ),
    "an occurrence that says that it recurs": (
        [
            *_series(_meeting("m", is_recurrence=True), 1),
            _meeting("m9", is_recurrence=True, recurrence_activity_id="m"),
        ],
        2, {"u": 2}, 3600,
    ),
    "invitees": (
        [_meeting("1", **GROUP), *(_meeting(o, o, is_child=True, **GROUP) for o in ("v", "w"))],
        1, {"u": 1, "v": 1, "w": 1}, 5400,
    ),
    "a series with invitees": (
        [
            _meeting("m", is_recurrence=True, **GROUP),
            _meeting("n", "v", is_recurrence=True, is_child=True, **GROUP),
            *(_meeting(f"m{n}", days=n, recurrence_activity_id="m", **GROUP) for n in (1, 2)),
            *(
                _meeting(f"n{n}", "v", n, recurrence_activity_id="n", is_child=True, **GROUP)
                for n in (1, 2)
            ),
        ],
        2, {"u": 2, "v": 2}, 7200,
    ),
    "proposed, and not agreed on": ([_meeting("1", group_event_type="2")], 0, {}, 0),
    "a whole day": ([_meeting("1", is_all_day_event=True, duration_in_minutes=1440)],
                    1, {"u": 1}, 0),
    "still to come": ([_meeting("1", days=-1)], 0, {}, 0),
    "deleted": ([_meeting("1", is_deleted=True), _meeting("2")], 1, {"u": 1}, 1800),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_meeting_counts_once_for_the_account_and_once_for_each_owner(
    tmp_path: Path, project: Project, case: str
) -> None:
    events, of_account, of_owners, seconds = CASES[case]
    crm = Crm(tmp_path, project)
    crm.write(ACCOUNT, [{"id": "a"}])
    crm.write(EVENT, events)
    assert not crm.refresh(*MARTS).failures
    assert crm.query("select meetings from marts.customer_360") == [(of_account,)]
    owners = dict(crm.query("select owner_id, meetings from marts.owner_performance"))
    assert owners == of_owners
    totals = crm.query(
        "select coalesce(sum(activities), 0), sum(seconds) from marts.daily_activity"
    )
    assert totals == [(sum(of_owners.values()), seconds if of_owners else None)]


def test_a_task_that_holds_how_a_series_recurs_is_none(tmp_path: Path, project: Project) -> None:
    crm = Crm(tmp_path, project)
    done = {"owner_id": "u", "is_closed": True, "completed_date_time": ago(1)}
    crm.write(
        TASK,
        [
            {"id": "m", **done, "is_recurrence": True},
            {"id": "1", **done, "recurrence_activity_id": "m"},
            {"id": "2", **done, "recurrence_activity_id": "m"},
        ],
    )
    assert not crm.refresh("daily_activity").failures
    rows = crm.query("select day, kind, activities from marts.daily_activity")
    assert rows == [(day(1), "task", 2)]
