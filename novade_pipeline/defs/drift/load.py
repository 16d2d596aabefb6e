"""Loads a Drift workspace into its tables, from the watermark of the last load.

Changed conversations are read in the order of their changes, in slices. Of each slice the contacts
are committed first, then the messages, then the conversations with the watermark. A load that was
killed resumes there.

The list is not strictly in that order, and a conversation may be restored to an older state. So a
sweep reads the list to its end, and each conversation that differs from the lake's.
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
from novade_pipeline.defs.drift.listing import Listing, combined, listing
from novade_pipeline.defs.drift.reader import ItemBatch
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
from novade_pipeline.plurals import counted

SLICE = 500
"""Conversations of a slice, which are in memory at once, and are read again after a kill."""

WATERMARK = "drift"
SWEEP = "drift:sweep"
"""The transaction of the last sweep, epoch milliseconds."""
HOUR = 3_600_000
HINT = "look at NOVADE_DRIFT_API_URL and NOVADE_DRIFT_TOKEN"
_CHAT = re.compile(r"conversations/(\d+)(/messages)?")
_CONTACT = re.compile(r"contacts/(\d+)")
OnProgress = Callable[[str], None]


@dataclass(frozen=True)
class ChatsLoaded:
    """The outcome of a load of conversations.

    Attributes:
        watermark: epoch milliseconds; None where none was loaded yet.
        read: the number of conversations whose details and messages were requested.
    """

    listing: Listing
    watermark: int | None
    read: int


def api_of(settings: DriftSettings) -> Api:
    """Returns the service's address, token and budget; the token must be set."""
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
    client: Client,
    writer: Writer,
    settings: DriftSettings,
    on_progress: OnProgress,
    *,
    whole: bool = False,
) -> ChatsLoaded:
    """Loads the conversations that changed, their messages and their contacts.

    Args:
        whole: load all conversations.

    Raises:
        PermanentFailure: the answers are not such lists and items.
        TransientFailure: it cannot be read now; earlier slices are committed.
    """
    mark = watermark(writer.lake, CONVERSATIONS, WATERMARK, writer.policy)
    mark = mark.restarted() if whole else mark
    overlap, now = int(settings.overlap_minutes * 60_000), milliseconds(writer.now)
    down_to = None if mark.value is None else mark.value - overlap
    most_reads = settings.api_most_reads
    listed = listing(
        client, down_to=down_to, most_reads=most_reads, now=now, on_progress=on_progress
    )
    is_due = sweep_is_due(writer, settings.sweep_hours)
    if is_due and not listed.is_whole:
        # Items that one read misses are newer than the front, or for the next sweep.
        to_its_end = listing(client, down_to=None, most_reads=1, now=now, on_progress=on_progress)
        listed = combined(listed, to_its_end)
    load = ChatLoad(client, writer, mark, on_progress)
    load.ingest(listed, load.changed(listed), is_sweep=is_due)
    return ChatsLoaded(listed, load.mark.value, load.read)


def sweep_is_due(writer: Writer, hours: float) -> bool:
    """Whether the last sweep was so many hours ago, never, or in the future."""
    last = transaction_version(writer.lake, CONVERSATIONS, SWEEP)
    return last is None or not 0 <= milliseconds(writer.now) - last < hours * HOUR


