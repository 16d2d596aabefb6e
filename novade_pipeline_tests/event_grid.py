"""Messages as Event Grid puts them on a storage queue, and a queue to put them on.

The bodies follow https://learn.microsoft.com/azure/event-grid/event-schema-blob-storage.
"""

import base64
import json
import uuid
from typing import Any

from novade_pipeline.landing.blob_events import CREATED, POISON_SUFFIX
from novade_pipeline.storage.azure import AzureStore, queue_client
from novade_pipeline_tests.azurite import Azurite


def blob_created(container: str, blob: str, kind: str = CREATED) -> dict[str, Any]:
    """An event in Event Grid's own schema."""
    account = "/subscriptions/s/resourceGroups/novade/providers/Microsoft.Storage/storageAccounts/n"
    return {
        "topic": account,
        "subject": f"/blobServices/default/containers/{container}/blobs/{blob}",
        "eventType": kind,
        "id": str(uuid.uuid4()),
        "data": {
            "api": "PutBlob",
            "requestId": str(uuid.uuid4()),
            "eTag": "0x8DB4CA8E9E4D4A2",
            "contentType": "application/gzip",
            "contentLength": 524288,
            "blobType": "BlockBlob",
            "url": f"https://n.blob.core.windows.net/{container}/{blob}",
            "sequencer": "00000000000000000000000000004420000000000028963",
            "storageDiagnostics": {"batchId": str(uuid.uuid4())},
        },
        "dataVersion": "",
        "metadataVersion": "1",
        "eventTime": "2026-11-22T16:00:00.0000000Z",
    }


def cloud_event(container: str, blob: str) -> dict[str, Any]:
    """The same as a CloudEvent."""
    event = blob_created(container, blob)
    return {
        "specversion": "1.0",
        "source": event["topic"],
        "type": event["eventType"],
        "subject": event["subject"],
        "id": event["id"],
        "time": event["eventTime"],
        "data": event["data"],
    }


def encoded(event: Any) -> str:
    """An event as the body of a message: base64."""
    return base64.b64encode(json.dumps(event).encode()).decode()


class Queues:
    """An empty queue of notices and its poison queue."""

    def __init__(self, server: Azurite, landing: AzureStore) -> None:
        self.url = f"{server.queue_url}/notices-{uuid.uuid4().hex[:8]}"
        self.landing = landing
        self.queue = queue_client(landing.access, self.url)
        self.poison_queue = queue_client(landing.access, self.url + POISON_SUFFIX)
        self.queue.create_queue()
        self.poison_queue.create_queue()

    def notify(self, *files: str) -> None:
        """Put a notice of each file of the landing zone on the queue."""
        for file in files:
            self.send(encoded(blob_created(self.landing.container, self.landing.blob(file))))

    def send(self, text: str) -> None:
        """Put a message on the queue."""
        self.queue.send_message(text)

    def message_count(self) -> int:
        """How many messages the queue has, hidden ones too."""
        return int(self.queue.get_queue_properties().approximate_message_count or 0)

    def poison_messages(self) -> list[dict[str, Any]]:
        """The messages of the poison queue."""
        return [json.loads(m.content) for m in self.poison_queue.peek_messages(max_messages=32)]
