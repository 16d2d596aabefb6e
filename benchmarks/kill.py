"""Kill `novade run` at 50 moments, marts included; each time the next run must make all right.

    .venv/bin/python benchmarks/kill.py [--points 50] [--hours 48] [--seed 1]

Unlike the figures this can fail: it ends with 1 where a table or a mart differs from that of a
load that nobody disturbed, or where a run that succeeded ends with another code than 0.
"""

import argparse
import shutil
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from novade_pipeline.sandbox import amplitude_exports
from novade_pipeline_tests.commands import novade_killed
from novade_pipeline_tests.killing import complete_run, kill_times, seconds_of_run
from novade_pipeline_tests.worlds import marts_of, settings_in, tables_of


def main() -> int:
    """Print a line a moment, and how many were as they must be."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--points", type=int, default=50)
    options.add_argument("--hours", type=int, default=48)
    options.add_argument("--seed", type=int, default=1, help="of the moments")
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="novade-kill-") as folder:
        whole, killed = Path(folder, "whole"), Path(folder, "killed")
        for place in (whole, killed):
            amplitude_exports.land(
                place / "data" / "landing",
                first_hour=datetime(2026, 11, 2, tzinfo=UTC),
                hours=asked.hours,
                events_per_hour=40,
            )
        seconds = seconds_of_run(whole)
        expected = _all(whole)
        print(f"undisturbed: {seconds:.1f} s")
        wrong = 0
        for number, after in enumerate(kill_times(asked.points, seconds, asked.seed), 1):
            shutil.rmtree(killed / "data" / "lake", ignore_errors=True)
            (killed / "data" / "warehouse.duckdb").unlink(missing_ok=True)
            code = novade_killed(killed, "run", after=after)
            # Every other time the run that follows meets its end too.
            if not number % 2:
                novade_killed(killed, "run", after=seconds - after)
            complete_run(killed)
            right = _all(killed) == expected
            wrong += not right
            ended = "killed" if code is None else f"ended with {code}"
            print(f"{number:3} of {asked.points}: {ended} after {after:5.2f} s, then ", end="")
            print("all as it must be" if right else "DIFFERENT", flush=True)
    print(f"{asked.points - wrong} of {asked.points} moments left exactly the right rows")
    return 1 if wrong else 0


def _all(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    settings = settings_in(folder / "data", folder / "data" / "landing")
    return tables_of(settings), marts_of(settings)


if __name__ == "__main__":
    sys.exit(main())
