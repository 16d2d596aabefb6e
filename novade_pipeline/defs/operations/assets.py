"""Access is watched: an asset whose checks are the rights that the graph needs, tried hourly.

Each check is a probe; a step that writes tries its own ones again before its first write.
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
# Nobody has looked for so long: the page says that it is late.
LOOKED_WITHIN = timedelta(hours=3)
COLUMNS = {
    "system": "Whose right it is.",
    "right": "What is tried.",
    "needed": "What the graph needs it for.",
    "found": "What was found; where the right is missing, what to do.",
}


def definitions(settings: Settings) -> dg.Definitions:
    """The asset, its checks and its hourly job."""
    probes = all_probes(settings)
    job = dg.define_asset_job(
        WATCH_JOB,
        selection=dg.AssetSelection.assets(ACCESS),
        description="Tries what the graph needs of each system, and changes nothing.",
    )
    hourly = dg.ScheduleDefinition(
        job=job,
        cron_schedule="0 * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    return dg.Definitions(assets=[access_asset(probes)], jobs=[job], schedules=[hourly])


def access_asset(probes: Sequence[Probe]) -> dg.AssetsDefinition:
    """The asset whose checks are these probes."""
    spec = dg.AssetSpec(
        ACCESS,
        description="What the graph may do with each system that it is set up for, as last tried.",
        group_name=ACCESS.path[0],
        kinds={"python"},
        owners=["team:data-platform"],
        tags={"layer": "operations"},
        metadata={
            "dagster/column_schema": dg.TableSchema(
                columns=[dg.TableColumn(name, "string", told) for name, told in COLUMNS.items()]
            )
        },
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=LOOKED_WITHIN),
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
        findings = try_all(probes)
        yield dg.MaterializeResult(
            asset_key=ACCESS,
            metadata=_metadata(findings),
            check_results=[_result(finding) for finding in findings],
        )

    return access


def _metadata(findings: Sequence[ProbeResult]) -> dict[str, Any]:
    rows = [(f.probe.system, f.probe.right, f.probe.purpose, f.message) for f in findings]
    return {
        "rights": len(findings),
        "missing": sum(not finding.passed for finding in findings),
        "found": dg.MetadataValue.md(markdown_table(list(COLUMNS), rows, characters=400)),
    }


def _result(finding: ProbeResult) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=finding.passed,
        check_name=finding.probe.name,
        asset_key=ACCESS,
        severity=dg.AssetCheckSeverity.ERROR,
        description=finding.message,
        metadata={"passes_by_itself": finding.is_transient} if not finding.passed else {},
    )
