"""The package as a command: `python -m novade_pipeline`."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [(("--help",), 0, "from landed files to marts"), (("no-such-command",), 2, "No such command")],
)
def test_the_package_is_the_command_novade(
    arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "novade_pipeline", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert said in done.stdout + done.stderr
