"""Salesforce in the graph: one step that reads each object into its table."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg

from novade_pipeline.defs.salesforce.settings import SalesforceSettings
from novade_pipeline.defs.salesforce.tables import (
    OBJECTS,
    OPTIONAL_OBJECTS,
    QUARANTINE,
    READ,
    TABLES,
)
from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.graph.access import lake_probes, require
from novade_pipeline.graph.api_assets import (
    TableMetadata,
    check_quarantine,
    require_configured,
    skipped_tables,
)
from novade_pipeline.graph.load_jobs import load_job, load_schedule
from novade_pipeline.graph.table_assets import (
    check_columns,
    check_fresh,
    check_result,
    check_specs,
    column_schema,
    dagster_failures,
    key_of,
    materialized,
    quarantine_checks,
    table_metadata,
    table_spec,
)
from novade_pipeline.lake.delta import WriteReceipt
from novade_pipeline.lake.read import newest
from novade_pipeline.lake.table import Table
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store

if TYPE_CHECKING:
    from novade_pipeline.defs.salesforce.load import LoadResult
    from novade_pipeline.defs.salesforce.session import Usage

POOL = "salesforce_api"
NO_SUCH_OBJECT = (
    "The organisation has no such object, or the user may not read it: the marts work without it."
)
LEFT_OUT = "NOVADE_SALESFORCE_WITHOUT names this object: it is not read."
VISIBLE_CHECK = "fields_are_visible"
BEFORE_CHECK = "fields_as_before"


def definitions(settings: Settings) -> dg.Definitions:
    """The assets of the organisation."""
    salesforce = settings.of(SalesforceSettings)

    @dg.multi_asset(
        name="salesforce",
        specs=[
            *(table_spec(t, kinds={"salesforce"}) for t in READ),
            table_spec(QUARANTINE, deps=READ),
        ],
        check_specs=_check_specs(),
        can_subset=True,
        pool=POOL,
    )
    def salesforce_objects(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Store]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        """Reads the selected objects, and writes what changed."""
        selected = [t for t in TABLES if key_of(t) in context.selected_asset_keys]
        require_configured(context, salesforce.missing)
        materializations = (
            skipped_tables(lake, selected, salesforce.missing)
            if salesforce.missing
            else _read(context, settings, lake, selected)
        )
        for table, metadata in materializations:
            yield materialized(
                context, key_of(table), metadata, _check_results(settings, lake, table, metadata)
            )

    return dg.Definitions(
        assets=[salesforce_objects],
        jobs=[load_job("salesforce")],
        schedules=[
            load_schedule(
                "salesforce",
                salesforce.schedule,
                salesforce.missing,
                "Reads what changed in Salesforce.",
            )
        ],
    )


def _read(
    context: dg.AssetExecutionContext, settings: Settings, lake: Store, tables: list[Table]
) -> Iterator[TableMetadata]:
    """Reads object by object and yields the metadata of each; a failure does not stop the others.

    Raises:
        dg.Failure: at the end, with a sentence for each object that could not be read.
        dg.RetryRequested: the same, where one of the failures is transient.
    """
    # simple_salesforce takes a second to import, which every step's process would pay.
    from novade_pipeline.defs.salesforce.load import load
    from novade_pipeline.defs.salesforce.organisation import Organisation, UnknownObject

    salesforce = settings.of(SalesforceSettings)
    names = {table.name: name for name, table in OBJECTS.items()}
    left_out = [table for table in tables if names.get(table.name) in salesforce.left_out]
    yield from skipped_tables(lake, left_out, LEFT_OUT)
    quarantined: list[WriteReceipt] = []
    failures: list[Exception] = []
    with dagster_failures():
        require(*lake_probes(lake))
    with Organisation(salesforce) as org:
        for table in (table for table in tables if table not in left_out):
            if table is QUARANTINE:
                yield table, table_metadata(lake, table, quarantined)
                continue
            usage_before = org.session.usage
            try:
                result = load(
                    org, lake, names[table.name], settings.personal_data_policy, context.log.info
                )
            except UnknownObject as failure:
                if names[table.name] in OPTIONAL_OBJECTS:
                    yield from skipped_tables(lake, [table], NO_SUCH_OBJECT)
                    continue
                context.log.warning(f"{table.name}: {failure}")
                failures.append(failure)
                continue
            except (UserError, TransientFailure) as failure:
                context.log.warning(f"{table.name}: {failure}")
                failures.append(failure)
                continue
            quarantined += result.quarantine
            yield table, _metadata(lake, table, result, usage_before, org.session.usage)
    with dagster_failures():
        _raise_all(failures)


def _raise_all(failures: list[Exception]) -> None:
    """Raises one failure with each message once; it is transient if one of them is."""
    message = " ".join(dict.fromkeys(map(str, failures)))
    if any(isinstance(failure, TransientFailure) for failure in failures):
        raise TransientFailure(message)
    if failures:
        raise PermanentFailure(message)


def _metadata(
    lake: Store, table: Table, result: "LoadResult", before: "Usage", after: "Usage"
) -> dict[str, Any]:
    fields, swept = result.fields, result.swept
    receipts = [*result.receipts, *(swept.receipts if swept is not None else ())]
    changed = any(receipt.rows for receipt in receipts)
    metadata = table_metadata(lake, table, receipts, changed=changed) | {
        "dagster/column_schema": column_schema(fields.table),
        "rows_read": result.rows,
        "rows_quarantined": result.bad,
        "read_whole": result.is_full,
        "read_by": ", ".join(result.apis) or "nothing to read",
        "slices": result.slices,
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
    if result.watermark is not None:
        metadata["watermark"] = result.watermark.isoformat()
    if after.left is not None and after.total is not None:
        metadata |= {"api_calls_left": after.left, "api_calls_a_day": after.total}
    if swept is not None:
        metadata |= {
            "swept_ids": swept.ids,
            "rows_vanished": swept.vanished,
            "rows_returned": swept.returned,
            "rows_late": swept.late,
            "rows_recalculated": swept.recalculated,
        }
    return metadata


def _check_specs() -> list[dg.AssetCheckSpec]:
    descriptions = {
        VISIBLE_CHECK: "Warns where the user may not see a field that the code declares, which is "
        "null, or that NOVADE_SALESFORCE_PERSONAL_FIELDS names.",
        BEFORE_CHECK: "Warns where a field was dropped, or has another type than its column.",
    }
    return [
        *(spec for table in READ for spec in check_specs(table)),
        *(
            dg.AssetCheckSpec(name, asset=key_of(table), description=description)
            for table in READ
            for name, description in descriptions.items()
        ),
        *quarantine_checks(QUARANTINE, "Warns where records break the types of their fields."),
    ]


def _check_results(
    settings: Settings, lake: Store, table: Table, metadata: dict[str, Any]
) -> Iterator[dg.AssetCheckResult]:
    yield check_columns(lake, table)
    if "note" in metadata:
        return
    if table is QUARANTINE:
        yield check_quarantine(lake, table, metadata)
        return
    invisible, dropped, retyped = (
        metadata[f"fields_{what}"] for what in ("invisible", "dropped", "retyped")
    )
    yield check_result(
        table,
        VISIBLE_CHECK,
        f"The user may not see {', '.join(invisible.value)}: let it see these fields (field-level "
        "security in its permission set), or ignore this where the organisation has none."
        if invisible.value
        else None,
        {"invisible": invisible},
    )
    changes = [*(f"{name} was dropped" for name in dropped.value)]
    changes += [f"{name} has another type" for name in retyped.value]
    yield check_result(
        table,
        BEFORE_CHECK,
        f"The organisation changed its fields: {', '.join(changes)}; see whether what reads these "
        "columns still holds."
        if changes
        else None,
        {"dropped": dropped, "retyped": retyped},
    )
    if table.data_time is not None:
        yield check_fresh(table, newest(lake, table), settings.freshness_hours)
