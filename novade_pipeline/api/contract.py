"""An API and what it answers, as plain data."""

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
    """An API, as plain data.

    Attributes:
        name: as messages call it: `music`.
        url: what all paths are below.
        auth: who we are to it.
        budget: what it may be asked for.
        retry: how often and after which waits.
        timeout: seconds for a connection, and between two pieces of an answer.
        largest_answer: bytes of an answer in memory, decompressed; more is a failure.
        passing: statuses that are tried again, beside every 5xx.
        headers: what every request carries.
        hint: what a person should look at when it cannot be reached or read.
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
    """What a client has asked for so far.

    Attributes:
        requests: sent, tries that failed included.
        retries: of them those that repeat one that failed.
        bytes_received: as they came over the wire.
        seconds_waited: for the budget and before retries, all threads together.
        texts_repaired: lone surrogates that were replaced in texts of answers.
    """

    requests: int = 0
    retries: int = 0
    bytes_received: int = 0
    seconds_waited: float = 0.0
    texts_repaired: int = 0

    def __sub__(self, before: "Receipt") -> "Receipt":
        """What was asked for since."""
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
    """The API said no, with a status that no retry can mend."""

    def __init__(self, told: str, status: int) -> None:
        super().__init__(told)
        self.status = status
