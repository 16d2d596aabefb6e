"""`novade sandbox with` as something else starts and ends it."""

import subprocess
import sys
from pathlib import Path

from novade_pipeline_tests.commands import TYPED

# Says that it runs, and ends with 3 when it is told to end.
WAITS = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
print("runs", flush=True)
signal.pause()
"""


def test_the_command_ends_when_it_is_told_to_end(tmp_path: Path) -> None:
    asked = (*TYPED, "sandbox", "with", sys.executable, "-c", WAITS)
    with subprocess.Popen(asked, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "runs\n"
            process.terminate()
            assert process.wait(60) == 3
        finally:
            process.kill()
