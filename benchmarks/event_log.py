"""What a run costs that makes nothing: Dagster's own log of events, and this project's.

    .venv/bin/python benchmarks/event_log.py [--repeat 5]

One job of 60 assets, each with 3 checks, in turns with either log, each in a folder of its own that
holds one run already. It is a benchmark, not a test: a missed goal ends with 0 too.
"""

import argparse
import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import dagster as dg

from novade_pipeline.running import dagster_instance
from novade_pipeline.settings import load_settings

ASSETS = [f"asset_{number}" for number in range(60)]
CHECKS = [f"check_{number}" for number in range(3)]
GOAL = 0.5


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
    with ExitStack() as stack:
        homes = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)]
        (homes[0] / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        own, ours = (
            stack.enter_context(dagster_instance(load_settings(dagster_home=home)))
            for home in homes
        )
        _run(own), _run(ours)
        runs = [(_run(own), _run(ours)) for _ in range(repeat)]
    told = [[median(run[log][part] for run in runs) for part in range(3)] for log in range(2)]
    for name, (wall, cpu, events) in zip(("Dagster's own", "this project's"), told, strict=True):
        print(f"{name:16}{events:6.0f} events {wall:7.2f} s wall {cpu:7.2f} s CPU")
    ratio = told[1][0] / told[0][0]
    verdict = "ok" if ratio <= GOAL else "missed"
    print(f"{'ratio of wall':16}{ratio:6.2f}        wanted <= {GOAL}   {verdict}")


if __name__ == "__main__":
    main()
