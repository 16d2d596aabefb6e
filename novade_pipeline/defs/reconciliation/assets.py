"""The report of the comparison: one page for whoever decides when Segment is switched off."""

from typing import Any

import dagster as dg

from novade_pipeline.defs.reconciliation.checks import KEY
from novade_pipeline.defs.reconciliation.comparison import KINDS, SIDES
from novade_pipeline.defs.reconciliation.report import PAGE, report_page
from novade_pipeline.defs.reconciliation.stored import stored_comparison
from novade_pipeline.graph.table_assets import dagster_failures, follows_its_sources
from novade_pipeline.lake.documents import write_document
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store

REPORT = dg.AssetKey(["marts", "reconciliation_report"])
_FIGURES = dg.TableSchema(
    columns=[
        dg.TableColumn("day", "date", "Or the event type; the page has a table of each."),
        *(
            dg.TableColumn(name, "int", f"Events: {meaning}.")
            for name, meaning in {**SIDES, **KINDS}.items()
        ),
    ]
)


def definitions(settings: Settings) -> dg.Definitions:
    """The report."""

    @dg.asset(
        key=REPORT,
        group_name="reconciliation",
        kinds={"python", "html"},
        owners=["team:data-platform"],
        tags={"written": "document"},
        metadata={"dagster/column_schema": _FIGURES},
        deps=[KEY],
        automation_condition=follows_its_sources(),
        pool="marts_reconciliation_report",
    )
    def reconciliation_report(lake: dg.ResourceParam[Store]) -> dg.MaterializeResult[Any]:
        """What would be lost if Segment were switched off today: one HTML page with pictures.

        It needs nothing but itself, so it can be sent by mail.
        """
        with dagster_failures():
            comparison = stored_comparison(settings, lake)
            changed = write_document(lake, report_page(comparison).encode(), *PAGE)
        return dg.MaterializeResult(
            metadata={
                "unchanged": not changed,
                "summary": comparison.summary,
                "page": dg.MetadataValue.url(lake.child(*PAGE)),
                "page_path": dg.MetadataValue.path(lake.path(*PAGE)),
            }
        )

    return dg.Definitions(assets=[reconciliation_report])
