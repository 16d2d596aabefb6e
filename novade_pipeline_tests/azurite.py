"""A real storage server: Azurite, on free ports for a test, on its own by `make azurite`.

Run as a program it stores its data in the given folder, and has the containers of
`dev/azurite/.env`.
"""

import contextlib
import re
import signal
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store

INSTALLED = Path(__file__).resolve().parents[1] / "dev" / "azurite" / "node_modules"
PROGRAM = INSTALLED / "azurite" / "dist" / "src" / "azurite.js"

# Public: every Azurite has them, https://learn.microsoft.com/azure/storage/common/storage-use-azurite
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

STANDARD_PORTS = (10000, 10001, 10002)
CONTAINERS = ("lake", "landing")
START_SECONDS = 60
_LISTENS = re.compile(r"Azurite (Blob|Queue) service is successfully listening at (http\S+)")


@dataclass(frozen=True)
class Azurite:
    """A running Azurite.

    Attributes:
        blob_url: of the account, `http://127.0.0.1:<port>/devstoreaccount1`.
        queue_url: likewise.
        account: the account's name.
        key: the account's key.
        pid: of its process.
        connection_string: all of it as a connection string.
    """

    blob_url: str
    queue_url: str
    account: str = ACCOUNT
    key: str = KEY
    pid: int = 0

    @property
    def connection_string(self) -> str:
        """Everything that a client needs, as a connection string."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account};AccountKey={self.key};"
            f"BlobEndpoint={self.blob_url};QueueEndpoint={self.queue_url};"
        )

    def blobs(self) -> Any:
        """The Azure SDK's client of the account's blobs, as the owner."""
        from azure.storage.blob import BlobServiceClient

        return BlobServiceClient(self.blob_url, credential=self.key)

    def new_store(self, name: str = "test", path: str = "novade") -> Store:
        """A store in a container of its own."""
        url = f"abfss://{self.new_container(name)}@{self.account}.dfs.core.windows.net/{path}"
        return store(url, {"account_key": self.key, "endpoint": self.blob_url})

    def new_container(self, name: str = "test") -> str:
        """Create a container whose unique name begins with `name`."""
        unique = f"{name}-{uuid.uuid4().hex[:12]}"
        with self.blobs() as blobs:
            blobs.create_container(unique)
        return unique


@contextlib.contextmanager
def running_azurite(
    folder: Path | None = None, ports: tuple[int, int, int] = (0, 0, 0)
) -> Iterator[Azurite]:
    """Run Azurite until the block ends.

    Args:
        folder: where it keeps its data; in memory where None.
        ports: of blobs, queues and tables; 0 for one that the system chooses.

    Raises:
        RuntimeError: it is not installed, ended, or did not listen in time.
    """
    if not PROGRAM.is_file():
        raise RuntimeError(f"expected Azurite in {INSTALLED}, found none; run `make azurite-setup`")
    names = ("--blobPort", "--queuePort", "--tablePort")
    arguments = [
        text for name, port in zip(names, ports, strict=True) for text in (name, str(port))
    ]
    arguments += ["--location", str(folder)] if folder else ["--inMemoryPersistence"]
    arguments += ["--silent", "--loose", "--skipApiVersionCheck", "--disableTelemetry"]
    with tempfile.TemporaryDirectory(prefix="azurite-") as working_folder:
        process = subprocess.Popen(
            ["node", str(PROGRAM), *arguments],
            cwd=working_folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield _listening(process)
        finally:
            # What is on the disk is written to its end; what is in memory need not be.
            process.terminate() if folder else process.kill()
            process.wait()


def main() -> None:
    """Serve on the standard ports, with data in the folder of the first argument."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(sys.argv[1]).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with running_azurite(folder, STANDARD_PORTS) as server, contextlib.ExitStack() as until_end:
            until_end.enter_context(contextlib.suppress(KeyboardInterrupt))
            with server.blobs() as blobs:
                existing = {container.name for container in blobs.list_containers()}
                for name in set(CONTAINERS) - existing:
                    blobs.create_container(name)
            print(f"Azurite listens at {server.blob_url} and {server.queue_url}; data in {folder}.")
            print(f"Containers: {', '.join(CONTAINERS)}. Ctrl-C ends it.", flush=True)
            threading.Event().wait()
    except RuntimeError as error:
        sys.exit(str(error))


def _listening(process: "subprocess.Popen[str]") -> Azurite:
    """Wait until Azurite logs its URLs, where it then answers."""
    assert process.stdout is not None
    lines: Queue[str | None] = Queue()
    threading.Thread(target=_read, args=(process.stdout, lines), daemon=True).start()
    urls: dict[str, str] = {}
    output: list[str] = []
    while len(urls) < 2:
        try:
            line = lines.get(timeout=START_SECONDS)
        except Empty:
            line = None
        if line is None:
            raise RuntimeError(
                f"expected Azurite to listen, found: {' '.join(output) or 'silence'}"
            )
        output.append(line.strip())
        if match := _LISTENS.search(line):
            urls[match[1]] = f"{match[2]}/{ACCOUNT}"
    return Azurite(urls["Blob"], urls["Queue"], pid=process.pid)


def _read(stream: IO[str], lines: "Queue[str | None]") -> None:
    """Forward the output to its end, so that Azurite never waits for a reader."""
    for line in stream:
        lines.put(line)
    lines.put(None)


if __name__ == "__main__":
    main()
