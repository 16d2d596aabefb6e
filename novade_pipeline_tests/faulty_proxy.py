"""A proxy in front of a real storage server that injects faults of networks and clouds.

It is a process of its own (`faulty_server.py`): delta-rs holds Python's lock while it waits for a
server, which in the same process could then never answer.
"""

import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

Fault = Literal[
    "drop_before",  # the connection ends, the server has seen nothing
    "drop_after",  # the server has done it, its answer is lost
    "stall_before",  # no answer until the client gives up, the server has seen nothing
    "stall_after",  # the server has done it, no answer until the client gives up
    "cut_request",  # the server sees the first half of the body
    "cut_response",  # the client sees the first half of the body
    "internal_error",  # 500, the server has seen nothing
    "error_after",  # 500, the server has done it
    "busy",  # 503 with Retry-After
    "throttled",  # 429 with Retry-After
    "forbidden",  # 403, a right is missing
    "expired",  # 403, the SAS token's time is over
    "skewed",  # 403, the client's clock is wrong
]
ALL: tuple[Fault, ...] = get_args(Fault)
STALLS: tuple[Fault, ...] = ("stall_before", "stall_after")
PASSING: tuple[Fault, ...] = ALL[: ALL.index("forbidden")]
"""What passes when it is tried again."""

# Aims: patterns of `<method> <path>?<query>`.
EVERYTHING = ""
COMMITS = r"^PUT \S+/_delta_log/\d{20}\.json\?"
BLOB_READS = r"^GET (?!\S*\bcomp=)"


@dataclass(frozen=True)
class Faults:
    """Which requests fail, and how.

    Attributes:
        kinds: the kinds to choose from.
        rate: the share of the requests that fail, 0 to 1.
        seed: of all that is drawn.
        aim: only requests whose `<method> <path>?<query>` this pattern is found in fail.
        at_most: maximum number of faults.
        retry_after: seconds, of `busy` and `throttled`.
    """

    kinds: tuple[Fault, ...]
    rate: float = 1.0
    seed: int = 0
    aim: str = EVERYTHING
    at_most: int | None = None
    retry_after: int = 0


@dataclass
class FaultyProxy:
    """A running proxy.

    Attributes:
        url: the server's, with the proxy's port.
        done: how often each fault was done in the last block of `failing`.
        passed: how many requests went through unharmed in it.
    """

    url: str
    _process: "subprocess.Popen[str]" = field(repr=False)
    done: Counter[str] = field(default_factory=Counter)
    passed: int = 0

    @contextlib.contextmanager
    def failing(self, faults: Faults) -> Iterator[None]:
        """Inject faults until the block ends."""
        self._configure(asdict(faults))
        try:
            yield
        finally:
            counted = self._configure(None)
            self.done, self.passed = Counter(counted["done"]), counted["passed"]

    def _configure(self, faults: dict[str, Any] | None) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(faults) + "\n")
        self._process.stdin.flush()
        counted: dict[str, Any] = json.loads(self._process.stdout.readline())
        return counted


@contextlib.contextmanager
def faulty_proxy(server_url: str) -> Iterator[FaultyProxy]:
    """Run a proxy in front of a server until the block ends; stalls end with it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "novade_pipeline_tests.faulty_server", server_url],
        cwd=Path(__file__).resolve().parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            yield FaultyProxy(process.stdout.readline().strip(), process)
        finally:
            process.kill()
