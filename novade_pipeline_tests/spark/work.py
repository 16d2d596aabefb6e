"""What the tests hand to executors."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError


def attempts_in(folder: Path, item: int) -> int:
    """Count an attempt at an item, and return how many there were before."""
    before = len(list(folder.glob(f"{item}-*")))
    (folder / f"{item}-{before}").touch()
    return before


def double(item: int) -> int:
    """Twice the item."""
    return 2 * item


def refusing(folder: Path, kind: str) -> Callable[[int], int]:
    """A function that fails for the item 1, in a way that happens again."""

    def run(item: int) -> int:
        attempts_in(folder, item)
        if item != 1:
            return item
        if kind == "permanent":
            raise PermanentFailure("this will not do")
        if kind == "user":
            raise UserError("mend this")
        raise ValueError("the value of a row")

    return run


def exhausting(item: int) -> int:
    """A function that needs more memory than there is."""
    raise MemoryError


def passing_later(folder: Path, attempts: int) -> Callable[[int], int]:
    """A function that fails so often in a way that passes, and returns its number of attempts."""

    def run(item: int) -> int:
        before = attempts_in(folder, item)
        if before < attempts:
            raise TransientFailure("not yet")
        return before

    return run


def killing(folder: Path, function: Callable[[int], int]) -> Callable[[int], int]:
    """A function whose process is killed at the first attempt at each item."""

    def run(item: int) -> int:
        result = function(item)
        if not attempts_in(folder, item):
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return run


def staying(folder: Path, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that says when an item is done, and does not return."""

    def run(*arguments: Any) -> None:
        function(*arguments)
        (folder / f"{os.getpid()}").touch()
        signal.pause()

    return run
