"""The request budget of an API, its rate limiter and the clock."""

import time
from collections import deque
from dataclasses import dataclass
from threading import Event, Lock


@dataclass(frozen=True)
class Budget:
    """How many requests an API accepts.

    Attributes:
        concurrent: requests at a time.
        requests: how many may begin within any `seconds`; None for no limit.
        seconds: the length of that sliding window.
        max_requests: of one client; more is a failure.
    """

    concurrent: int = 4
    requests: int | None = None
    seconds: float = 1.0
    max_requests: int | None = None


class Clock:
    """The monotonic clock; tests replace it by one that does not wait."""

    def now(self) -> float:
        """Seconds since an arbitrary moment."""
        return time.monotonic()

    def wait(self, seconds: float, stopped: Event) -> None:
        """Wait, or until `stopped` is set."""
        stopped.wait(seconds)


class RateLimiter:
    """How long each request has to wait; shared by all threads that use one API."""

    def __init__(self, budget: Budget, clock: Clock) -> None:
        self._budget = budget
        self._clock = clock
        self._lock = Lock()
        self._begun: deque[float] = deque(maxlen=budget.requests)
        self._paused_until = float("-inf")

    def reserve(self) -> float:
        """Reserve a place in the budget; the seconds until it."""
        with self._lock:
            now = self._clock.now()
            moment = max(now, self._paused_until)
            if self._budget.requests is not None:
                if len(self._begun) == self._budget.requests:
                    moment = max(moment, self._begun[0] + self._budget.seconds)
                self._begun.append(moment)
            return moment - now

    def pause(self, seconds: float) -> None:
        """Begin no request for so many seconds, as the API demanded."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock.now() + seconds)

    def pause_left(self) -> float:
        """The seconds until the pause ends."""
        with self._lock:
            return max(0.0, self._paused_until - self._clock.now())
