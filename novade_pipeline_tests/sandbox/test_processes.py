"""Servers of the sandbox end with their owners."""

import subprocess
import sys
from pathlib import Path

import pytest

from novade_pipeline.sandbox import processes
from novade_pipeline.sandbox.processes import is_running, start_guarded
from novade_pipeline_tests.waiting import wait_until

STUBBORN = (
    "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True); signal.pause()"
)


def test_a_server_that_does_not_end_by_itself_is_killed_when_its_owner_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 1.0)
    output = tmp_path / "output.txt"
    with subprocess.Popen(["sleep", "infinity"]) as owner:
        with output.open("wb") as file:
            server = start_guarded([sys.executable, "-c", STUBBORN], file, owner.pid)
        wait_until("the server is up", lambda: output.read_text() == "up\n")
        assert is_running(server.pid)
        owner.kill()
    assert server.wait(60) != 0
