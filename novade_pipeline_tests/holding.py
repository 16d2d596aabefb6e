"""Another process that has a DuckDB file open: a client that somebody has left running."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "True")
print("open", flush=True)
for sql in sys.stdin:
    print(connection.execute(sql).fetchall(), flush=True)
"""


class Client:
    """A plain DuckDB client: no extension is loaded, and none may be installed."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.pid = process.pid

    def query(self, sql: str) -> str:
        """The rows of a query, as Python prints them."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{sql}\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        """End the process, and with it what it holds."""
        self._process.kill()
        self._process.wait()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def open_client(path: Path, *, read_only: bool) -> Iterator[Client]:
    """A process that has a file open until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path), str(read_only)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"HOME": "/nonexistent"},
    )
    try:
        client = Client(process)
        assert client._read() == "open"
        client.query("set autoinstall_known_extensions = false")
        client.query("set autoload_known_extensions = false")
        client.query("set TimeZone = 'UTC'")
        yield client
    finally:
        process.kill()
        process.communicate()
