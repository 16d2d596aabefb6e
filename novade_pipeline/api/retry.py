"""Which failures are retried, and after which waits."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tenacity import RetryCallState
from tenacity.wait import wait_base

RETRYABLE_STATUSES = frozenset({408, 425, 429})
"""Beside every 5xx: request timeout, too early, too many requests."""


@dataclass(frozen=True)
class Retry:
    """How often a request is attempted, and how long to wait between attempts.

    Attributes:
        attempts: at most, the first included.
        first_wait: longest wait after the first attempt, seconds; it doubles with each further one.
        longest_wait: longest wait without a `Retry-After`, seconds.
        longest_retry_after: the longest `Retry-After` that is waited for, seconds.
    """

    attempts: int = 6
    first_wait: float = 0.5
    longest_wait: float = 30.0
    longest_retry_after: float = 300.0


class RetryableError(Exception):
    """A transient failure of a request; `retry_after` is the wait in seconds that the API set."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class RetryWait(wait_base):
    """The wait that `Retry-After` sets, plus up to a second of jitter; otherwise full jitter.

    Full jitter is a random wait up to a bound that doubles. Source:
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
    """

    def __init__(self, retry: Retry) -> None:
        self._retry = retry

    def __call__(self, retry_state: RetryCallState) -> float:
        """The seconds until the next attempt."""
        failure = retry_state.outcome.exception() if retry_state.outcome is not None else None
        if isinstance(failure, RetryableError) and failure.retry_after is not None:
            jitter = min(1.0, 0.1 + 0.1 * failure.retry_after)
            return failure.retry_after + random.uniform(0, jitter)  # noqa: S311
        bound = self._retry.first_wait * 2.0 ** min(retry_state.attempt_number - 1, 30)
        return random.uniform(0, min(self._retry.longest_wait, bound))  # noqa: S311


def retry_after_seconds(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The seconds that `Retry-After` sets; None without that header.

    Its value is seconds or an HTTP date (RFC 9110, 10.2.3); a date is compared with the answer's
    `Date`, so that our clock does not matter.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    until = _http_date(value)
    if until is None:
        return None
    since = _http_date(headers.get("Date", "")) or now or datetime.now(UTC)
    return max(0.0, (until - since).total_seconds())


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
