"""Asset specs, checks and metadata of a materialization, derived from a `Table`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from novade_pipeline.errors import TransientFailure, UserError
from novade_pipeline.graph.job_runs import HELD_BY
from novade_pipeline.graph.markdown import markdown_table
from novade_pipeline.lake.delta import WriteReceipt, location, open_table
from novade_pipeline.lake.query import DatabaseHeldError
from novade_pipeline.lake.table import Table
from novade_pipeline.plurals import counted
from novade_pipeline.storage.store import Store

COLUMNS_CHECK = "columns_as_declared"
FRESH_CHECK = "data_is_fresh"
QUARANTINE_CHECK = "nothing_in_quarantine"
PREVIEW_ROWS = 5
PREVIEW_COLUMNS = 12
REASONS = 3
"""How many reasons of a quarantine a warning has."""


def key_of(table: Table) -> dg.AssetKey:
    """The asset key of a table."""
    return dg.AssetKey(list(table.path))


def table_spec(
    table: Table,
    *,
    kinds: Iterable[str] = (),
    deps: Sequence[Table] = (),
    **attributes: Any,
) -> dg.AssetSpec:
    """The asset spec of a table."""
    return dg.AssetSpec(
        key_of(table),
        description=table.description,
        group_name=table.path[0],
        kinds={"deltalake", *kinds},
        owners=[table.owner],
        tags={
            "written": table.write_mode,
            **dict.fromkeys(table.tags, ""),
            **({"personal_data": ""} if table.personal else {}),
        },
        deps=[key_of(dep) for dep in deps],
        metadata={"dagster/column_schema": column_schema(table)},
        **attributes,
    )


def column_schema(table: Table) -> dg.TableSchema:
    """The columns as the web page shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type="json" if column.json else str(column.type),
                description=column.description,
                constraints=dg.TableColumnConstraints(nullable=not column.required),
                tags={"personal": ""} if column.personal is not None else {},
            )
            for column in table.columns
        ]
    )


def check_specs(table: Table, *, fresh: bool = True) -> list[dg.AssetCheckSpec]:
    """The checks that every table has."""
    specs = [
        dg.AssetCheckSpec(
            COLUMNS_CHECK,
            asset=key_of(table),
            blocking=True,
            description="The lake's columns are those of the code, in name and type.",
        )
    ]
    if fresh and table.data_time is not None:
        specs.append(
            dg.AssetCheckSpec(
                FRESH_CHECK,
                asset=key_of(table),
                description="The newest data is recent: data time, not run time.",
            )
        )
    return specs


def quarantine_checks(quarantine: Table, description: str) -> list[dg.AssetCheckSpec]:
    """The checks of a quarantine, which need not be fresh."""
    return [
        *check_specs(quarantine, fresh=False),
        dg.AssetCheckSpec(QUARANTINE_CHECK, asset=key_of(quarantine), description=description),
    ]


def check_result(
    table: Table,
    name: str,
    problem: str | None,
    metadata: Mapping[str, Any],
    *,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.WARN,
) -> dg.AssetCheckResult:
    """The result of a check of a table; a warning by default.

    Args:
        problem: what is wrong and what to do, without values of rows, since alerts have it too;
            None if the check passed.
    """
    return dg.AssetCheckResult(
        passed=problem is None,
        asset_key=key_of(table),
        check_name=name,
        metadata=metadata,
        severity=severity,
        description=problem,
    )


def reasons_of(counts: Mapping[str, int]) -> str:
    """The most frequent reasons of a quarantine, each with its number of rows."""
    frequent = sorted(counts, key=lambda reason: (-counts[reason], reason))[:REASONS]
    more = len(counts) - len(frequent)
    texts = [f"{reason.rstrip('.')} ({counts[reason]:,})" for reason in frequent]
    return ", ".join([*texts, *([f"and {counted(more, 'other reason')}"] if more else [])])


def check_columns(lake: Store, table: Table) -> dg.AssetCheckResult:
    """Compares the declared columns with those in the lake."""
    import pyarrow as pa

    from novade_pipeline.lake.conform import is_of_type

    delta_table = open_table(lake, table)
    schema = None if delta_table is None else pa.schema(delta_table.schema().to_arrow())
    stored = {} if schema is None else {field.name: field.type for field in schema}
    wrong = {
        field.name: {"expected": str(field.type), "found": str(stored.get(field.name))}
        for field in table.schema
        if schema is not None
        and not (field.name in stored and is_of_type(stored[field.name], field.type))
    }
    metadata = {"wrong": dg.MetadataValue.json(wrong)} if wrong else {}
    problem = None
    if wrong:
        differences = ", ".join(
            f"{name} is {types['found']} and not {types['expected']}"
            for name, types in wrong.items()
        )
        problem = (
            f"The lake has other columns than the code declares: {differences}. Another program "
            "or version wrote the table; move it away, then load it with: novade run --reload."
        )
    return check_result(
        table, COLUMNS_CHECK, problem, metadata, severity=dg.AssetCheckSeverity.ERROR
    )


