"""The asset whose checks are hourly probes of the rights that the graph needs.

A step that writes also runs its own probes before its first write.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from novade_pipeline.graph.access import Probe, ProbeResult, all_probes, try_all
from novade_pipeline.graph.markdown import markdown_table
from novade_pipeline.settings import Settings

ACCESS = dg.AssetKey(["operations", "access"])
WATCH_JOB = "watch_access"
MAX_AGE = timedelta(hours=3)
COLUMNS = {
    "system": "The system of the right.",
    "right": "The right.",
    "needed": "What the graph needs it for.",
    "found": "The result; if the right is missing, what to do.",
}


def definitions(settings: Settings) -> dg.Definitions:
    """The asset, its checks and its hourly job."""
    probes = all_probes(settings)
    job = dg.define_asset_job(
        WATCH_JOB,
        selection=dg.AssetSelection.assets(ACCESS),
        description="Probes the rights that the graph needs in each system, without changes.",
    )
    hourly = dg.ScheduleDefinition(
        job=job,
        description="Probes each hour the rights that the graph needs.",
        cron_schedule="0 * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(assets=[access_asset(probes)], jobs=[job], schedules=[hourly])


def access_asset(probes: Sequence[Probe]) -> dg.AssetsDefinition:
    """Builds the asset whose checks are these probes."""
    spec = dg.AssetSpec(
        ACCESS,
        description="The rights of the graph in each configured system, as of the last probe.",
        group_name=ACCESS.path[0],
        kinds={"python"},
        owners=["team:data-platform"],
        tags={"layer": "operations"},
        metadata={
            "dagster/column_schema": dg.TableSchema(
                columns=[
                    dg.TableColumn(name, "string", description)
                    for name, description in COLUMNS.items()
                ]
            )
        },
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=MAX_AGE),
    )

    @dg.multi_asset(
        name="access",
        specs=[spec],
        check_specs=[
            dg.AssetCheckSpec(
                probe.name,
                asset=ACCESS,
                blocking=True,
                description=f"{probe.system}: {probe.right}. {probe.purpose}",
            )
            for probe in probes
        ],
    )
    def access() -> Iterator[dg.MaterializeResult[Any]]:
        results = try_all(probes)
        yield dg.MaterializeResult(
            asset_key=ACCESS,
            metadata=_metadata(results),
            check_results=[_result(result) for result in results],
        )

    return access


def _metadata(results: Sequence[ProbeResult]) -> dict[str, Any]:
    rows = [(f.probe.system, f.probe.right, f.probe.purpose, f.message) for f in results]
    return {
        "rights": len(results),
        "missing": sum(not result.passed for result in results),
        "found": dg.MetadataValue.md(markdown_table(list(COLUMNS), rows, characters=400)),
    }


def _result(result: ProbeResult) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=result.passed,
        check_name=result.probe.name,
        asset_key=ACCESS,
        severity=dg.AssetCheckSeverity.ERROR,
        description=result.message,
        metadata={"passes_by_itself": result.is_transient} if not result.passed else {},
    )
