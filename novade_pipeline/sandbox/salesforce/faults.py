"""Faults of the Salesforce sandbox, on request."""

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
    """Which faults to inject; none by default. Log-ins do not count as requests.

    Attributes:
        limited_every: every n-th request gets a 429 with `Retry-After`.
        retry_after: its seconds.
        failing_every: every n-th request gets a 500.
        unavailable_every: every n-th request gets a 503.
        locked_every: every n-th request gets UNABLE_TO_LOCK_ROW.
        session_requests: number of requests after which a session expires; 0: never.
        failing_jobs: the first n jobs end in `Failed`.
        slow_polls: number of polls during which a job is in progress.
        results_unavailable: number of 503s before each page of results.
        results_cut: number of times that each page of results is then cut short.
        uneven_pages: a page of either API has a random number of records, up to its maximum.
        changes: number of records that are changed or inserted, each after a page was read.
        deletions: number of records that are deleted, each after a page was read.
        used: how many of the day's requests were used before.
        daily_limit: requests per day; then 403 REQUEST_LIMIT_EXCEEDED.
        revoked_after: number of requests after which access is revoked, log-ins too; 0: never.
        another_domain: log-ins go to another organisation's domain, as from a sandbox organisation
            to production.
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
        self._counts: Counter[str] = Counter()

    def response_instead_of(self, request: int) -> Response | None:
        """The error in place of the response to the n-th request; mostly None."""
        faults = self.faults
        if _is_turn(request, faults.limited_every):
            wait = {"Retry-After": str(faults.retry_after)}
            return error(429, "TOO_MANY_REQUESTS", "Too many requests", wait)
        if _is_turn(request, faults.failing_every):
            return error(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred.")
        if _is_turn(request, faults.unavailable_every):
            return unavailable()
        if _is_turn(request, faults.locked_every):
            message = "unable to obtain exclusive access to this record or 1 records"
            return error(400, "UNABLE_TO_LOCK_ROW", message)
        return None

    def with_job(self, job: Job) -> None:
        """Set the faults of a new job."""
        job.polls_left = self.faults.slow_polls
        job.fails = self._happens("failing_jobs", self.faults.failing_jobs)

    def results_fault(self, job: Job, locator: str) -> Literal["unavailable", "cut", ""]:
        """How the next request for a page of results fails; "" for not at all."""
        place = f"{job.id} {locator}"
        if self._happens(f"unavailable {place}", self.faults.results_unavailable):
            return "unavailable"
        return "cut" if self._happens(f"cut {place}", self.faults.results_cut) else ""

    def page_rows(self, max_rows: int) -> int:
        """The number of records in a page, up to a maximum."""
        return self._page_rng.randint(1, max_rows) if self.faults.uneven_pages else max_rows

    def after_page(self, sobject: str) -> None:
        """Change an object while it is being read."""
        if self._happens("changes", self.faults.changes):
            self._org.touch(sobject, self._rng)
        if self._happens("deletions", self.faults.deletions):
            self._org.touch(sobject, self._rng, "delete")

    def _happens(self, event: str, times: int) -> bool:
        """Whether an event has happened fewer times, and so happens now."""
        happens = self._counts[event] < times
        self._counts[event] += happens
        return happens


def _is_turn(request: int, every: int) -> bool:
    return every > 0 and request % every == 0