def check_fresh(table: Table, newest: datetime | date | None, hours: float) -> dg.AssetCheckResult:
    """Warns if the newest data is older than `hours`."""
    if newest is not None and not isinstance(newest, datetime):
        newest = datetime(newest.year, newest.month, newest.day, tzinfo=UTC) + timedelta(days=1)
    age = None if newest is None else (datetime.now(UTC) - newest) / timedelta(hours=1)
    metadata = {
        "newest": "none" if newest is None else newest.isoformat(),
        "expected_hours": hours,
        **({} if age is None else {"age_hours": round(age, 1)}),
    }
    limit = f"NOVADE_FRESHNESS_HOURS allows {hours:g} hours"
    problem = None
    if newest is None:
        problem = f"There is no data yet, and {limit}; load some, or see why its source has none."
    elif age is not None and age > hours:
        problem = (
            f"The newest data is of {newest:%Y-%m-%d %H:%M}, and {limit}; see whether the source "
            "still delivers, or raise the limit."
        )
    return check_result(table, FRESH_CHECK, problem, metadata)


def table_metadata(
    lake: Store,
    table: Table,
    receipts: Sequence[WriteReceipt] = (),
    *,
    changed: bool | None = None,
) -> dict[str, Any]:
    """The metadata of a table's materialization.

    Args:
        receipts: of the writes of this run.
        changed: whether the run wrote to the table; None: if it has receipts.
    """
    changed = bool(receipts) if changed is None else changed
    delta_table = open_table(lake, table)
    metadata: dict[str, Any] = {
        "unchanged": not changed,
        "dagster/uri": location(lake, table),
        "rows_written": sum(receipt.rows for receipt in receipts),
        "seconds": round(sum(receipt.seconds for receipt in receipts), 3),
    }
    newest = [receipt.newest for receipt in receipts if receipt.newest is not None]
    if newest:
        metadata["newest"] = str(max(newest))
    if delta_table is None:
        return metadata | {"dagster/row_count": 0, "bytes": 0}
    sizes = delta_table.get_add_actions(flatten=True)
    metadata |= {
        "dagster/row_count": int(delta_table.count()),
        "bytes": sum(sizes.column("size_bytes").to_pylist()),
        "files": sizes.num_rows,
        "table_version": delta_table.version(),
    }
    return metadata | {"preview": dg.MetadataValue.md(preview(lake, table))}


def materialized(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    metadata: Mapping[str, Any],
    check_results: Iterable[dg.AssetCheckResult] = (),
) -> dg.MaterializeResult[Any]:
    """The materialization of an asset.

    The metadata, with its previews and charts, is of the materialization alone: of a result's own
    metadata Dagster writes a second copy, for the step's output.

    Args:
        check_results: those of checks that the run does not select are left out.
    """
    context.add_asset_metadata(metadata, key)
    selected = {(check.asset_key, check.name) for check in context.selected_asset_check_keys}
    results = [one for one in check_results if (one.asset_key, one.check_name) in selected]
    return dg.MaterializeResult(asset_key=key, check_results=results)


def preview(lake: Store, table: Table) -> str:
    """A few rows as a Markdown table, without personal columns."""
    from novade_pipeline.lake.read import stream
    from novade_pipeline.privacy.policy import Personal

    marks: Mapping[str, Personal] = table.personal
    columns = [c.name for c in table.columns if c.name not in marks][:PREVIEW_COLUMNS]
    rows: list[dict[str, Any]] = []
    for batch in stream(lake, table, columns=columns, limit=PREVIEW_ROWS):
        rows += batch.to_pylist()
    return markdown_table(columns, [[row[name] for name in columns] for row in rows])


def previous_picture(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    name: str,
    metadata: Mapping[str, Any],
    by: str = "table_version",
) -> str | None:
    """The chart of the newest materialization, if nothing has changed since.

    Drawing takes longer than the rest of a run without new data. A changed table is drawn whatever
    its version: a table that was deleted and recreated counts its versions from 0 again.

    Args:
        name: of the chart in the metadata.
        metadata: of this materialization, with `unchanged` and the entry `by`.
        by: the entry that must be the same.
    """
    event = context.instance.get_latest_materialization_event(key)
    newest = event.asset_materialization if event is not None else None
    if newest is None or not metadata["unchanged"] or not {name, by} <= newest.metadata.keys():
        return None
    same = newest.metadata[by].value == metadata[by]
    return str(newest.metadata[name].value) if same else None


def follows_its_sources() -> dg.AutomationCondition[Any]:
    """Materializes once after a source was, and not while either is in progress.

    `AutomationCondition.eager` would wait until no partition of a source is missing, and a landing
    zone has days without files.
    """
    condition = dg.AutomationCondition
    updated = condition.any_deps_updated().since(
        condition.newly_requested() | condition.newly_updated()
    )
    in_progress = condition.in_progress() | condition.any_deps_in_progress()
    return (updated & ~in_progress).with_label("follows_its_sources")


@contextmanager
def dagster_failures() -> Iterator[None]:
    """Turns a TransientFailure into a retry, and a UserError into a failure without retries."""
    try:
        yield
    except TransientFailure as failure:
        raise dg.RetryRequested(max_retries=3, seconds_to_wait=1) from failure
    except DatabaseHeldError as failure:
        metadata = {HELD_BY: failure.holder}
        raise dg.Failure(str(failure), metadata, allow_retries=False) from None
    except UserError as failure:
        raise dg.Failure(description=str(failure), allow_retries=False) from None
