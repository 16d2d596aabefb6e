"""`novade` as a separate process, as if a person had typed it.

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

# The command with its imports, for tests of what a fork does not do.
NOVADE = (sys.executable, "-c", "from novade_pipeline.cli import main; main()")
_SECONDS = 300


@dataclass(frozen=True)
class CompletedCommand:
    """The exit code of a command (-9 if it was killed), and its output."""

    returncode: int
    stdout: str
    stderr: str


def novade(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> CompletedCommand:
    """Run a command to its end."""
    with _started(folder, arguments, env or {}) as (process, outputs):
        process.join(_SECONDS)
        assert process.exitcode is not None, f"novade {arguments}: no end after {_SECONDS} s"
        return CompletedCommand(process.exitcode, *(path.read_text() for path in outputs))


def novade_killed(folder: Path, *arguments: str, after: float) -> int | None:
    """Run a command and kill it after a number of seconds.

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
    """The process, which does not outlive the block, and the files of its output."""
    with tempfile.TemporaryDirectory(prefix="novade-command-") as folder_of_outputs:
        outputs = Path(folder_of_outputs, "stdout"), Path(folder_of_outputs, "stderr")
        environment = {**os.environ, "COLUMNS": "200", **env}
        process = FORKS.Process(target=_command, args=(folder, arguments, environment, outputs))
        process.start()
        try:
            yield process, outputs
        finally:
            process.kill()
            process.join()
            process.close()


def _command(
    folder: Path,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    outputs: tuple[Path, Path],
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(outputs, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["novade", *arguments]
    from novade_pipeline.cli import main

    main()
