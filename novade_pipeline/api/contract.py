"""An API and its answers, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from novade_pipeline.api.auth import Auth
from novade_pipeline.api.request_budget import Budget
from novade_pipeline.api.retry import RETRYABLE_STATUSES, Retry
from novade_pipeline.errors import PermanentFailure

MIB = 2**20
Params = Mapping[str, str | int | float | bool]


@dataclass(frozen=True)
class Api:
    """An API.

    Attributes:
        name: as in messages: `music`.
        url: the base of all paths.
        auth: how requests are authenticated.
        budget: how many requests it accepts.
        retry: how often, and after which waits.
        timeout: seconds to connect, and between two reads of an answer.
        largest_answer: bytes of an answer in memory, decompressed; more is a failure.
        retryable: statuses that are retried, beside every 5xx.
        headers: of every request.
        hint: what to check when the API cannot be reached or read.
    """

    name: str
    url: str
    auth: Auth | None = None
    budget: Budget = field(default_factory=Budget)
    retry: Retry = field(default_factory=Retry)
    timeout: float = 30.0
    largest_answer: int = 64 * MIB
    retryable: frozenset[int] = RETRYABLE_STATUSES
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    hint: str = "look at the address in the settings"


@dataclass(frozen=True)
class Receipt:
    """The requests of a client so far.

    Attributes:
        requests: sent, retries included.
        retries: requests that repeat a failed one.
        bytes_received: over the wire.
        seconds_waited: for the budget and before retries, summed over threads.
        texts_repaired: lone surrogates that were replaced in texts of answers.
    """

    requests: int = 0
    retries: int = 0
    bytes_received: int = 0
    seconds_waited: float = 0.0
    texts_repaired: int = 0

    def __sub__(self, before: "Receipt") -> "Receipt":
        """The requests since."""
        return Receipt(
            self.requests - before.requests,
            self.retries - before.retries,
            self.bytes_received - before.bytes_received,
            round(self.seconds_waited - before.seconds_waited, 3),
            self.texts_repaired - before.texts_repaired,
        )


@dataclass(frozen=True)
class Answer:
    """An answer with a status below 300; `where` names its request in messages."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    url: str = field(repr=False)
    where: str


class Refused(PermanentFailure):
    """The API refused a request; a retry would be refused too."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
