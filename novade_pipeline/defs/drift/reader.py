"""Conversations with their messages, contacts, accounts and users, as the service tells them.

A conversation's details are read before its messages: what is written in between bumps it in the
list, and the next load finds it changed.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event
from typing import Any, TypeVar

from novade_pipeline.api.client import Client
from novade_pipeline.api.contract import Answer, Refused
from novade_pipeline.api.items import BadItem, bad_item
from novade_pipeline.api.paging import Cursor, NextLink, pages
from novade_pipeline.defs.drift.service_rows import drift_row
from novade_pipeline.defs.drift.tables import ACCOUNTS, CONTACTS, CONVERSATIONS, MESSAGES, USERS
from novade_pipeline.errors import PermanentFailure, TransientFailure
from novade_pipeline.lake.table import Table

MESSAGE_STYLE = Cursor("next", "pagination.next", more="pagination.more")
ACCOUNT_STYLE = NextLink("data.next", query_only=True)
ACCOUNT_ROWS = 100
NOT_FOUND = 404

Asked = TypeVar("Asked")
Found = TypeVar("Found")


@dataclass(frozen=True)
class Item:
    """One item of the service: a row, or none.

    Attributes:
        told: as it was told.
        place: the path that was asked for.
        row: of its table; None where it cannot be one.
        bad: why not.
    """

    told: Any = field(repr=False)
    place: str
    row: dict[str, Any] | None = field(default=None, repr=False)
    bad: BadItem | None = None


@dataclass
class Told:
    """What the service told of one table."""

    items: list[Item] = field(default_factory=list)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Those that are rows."""
        return [item.row for item in self.items if item.row is not None]

    @property
    def bad(self) -> list[BadItem]:
        """Those that are none."""
        return [item.bad for item in self.items if item.bad is not None]

    def take(self, table: Table, told: Any, now: datetime, place: str, at: tuple[int, int]) -> None:
        """Sort an item in; `at` is its page and its position on it, from 1."""
        row = drift_row(table, told, now)
        if isinstance(row, str):
            self.items.append(Item(told, place, bad=bad_item(told, place, *at, row)))
        else:
            self.items.append(Item(told, place, row))


@dataclass(frozen=True)
class Chat:
    """A conversation as it was read; the service may not have it any more."""

    id: int
    conversation: Told
    messages: Told
    is_gone: bool = False

    @property
    def contacts(self) -> set[int]:
        """Who takes part, as far as the rows say it."""
        owners = {row["contact_id"] for row in self.conversation.rows}
        authors = {
            row["author_id"] for row in self.messages.rows if row["author_type"] == "contact"
        }
        return {one for one in owners | authors if one is not None}


@dataclass(frozen=True)
class ContactAnswer:
    """What the service says of a contact; nothing where it is gone."""

    id: int
    told: Told
    is_gone: bool


def chat_place(conversation_id: int) -> str:
    """Where a conversation's details are asked for."""
    return f"conversations/{conversation_id}"


def messages_place(conversation_id: int) -> str:
    """Where its messages are."""
    return f"conversations/{conversation_id}/messages"


def contact_place(contact_id: int) -> str:
    """Where a contact is asked for."""
    return f"contacts/{contact_id}"


def chats(client: Client, ids: Iterable[int], now: datetime) -> Iterator[Chat]:
    """Conversations with their messages, in the order of the ids, several at once."""

    def read(number: int, stopped: Event) -> Chat:
        chat = Chat(number, Told(), Told())
        try:
            item = _one(client, chat_place(number), stopped)
            chat.conversation.take(CONVERSATIONS, item, now, chat_place(number), (1, 1))
            place = messages_place(number)
            for page in pages(client, place, MESSAGE_STYLE, items="data.messages"):
                for position, item in enumerate(page.items, 1):
                    chat.messages.take(MESSAGES, item, now, place, (page.number + 1, position))
        except Refused as refused:
            if refused.status != NOT_FOUND:
                raise
            return Chat(number, Told(), Told(), is_gone=True)
        return chat

    return _at_once(client, ids, read)


def contacts(client: Client, ids: Iterable[int], now: datetime) -> Iterator[ContactAnswer]:
    """What the service says of these contacts, in their order, several at once."""

    def read(number: int, stopped: Event) -> ContactAnswer:
        told = Told()
        try:
            item = _one(client, contact_place(number), stopped)
        except Refused as refused:
            if refused.status != NOT_FOUND:
                raise
            return ContactAnswer(number, told, is_gone=True)
        told.take(CONTACTS, item, now, contact_place(number), (1, 1))
        return ContactAnswer(number, told, is_gone=False)

    return _at_once(client, ids, read)


def accounts(client: Client, now: datetime) -> Told:
    """All accounts, as one read of their pages has them."""
    told = Told()
    params = {"index": 0, "size": ACCOUNT_ROWS}
    for page in pages(client, "accounts/", ACCOUNT_STYLE, items="data.accounts", params=params):
        for position, item in enumerate(page.items, 1):
            told.take(ACCOUNTS, item, now, "accounts/", (page.number + 1, position))
    return told


def users(client: Client, now: datetime) -> Told:
    """All users."""
    told = Told()
    for page in pages(client, "users/list", NextLink("links.next", query_only=True), items="data"):
        for position, item in enumerate(page.items, 1):
            told.take(USERS, item, now, "users/list", (page.number + 1, position))
    return told


def settled(
    read: Callable[[], Told], name_of: Callable[[Any], object], most_reads: int, what: str
) -> tuple[Told, int]:
    """What a list holds once a read of it has all that the read before it had, and how many reads.

    Args:
        read: reads it whole.
        name_of: what names an item.
        most_reads: after so many it is given up.
        what: the list, in messages.

    Raises:
        TransientFailure: it never held still.
    """
    before: set[object] | None = None
    for reads in range(1, most_reads + 1):
        told = read()
        names = {name_of(item.told) for item in told.items}
        if before is not None and before <= names:
            return told, reads
        before = names
    raise TransientFailure(
        f"{what}: expected two reads that tell the same, found that it changed in each of "
        f"{most_reads}; it is read again."
    )


def _one(client: Client, place: str, stopped: Event) -> Any:
    answer: Answer = client.get(place, stopped=stopped)
    body = client.json(answer)
    if not isinstance(body, dict) or "data" not in body:
        raise PermanentFailure(
            f"{answer.where}: expected an object at `data`, found none; {client.api.hint}."
        )
    return body["data"]


def _at_once(
    client: Client, asked: Iterable[Asked], read: Callable[[Asked, Event], Found]
) -> Iterator[Found]:
    """The answers in the order of what is asked, as many at once as the budget allows."""
    concurrent = client.api.budget.concurrent
    waiting: deque[Future[Found]] = deque()
    with _threads(concurrent, client.api.name) as (pool, stopped):
        for one in asked:
            if len(waiting) >= 2 * concurrent:
                yield waiting.popleft().result()
            waiting.append(pool.submit(read, one, stopped))
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def _threads(concurrent: int, name: str) -> Iterator[tuple[ThreadPoolExecutor, Event]]:
    """Threads that end with the context: what they still ask is given up."""
    stopped = Event()
    pool = ThreadPoolExecutor(concurrent, thread_name_prefix=f"{name}-item")
    try:
        yield pool, stopped
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)
