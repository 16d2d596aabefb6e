"""Kill `novade run` at random times."""

import random
import time
from pathlib import Path

from novade_pipeline_tests.commands import novade


def complete_run(folder: Path, *options: str) -> None:
    """Run `novade run` to its end.

    Raises:
        AssertionError: the exit code is not 0.
    """
    result = novade(folder, "run", *options)
    assert result.returncode == 0, result.stdout + result.stderr


def seconds_of_run(folder: Path, *options: str) -> float:
    """The duration of `novade run`, without the imports that all processes share."""
    novade(folder, "settings")
    started = time.monotonic()
    complete_run(folder, *options)
    return time.monotonic() - started


def kill_times(number: int, seconds: float, seed: int = 1) -> list[float]:
    """Seconds into a run, one at random in each of `number` equal parts."""
    chance = random.Random(seed)
    return [(part + chance.random()) * seconds / number for part in range(number)]
