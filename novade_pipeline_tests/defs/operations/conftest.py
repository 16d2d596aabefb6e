"""A webhook's other end, a real HTTP server that keeps what it is sent, and who tells it."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from azure.storage.blob import generate_container_sas

from novade_pipeline.defs.operations import webhook
from novade_pipeline.settings import Settings, load_settings
from novade_pipeline_tests.azurite import Azurite
from novade_pipeline_tests.defs.operations.alert_world import World

SECRET = "T0KEN-in-the-address"


@dataclass
class Receiver:
    """What was asked of the server, and what it answers.

    Attributes:
        port: where it listens.
        answers: the statuses of the next answers; 200 after them.
        asked: every request's body, answered well or not.
        taken: the bodies of those that were answered with 200.
    """

    port: int = 0
    answers: list[int] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    taken: list[Any] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/{SECRET}"

    def is_down(self) -> None:
        """Answer 500 to all that comes until `is_up`."""
        self.answers[:] = [500] * 1000

    def is_up(self) -> None:
        self.answers.clear()

    def alerts(self) -> list[tuple[str, str]]:
        """Status and title of what was taken since the last call."""
        messages = [(body["status"], body["title"]) for body in self.taken]
        self.taken.clear()
        return messages


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setattr(webhook, "PAUSES", (0.0, 0.0))
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = receiver.answers.pop(0) if receiver.answers else 200
            receiver.requests.append(body)
            if status == 200:
                receiver.taken.append(body)
                receiver.keys.append(self.headers["Idempotency-Key"])
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def world(tmp_path: Path, receiver: Receiver) -> Iterator[World]:
    """Runs and checks whose alerts go to the receiver."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield World(tmp_path, instance, receiver.url)


@pytest.fixture
def token(azurite: Azurite) -> Callable[..., str]:
    """Makes SAS tokens for a container."""

    def made(container: str, permission: str, ends: timedelta = timedelta(hours=1)) -> str:
        now = datetime.now(UTC)
        return generate_container_sas(
            azurite.account,
            container,
            account_key=azurite.key,
            permission=permission,
            start=now - timedelta(hours=3),
            expiry=now + ends,
        )

    return made


@pytest.fixture
def new_settings(tmp_path: Path) -> Callable[..., Settings]:
    """Makes settings; what is not told is on the disk."""

    def made(**alerts: Any) -> Settings:
        places = {"lake_url": str(tmp_path / "lake"), "landing_url": str(tmp_path / "landing")}
        more = {
            "warehouse_path": tmp_path / "warehouse.duckdb",
            "dagster_home": tmp_path / "dagster",
        }
        return load_settings(**(places | more | alerts))

    return made


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made
