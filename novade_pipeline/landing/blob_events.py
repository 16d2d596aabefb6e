"""Notices of new blobs: Event Grid sends one to a storage queue for each blob that is created.

Source: https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage (Event Grid's schema
and CloudEvents) and `handler-storage-queues` beside it (messages are base64). A receiver
hides a notice for a while, and deletes it when the lake has the blob.
"""

import base64
import binascii
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from novade_pipeline.storage.azure import AzureStore, queue_client
from novade_pipeline.storage.azure_errors import translate_error

MOST_NOTICES = 320
"""How many notices one poll receives."""
HIDDEN_SECONDS = 600
"""How long received notices stay hidden; while their run is in progress they are hidden again."""
POISON_SUFFIX = "-poison"
CREATED = "Microsoft.Storage.BlobCreated"
_SUBJECT = "/blobServices/default/containers/"


@dataclass(frozen=True)
class Notice:
    """One received message.

    Attributes:
        id: in its queue.
        receipt: needed to delete it; invalid once the message is received again.
        attempts: how often it was received, this time included.
        text: its body.
        file: the path of the blob below the landing zone; None for a blob elsewhere, or none.
        problem: why it cannot be parsed; None where it can.
    """

    id: str
    receipt: str
    attempts: int
    text: str
    file: str | None
    problem: str | None


class NoticeQueue:
    """The queue, and its poison queue for notices that cannot be parsed or loaded."""

    def __init__(self, landing: AzureStore, url: str) -> None:
        """The queue at `url`, reached with the landing zone's credentials."""
        self._landing = landing
        self.url = url
        self._queue = queue_client(landing.access, url)
        self._poison = queue_client(landing.access, url + POISON_SUFFIX)

    def receive(self) -> list[Notice]:
        """Receive notices; they stay hidden for `HIDDEN_SECONDS`.

        Raises:
            UserError: the queue does not exist, or must not be read.
        """
        with self._explained("receive from"):
            return [
                self._notice(message)
                for message in self._queue.receive_messages(
                    messages_per_page=32,
                    max_messages=MOST_NOTICES,
                    visibility_timeout=HIDDEN_SECONDS,
                )
            ]

    def delete(self, notices: Iterable[Notice]) -> None:
        """Delete notices, except those that were received again meanwhile."""
        with self._explained("delete from"):
            for notice in notices:
                with _ignore_received_again():
                    self._queue.delete_message(notice.id, notice.receipt)

    def hide(self, notices: Iterable[Notice], seconds: int = HIDDEN_SECONDS) -> list[Notice]:
        """Hide notices; returns those not received again meanwhile, with new receipts."""
        hidden = []
        with self._explained("update"):
            for notice in notices:
                with _ignore_received_again():
                    now = self._queue.update_message(
                        notice.id, notice.receipt, visibility_timeout=seconds
                    )
                    hidden.append(replace(notice, receipt=str(now.pop_receipt)))
        return hidden

    def poison(self, notice: Notice, reason: str) -> None:
        """Move a notice to the poison queue, with the reason."""
        with self._explained("write to"):
            message = json.dumps({"reason": reason, "message": notice.text})
            self._poison.send_message(message, time_to_live=-1)
        self.delete([notice])

    def _notice(self, message: Any) -> Notice:
        file, problem = read_notice(message.content, self._landing)
        return Notice(
            message.id, message.pop_receipt, message.dequeue_count, message.content, file, problem
        )

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        from azure.core.exceptions import AzureError

        try:
            yield
        except AzureError as error:
            raise (
                translate_error(error, self.url, doing, self._landing.access.sas) or error
            ) from None


def read_notice(text: str, landing: AzureStore) -> tuple[str | None, str | None]:
    """Parse a message: (the blob's path below the landing zone, why it cannot be parsed)."""
    try:
        event = json.loads(_decoded(text))
        if isinstance(event, list) and len(event) == 1:
            event = event[0]
        kind = event.get("eventType") or event["type"]
        subject = event["subject"]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None, "expected an Event Grid event as JSON, found something else"
    if kind != CREATED:
        return None, f"expected events of type {CREATED} only, found {kind!r}"
    container, blobs, name = subject.removeprefix(_SUBJECT).partition("/blobs/")
    if not subject.startswith(_SUBJECT) or not blobs:
        return None, f"expected a subject that names a blob, found {subject!r}"
    root = f"{landing.root}/" if landing.root else ""
    name = unquote(name)
    if container != landing.container or not name.startswith(root):
        return None, None
    return name[len(root) :], None


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return text


@contextmanager
def _ignore_received_again() -> Iterator[None]:
    """Ignore that another process has received or deleted the message meanwhile."""
    from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

    try:
        yield
    except ResourceNotFoundError:
        return
    except HttpResponseError as error:
        if getattr(error, "error_code", None) not in ("PopReceiptMismatch", "MessageNotFound"):
            raise
