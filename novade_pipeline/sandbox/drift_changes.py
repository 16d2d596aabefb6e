"""A Drift workspace that changes: people chat, chats end, rows are deleted."""

from dataclasses import dataclass
from datetime import date
from random import Random

from novade_pipeline.sandbox import drift_rows as rows
from novade_pipeline.sandbox.business import companies_for, person
from novade_pipeline.sandbox.drift_rows import Row

_FIRST_STRANGER = 1_000_000


@dataclass(frozen=True)
class Faults:
    """Which faults to inject; none by default.

    Attributes:
        limited_every: every n-th request gets a 429, with `Retry-After` in turn as seconds, as a
            date, and missing.
        retry_after: its seconds.
        failing_every: every n-th request gets a 500.
        slow_every: every n-th request takes `slow_seconds`.
        broken_every: every n-th row of each kind has a wrong type.
        changes: number of messages written to chats on later pages, each after a page of the list.
        misplaced_every: every n-th change of a chat leaves it at its old position in the list.
        missing_scopes: scopes that the token lacks; such requests get a 403.
    """

    limited_every: int = 0
    retry_after: int = 1
    failing_every: int = 0
    slow_every: int = 0
    slow_seconds: float = 1.0
    broken_every: int = 0
    changes: int = 0
    misplaced_every: int = 0
    missing_scopes: tuple[str, ...] = ()


class ChangingWorkspace:
    """A workspace and its changes.

    Attributes:
        faults: what goes wrong; it may be replaced at any time.
        state: the rows as they are now.
    """

    def __init__(
        self,
        conversations: int,
        seed: int,
        events_per_hour: int,
        as_of: date,
        faults: Faults,
    ) -> None:
        self.faults = faults
        self.state = rows.workspace(seed, as_of, conversations, events_per_hour)
        self._seed, self._companies = seed, companies_for(events_per_hour)
        self._rng = Random(f"{seed}:drift-changes")
        self._strangers = self._changed = 0
        self._listed_as: dict[int, int] = {}

    def tick(self, seconds: float = 1.0) -> int:
        """Advance the service's clock; returns it in epoch milliseconds."""
        self.state.now += int(seconds * rows.SECOND)
        return self.state.now

    def chat(self, contact_id: int | None = None) -> int:
        """Begin a chat of a contact, by default of a new one; returns its id."""
        if contact_id is None:
            self._strangers += 1
            who = person(self._seed, self._companies, -_FIRST_STRANGER - self._strangers)
            contact_id = rows.add_contact(self.state, who, self.tick(), self._rng)
        began = self.tick()
        number = rows.add_conversation(self.state, contact_id, began, self._rng)
        self.state.now = max(began, self.state.conversations[number]["updatedAt"])
        return number

    def write(self, conversation_id: int, text: str = "<p>Are you still there?</p>") -> Row:
        """Add a message of the contact, which makes the chat the newest."""
        author = self.state.conversations[conversation_id]["contactId"]
        self._move(conversation_id)
        at = self.tick()
        return rows.add_message(self.state, conversation_id, author, text, at, self._rng)

    def close(self, conversation_id: int) -> None:
        """End a chat."""
        self._move(conversation_id)
        rows.close(self.state, conversation_id, self.tick())

    def restore(self, conversation: Row) -> None:
        """Return a chat to the state of an earlier copy, with its `updatedAt`."""
        self._listed_as.pop(conversation["id"], None)
        self.state.conversations[conversation["id"]] = dict(conversation)

    def delete_contact(self, contact_id: int) -> None:
        """Delete a contact, who then gets a 404; the chats stay."""
        del self.state.contacts[contact_id]

    def delete_conversation(self, conversation_id: int) -> None:
        """Delete a chat."""
        del self.state.conversations[conversation_id]
        self._listed_as.pop(conversation_id, None)

    def newest_first(self) -> list[Row]:
        """The conversations in the order of the list: newest first, except for misplaced ones."""

        def listed_as(row: Row) -> tuple[int, int]:
            number: int = row["id"]
            updated_at: int = row["updatedAt"]
            return -self._listed_as.get(number, updated_at), -number

        return sorted(self.state.conversations.values(), key=listed_as)

    def _move(self, conversation_id: int) -> None:
        """Let a changing chat move to the front of the list, or keep its position."""
        self._changed += 1
        every = self.faults.misplaced_every
        place = self._listed_as.pop(
            conversation_id, self.state.conversations[conversation_id]["updatedAt"]
        )
        if every and self._changed % every == 0:
            self._listed_as[conversation_id] = place
