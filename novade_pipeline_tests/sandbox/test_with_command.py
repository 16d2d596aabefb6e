"""`novade sandbox with` as something else starts and ends it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from novade_pipeline_tests.commands import NOVADE

# Starts what follows as a shell does in the foreground, also where the tests run in the background.
IN_FRONT = (
    *(sys.executable, "-c"),
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "signal.signal(signal.SIGTERM, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])",
)
# Says that it runs, and exits with 3 on a signal that it handles.
WAITS = """
import signal, sys
signal.signal(signal.{listens_to}, lambda *_: sys.exit(3))
print("runs", flush=True)
signal.pause()
"""


@pytest.mark.parametrize(
    ("listens_to", "number", "to_all", "code"),
    [
        ("SIGTERM", signal.SIGTERM, False, 3),
        ("SIGUSR1", signal.SIGTERM, False, 143),
        ("SIGINT", signal.SIGINT, True, 3),
    ],
    ids=["is terminated", "killed by it", "by the terminal"],
)
def test_the_command_ends_when_it_is_terminated(
    listens_to: str, number: signal.Signals, to_all: bool, code: int, tmp_path: Path
) -> None:
    waits = WAITS.format(listens_to=listens_to)
    arguments = (*IN_FRONT, *NOVADE, "sandbox", "with", sys.executable, "-c", waits)
    with subprocess.Popen(
        arguments, cwd=tmp_path, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "runs\n"
            (os.killpg if to_all else os.kill)(process.pid, number)
            assert process.wait(60) == code
        finally:
            process.kill()


def test_what_is_ignored_is_ignored_by_the_command_as_well(tmp_path: Path) -> None:
    says = "import signal; print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)"
    arguments = (*NOVADE, "sandbox", "with", sys.executable, "-c", says)
    in_background = ("sh", "-c", 'trap "" INT; exec "$@"', "sh")
    for shell, ignored in ((in_background, "True\n"), (IN_FRONT, "False\n")):
        number = subprocess.run(
            (*shell, *arguments), cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=True
        )
        assert number.stdout == ignored
