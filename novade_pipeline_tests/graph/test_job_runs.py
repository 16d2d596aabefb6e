"""What is said of a run that failed."""

from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.graph.job_runs import (
    BACKFILL_TAG,
    PARTITION_TAG,
    PROCESS_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    SENSOR_TAG,
    WEB_PAGE_TAG,
    WORK_TAG,
    failure_reason,
    is_requested_by_name,
    range_tags,
    work_key,
)
from novade_pipeline.landing.ledger import LoadPlan
from novade_pipeline.landing.tables import LedgerRow


def test_other_work_has_another_name() -> None:
    hours = [datetime(2026, 3, 1, hour, tzinfo=UTC) for hour in (1, 2)]
    gone = [LedgerRow.model_construct(file=file, upload_hour=hours[0]) for file in "ab"]
    works = [
        *(LoadPlan({hour: []}, hours, None, []) for hour in hours),
        *(LoadPlan({}, hours, None, [row]) for row in gone),
    ]
    assert len({work_key({"events": work}) for work in works}) == len(works)
    assert work_key({"events": works[0]}) == work_key({"events": works[0]})


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (UserError("shop: expected this, found that."), "shop: expected this, found that."),
        (PermanentFailure("shop: no."), "shop: no."),
        (TransientFailure("shop: not now."), "shop: not now."),
        (dg.Failure("shop: told by hand."), "shop: told by hand."),
        (ValueError("what"), "ValueError: what"),
    ],
)
def test_our_own_failures_are_reported_in_their_own_words(raised: Exception, message: str) -> None:
    @dg.op
    def fails() -> None:
        raise raised

    @dg.job
    def job() -> None:
        fails()

    result = job.execute_in_process(raise_on_error=False)
    (event,) = [e for e in result.all_events if e.is_step_failure]
    assert failure_reason(event.step_failure_data) == message


RANGE = {RANGE_START_TAG: "2026-11-01", RANGE_END_TAG: "2026-11-02"}
BACKFILL = {**RANGE, BACKFILL_TAG: "abc"}


@pytest.mark.parametrize(
    ("tags", "is_by_name"),
    [
        pytest.param({PARTITION_TAG: "2026-11-01", WEB_PAGE_TAG: "true"}, True, id="one day"),
        pytest.param({**RANGE, WEB_PAGE_TAG: "true"}, True, id="days in one run"),
        pytest.param(BACKFILL, True, id="a backfill"),
        pytest.param(RANGE, False, id="a program, over HTTP"),
        pytest.param({**RANGE, WORK_TAG: "1", SENSOR_TAG: "s"}, False, id="a landing sensor"),
        pytest.param({**RANGE, SENSOR_TAG: "s"}, False, id="another sensor"),
        pytest.param({**RANGE, WORK_TAG: "1", PROCESS_TAG: "h:1"}, False, id="the command"),
    ],
)
def test_a_run_and_its_repetition_know_whether_a_person_chose_the_days(
    tags: dict[str, str], is_by_name: bool
) -> None:
    @dg.job
    def job() -> None: ...

    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(job, tags=tags)
        # Of a run's tags, its repetition from the web page lacks the hidden ones.
        repeated = instance.create_run_for_job(
            job,
            tags={**RANGE, WEB_PAGE_TAG: "true"},
            root_run_id=run.run_id,
            parent_run_id=run.run_id,
        )
        for each in (run, repeated):
            context: Any = SimpleNamespace(run=each, instance=instance)
            assert is_requested_by_name(context) == is_by_name


def test_a_run_extends_to_days_within_reach_that_none_has_covered() -> None:
    first, last = date(2026, 11, 10), date(2026, 11, 12)
    near = [date(2026, 10, 10), date(2026, 11, 11), date(2026, 12, 1)]
    far = [date(2026, 10, 9), date(2026, 12, 14)]
    assert range_tags([last, first]) == {
        RANGE_START_TAG: "2026-11-10",
        RANGE_END_TAG: "2026-11-12",
    }
    assert range_tags([last, first], [*near, *far]) == {
        RANGE_START_TAG: "2026-10-10",
        RANGE_END_TAG: "2026-12-01",
    }
