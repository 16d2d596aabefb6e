"""What every asset that is a table has: its spec, its checks, the metadata of a materialization.

All of it follows from the `Table`; a domain adds only what is its own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from novade_pipeline.errors import TransientFailure, UserError
from novade_pipeline.graph.markdown import markdown_table
from novade_pipeline.lake.delta import WriteReceipt, location, open_table
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store

COLUMNS_CHECK = "columns_as_declared"
FRESH_CHECK = "data_is_fresh"
QUARANTINE_CHECK = "nothing_in_quarantine"
PREVIEW_ROWS = 5
PREVIEW_COLUMNS = 12


def key_of(table: Table) -> dg.AssetKey:
    """The asset key of a table."""
    return dg.AssetKey(list(table.path))


def table_spec(
    table: Table,
    *,
    kinds: Iterable[str] = (),
    deps: Sequence[Table] = (),
    **more: Any,
) -> dg.AssetSpec:
    """The asset of a table: description, group, kinds, owner, tags and columns."""
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
        **more,
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
                description=f"The newest {table.data_time} is recent: data time, not run time.",
            )
        )
    return specs


def quarantine_checks(quarantine: Table, description: str) -> list[dg.AssetCheckSpec]:
    """What is checked of a quarantine: nothing new in it is good news, so it need not be fresh."""
    return [
        *check_specs(quarantine, fresh=False),
        dg.AssetCheckSpec(QUARANTINE_CHECK, asset=key_of(quarantine), description=description),
    ]


def check_columns(lake: Store, table: Table) -> dg.AssetCheckResult:
    """Compare the declared columns with those in the lake."""
    import pyarrow as pa

    from novade_pipeline.lake.conform import is_of_type

    found = open_table(lake, table)
    there = {} if found is None else {f.name: f.type for f in pa.schema(found.schema().to_arrow())}
    wrong = {
        field.name: {"expected": str(field.type), "found": str(there.get(field.name))}
        for field in table.schema
        if found is not None
        and not (field.name in there and is_of_type(there[field.name], field.type))
    }
    return dg.AssetCheckResult(
        passed=not wrong,
        check_name=COLUMNS_CHECK,
        asset_key=key_of(table),
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"columns": len(table.columns), "wrong": dg.MetadataValue.json(wrong)},
    )


def check_fresh(table: Table, newest: datetime | date | None, hours: float) -> dg.AssetCheckResult:
    """Warn where the newest data is older than `hours`."""
    if newest is not None and not isinstance(newest, datetime):
        newest = datetime(newest.year, newest.month, newest.day, tzinfo=UTC) + timedelta(days=1)
    age = None if newest is None else (datetime.now(UTC) - newest) / timedelta(hours=1)
    return dg.AssetCheckResult(
        passed=age is not None and age <= hours,
        check_name=FRESH_CHECK,
        asset_key=key_of(table),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "newest": "none" if newest is None else newest.isoformat(),
            "expected_hours": hours,
            **({} if age is None else {"age_hours": round(age, 1)}),
        },
    )


def table_metadata(
    lake: Store,
    table: Table,
    receipts: Sequence[WriteReceipt] = (),
    *,
    changed: bool | None = None,
) -> dict[str, Any]:
    """What the web page shows of a table after a materialization.

    Args:
        receipts: of the writes of this run; none where there was nothing to do.
        changed: whether the run wrote to the table; None: where it has receipts.
    """
    changed = bool(receipts) if changed is None else changed
    found = open_table(lake, table)
    metadata: dict[str, Any] = {
        "unchanged": not changed,
        "dagster/uri": location(lake, table),
        "rows_written": sum(receipt.rows for receipt in receipts),
        "seconds": round(sum(receipt.seconds for receipt in receipts), 3),
    }
    newest = [receipt.newest for receipt in receipts if receipt.newest is not None]
    if newest:
        metadata["newest"] = str(max(newest))
    if found is None:
        return metadata | {"dagster/row_count": 0, "bytes": 0}
    sizes = found.get_add_actions(flatten=True)
    metadata |= {
        "dagster/row_count": int(found.count()),
        "bytes": sum(sizes.column("size_bytes").to_pylist()),
        "files": sizes.num_rows,
        "table_version": found.version(),
    }
    return metadata | {"preview": dg.MetadataValue.md(preview(lake, table))}


def preview(lake: Store, table: Table) -> str:
    """A few rows as a Markdown table; personal data never shows."""
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
    """The picture of the newest materialization, where nothing has changed since.

    To draw takes longer than all else that a run does which finds nothing to do. What has changed
    is drawn, whatever its version: a table that was deleted and made again counts from 0 again.

    Args:
        name: of the picture in the metadata.
        metadata: of this materialization: whether it is `unchanged`, and `by` which version.
        by: the entry that must be the same.
    """
    event = context.instance.get_latest_materialization_event(key)
    told = event.asset_materialization if event is not None else None
    if told is None or not metadata["unchanged"] or not {name, by} <= told.metadata.keys():
        return None
    same = told.metadata[by].value == metadata[by]
    return str(told.metadata[name].value) if same else None


def follows_its_sources() -> dg.AutomationCondition[Any]:
    """Materialize after a source was, once, and not while a run is at work on either.

    `AutomationCondition.eager` waits until no partition of a source is missing, and a landing zone
    has days without files.
    """
    condition = dg.AutomationCondition
    updated = condition.any_deps_updated().since(
        condition.newly_requested() | condition.newly_updated()
    )
    busy = condition.in_progress() | condition.any_deps_in_progress()
    return (updated & ~busy).with_label("follows_its_sources")


@contextmanager
def dagster_failures() -> Iterator[None]:
    """Our failures in Dagster's words: what passes is tried again, what a user can mend is not."""
    try:
        yield
    except TransientFailure as failure:
        raise dg.RetryRequested(max_retries=3, seconds_to_wait=1) from failure
    except UserError as failure:
        raise dg.Failure(description=str(failure), allow_retries=False) from None