class ChatLoad:
    """The state of one load of conversations."""

    def __init__(
        self, client: Client, writer: Writer, mark: Watermark, on_progress: OnProgress
    ) -> None:
        self.client = client
        self.writer = writer
        self.mark = mark
        self.read = 0
        self._on_progress = on_progress
        self._requested_contacts: set[int] = set()
        places = read(writer.lake, QUARANTINE, columns=["place"])["place"].to_pylist()
        self._quarantined = [place for place in places if place is not None]

    def changed(self, listed: Listing) -> pa.Table:
        """Returns the listed conversations that differ from the lake's, the oldest first."""
        if self.mark.value is None or not len(listed.changed):
            return listed.changed
        existing = stream(self.writer.lake, CONVERSATIONS, columns=["id", "updated_at"])
        with closing(scratch()) as connection:
            connection.register("listed", listed.changed)
            connection.register("existing", existing)
            # Rows after the watermark may be of another policy, or lack their messages.
            changed = connection.execute(
                "select l.id, l.updated_at from listed as l left join existing as e on l.id = e.id"
                " where l.updated_at > $1 or l.updated_at is distinct from epoch_ms(e.updated_at)"
                " order by l.updated_at, l.id",
                [self.mark.value],
            )
            return changed.to_arrow_table()

    def ingest(self, listed: Listing, pending: pa.Table, *, is_sweep: bool) -> None:
        """Loads pending conversations slice by slice, with those that were bad or are unclear.

        Args:
            is_sweep: the list was read to its end, which the last commit records.
        """
        self._reject_listed(listed)
        bad = (_CHAT.fullmatch(place) for place in self._quarantined)
        again = sorted({*listed.unclear, *(int(match[1]) for match in bad if match)})
        were_bad = (_CONTACT.fullmatch(place) for place in self._quarantined)
        self._contacts({int(match[1]) for match in were_bad if match})
        for number in range(0, max(1, len(pending)), SLICE):
            part = pending.slice(number, SLICE)
            is_last = number + SLICE >= len(pending)
            swept = {SWEEP: milliseconds(self.writer.now)} if is_sweep and is_last else {}
            if len(part) or again or swept:
                self._slice(part, again, front=listed.front, is_last=is_last, swept=swept)
            again = []

    def _reject_listed(self, listed: Listing) -> None:
        """Quarantines items of the list without an id; a whole list replaces all earlier ones.

        Each is identified by its content, so that a load that reads less does not remove it.
        """
        places = {item.place for item in listed.bad}
        if listed.is_whole:
            places |= {place for place in self._quarantined if "#" in place}
        if places:
            self.writer.reject(CONVERSATIONS, listed.bad, places)

    def _slice(
        self,
        part: pa.Table,
        again: Sequence[int],
        *,
        front: int | None,
        is_last: bool,
        swept: Mapping[str, int],
    ) -> None:
        """Loads some conversations with their messages and contacts.

        Args:
            part: of the pending ones.
            again: further ones, which the watermark does not cover.
            front: the upper bound of the watermark, epoch milliseconds.
            is_last: no pending ones are left.
            swept: is recorded with a watermark.
        """
        ids = list(dict.fromkeys([*again, *part["id"].to_pylist()]))
        chats = list(reader.chats(self.client, ids, self.writer.now))
        self.read += len(chats)
        self._contacts({contact for chat in chats for contact in chat.contacts})
        messages, conversations = ItemBatch(), ItemBatch()
        for chat in chats:
            messages.items += chat.messages.items
            conversations.items += chat.conversation.items
        self.writer.tally(CONVERSATIONS).gone += sum(chat.is_gone for chat in chats)
        self.writer.write(MESSAGES, messages, [reader.messages_place(number) for number in ids])
        value = self.mark.value
        if len(part) and front is not None:
            reached = min(part["updated_at"][-1].as_py(), front)
            value = reached if value is None else max(value, reached)
        after = replace(self.mark, value=value, is_whole=self.mark.is_whole or is_last)
        transactions = {} if after == self.mark else after.transactions()
        if value is not None:
            transactions |= swept
        self.writer.write(
            CONVERSATIONS,
            conversations,
            [reader.chat_place(number) for number in ids],
            transactions=transactions,
        )
        self.mark = after
        self._on_progress(f"{CONVERSATIONS.name}: {counted(self.read, 'conversation')} read")

    def _contacts(self, ids: Collection[int]) -> None:
        """Loads these contacts, each once in a load."""
        pending = sorted(set(ids) - self._requested_contacts)
        if not pending:
            return
        self._requested_contacts.update(pending)
        batch, gone = ItemBatch(), []
        for answer in reader.contacts(self.client, pending, self.writer.now):
            batch.items += answer.contact.items
            gone += [answer.id] if answer.is_gone else []
        if gone:
            self.writer.merge(CONTACTS, self._tombstones(gone))
            self.writer.tally(CONTACTS).gone += len(gone)
        self.writer.write(CONTACTS, batch, [reader.contact_place(number) for number in pending])

    def _tombstones(self, gone: Sequence[int]) -> pa.Table:
        """Returns the last known state of deleted contacts, marked as such."""
        existing = read(self.writer.lake, CONTACTS, where={"id": gone}).to_pylist()
        known = {row["id"]: row for row in existing}
        rows = []
        for number in gone:
            row = gone_contact(number, self.writer.now)
            if number in known and self.mark.is_whole:
                row = {**known[number], "is_deleted": True, "read_at": self.writer.now}
            elif number in known:
                # The policy under which that row was written is unknown.
                row["created_at"] = known[number]["created_at"]
            rows.append(row)
        return pa.Table.from_pylist(rows, CONTACTS.schema)


def load_accounts(client: Client, writer: Writer, settings: DriftSettings) -> int:
    """Loads the accounts, and returns how often their list was read.

    Raises:
        PermanentFailure: the service has none, although the lake has some.
        TransientFailure: the list kept changing, or cannot be read now.
    """
    batch, reads = reader.stable_read(
        lambda: reader.accounts(client, writer.now),
        _account_key,
        settings.api_most_reads,
        ACCOUNTS.name,
    )
    if not batch.items and not settings.api_accept_empty:
        existing = read(writer.lake, ACCOUNTS, columns=["is_deleted"])["is_deleted"].to_pylist()
        if live := existing.count(False):
            raise PermanentFailure(
                f"{ACCOUNTS.name}: expected rows, since the lake has {live:,}, found that the "
                "service has none; nothing is written. If there are none, set "
                "NOVADE_DRIFT_API_ACCEPT_EMPTY=true."
            )
    keys = {name for item in batch.items if isinstance(name := _account_key(item.payload), str)}
    writer.write(ACCOUNTS, batch, ["accounts/"], keys=keys)
    return reads


def load_users(client: Client, writer: Writer) -> None:
    """Loads the users; those that the service does not have any more stay."""
    writer.write(USERS, reader.users(client, writer.now), ["users/list"])


def _account_key(item: Any) -> object:
    name = item.get("accountId") if isinstance(item, dict) else None
    return name if isinstance(name, str) else item_json(item)
