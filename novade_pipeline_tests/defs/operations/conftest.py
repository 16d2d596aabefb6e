"""A webhook's other end, a real HTTP server that keeps what it is sent, and who tells it."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from novade_pipeline.defs.operations import webhook
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
    asked: list[Any] = field(default_factory=list)
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

    def told(self) -> list[tuple[str, str]]:
        """Status and title of what was taken since the last call."""
        found = [(body["status"], body["title"]) for body in self.taken]
        self.taken.clear()
        return found


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setattr(webhook, "PAUSES", (0.0, 0.0))
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = kept.answers.pop(0) if kept.answers else 200
            kept.asked.append(body)
            if status == 200:
                kept.taken.append(body)
                kept.keys.append(self.headers["Idempotency-Key"])
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield kept
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def world(tmp_path: Path, receiver: Receiver) -> Iterator[World]:
    """Runs and checks whose alerts go to the receiver."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield World(tmp_path, instance, receiver.url)
