"""Assets, checks, schedule and job of a domain whose tables are those of a database.

A domain's `defs.yaml` declares the tables, and its `assets.py` puts `database_definitions`
together. One step loads all tables of a domain, each as asset `<domain>/<table>`.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from novade_pipeline.databases.declaration import DatabaseTable, DatabaseTables
from novade_pipeline.databases.feed_of import feed_of
from novade_pipeline.databases.load import Loader, LoadReport
from novade_pipeline.databases.tables import lake_table
from novade_pipeline.errors import PermanentFailure, TransientFailure, UserError
from novade_pipeline.graph.access import lake_probes, require
from novade_pipeline.graph.api_assets import require_configured, skipped_tables
from novade_pipeline.graph.database_settings import DatabaseSettings
from novade_pipeline.graph.load_jobs import load_job, load_schedule
from novade_pipeline.graph.table_assets import (
    check_columns,
    check_fresh,
    check_result,
    check_specs,
    dagster_failures,
    key_of,
    materialized,
    table_metadata,
    table_spec,
)
from novade_pipeline.lake.read import newest
from novade_pipeline.lake.table import Table
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store

DRIFT_CHECK = "columns_as_in_database"
HISTORY_CHECK = "changes_are_complete"


def database_definitions(
    settings: Settings, domain: str, declared: DatabaseTables, access: DatabaseSettings
) -> dg.Definitions:
    """The assets, the schedule and the job `load_<domain>` of a database.

    Without a URL the assets are there and are skipped by a load of everything.

    Args:
        access: the domain's own settings.
    """
    schedule = load_schedule(
        domain, access.schedule, access.missing, f"Reads what changed in the database of {domain}."
    )
    return dg.Definitions(
        assets=[database_assets(settings, domain, declared, access)],
        jobs=[load_job(domain)],
        schedules=[schedule],
    )


def database_assets(
    settings: Settings, domain: str, declared: DatabaseTables, access: DatabaseSettings
) -> dg.AssetsDefinition:
    """Builds the step that loads a database's tables."""
    tables = {table: lake_table(domain, table) for table in declared.tables}

    @dg.multi_asset(
        name=f"{domain}_tables",
        specs=[table_spec(table, kinds={"sql"}) for table in tables.values()],
        check_specs=[
            spec for table, in_lake in tables.items() for spec in _check_specs(table, in_lake)
        ],
        can_subset=True,
        pool=f"{domain}_database",
    )
    def load_tables(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Store]
    ) -> Iterator[dg.MaterializeResult[Any]]:
        """Loads the selected tables; one that fails does not stop the others."""
        require_configured(context, access.missing)
        selected = {
            table: in_lake
            for table, in_lake in tables.items()
            if key_of(in_lake) in context.selected_asset_keys
        }
        if access.missing:
            for in_lake, metadata in skipped_tables(lake, selected.values(), access.missing):
                checks = [check_columns(lake, in_lake)]
                yield materialized(context, key_of(in_lake), metadata, checks)
            return
        failures: list[Exception] = []
        with dagster_failures():
            require(*lake_probes(lake))
            with access.database.session() as session:
                feed = feed_of(session, declared)
                policy = settings.personal_data_policy
                loader = Loader(domain, session, declared, lake, policy, feed)
                for table, in_lake in selected.items():
                    try:
                        report = loader.load(table, context.log.info)
                    except (UserError, TransientFailure) as failure:
                        context.log.warning(f"{in_lake.name}: {failure}")
                        failures.append(failure)
                        continue
                    if report.full and table.mode != "full":
                        context.log.info(f"{in_lake.name}: all rows were read: {report.full}.")
                    yield materialized(
                        context,
                        key_of(in_lake),
                        _metadata(lake, in_lake, report),
                        _check_results(settings, lake, table, in_lake, report),
                    )
                if not failures:
                    loader.release()
            _raise_all(failures)

    return load_tables


def _raise_all(failures: list[Exception]) -> None:
    """Raises one failure with each message once; it is transient if one of them is."""
    message = " ".join(dict.fromkeys(map(str, failures)))
    if any(isinstance(failure, TransientFailure) for failure in failures):
        raise TransientFailure(message)
    if failures:
        raise PermanentFailure(message)


def _metadata(lake: Store, table: Table, report: LoadReport) -> dict[str, Any]:
    changed = any(receipt.rows for receipt in report.receipts)
    metadata = table_metadata(lake, table, report.receipts, changed=changed) | {
        "rows_read": report.read,
        "read_whole": report.full is not None,
        "columns_undeclared": dg.MetadataValue.json(list(report.drift.undeclared)),
    }
    if report.full is not None:
        metadata["read_whole_because"] = report.full
    if report.swept is not None:
        metadata["keys_that_a_sweep_found"] = report.swept
    return metadata


def _check_specs(table: DatabaseTable, in_lake: Table) -> list[dg.AssetCheckSpec]:
    specs = [
        *check_specs(in_lake),
        dg.AssetCheckSpec(
            DRIFT_CHECK,
            asset=key_of(in_lake),
            description="The database's columns are those of defs.yaml.",
        ),
    ]
    if table.mode == "changes":
        specs.append(
            dg.AssetCheckSpec(
                HISTORY_CHECK,
                asset=key_of(in_lake),
                description="The database had all changes since the last load; where it had not, "
                "all rows were read.",
            )
        )
    return specs


def _check_results(
    settings: Settings, lake: Store, table: DatabaseTable, in_lake: Table, report: LoadReport
) -> Iterator[dg.AssetCheckResult]:
    yield check_columns(lake, in_lake)
    problem = None
    if report.drift.problem is not None:
        problem = (
            f"The database has other columns than defs.yaml: {report.drift.problem}. Run `novade "
            f"{in_lake.path[0]} reflect`, look at the difference, and restart Dagster."
        )
    yield check_result(in_lake, DRIFT_CHECK, problem, {})
    if table.mode == "changes":
        lost = None
        if report.full is not None and not report.is_first:
            lost = f"Changes were missing, and all rows were read: {report.full}."
        yield check_result(in_lake, HISTORY_CHECK, lost, {})
    if in_lake.data_time is not None:
        yield check_fresh(in_lake, newest(lake, in_lake), settings.freshness_hours)
