"""What goes wrong with the made-up Salesforce organisation, where it is asked for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Trouble:
    """What goes wrong; nothing where nothing is said. Log-ins are not counted as requests.

    Attributes:
        limited_every: every so manieth request is answered by 429, with `Retry-After`.
        retry_after: how many seconds that asks for.
        failing_every: every so manieth request is answered by 500.
        unavailable_every: every so manieth request is answered by 503.
        locked_every: every so manieth request is answered by UNABLE_TO_LOCK_ROW.
        session_requests: a session expires after so many requests; 0: never.
        failing_jobs: the first so many jobs end in `Failed`.
        slow_polls: a job is in progress for so many polls.
        results_unavailable: the first so many pages of results are answered by 503.
        results_cut: the first so many pages of results are cut short, after their headers.
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
    changes: int = 0
    deletions: int = 0
    used: int = 0
    daily_limit: int = 100_000
    revoked_after: int = 0
    another_domain: bool = False
