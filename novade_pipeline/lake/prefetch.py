"""Runs an iterator ahead of its reader, in a thread, by a bounded number of items."""

import queue
import threading
from collections.abc import Generator, Iterable
from contextlib import suppress
from typing import TypeVar

Item = TypeVar("Item")


def prefetch(items: Iterable[Item], ahead: int = 1) -> Generator[Item]:
    """The same items in the same order; what the iterator raises is raised here.

    Closing the generator stops the thread before it returns. The work must release the
    interpreter's lock for the two to run at the same time; decompression and DuckDB do.
    """
    ready: queue.Queue[tuple[Item | None, BaseException | None, bool]] = queue.Queue(ahead)
    stopped = threading.Event()

    def put(item: Item | None, failure: BaseException | None, ended: bool) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                ready.put((item, failure, ended), timeout=0.1)
                return

    def run() -> None:
        try:
            for item in items:
                put(item, None, False)
                if stopped.is_set():
                    return
            put(None, None, True)
        except BaseException as failure:
            put(None, failure, True)

    thread = threading.Thread(target=run, name="prefetch", daemon=True)
    thread.start()
    try:
        while True:
            item, failure, ended = ready.get()
            if failure is not None:
                raise failure
            if ended:
                return
            yield item  # type: ignore[misc]
    finally:
        stopped.set()
        thread.join()
