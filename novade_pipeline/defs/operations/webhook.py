"""Sends messages to a webhook, with time limits.

The address is a secret, since anyone who has it can post; messages and logs show only its host.
"""

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

Answer = Literal["taken", "refused", "unreachable"]

SECONDS = 10.0
# Time limit of one tick, seconds; Dagster ends a sensor's evaluation after 60.
BUDGET_SECONDS = 25.0
# Pauses before the second and the third attempt, seconds.
PAUSES = (0.5, 1.5)
# The message itself is refused; another one may not be.
_REFUSED = frozenset({400, 413, 414, 415, 422})
# Often passes within seconds.
_PASSING = frozenset({500, 502, 503, 504})


@dataclass
class Webhook:
    """A webhook during one tick; counts accepted messages and has the newest error."""

    url: str = field(repr=False)
    last_error: str = ""
    delivered: int = 0
    _began: float = field(default_factory=time.monotonic, repr=False)

    @property
    def host(self) -> str:
        """The part of the address that may be shown."""
        return urlsplit(self.url).hostname or ""

    def send(self, message: Mapping[str, Any], key: str) -> Answer:
        """Sends one message.

        Args:
            key: header `Idempotency-Key`, equal for repeats of a message.

        Returns:
            `taken` for a status 2xx; `refused` if the message cannot be accepted; `unreachable` if
            it should be sent later, for the reason in `last_error`.
        """
        before = self.last_error
        for pause in (*PAUSES, None):
            if time.monotonic() - self._began > BUDGET_SECONDS:
                self.last_error = self.last_error or f"{self.host} is slow; the rest follows"
                return "unreachable"
            status = self._post(message, key)
            if status is not None and 200 <= status < 300:
                self.delivered, self.last_error = self.delivered + 1, before
                return "taken"
            if status in _REFUSED:
                return "refused"
            if pause is None or (status is not None and status not in _PASSING):
                break
            time.sleep(pause)
        return "unreachable"

    def _post(self, message: Mapping[str, Any], key: str) -> int | None:
        """The status of the response; None without one."""
        import httpx

        try:
            with (
                _without_url_in_log(),
                httpx.Client(timeout=SECONDS) as client,
                # Streamed, since the body is not needed and may be endless.
                client.stream(
                    "POST", self.url, json=message, headers={"Idempotency-Key": key}
                ) as answer,
            ):
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self.last_error = f"{self.host} did not answer ({type(error).__name__})"
            return None
        if not 200 <= status < 300:
            self.last_error = f"{self.host} answered {status}, expected 2xx"
        return status


@contextmanager
def _without_url_in_log() -> Iterator[None]:
    """Suppresses httpx's log of requests, which has the whole address, in this thread."""
    thread = threading.get_ident()

    def is_of_another_thread(record: logging.LogRecord) -> bool:
        return record.thread != thread

    logger = logging.getLogger("httpx")
    logger.addFilter(is_of_another_thread)
    try:
        yield
    finally:
        logger.removeFilter(is_of_another_thread)
