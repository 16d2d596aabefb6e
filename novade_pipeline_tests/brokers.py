"""One broker for all processes of a test run; the last that uses it ends it."""

import contextlib
import fcntl
import json
import uuid
from collections.abc import Iterator
from pathlib import Path

from novade_pipeline.sandbox.broker import Broker, start
from novade_pipeline.sandbox.processes import is_running, stop


@contextlib.contextmanager
def shared_broker(folder: Path, owner: int) -> Iterator[Broker]:
    """The broker of a folder, started by the first process that enters.

    Args:
        owner: the process whose end ends the broker, whatever becomes of those that use it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "users").open("w") as users:
        with _locked(folder):
            fcntl.flock(users, fcntl.LOCK_SH)
            broker = _running(folder) or _started(folder, owner)
        yield broker
        with _locked(folder), contextlib.suppress(BlockingIOError):
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            stop(broker.pid, at_once=True)


def new_topic(broker: Broker, name: str = "test", partitions: int = 1, **config: str) -> str:
    """Create a topic whose unique name begins with `name`."""
    return broker.create_topic(f"{name}-{uuid.uuid4().hex[:12]}", partitions, **config)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _running(folder: Path) -> Broker | None:
    file = folder / "broker.json"
    if not file.exists():
        return None
    known = json.loads(file.read_text())
    broker = Broker(known["addresses"], known["pid"], folder)
    return broker if is_running(broker.pid) else None


def _started(folder: Path, owner: int) -> Broker:
    broker = start(folder, owner=owner)
    known = {"addresses": dict(broker.addresses), "pid": broker.pid}
    (folder / "broker.json").write_text(json.dumps(known))
    return broker
