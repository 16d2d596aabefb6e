"""What goes wrong with the made-up Salesforce organisation, where it is asked for."""

from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Literal

from starlette.responses import Response

from novade_pipeline.sandbox.salesforce.bulk import Job
from novade_pipeline.sandbox.salesforce.org import Organisation
from novade_pipeline.sandbox.salesforce.responses import error, unavailable


@dataclass(frozen=True)
class Faults:
    """What goes wrong; nothing where nothing is said. Log-ins are no requests here.

    Attributes:
        limited_every: every so manieth request is answered by 429, with `Retry-After`.
        retry_after: how many seconds that asks for.
        failing_every: every so manieth request is answered by 500.
        unavailable_every: every so manieth request is answered by 503.
        locked_every: every so manieth request is answered by UNABLE_TO_LOCK_ROW.
        session_requests: a session expires after so many requests; 0: never.
        failing_jobs: the first so many jobs end in `Failed`.
        slow_polls: a job is in progress for so many polls.
        results_unavailable: each page of results is answered by 503 so many times first.
        results_cut: each page of results is then cut short so many times, in its body.
        uneven_pages: a page of either API holds fewer records than it may, as many as is drawn.
        changes: so many times a record is changed, or made, after a page was read.
        deletions: so many times a record is deleted after a page was read.
        used: how many of the day's requests were used before.
        daily_limit: how many there are a day; then 403 REQUEST_LIMIT_EXCEEDED.
        revoked_after: after so many requests the access is taken back, log-ins too; 0: never.
        another_domain: log-ins are asked of a domain that is not this organisation's, as when
            those of a sandbox organisation go to production.
    """

    limited_every: int = 0
    retry_after: int = 1
    failing_every: int = 0
    unavailable_every: int = 0
    locked_every: int = 0
    session_requests: int = 0
    failing_jobs: int = 0
    slow_polls: int = 0
    results_unavailable: int = 0
    results_cut: int = 0
    uneven_pages: bool = False
    changes: int = 0
    deletions: int = 0
    used: int = 0
    daily_limit: int = 100_000
    revoked_after: int = 0
    another_domain: bool = False


class FaultInjector:
    """Injects faults.

    Attributes:
        faults: the configuration; it may be replaced at any time.
    """

    def __init__(self, faults: Faults, org: Organisation, seed: int) -> None:
        self.faults = faults
        self._org = org
        self._rng = Random(f"{seed}:salesforce:mischief")
        self._page_rng = Random(f"{seed}:salesforce:pages")
        self._done: Counter[str] = Counter()

    def instead_of(self, request: int) -> Response | None:
        """What answers a request instead of its answer, by its number; mostly nothing."""
        faults = self.faults
        if _is_turn(request, faults.limited_every):
            wait = {"Retry-After": str(faults.retry_after)}
            return error(429, "TOO_MANY_REQUESTS", "Too many requests", wait)
        if _is_turn(request, faults.failing_every):
            return error(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred.")
        if _is_turn(request, faults.unavailable_every):
            return unavailable()
        if _is_turn(request, faults.locked_every):
            says = "unable to obtain exclusive access to this record or 1 records"
            return error(400, "UNABLE_TO_LOCK_ROW", says)
        return None

    def with_job(self, job: Job) -> None:
        """What becomes of a new job."""
        job.polls_left = self.faults.slow_polls
        job.fails = self._less_than("failing_jobs", self.faults.failing_jobs)

    def fault_of_results(self, job: Job, locator: str) -> Literal["unavailable", "cut", ""]:
        """How a page of results fails, each time that it is asked for."""
        place = f"{job.id} {locator}"
        if self._less_than(f"unavailable {place}", self.faults.results_unavailable):
            return "unavailable"
        return "cut" if self._less_than(f"cut {place}", self.faults.results_cut) else ""

    def rows_of_page(self, most: int) -> int:
        """How many records a page holds that may hold so many."""
        return self._page_rng.randint(1, most) if self.faults.uneven_pages else most

    def after_a_page_of(self, of: str) -> None:
        """What others do to an object while it is read."""
        if self._less_than("changes", self.faults.changes):
            self._org.touch(of, self._rng)
        if self._less_than("deletions", self.faults.deletions):
            self._org.touch(of, self._rng, "delete")

    def _less_than(self, what: str, times: int) -> bool:
        """Whether a thing has happened fewer times; then it happens once more."""
        happens = self._done[what] < times
        self._done[what] += happens
        return happens


def _is_turn(request: int, every: int) -> bool:
    return every > 0 and request % every == 0
