"""Assets of the tracking plan: its rules, and the verdict on each event."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from novade_pipeline.defs.amplitude.tables import EVENTS
from novade_pipeline.defs.tracking_plan.plan_files import newest_plan, pending_rows
from novade_pipeline.defs.tracking_plan.plan_formats import PlanError
from novade_pipeline.defs.tracking_plan.tables import EVENT_VERDICTS, PLAN, VERDICT_COUNTS
from novade_pipeline.defs.tracking_plan.verdicts import (
    VERDICTS,
    count_by_type,
    count_changes,
    judge_changes,
)
from novade_pipeline.graph import charts
from novade_pipeline.graph.access import lake_probes, landing_probes, require
from novade_pipeline.graph.table_assets import (
    check_columns,
    check_fresh,
    check_specs,
    dagster_failures,
    follows_its_sources,
    key_of,
    materialized,
    previous_picture,
    table_metadata,
    table_spec,
)
from novade_pipeline.lake.delta import WriteReceipt, replace
from novade_pipeline.lake.read import newest
from novade_pipeline.plurals import counted
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store

PLAN_CHECK = "newest_file_is_a_plan"
RULES_CHECK = "every_rule_is_judged"
_MAX_SHOWN_FAULTS = 50
SHARE_CHECKS = {
    "violating": "few_events_violate_the_plan",
    "unplanned": "few_events_are_unplanned",
}


@dg.multi_asset(
    name="tracking_plan",
    specs=[table_spec(PLAN, kinds={"json"})],
    check_specs=[
        *check_specs(PLAN),
        dg.AssetCheckSpec(
            PLAN_CHECK,
            asset=key_of(PLAN),
            description="The newest file of landing/tracking_plan is a plan; otherwise the "
            "previous plan stays in use.",
        ),
        dg.AssetCheckSpec(
            RULES_CHECK,
            asset=key_of(PLAN),
            description="Each rule of the newest plan can be applied, in all its keywords; events "
            "of a rule that cannot are `unjudged`.",
        ),
    ],
)
def plan(
    context: dg.AssetExecutionContext,
    lake: dg.ResourceParam[Store],
    landing: dg.ResourceParam[Store],
) -> Iterator[dg.MaterializeResult[Any]]:
    """Load the newest landed plan; the same rules from the same file change nothing."""
    receipts: list[WriteReceipt] = []
    faults: list[str] = []
    refusal = ""
    with dagster_failures():
        require(*landing_probes(landing), *lake_probes(lake))
        try:
            landed = newest_plan(landing)
        except PlanError as error:
            landed, refusal = None, str(error)
        if landed is not None:
            faults = landed[1].faults
            rows = pending_rows(lake, *landed)
            receipts += [] if rows is None else [replace(lake, PLAN, rows)]
    metadata = table_metadata(lake, PLAN, receipts)
    yield materialized(
        context,
        key_of(PLAN),
        metadata,
        [
            check_columns(lake, PLAN),
            dg.AssetCheckResult(
                passed=not refusal,
                check_name=PLAN_CHECK,
                asset_key=key_of(PLAN),
                description=f"{refusal} The previous plan stays in use." if refusal else None,
                metadata={"why": refusal} if refusal else None,
            ),
            dg.AssetCheckResult(
                passed=not faults,
                check_name=RULES_CHECK,
                asset_key=key_of(PLAN),
                severity=dg.AssetCheckSeverity.WARN,
                description=f"{counted(len(faults), 'rule')} cannot be applied, first: {faults[0]}"
                if faults
                else None,
                metadata={"faults": len(faults), "why": "\n".join(faults[:_MAX_SHOWN_FAULTS])}
                if faults
                else None,
            ),
        ],
    )


def _event_verdicts(settings: Settings) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="event_verdicts",
        specs=[
            table_spec(
                EVENT_VERDICTS,
                kinds={"python"},
                deps=[EVENTS, PLAN],
                automation_condition=follows_its_sources(),
            ),
            table_spec(VERDICT_COUNTS, kinds={"python"}, deps=[EVENT_VERDICTS]),
        ],
        check_specs=[
            *check_specs(EVENT_VERDICTS),
            *check_specs(VERDICT_COUNTS, fresh=False),
            *(
                dg.AssetCheckSpec(
                    name,
                    asset=key_of(EVENT_VERDICTS),
                    description=f"Warns when more than the set share of events is {verdict}.",
                )
                for verdict, name in SHARE_CHECKS.items()
            ),
        ],
        pool="event_verdicts",
    )
    def event_verdicts(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Store]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        """Judge the events that changed, or all events if the plan changed."""
        with dagster_failures():
            require(*lake_probes(lake))
            receipts = judge_changes(lake, context.log.info)
            count_receipts = count_changes(lake)
        counts = count_by_type(lake)
        metadata = table_metadata(lake, EVENT_VERDICTS, receipts)
        if counts:
            key = key_of(EVENT_VERDICTS)
            chart = previous_picture(context, key, "verdicts_by_type", metadata)
            metadata["verdicts_by_type"] = dg.MetadataValue.md(chart or _verdict_chart(counts))
        total = sum(sum(row.values()) for row in counts.values())
        allowed = {
            "violating": settings.violating_share,
            "unplanned": settings.unplanned_share,
        }
        yield materialized(
            context,
            key_of(EVENT_VERDICTS),
            metadata,
            [
                check_columns(lake, EVENT_VERDICTS),
                check_fresh(EVENT_VERDICTS, newest(lake, EVENT_VERDICTS), settings.freshness_hours),
                *(
                    _check_share(
                        verdict, sum(row.get(verdict, 0) for row in counts.values()), total, share
                    )
                    for verdict, share in allowed.items()
                ),
            ],
        )
        yield materialized(
            context,
            key_of(VERDICT_COUNTS),
            table_metadata(lake, VERDICT_COUNTS, count_receipts),
            [check_columns(lake, VERDICT_COUNTS)],
        )

    return event_verdicts


def _verdict_chart(counts: Mapping[str, Mapping[str, int]]) -> str:
    series = {verdict: [row.get(verdict, 0) for row in counts.values()] for verdict in VERDICTS}
    if not any(series["unjudged"]):
        del series["unjudged"]
    return charts.stacked_bars("Events by type and verdict", list(counts), series, "events")


def _check_share(verdict: str, events: int, total: int, allowed: float) -> dg.AssetCheckResult:
    share = events / total if total else 0.0
    return dg.AssetCheckResult(
        passed=share <= allowed,
        check_name=SHARE_CHECKS[verdict],
        asset_key=key_of(EVENT_VERDICTS),
        severity=dg.AssetCheckSeverity.WARN,
        description=None
        if share <= allowed
        else f"{events:,} of {counted(total, 'event')} are {verdict} ({share:.1%}), and "
        f"NOVADE_{verdict.upper()}_SHARE allows {allowed:.1%}: correct the plan or the "
        "application; the chart of the asset shows the types.",
        metadata={"events": total, verdict: events, "share": round(share, 4), "allowed": allowed},
    )


def definitions(settings: Settings) -> dg.Definitions:
    """The assets of the tracking plan."""
    return dg.Definitions(assets=[plan, _event_verdicts(settings)])
