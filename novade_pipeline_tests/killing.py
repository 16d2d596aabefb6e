"""Killing `novade run` at some moment, and what must be true after the next one."""

import random
import time
from pathlib import Path

from novade_pipeline_tests.commands import novade


def complete_run(folder: Path, *options: str) -> None:
    """`novade run` to its end.

    Raises:
        AssertionError: it ended with another code than 0.
    """
    done = novade(folder, "run", *options)
    assert done.returncode == 0, done.stdout + done.stderr


def seconds_of_run(folder: Path, *options: str) -> float:
    """`novade run` to its end; seconds that it took, without what all processes import once."""
    novade(folder, "settings")
    started = time.monotonic()
    complete_run(folder, *options)
    return time.monotonic() - started


def kill_times(number: int, seconds: float, seed: int = 1) -> list[float]:
    """Moments spread over a run, one drawn from each of `number` equal parts."""
    chance = random.Random(seed)
    return [(part + chance.random()) * seconds / number for part in range(number)]
