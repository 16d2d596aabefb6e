"""Killed at any moment and started again, lake and warehouse hold exactly the right rows."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from novade_pipeline.sandbox import amplitude_exports
from novade_pipeline_tests.commands import novade_killed
from novade_pipeline_tests.killing import complete_run, kill_times, seconds_of_run
from novade_pipeline_tests.worlds import PRODUCT, marts_of, settings_in, tables_of

POINTS = 3
FIRST = datetime(2026, 11, 2, tzinfo=UTC)


def test_a_run_that_is_killed_and_started_again_leaves_exactly_the_right_rows(
    tmp_path: Path,
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        amplitude_exports.land(
            folder / "data" / "landing", first_hour=FIRST, hours=30, events_per_hour=40
        )
    product = ("--select", PRODUCT)
    seconds = seconds_of_run(whole, *product)
    expected = _all(whole)
    ended = []
    for after in kill_times(POINTS, seconds):
        shutil.rmtree(killed / "data" / "lake", ignore_errors=True)
        (killed / "data" / "warehouse.duckdb").unlink(missing_ok=True)
        ended.append(novade_killed(killed, "run", *product, after=after))
        complete_run(killed, *product)
        assert _all(killed) == expected, f"killed after {after:.2f} of {seconds:.2f} s"
    assert None in ended, "no run was killed before its end"


def _all(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    data = folder / "data"
    settings = settings_in(data, data / "landing")
    return tables_of(settings), marts_of(settings)
