"""A real HTTP server that answers as a test says, and clients of it that do not wait."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from threading import Event, Lock, Thread
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from novade_pipeline.api.client import Client
from novade_pipeline.api.contract import Api
from novade_pipeline.api.request_budget import Clock
from novade_pipeline.sandbox.serving import serving

Answering = Callable[[Request, int], Any]


class ToldClock(Clock):
    """A clock that jumps over every wait, and remembers it."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.waits: list[float] = []
        self._lock = Lock()

    def now(self) -> float:
        with self._lock:
            return self.seconds

    def wait(self, seconds: float, stopped: Event) -> None:
        with self._lock:
            self.waits.append(seconds)
            self.seconds += seconds


class Server:
    """Answers each request by a function of it and of its number, from 1, as the test says."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer: Answering = lambda request, number: Response(status_code=404)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self._handle, methods=["GET", "POST"])])

    async def _handle(self, request: Request) -> Response:
        await request.body()
        self.requests.append(request)
        answer = self.answer(request, len(self.requests))
        if hasattr(answer, "__await__"):
            answer = await answer
        assert isinstance(answer, Response)
        return answer


class World:
    """Servers that are up already, and clients that end with the test."""

    def __init__(self, servers: list[tuple[str, Server]], stack: ExitStack) -> None:
        self._stack = stack
        self._free = list(servers)
        self.clock = ToldClock()

    def serve(self, answer: Answering) -> tuple[str, Server]:
        url, server = self._free.pop()
        server.requests, server.answer = [], answer
        return url, server

    def client(self, url: str, **fields: Any) -> Client:
        api = Api(name="tested", url=url, **fields)
        return self._stack.enter_context(Client(api, self.clock))

    def asking(self, answer: Answering, **fields: Any) -> tuple[Client, Server]:
        """A client of a new server."""
        url, server = self.serve(answer)
        return self.client(url, **fields), server

    def serve_bytes(self, *answers: bytes) -> str:
        """A server that sends these bytes, one a connection, and hangs up."""
        listening = self._stack.enter_context(socket.create_server(("127.0.0.1", 0)))

        def run() -> None:
            for answer in answers:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        Thread(target=run, daemon=True).start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture(scope="session")
def servers() -> Iterator[list[tuple[str, Server]]]:
    with ExitStack() as stack:
        servers = [Server(), Server()]
        yield [(stack.enter_context(serving(server.app())), server) for server in servers]


@pytest.fixture
def world(servers: list[tuple[str, Server]]) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(servers, stack)
