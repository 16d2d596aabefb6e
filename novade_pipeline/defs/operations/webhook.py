"""Sending to a webhook: one request, with time limits, and its address never told.

The address is the secret: whoever has it can write to the channel. Of it only the host appears.
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
# How long one look may send, seconds; Dagster ends a sensor's evaluation after 60.
BUDGET_SECONDS = 25.0
# Pauses before the second and the third attempt, seconds; after that, at the next look.
PAUSES = (0.5, 1.5)
# The message itself was not liked; others may be.
_REFUSED = frozenset({400, 413, 414, 415, 422})
# Passes within seconds, often.
_PASSING = frozenset({500, 502, 503, 504})


@dataclass
class Webhook:
    """A webhook for the time of one look.

    Attributes:
        trouble: what went wrong last, in words; empty where nothing did.
        taken: how many messages arrived.
    """

    url: str = field(repr=False)
    trouble: str = ""
    taken: int = 0
    _began: float = field(default_factory=time.monotonic, repr=False)

    @property
    def host(self) -> str:
        """All of the address that may be told."""
        return urlsplit(self.url).hostname or ""

    def send(self, message: Mapping[str, Any], key: str) -> Answer:
        """Send one message.

        Args:
            key: the same for the same message, as the header `Idempotency-Key`.

        Returns:
            taken: it was answered with 2xx. refused: it will not be taken as it is. unreachable:
            try later; `trouble` says why.
        """
        before = self.trouble
        for pause in (*PAUSES, None):
            if time.monotonic() - self._began > BUDGET_SECONDS:
                self.trouble = self.trouble or f"{self.host} is slow; the rest follows"
                return "unreachable"
            status = self._post(message, key)
            if status is not None and 200 <= status < 300:
                self.taken, self.trouble = self.taken + 1, before
                return "taken"
            if status in _REFUSED:
                return "refused"
            if pause is None or (status is not None and status not in _PASSING):
                break
            time.sleep(pause)
        return "unreachable"

    def _post(self, message: Mapping[str, Any], key: str) -> int | None:
        """The status of the answer; None where there was none."""
        import httpx

        try:
            with (
                _untold(),
                httpx.Client(timeout=SECONDS) as client,
                # What the answer says is of no interest, and may be endless.
                client.stream(
                    "POST", self.url, json=message, headers={"Idempotency-Key": key}
                ) as answer,
            ):
                status = answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self.trouble = f"{self.host} did not answer ({type(error).__name__})"
            return None
        if not 200 <= status < 300:
            self.trouble = f"{self.host} answered {status}, expected 2xx"
        return status


@contextmanager
def _untold() -> Iterator[None]:
    """Keep our address out of the log: httpx logs each request with its whole address."""
    thread = threading.get_ident()

    def is_of_another(record: logging.LogRecord) -> bool:
        return record.thread != thread

    logger = logging.getLogger("httpx")
    logger.addFilter(is_of_another)
    try:
        yield
    finally:
        logger.removeFilter(is_of_another)
