"""Reads conversations with their messages, contacts, accounts and users from the service.

A conversation's details are read before its messages: a message that is written in between changes
the conversation, and the next load reads it again.
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

Request = TypeVar("Request")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Item:
    """An item of the service, parsed.

    Attributes:
        payload: the item itself.
        place: the path of the request.
        row: of its table; None where it is bad.
        bad: the reason.
    """

    payload: Any = field(repr=False)
    place: str
    row: dict[str, Any] | None = field(default=None, repr=False)
    bad: BadItem | None = None


@dataclass
class ItemBatch:
    """Items of one table."""

    items: list[Item] = field(default_factory=list)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The items that are rows."""
        return [item.row for item in self.items if item.row is not None]

    @property
    def bad(self) -> list[BadItem]:
        """The items that are bad."""
        return [item.bad for item in self.items if item.bad is not None]

    def append(
        self, table: Table, payload: Any, now: datetime, place: str, position: tuple[int, int]
    ) -> None:
        """Parses and appends an item; `position` is its page and its place on it, from 1."""
        row = drift_row(table, payload, now)
        if isinstance(row, str):
            self.items.append(Item(payload, place, bad=bad_item(payload, place, *position, row)))
        else:
            self.items.append(Item(payload, place, row))


@dataclass(frozen=True)
class Chat:
    """A conversation with its messages; `is_gone` where the service does not have it any more."""

    id: int
    conversation: ItemBatch
    messages: ItemBatch
    is_gone: bool = False

    @property
    def contacts(self) -> set[int]:
        """The contacts who take part, by the rows."""
        owners = {row["contact_id"] for row in self.conversation.rows}
        authors = {
            row["author_id"] for row in self.messages.rows if row["author_type"] == "contact"
        }
        return {contact for contact in owners | authors if contact is not None}


@dataclass(frozen=True)
class ContactAnswer:
    """The answer to a request for a contact; empty where it is gone."""

    id: int
    contact: ItemBatch
    is_gone: bool


def chat_place(conversation_id: int) -> str:
    """Returns the path of a conversation's details."""
    return f"conversations/{conversation_id}"


def messages_place(conversation_id: int) -> str:
    """Returns the path of a conversation's messages."""
    return f"conversations/{conversation_id}/messages"


def contact_place(contact_id: int) -> str:
    """Returns the path of a contact."""
    return f"contacts/{contact_id}"


def chats(client: Client, ids: Iterable[int], now: datetime) -> Iterator[Chat]:
    """Reads conversations with their messages, in the order of the ids, several at once."""

    def read(number: int, stopped: Event) -> Chat:
        chat = Chat(number, ItemBatch(), ItemBatch())
        try:
            item = _data_of(client, chat_place(number), stopped)
            chat.conversation.append(CONVERSATIONS, item, now, chat_place(number), (1, 1))
            place = messages_place(number)
            for page in pages(client, place, MESSAGE_STYLE, items="data.messages"):
                for position, item in enumerate(page.items, 1):
                    chat.messages.append(MESSAGES, item, now, place, (page.number + 1, position))
        except Refused as refused:
            if refused.status != NOT_FOUND:
                raise
            return Chat(number, ItemBatch(), ItemBatch(), is_gone=True)
        return chat

    return _concurrently(client, ids, read)


def contacts(client: Client, ids: Iterable[int], now: datetime) -> Iterator[ContactAnswer]:
    """Reads contacts, in the order of the ids, several at once."""

    def read(number: int, stopped: Event) -> ContactAnswer:
        batch = ItemBatch()
        try:
            item = _data_of(client, contact_place(number), stopped)
        except Refused as refused:
            if refused.status != NOT_FOUND:
                raise
            return ContactAnswer(number, batch, is_gone=True)
        batch.append(CONTACTS, item, now, contact_place(number), (1, 1))
        return ContactAnswer(number, batch, is_gone=False)

    return _concurrently(client, ids, read)


def accounts(client: Client, now: datetime) -> ItemBatch:
    """Reads the list of accounts once."""
    batch = ItemBatch()
    params = {"index": 0, "size": ACCOUNT_ROWS}
    for page in pages(client, "accounts/", ACCOUNT_STYLE, items="data.accounts", params=params):
        for position, item in enumerate(page.items, 1):
            batch.append(ACCOUNTS, item, now, "accounts/", (page.number + 1, position))
    return batch


def users(client: Client, now: datetime) -> ItemBatch:
    """Reads all users."""
    batch = ItemBatch()
    for page in pages(client, "users/list", NextLink("links.next", query_only=True), items="data"):
        for position, item in enumerate(page.items, 1):
            batch.append(USERS, item, now, "users/list", (page.number + 1, position))
    return batch


def stable_read(
    read: Callable[[], ItemBatch], key_of: Callable[[Any], object], most_reads: int, list_name: str
) -> tuple[ItemBatch, int]:
    """Reads a list until a read has all items of the one before; returns it and the reads.

    Args:
        read: reads the whole list.
        key_of: returns an item's key.
        most_reads: the limit.
        list_name: in messages.

    Raises:
        TransientFailure: the list kept changing.
    """
    before: set[object] | None = None
    for reads in range(1, most_reads + 1):
        batch = read()
        keys = {key_of(item.payload) for item in batch.items}
        if before is not None and before <= keys:
            return batch, reads
        before = keys
    raise TransientFailure(
        f"{list_name}: expected two equal reads, found that it changed in each of "
        f"{most_reads}; it is read again."
    )


def _data_of(client: Client, place: str, stopped: Event) -> Any:
    answer: Answer = client.get(place, stopped=stopped)
    body = client.json(answer)
    if not isinstance(body, dict) or "data" not in body:
        raise PermanentFailure(
            f"{answer.where}: expected an object at `data`, found none; {client.api.hint}."
        )
    return body["data"]


def _concurrently(
    client: Client, requests: Iterable[Request], read: Callable[[Request, Event], Result]
) -> Iterator[Result]:
    """Reads in the order of the requests, as many at once as the budget allows."""
    concurrent = client.api.budget.concurrent
    waiting: deque[Future[Result]] = deque()
    with _threads(concurrent, client.api.name) as (pool, stopped):
        for request in requests:
            if len(waiting) >= 2 * concurrent:
                yield waiting.popleft().result()
            waiting.append(pool.submit(read, request, stopped))
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def _threads(concurrent: int, name: str) -> Iterator[tuple[ThreadPoolExecutor, Event]]:
    """Threads that end with the context; their pending requests are cancelled."""
    stopped = Event()
    pool = ThreadPoolExecutor(concurrent, thread_name_prefix=f"{name}-item")
    try:
        yield pool, stopped
    finally:
        stopped.set()
        pool.shutdown(cancel_futures=True)
