"""The process of `faulty_proxy.py`: it prints its URL, then reads faults from its input.

What becomes of a request is drawn from a seed, the request's kind (method and path, without the
parts of it that are new in each run) and how many of its kind came before; so the same test meets
the same faults in whatever order concurrent requests arrive. The host is no part of a signature of
Azure's, so that signed requests pass. Each request has a connection of its own to the server.
"""

import asyncio
import contextlib
import json
import random
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from novade_pipeline_tests.azure_answers import answer
from novade_pipeline_tests.faulty_proxy import Fault, Faults

CHUNK = 2**16
ERRORS: tuple[Fault, ...] = (
    *("internal_error", "error_after", "busy", "throttled"),
    *("forbidden", "expired", "skewed"),
)
_UNIQUE = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}|(?<=-)[0-9a-f]{12}(?=/|$)")


@dataclass(frozen=True)
class Request:
    """The head of a request; names of headers in small letters."""

    method: str
    path: str
    query: str
    headers: dict[str, str]

    @property
    def kind(self) -> str:
        """Method and path, the same in every run of a test."""
        part = parse_qs(self.query).get("comp", [""])[0]
        return f"{self.method} {_UNIQUE.sub('*', self.path)} {part}".strip()

    @property
    def line(self) -> str:
        """The text that aims are matched against."""
        return f"{self.method} {self.path}?{self.query}"


@dataclass
class Fate:
    """Draws what becomes of requests, and counts it.

    Attributes:
        faults: what fails now; None for nothing.
        done: how often each fault was done.
        passed: how many requests went through unharmed.
    """

    faults: Faults | None = None
    done: Counter[str] = field(default_factory=Counter)
    passed: int = 0
    _counts: Counter[str] = field(default_factory=Counter)

    def of(self, request: Request) -> Fault | None:
        """What becomes of a request; None where it passes."""
        fault = self._drawn(self.faults, request) if self.faults else None
        if fault is None:
            self.passed += 1
        else:
            self.done[fault] += 1
        return fault

    def _drawn(self, faults: Faults, request: Request) -> Fault | None:
        if not re.search(faults.aim, request.line):
            return None
        number = self._counts[request.kind]
        self._counts[request.kind] += 1
        chance = random.Random(f"{faults.seed} {number} {request.kind}")
        spent = faults.at_most is not None and self.done.total() >= faults.at_most
        if spent or chance.random() >= faults.rate:
            return None
        kind: Fault = chance.choice(faults.kinds)
        return kind


class Proxy:
    """Listens for clients, and forwards or spoils their requests."""

    def __init__(self, host: str, port: int) -> None:
        self.server = (host, port)
        self.fate = Fate()
        self._clients: set[asyncio.Task[None]] = set()

    async def client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A client's connection: its requests, until either side hangs up or a fault does."""
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)  # the loop alone would forget it
        with contextlib.suppress(OSError, EOFError):
            while await self._answer(reader, writer):
                pass
        writer.transport.abort()
        self._clients.discard(task)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer a request, or do not; returns whether the connection stays open."""
        head = await reader.readuntil(b"\r\n\r\n")
        request = _parse(head)
        if request.headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await _body(request, reader)
        fault = self.fate.of(request)
        if fault in ("drop_after", "stall_after", "error_after", "cut_response"):
            async with self._request(head, body) as server_reader:
                response = await server_reader.read()
            if fault == "cut_response":
                writer.write(_half(response))
                await writer.drain()
        if fault == "cut_request" and body:
            async with self._request(head, body[: len(body) // 2], is_cut=True) as server_reader:
                await server_reader.read()
        if fault in ("stall_before", "stall_after"):
            while await reader.read(CHUNK):
                pass  # until the client gives up
        if fault in ERRORS:
            assert self.fate.faults is not None
            kind = "internal_error" if fault == "error_after" else str(fault)
            writer.write(answer(kind, request.method, self.fate.faults.retry_after))
            await writer.drain()
            return True
        if fault is not None:
            return False
        async with self._request(head, body) as server_reader:
            response = await server_reader.readuntil(b"\r\n\r\n")
            writer.write(re.sub(rb"(?i)(\r\nconnection:) close", rb"\1 keep-alive", response))
            while chunk := await server_reader.read(CHUNK):
                writer.write(chunk)
                await writer.drain()
        return True

    @contextlib.asynccontextmanager
    async def _request(
        self, head: bytes, body: bytes, is_cut: bool = False
    ) -> AsyncIterator[asyncio.StreamReader]:
        """Forward a request to the server; yields a reader of the raw response."""
        reader, writer = await asyncio.open_connection(*self.server)
        try:
            forwarded = re.sub(rb"(?i)\r\n(connection|expect):[^\r]*", b"", head[:-4])
            writer.write(forwarded + b"\r\nConnection: close\r\n\r\n" + body)
            if is_cut:
                writer.write_eof()
            yield reader
        finally:
            writer.transport.abort()


async def _body(request: Request, reader: asyncio.StreamReader) -> bytes:
    """The raw body of a request."""
    if request.headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.readexactly(int(request.headers.get("content-length", 0)))
    body, size = b"", -1
    while size:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        body += line + await reader.readexactly(size + 2)
    return body


def _half(response: bytes) -> bytes:
    """The head and half of the body; a few bytes of the head if there is no body."""
    end = response.index(b"\r\n\r\n") + 4
    has_body = len(response) > end + len(b"0\r\n\r\n")
    return response[: end + (len(response) - end) // 2 if has_body else len(b"HTTP")]


def _parse(head: bytes) -> Request:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    headers = {
        name.strip().lower(): value.strip()
        for name, value in (line.split(":", 1) for line in lines if line)
    }
    parts = urlsplit(target)
    return Request(method, parts.path, parts.query, headers)


async def _serve(url: str) -> None:
    """Serve until the input ends: each line is faults or null, answered by counts."""
    server = urlsplit(url)
    proxy = Proxy(str(server.hostname), int(server.port or 80))
    listening = await asyncio.start_server(proxy.client, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    print(f"{server.scheme}://127.0.0.1:{port}{server.path}", flush=True)
    loop, lines = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        print(json.dumps({"done": proxy.fate.done, "passed": proxy.fate.passed}), flush=True)
        faults = json.loads(line)
        proxy.fate = Fate(None if faults is None else Faults(**faults))


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
