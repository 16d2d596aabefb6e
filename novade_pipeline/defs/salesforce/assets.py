"""Salesforce in the graph: one step that reads its objects, each into a table."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg

from novade_pipeline.access import lake_probes, require
from novade_pipeline.defs.api_assets import (
    Told,
    materialized,
    on_schedule,
    passed_over,
    why_passed_over,
)
from novade_pipeline.defs.salesforce.checks import check_results, specs_of_checks
from novade_pipeline.defs.salesforce.settings import SalesforceSettings
from novade_pipeline.defs.salesforce.tables import OBJECTS, QUARANTINE, READ, TABLES
from novade_pipeline.defs.table_assets import (
    column_schema,
    key_of,
    table_metadata,
    table_spec,
    told_to_dagster,
)
from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.lake.delta import WriteReceipt
from novade_pipeline.lake.table import Table
from novade_pipeline.settings import Settings
from novade_pipeline.storage import Store

if TYPE_CHECKING:
    from novade_pipeline.defs.salesforce.load import Loaded
    from novade_pipeline.defs.salesforce.session import Usage

POOL = "salesforce_api"


def definitions(settings: Settings) -> dg.Definitions:
    """The assets of the organisation."""
    salesforce = settings.of(SalesforceSettings)
    automation = on_schedule(salesforce.schedule, salesforce.missing)

    @dg.multi_asset(
        name="salesforce",
        specs=[
            *(table_spec(t, kinds={"salesforce"}, automation_condition=automation) for t in READ),
            table_spec(QUARANTINE, deps=READ, automation_condition=automation),
        ],
        check_specs=specs_of_checks(),
        can_subset=True,
        pool=POOL,
    )
    def salesforce_objects(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Store]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        """Read what is selected, and write what changed."""
        selected = [t for t in TABLES if key_of(t) in context.selected_asset_keys]
        why = why_passed_over(context, "Salesforce", salesforce.missing)
        told = passed_over(lake, selected, why) if why else _read(context, settings, lake, selected)
        for table, metadata in told:
            yield materialized(
                context, table, metadata, check_results(settings, lake, table, metadata)
            )

    return dg.Definitions(assets=[salesforce_objects])


def _read(
    context: dg.AssetExecutionContext, settings: Settings, lake: Store, tables: list[Table]
) -> Iterator[Told]:
    """Read object by object, the metadata of each; what one lacks keeps no other from being read.

    Raises:
        dg.Failure: at the end, where an object could not be read, with a sentence for each.
        dg.RetryRequested: the same, where one failed in a way that passes.
    """
    # simple_salesforce takes a second to import, which every step's process would pay.
    from novade_pipeline.defs.salesforce.load import load
    from novade_pipeline.defs.salesforce.organisation import Organisation

    names = {table.name: name for name, table in OBJECTS.items()}
    quarantined: list[WriteReceipt] = []
    failures: list[Exception] = []
    with told_to_dagster():
        require(*lake_probes(lake))
    with Organisation(settings.of(SalesforceSettings)) as org:
        for table in tables:
            if table is QUARANTINE:
                yield table, table_metadata(lake, table, quarantined)
                continue
            before = org.session.usage
            try:
                done = load(
                    org,
                    lake,
                    names[table.name],
                    settings.personal_data_policy,
                    context.log.info,
                )
            except (UserError, TransientFailure) as failure:
                context.log.warning(f"{table.name}: {failure}")
                failures.append(failure)
                continue
            quarantined += done.quarantine
            yield table, _metadata(lake, table, done, before, org.session.usage)
    with told_to_dagster():
        _raise_all(failures)


def _raise_all(failures: list[Exception]) -> None:
    """One failure that tells all, each sentence once; it passes if one of them does."""
    told = " ".join(dict.fromkeys(map(str, failures)))
    if any(isinstance(failure, TransientFailure) for failure in failures):
        raise TransientFailure(told)
    if failures:
        raise PermanentFailure(told)


def _metadata(
    lake: Store, table: Table, done: "Loaded", before: "Usage", after: "Usage"
) -> dict[str, Any]:
    fields, swept = done.fields, done.swept
    receipts = [*done.receipts, *([swept.receipt] if swept is not None else [])]
    changed = any(receipt.rows for receipt in receipts)
    metadata = table_metadata(lake, table, receipts, changed=changed) | {
        "dagster/column_schema": column_schema(fields.table),
        "rows_read": done.rows,
        "rows_quarantined": done.bad,
        "read_whole": done.whole,
        "read_by": ", ".join(done.how) or "nothing to read",
        "slices": done.slices,
        "requests": after.requests - before.requests,
        "retries": after.retries - before.retries,
        "log_ins": after.log_ins - before.log_ins,
        "fields_read": len(fields.read),
        "fields_skipped": dg.MetadataValue.json(dict(fields.skipped)),
        "fields_invisible": dg.MetadataValue.json(list(fields.invisible)),
        "fields_dropped": dg.MetadataValue.json(list(fields.dropped)),
        "fields_retyped": dg.MetadataValue.json(dict(fields.retyped)),
        "fields_calculated": dg.MetadataValue.json(list(fields.calculated)),
    }
    if done.watermark is not None:
        metadata["watermark"] = done.watermark.isoformat()
    if after.left is not None and after.total is not None:
        metadata |= {"api_calls_left": after.left, "api_calls_a_day": after.total}
    if swept is not None:
        metadata |= {
            "swept_ids": swept.ids,
            "rows_vanished": swept.vanished,
            "rows_returned": swept.returned,
        }
    return metadata
