"""What is said of a run that failed."""

import dagster as dg
import pytest

from novade_pipeline.defs.runs import why_failed
from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (UserError("shop: expected this, found that."), "shop: expected this, found that."),
        (PermanentFailure("shop: no."), "shop: no."),
        (TransientFailure("shop: not now."), "shop: not now."),
        (dg.Failure("shop: told by hand."), "shop: told by hand."),
        (ValueError("what"), "ValueError: what"),
    ],
)
def test_our_own_failures_are_told_in_their_own_words(raised: Exception, told: str) -> None:
    @dg.op
    def fails() -> None:
        raise raised

    @dg.job
    def job() -> None:
        fails()

    result = job.execute_in_process(raise_on_error=False)
    (event,) = [e for e in result.all_events if e.is_step_failure]
    assert why_failed(event.step_failure_data) == told
