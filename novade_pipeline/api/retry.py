"""What passes by itself, and how long to wait for it."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from tenacity import RetryCallState
from tenacity.wait import wait_base

RETRYABLE_STATUSES = frozenset({408, 425, 429})
"""Beside every 5xx: took too long, too early, too many."""


@dataclass(frozen=True)
class Retry:
    """How often a request is tried, and how long is waited before the next try.

    Attributes:
        attempts: tries in all.
        first_wait: greatest wait after the first try, seconds; it doubles with each further one.
        longest_wait: greatest wait that we choose, seconds.
        longest_retry_after: the longest `Retry-After` that is waited for, seconds.
    """

    attempts: int = 6
    first_wait: float = 0.5
    longest_wait: float = 30.0
    longest_retry_after: float = 300.0


class RetryableError(Exception):
    """A request failed in a way that passes; `asked` is the wait that the API asked for."""

    def __init__(self, reason: str, asked: float | None = None) -> None:
        super().__init__(reason)
        self.asked = asked


class RetryWait(wait_base):
    """What the API asks for and a little more, so that not all come back at once; else our own.

    Our own is 'full jitter': anything up to a bound that doubles. Source:
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
    """

    def __init__(self, retry: Retry) -> None:
        self._retry = retry

    def __call__(self, retry_state: RetryCallState) -> float:
        """The seconds until the next try."""
        failure = retry_state.outcome.exception() if retry_state.outcome is not None else None
        if isinstance(failure, RetryableError) and failure.asked is not None:
            return failure.asked + random.uniform(0, min(1.0, 0.1 + 0.1 * failure.asked))  # noqa: S311
        bound = self._retry.first_wait * 2.0 ** min(retry_state.attempt_number - 1, 30)
        return random.uniform(0, min(self._retry.longest_wait, bound))  # noqa: S311


def retry_after_seconds(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The wait in seconds that `Retry-After` asks for; None where it asks for none.

    It holds seconds or an HTTP date (RFC 9110, 10.2.3); a date is compared with the answer's own
    `Date`, so that our clock does not matter.
    """
    told = headers.get("Retry-After", "").strip()
    if told.isdecimal():
        return float(told)
    until = _http_date(told)
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
