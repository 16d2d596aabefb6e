"""What a run costs that makes nothing: Dagster's own logs of events, and this project's.

    .venv/bin/python benchmarks/event_log.py [--repeat 5]

One job of 60 assets, each with 3 checks, in turns with each log, each in a folder of its own that
holds one run already. Dagster has two logs in SQLite, one database a run and one for all, and both
write events in batches where `DAGSTER_EVENT_BATCH_SIZE` says so. It is a benchmark, not a test: a
missed goal ends with 0 too.
"""

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from unittest import mock

import dagster as dg
from harness import verdict

from novade_pipeline.execution.home import dagster_instance
from novade_pipeline.settings import load_settings

ASSETS = [f"asset_{number}" for number in range(60)]
CHECKS = [f"check_{number}" for number in range(3)]
GOAL = 0.5
OURS = "this project's"
BATCH = {"DAGSTER_EVENT_BATCH_SIZE": "50"}
QUIET = "telemetry: {enabled: false}\n"
CONSOLIDATED = f"""\
{QUIET}event_log_storage:
  module: dagster._core.storage.event_log
  class: ConsolidatedSqliteEventLogStorage
  config: {{base_dir: "$HOME"}}
"""
# Name -> (the whole of dagster.yaml, where it is not ours; variables of the environment).
LOGS: dict[str, tuple[str | None, dict[str, str]]] = {
    "Dagster's default": (QUIET, {}),
    "default, batched": (QUIET, BATCH),
    "consolidated": (CONSOLIDATED, {}),
    "consolidated, batched": (CONSOLIDATED, BATCH),
    OURS: (None, {}),
    f"{OURS}, batched": (None, BATCH),
}


@dg.multi_asset(
    specs=[dg.AssetSpec(asset) for asset in ASSETS],
    check_specs=[dg.AssetCheckSpec(check, asset=asset) for asset in ASSETS for check in CHECKS],
)
def nothing() -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Tell of every asset and check."""
    for asset in ASSETS:
        yield dg.MaterializeResult(asset_key=asset, metadata={"preview": "x" * 500})
        for check in CHECKS:
            yield dg.AssetCheckResult(asset_key=asset, check_name=check, passed=True)


def _run(instance: dg.DagsterInstance) -> tuple[float, float, int]:
    """Wall and CPU seconds of a run, and how many events it logs."""
    job = dg.Definitions(assets=[nothing], jobs=[dg.define_asset_job("all_of_it")])
    found = job.resolve_job_def("all_of_it")
    wall, cpu = time.perf_counter(), time.process_time()
    done = found.execute_in_process(instance=instance)
    seconds = time.perf_counter() - wall, time.process_time() - cpu
    assert done.success
    return *seconds, len(instance.event_log_storage.get_records_for_run(done.run_id).records)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeat", type=int, default=5, help="runs with each log")
    repeat = parser.parse_args().repeat
    logging.disable(logging.CRITICAL)
    runs: dict[str, list[tuple[float, float, int]]] = {name: [] for name in LOGS}
    with ExitStack() as stack:
        instances = {name: stack.enter_context(_instance(stack, name)) for name in LOGS}
        # The first run with each log makes its tables, and does not count.
        for number in range(repeat + 1):
            for name, (_, variables) in LOGS.items():
                with mock.patch.dict(os.environ, variables):
                    run = _run(instances[name])
                if number:
                    runs[name].append(run)
    medians = {
        name: [median(run[part] for run in runs[name]) for part in range(3)] for name in LOGS
    }
    for name, (wall, cpu, events) in medians.items():
        print(f"{name:24}{events:6.0f} events {wall:7.2f} s wall {cpu:7.2f} s CPU")
    fastest, peer = min((wall, name) for name, (wall, *_) in medians.items() if OURS not in name)
    ratio = medians[OURS][0] / fastest
    how = verdict(ratio <= GOAL)
    print(f"{OURS} / {peer}: {ratio:.2f} of the wall time, wanted <= {GOAL}   {how}")


def _instance(stack: ExitStack, name: str) -> dg.DagsterInstance:
    """An instance with the log of this name, in a folder of its own."""
    home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    if config := LOGS[name][0]:
        (home / "dagster.yaml").write_text(config.replace("$HOME", str(home / "events")))
    return dagster_instance(load_settings(dagster_home=home))


if __name__ == "__main__":
    main()
