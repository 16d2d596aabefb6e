"""The request budget of an API, and the clock that it is kept by."""

import time
from collections import deque
from dataclasses import dataclass
from threading import Event, Lock


@dataclass(frozen=True)
class Budget:
    """What an API may be asked for.

    Attributes:
        concurrent: requests at once.
        requests: at most so many begin within `seconds`, whichever moment they are counted from;
            None: as many as there are.
        seconds: the length of that window.
        at_most: requests of one client in all; more is a failure.
    """

    concurrent: int = 4
    requests: int | None = None
    seconds: float = 1.0
    max_requests: int | None = None


class Clock:
    """The monotonic clock; tests bring one that does not make them wait."""

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def wait(self, seconds: float, stopped: Event) -> None:
        """Wait so long, or until `stopped`."""
        stopped.wait(seconds)


class RateLimiter:
    """Says how long a request has to wait; shared by all threads that ask one API."""

    def __init__(self, budget: Budget, clock: Clock) -> None:
        self._budget = budget
        self._clock = clock
        self._lock = Lock()
        self._begun: deque[float] = deque(maxlen=budget.requests)
        self._held_until = float("-inf")

    def take(self) -> float:
        """Take a place in the budget: the seconds until its moment."""
        with self._lock:
            now = self._clock.now()
            moment = max(now, self._held_until)
            if self._budget.requests is not None:
                if len(self._begun) == self._budget.requests:
                    moment = max(moment, self._begun[0] + self._budget.seconds)
                self._begun.append(moment)
            return moment - now

    def hold(self, seconds: float) -> None:
        """No request begins within so many seconds: the API asked us to stay away."""
        with self._lock:
            self._held_until = max(self._held_until, self._clock.now() + seconds)

    def held(self) -> float:
        """The seconds until a hold ends."""
        with self._lock:
            return max(0.0, self._held_until - self._clock.now())
