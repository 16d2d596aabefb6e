"""An erasure never holds a table: neither its rows, nor its keys, nor the names of all."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from novade_pipeline.defs.erasure import people, removal, traces
from novade_pipeline.defs.erasure.erase import erase
from novade_pipeline.lake import data_files
from novade_pipeline.lake import stream as streaming
from novade_pipeline.lake.read import read
from novade_pipeline_tests.defs.erasure.big_tables import (
    ADA,
    EVENTS,
    GRAPH,
    VERDICTS,
    fill,
    settings_in,
)

ROWS = 40_000
GROUP = 500
ERASE = """
import re, sys
from pathlib import Path
from novade_pipeline.defs.erasure.erase import erase
from novade_pipeline_tests.defs.erasure.big_tables import ADA, GRAPH, settings_in
done = erase(settings_in(Path(sys.argv[1])), GRAPH, ADA)
# Not `ru_maxrss`: Linux carries that over from the process that starts this one.
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(sum(table.rows for table in done.tables), int(peak) // 1024)
"""


@pytest.fixture
def largest(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """The most rows that each step was handed at once."""
    most: dict[str, int] = {}

    def watch(module: Any, name: str) -> None:
        real = getattr(module, name)

        def watched(rows: pa.Table, *more: Any) -> Any:
            most[name] = max(most.get(name, 0), len(rows))
            return real(rows, *more)

        monkeypatch.setattr(module, name, watched)

    watch(people, "links_with")
    watch(traces, "erased_rows")
    watch(removal, "_with_keys")
    return most


def test_no_step_is_handed_more_than_a_batch_or_a_row_group(
    tmp_path: Path, largest: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    with monkeypatch.context() as small:
        small.setattr(data_files, "ROW_GROUP_ROWS", GROUP)
        small.setattr(streaming, "ROW_GROUP_ROWS", GROUP)
        fill(settings.lake, ROWS, 20)
    done = erase(settings, GRAPH, ADA)
    assert [table.rows for table in done.tables] == [ROWS // 10, ROWS // 10]
    for table in (EVENTS, VERDICTS):
        assert read(settings.lake, table).num_rows == ROWS - ROWS // 10
    assert largest["links_with"] <= 8192
    assert largest["erased_rows"] == largest["_with_keys"] == GROUP


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_memory_does_not_grow_with_the_lake(tmp_path: Path) -> None:
    peaks = []
    for rows in (8_000, 48_000):
        home = tmp_path / str(rows)
        fill(settings_in(home).lake, rows, 8_192)
        ran = subprocess.run(
            [sys.executable, "-c", ERASE, str(home)],
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=True,
        )
        gone, mebibytes = map(int, ran.stdout.split())
        assert gone == 2 * rows // 10
        peaks.append(mebibytes)
    # The larger lake has 312 MiB of notes more.
    assert peaks[1] - peaks[0] < 120, peaks
