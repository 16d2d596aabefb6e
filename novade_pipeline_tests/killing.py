"""Killing `novade run` at some moment, and what must be true after the next one."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

RUN = [sys.executable, "-c", "from novade_pipeline.cli import main; main()", "run"]


def run_and_kill(folder: Path, after: float, *options: str) -> int | None:
    """Start `novade run` in a folder and kill it after so many seconds.

    Returns:
        None if it was killed; its exit code if it had ended by itself.
    """
    process = subprocess.Popen(
        [*RUN, *options], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        return process.wait(timeout=after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
        return None


def run(folder: Path, *options: str) -> float:
    """`novade run` to its end; seconds that it took.

    Raises:
        AssertionError: it ended with another code than 0.
    """
    started = time.monotonic()
    done = subprocess.run([*RUN, *options], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return time.monotonic() - started


def moments(number: int, seconds: float, seed: int = 1) -> list[float]:
    """Moments spread over a run, one drawn from each of `number` equal parts."""
    chance = random.Random(seed)
    return [(part + chance.random()) * seconds / number for part in range(number)]
