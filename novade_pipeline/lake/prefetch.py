"""Iterators that run ahead of their reader, in threads, by a bounded number of items."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from typing import TypeVar

THREADS = 4

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    workers: Sequence[Callable[[Item], Result]], items: Iterable[Item]
) -> Generator[Result]:
    """Maps the items, in order, one item a worker ahead; one thread at a time uses a worker."""
    idle: queue.SimpleQueue[Callable[[Item], Result]] = queue.SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def work(item: Item) -> Result:
        worker = idle.get()
        try:
            return worker(item)
        finally:
            idle.put(worker)

    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(len(workers), "map-ahead") as pool:
        try:
            for item in items:
                if len(pending) >= len(workers):
                    yield pending.popleft().result()
                pending.append(pool.submit(work, item))
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def in_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Result]:
    """What the work makes of the items, in their order; for work that waits for storage."""
    with closing(map_ahead([work] * THREADS, items)) as done:
        yield from done


def prefetch(items: Iterable[Item], ahead: int = 1) -> Generator[Item]:
    """The same items in the same order; what the iterator raises is raised here.

    Closing the generator stops the thread. Work that releases the GIL runs concurrently.
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
