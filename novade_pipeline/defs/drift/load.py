"""A Drift workspace into its tables, from where the last load came to.

Conversations that changed are read in the order in which they changed, some hundreds at a time.
Of each such slice the contacts are committed first, then the messages, then the conversations,
with the watermark that says that all up to there is done. A load that is killed goes on there.

The list is not strictly in that order, and a conversation may be restored to an older state. So now
and then a sweep reads the list to its end, and each conversation that the lake has otherwise.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from novade_pipeline.api.auth import Bearer
from novade_pipeline.api.client import Client
from novade_pipeline.api.contract import Api
from novade_pipeline.api.items import item_json
from novade_pipeline.api.request_budget import Budget
from novade_pipeline.defs.drift import reader
from novade_pipeline.defs.drift.listing import Listing, joined, listing
from novade_pipeline.defs.drift.reader import Told
from novade_pipeline.defs.drift.service_rows import gone_contact
from novade_pipeline.defs.drift.settings import DriftSettings
from novade_pipeline.defs.drift.tables import (
    ACCOUNTS,
    CONTACTS,
    CONVERSATIONS,
    MESSAGES,
    QUARANTINE,
    USERS,
    milliseconds,
)
from novade_pipeline.defs.drift.writer import Writer
from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.delta import transaction_version
from novade_pipeline.lake.query import scratch
from novade_pipeline.lake.read import read, stream
from novade_pipeline.lake.watermarks import Watermark, watermark

SLICE = 500
"""Conversations of a slice: what a kill can lose, and what is in memory at once."""

WATERMARK = "drift"
SWEEP = "drift:sweep"
"""The transaction that says when the list was last read to its end, epoch milliseconds."""
HOUR = 3_600_000
HINT = "look at NOVADE_DRIFT_API_URL and NOVADE_DRIFT_TOKEN"
_CHAT = re.compile(r"conversations/(\d+)(/messages)?")
_CONTACT = re.compile(r"contacts/(\d+)")
Tell = Callable[[str], None]


def silent(told: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class ChatsLoaded:
    """What a load of conversations came to.

    Attributes:
        listing: what the list told.
        watermark: epoch milliseconds; None where there is nothing yet.
        read: conversations whose details and messages were asked for.
    """

    listing: Listing
    watermark: int | None
    read: int


def api_of(settings: DriftSettings) -> Api:
    """The service as the settings describe it; its token is set."""
    assert settings.token is not None
    return Api(
        name="drift",
        url=settings.api_url,
        auth=Bearer(settings.token.get_secret_value()),
        budget=Budget(
            concurrent=settings.api_concurrency,
            requests=settings.api_requests_per_minute,
            seconds=60.0,
        ),
        timeout=settings.api_timeout_seconds,
        hint=HINT,
    )


def load_chats(
    client: Client, writer: Writer, settings: DriftSettings, tell: Tell, *, whole: bool = False
) -> ChatsLoaded:
    """Read the conversations that changed, their messages and their contacts.

    Args:
        whole: read all of them, whatever the lake holds.

    Raises:
        PermanentFailure: the service does not answer with such lists and items.
        TransientFailure: it cannot be read now; what is committed stands.
    """
    mark = watermark(writer.lake, CONVERSATIONS, WATERMARK, writer.policy)
    mark = mark.restarted() if whole else mark
    overlap, now = int(settings.overlap_minutes * 60_000), milliseconds(writer.now)
    down_to = None if mark.value is None else mark.value - overlap
    most_reads = settings.api_most_reads
    found = listing(client, down_to=down_to, most_reads=most_reads, now=now, tell=tell)
    is_due = sweep_is_due(writer, settings.sweep_hours)
    if is_due and not found.is_whole:
        # What one read misses, as rows move, is newer than the front or is for the next sweep.
        to_its_end = listing(client, down_to=None, most_reads=1, now=now, tell=tell)
        found = joined(found, to_its_end)
    load = ChatLoad(client, writer, mark, tell)
    load.take_in(found, load.changed(found), is_sweep=is_due)
    return ChatsLoaded(found, load.mark.value, load.read)


def sweep_is_due(writer: Writer, hours: float) -> bool:
    """Whether the list was last read to its end so many hours ago, never, or in the future."""
    last = transaction_version(writer.lake, CONVERSATIONS, SWEEP)
    return last is None or not 0 <= milliseconds(writer.now) - last < hours * HOUR


class ChatLoad:
    """One load of conversations: what it has asked for, and how far it is."""

    def __init__(self, client: Client, writer: Writer, mark: Watermark, tell: Tell) -> None:
        self.client = client
        self.writer = writer
        self.mark = mark
        self.read = 0
        self._tell = tell
        self._asked: set[int] = set()
        places = read(writer.lake, QUARANTINE, columns=["place"])["place"].to_pylist()
        self._quarantined = [place for place in places if place is not None]

    def changed(self, found: Listing) -> pa.Table:
        """What of the list the lake does not have in that state; the oldest first."""
        if self.mark.value is None or not len(found.changed):
            return found.changed
        existing = stream(self.writer.lake, CONVERSATIONS, columns=["id", "updated_at"])
        with closing(scratch()) as connection:
            connection.register("listed", found.changed)
            connection.register("existing", existing)
            # Rows after the watermark may be of another policy, or without their messages.
            changed = connection.execute(
                "select l.id, l.updated_at from listed as l left join existing as e on l.id = e.id"
                " where l.updated_at > $1 or l.updated_at is distinct from epoch_ms(e.updated_at)"
                " order by l.updated_at, l.id",
                [self.mark.value],
            )
            return changed.to_arrow_table()

    def take_in(self, found: Listing, todo: pa.Table, *, is_sweep: bool) -> None:
        """Read what is to be read of the list, slice by slice, and what was bad or is unclear.

        Args:
            is_sweep: the list was read to its end; the last commit says when.
        """
        self._reject_listed(found)
        bad = (_CHAT.fullmatch(place) for place in self._quarantined)
        again = sorted({*found.unclear, *(int(match[1]) for match in bad if match)})
        were_bad = (_CONTACT.fullmatch(place) for place in self._quarantined)
        self._contacts({int(match[1]) for match in were_bad if match})
        for number in range(0, max(1, len(todo)), SLICE):
            part = todo.slice(number, SLICE)
            is_last = number + SLICE >= len(todo)
            swept = {SWEEP: milliseconds(self.writer.now)} if is_sweep and is_last else {}
            if len(part) or again or swept:
                self._slice(part, again, front=found.front, is_last=is_last, swept=swept)
            again = []

    def _reject_listed(self, found: Listing) -> None:
        """What the list has and names no conversation; what stood there is gone with a whole list.

        Each is named by its content: the next load, which reads less, does not take it away.
        """
        places = {one.place for one in found.bad}
        if found.is_whole:
            places |= {place for place in self._quarantined if "#" in place}
        if places:
            self.writer.reject(CONVERSATIONS, found.bad, places)

    def _slice(
        self,
        part: pa.Table,
        again: Sequence[int],
        *,
        front: int | None,
        is_last: bool,
        swept: Mapping[str, int],
    ) -> None:
        """Read some conversations, and commit all that belongs to them.

        Args:
            part: of what changed.
            again: others, of which the watermark says nothing.
            front: what the watermark may not pass.
            is_last: all that is older was read.
            swept: recorded with the commit, once a watermark is.
        """
        ids = list(dict.fromkeys([*again, *part["id"].to_pylist()]))
        chats = list(reader.chats(self.client, ids, self.writer.now))
        self.read += len(chats)
        self._contacts({one for chat in chats for one in chat.contacts})
        messages, conversations = Told(), Told()
        for chat in chats:
            messages.items += chat.messages.items
            conversations.items += chat.conversation.items
        self.writer.tally(CONVERSATIONS).gone += sum(chat.is_gone for chat in chats)
        self.writer.put(MESSAGES, messages, [reader.messages_place(number) for number in ids])
        value = self.mark.value
        if len(part) and front is not None:
            reached = min(part["updated_at"][-1].as_py(), front)
            value = reached if value is None else max(value, reached)
        after = replace(self.mark, value=value, is_whole=self.mark.is_whole or is_last)
        transactions = {} if after == self.mark else after.transactions()
        if value is not None:
            transactions |= swept
        self.writer.put(
            CONVERSATIONS,
            conversations,
            [reader.chat_place(number) for number in ids],
            transactions=transactions,
        )
        self.mark = after
        self._tell(f"{CONVERSATIONS.name}: {self.read:,} conversations read")

    def _contacts(self, ids: Collection[int]) -> None:
        """Read these contacts, each once in a load."""
        wanted = sorted(set(ids) - self._asked)
        if not wanted:
            return
        self._asked.update(wanted)
        told, gone = Told(), []
        for answer in reader.contacts(self.client, wanted, self.writer.now):
            told.items += answer.told.items
            gone += [answer.id] if answer.is_gone else []
        if gone:
            self.writer.merge(CONTACTS, self._tombstones(gone))
            self.writer.tally(CONTACTS).gone += len(gone)
        self.writer.put(CONTACTS, told, [reader.contact_place(number) for number in wanted])

    def _tombstones(self, gone: Sequence[int]) -> pa.Table:
        """The last known state of contacts that the service does not have any more, marked."""
        there = read(self.writer.lake, CONTACTS, where={"id": gone}).to_pylist()
        known = {row["id"]: row for row in there}
        rows = []
        for number in gone:
            row = gone_contact(number, self.writer.now)
            if number in known and self.mark.is_whole:
                row = {**known[number], "is_deleted": True, "read_at": self.writer.now}
            elif number in known:
                # Nobody can say under which policy that row was written.
                row["created_at"] = known[number]["created_at"]
            rows.append(row)
        return pa.Table.from_pylist(rows, CONTACTS.schema)


def load_accounts(client: Client, writer: Writer, settings: DriftSettings) -> int:
    """Bring the accounts to what the service has; how often their list was read.

    Raises:
        PermanentFailure: it has none, although the lake has some.
        TransientFailure: the list never held still, or cannot be read now.
    """
    told, reads = reader.settled(
        lambda: reader.accounts(client, writer.now),
        _account_name,
        settings.api_most_reads,
        ACCOUNTS.name,
    )
    if not told.items and not settings.api_accept_empty:
        there = read(writer.lake, ACCOUNTS, columns=["is_deleted"])["is_deleted"].to_pylist()
        if live := there.count(False):
            raise PermanentFailure(
                f"{ACCOUNTS.name}: expected rows, since the lake has {live:,}, found that the "
                "service has none; nothing is written. Where that is right, set "
                "NOVADE_DRIFT_API_ACCEPT_EMPTY=true."
            )
    keys = {name for item in told.items if isinstance(name := _account_name(item.told), str)}
    writer.put(ACCOUNTS, told, ["accounts/"], keys=keys)
    return reads


def load_users(client: Client, writer: Writer) -> None:
    """Bring the users to what the service has; those that it does not have any more stay."""
    writer.put(USERS, reader.users(client, writer.now), ["users/list"])


def _account_name(item: Any) -> object:
    name = item.get("accountId") if isinstance(item, dict) else None
    return name if isinstance(name, str) else item_json(item)
