"""`novade` as a process of its own, as if a person had typed it.

Folder, environment, output, exit code, and how it can be killed are those of any command.
"""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from novade_pipeline_tests.forks import FORKS

# The command with its imports, for what a fork cannot show.
NOVADE = (sys.executable, "-c", "from novade_pipeline.cli import main; main()")
_SECONDS = 300


@dataclass(frozen=True)
class CompletedCommand:
    """What a command left: its exit code (-9 if it was killed), and what it said."""

    returncode: int
    stdout: str
    stderr: str


def novade(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> CompletedCommand:
    """A command to its end."""
    with _started(folder, arguments, env or {}) as (process, told):
        process.join(_SECONDS)
        assert process.exitcode is not None, f"novade {arguments}: no end after {_SECONDS} s"
        return CompletedCommand(process.exitcode, *(path.read_text() for path in told))


def novade_killed(folder: Path, *arguments: str, after: float) -> int | None:
    """A command that is killed after so many seconds.

    Returns:
        None if it was killed; its exit code if it had ended by itself.
    """
    with _started(folder, arguments, {}) as (process, _):
        process.join(after)
        return process.exitcode


@contextmanager
def _started(
    folder: Path, arguments: tuple[str, ...], env: Mapping[str, str]
) -> Iterator[tuple[BaseProcess, tuple[Path, Path]]]:
    """The process, which does not outlive the block, and the files of what it says."""
    with tempfile.TemporaryDirectory(prefix="novade-command-") as outputs:
        told = Path(outputs, "stdout"), Path(outputs, "stderr")
        environment = {**os.environ, "COLUMNS": "200", **env}
        process = FORKS.Process(target=_command, args=(folder, arguments, environment, told))
        process.start()
        try:
            yield process, told
        finally:
            process.kill()
            process.join()
            process.close()


def _command(
    folder: Path, arguments: tuple[str, ...], environment: dict[str, str], told: tuple[Path, Path]
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(told, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["novade", *arguments]
    from novade_pipeline.cli import main

    main()
