"""Delta tables and documents as outputs and inputs of Dagster's assets.

The only kernel file that imports Dagster. An asset returns rows in any of the forms below and
says nothing of storage; which table they go to, and which of its rows they replace, follows from
the asset key and the partitions of the run.
"""

import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any

import dagster as dg
import pyarrow as pa

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake import delta
from novade_pipeline.lake.delta import WriteReceipt
from novade_pipeline.lake.documents import write_document
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.read import read, stream
from novade_pipeline.lake.stream import Rows
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.privacy.policy import PersonalDataPolicy, protect
from novade_pipeline.storage.store import Store


class DeltaIOManager(dg.IOManager):
    """Takes and gives `RecordBatchReader`, `pa.Table`, `pandas.DataFrame` and DuckDB relations.

    What is given follows from the annotation of the parameter; a `pa.Table` where there is none.
    """

    def __init__(
        self, lake: Store, tables: Mapping[str, Table], policy: PersonalDataPolicy
    ) -> None:
        self._lake = lake
        self._tables = tables
        self._policy = policy

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write the rows as the table declares; the receipt becomes metadata."""
        table = self._table(context)
        rows = self._protected(table, _rows(obj))
        receipt = self._write(context, table, rows)
        context.add_output_metadata(receipt_metadata(receipt))

    def load_input(self, context: dg.InputContext) -> Any:
        """The upstream table's rows, of the run's partitions where it has any."""
        table = self._table(context)
        windows = _windows(context, table)
        annotation = context.dagster_type.typing_type
        if annotation is pa.RecordBatchReader:
            return stream(self._lake, table, windows=windows)
        rows = read(self._lake, table, windows=windows)
        module = getattr(annotation, "__module__", "").split(".")[0]
        if module == "pandas":
            return rows.to_pandas()
        if module in ("duckdb", "_duckdb"):
            import duckdb

            return duckdb.from_arrow(rows)
        return rows

    def _write(self, context: dg.OutputContext, table: Table, rows: Rows) -> WriteReceipt:
        if table.write_mode == "replace_window":
            windows = _windows(context, table)
            if windows is None:
                raise PermanentFailure(
                    f"{table.name} is written by windows: expected a run for partitions, found one "
                    "for none."
                )
            return delta.replace_window(self._lake, table, rows, windows)
        if table.write_mode == "merge":
            return merge(self._lake, table, rows)
        if table.write_mode == "append_once":
            raise PermanentFailure(
                f"{table.name} is appended to under a transaction: call lake.delta.append_once."
            )
        return delta.replace(self._lake, table, rows)

    def _protected(self, table: Table, rows: Rows) -> Rows:
        policy = self._policy.pinned()
        none_erased = policy.erased is None or not policy.erased.kinds
        if none_erased and (policy.mode == "keep" or not table.personal):
            return rows
        if isinstance(rows, pa.Table):
            return protect(rows, table.personal, policy)
        guarded = (
            protected
            for batch in rows
            for protected in protect(
                pa.Table.from_batches([batch]), table.personal, policy
            ).to_batches()
        )
        return pa.RecordBatchReader.from_batches(rows.schema, guarded)

    def _table(self, context: dg.InputContext | dg.OutputContext) -> Table:
        name = "/".join(context.asset_key.path)
        if name not in self._tables:
            raise PermanentFailure(
                f"{name}: expected a Table of that name in its domain's tables.py, found none."
            )
        return self._tables[name]


class DocumentIOManager(dg.IOManager):
    """One JSON document an asset, at `documents/<asset key>.json` in the lake, written whole."""

    def __init__(self, lake: Store) -> None:
        self._lake = lake

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write the document where it differs from the stored one."""
        parts = _document(context)
        text = json.dumps(obj, ensure_ascii=False, indent=1).encode()
        is_new = write_document(self._lake, text, *parts)
        context.add_output_metadata(
            {
                "unchanged": not is_new,
                "bytes": len(text),
                "dagster/uri": self._lake.child(*parts),
            }
        )

    def load_input(self, context: dg.InputContext) -> Any:
        """Read the document."""
        return json.loads(self._lake.read(*_document(context)))


def _document(context: dg.InputContext | dg.OutputContext) -> tuple[str, ...]:
    *folders, name = context.asset_key.path
    return ("documents", *folders, f"{name}.json")


def receipt_metadata(receipt: WriteReceipt) -> dict[str, Any]:
    """A receipt as the web page shows it."""
    return {
        "rows_written": receipt.rows,
        "bytes_written": receipt.bytes,
        "files_written": receipt.files,
        "table_version": receipt.table_version,
        "rows_passed_over": receipt.passed_over,
        "newest": str(receipt.newest),
        "seconds": round(receipt.seconds, 3),
    }


def _rows(obj: Any) -> Rows:
    """Any of the forms as Arrow rows."""
    if isinstance(obj, pa.RecordBatchReader | pa.Table):
        return obj
    kind = type(obj)
    if kind.__module__.split(".")[0] == "pandas":
        return pa.Table.from_pandas(obj, preserve_index=False)
    if kind.__name__ == "DuckDBPyRelation":
        reader: pa.RecordBatchReader = obj.to_arrow_reader()
        return reader
    raise PermanentFailure(
        "expected rows as RecordBatchReader, pa.Table, pandas.DataFrame or a DuckDB relation, "
        f"found {kind.__module__}.{kind.__qualname__}"
    )


def _windows(context: dg.InputContext | dg.OutputContext, table: Table) -> list[Window] | None:
    """The run's partitions in the terms of the table's window column."""
    if table.window is None or not context.has_asset_partitions:
        return None
    span = context.asset_partitions_time_window
    start, end = span.start.astimezone(UTC), span.end.astimezone(UTC)
    if pa.types.is_date(table.schema.field(table.window).type):
        return [Window(start.date(), end.date())]
    return [Window(start, end)]
