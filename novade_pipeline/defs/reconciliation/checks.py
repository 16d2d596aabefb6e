"""Checks of the comparison: is enough of Segment in Amplitude to switch Segment off?"""

from collections.abc import Iterator

import dagster as dg

from novade_pipeline.defs.reconciliation.comparison import MART, NOTHING_LANDED
from novade_pipeline.defs.reconciliation.stored import stored_comparison
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store

KEY = dg.AssetKey(["marts", MART])
SHARE_CHECK = "segments_events_are_in_amplitude"
DAYS_CHECK = "no_day_is_missing"
_DESCRIPTIONS = {
    SHARE_CHECK: "Amplitude has at least NOVADE_RECONCILIATION_MATCHED_SHARE of Segment's events "
    "of the days that both recorded.",
    DAYS_CHECK: "Each of the days that both recorded has events of Segment and of Amplitude.",
}


def definitions(settings: Settings) -> dg.Definitions:
    """The checks of the mart."""

    @dg.multi_asset_check(
        name="reconciliation_checks",
        specs=[
            dg.AssetCheckSpec(name, asset=KEY, description=description)
            for name, description in _DESCRIPTIONS.items()
        ],
        can_subset=True,
    )
    def reconciliation_checks(
        context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[Store]
    ) -> Iterator[dg.AssetCheckResult]:
        """Warns if events would be lost; the mart is published all the same."""
        comparison = stored_comparison(settings, lake)
        problems = {
            SHARE_CHECK: comparison.share_problem,
            DAYS_CHECK: comparison.days_problem,
        }
        for key in context.selected_asset_check_keys:
            problem = problems[key.name]
            note = NOTHING_LANDED if comparison.days is None else None
            yield dg.AssetCheckResult(
                passed=problem is None,
                asset_key=KEY,
                check_name=key.name,
                severity=dg.AssetCheckSeverity.WARN,
                description=problem or note,
                metadata={
                    "segment_events": comparison.totals["segment_events"],
                    "matched": comparison.totals["matched"],
                    "missing_days": [str(day) for day in comparison.missing_days],
                },
            )

    return dg.Definitions(asset_checks=[reconciliation_checks])
