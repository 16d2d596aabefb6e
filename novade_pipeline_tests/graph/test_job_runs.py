"""What is said of a run that failed."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.graph.job_runs import failure_reason, work_key
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
