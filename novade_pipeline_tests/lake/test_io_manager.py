"""Delta tables and documents as what Dagster's assets return and take."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import dagster as dg
import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from pydantic import BaseModel

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.io_manager import DeltaIOManager, DocumentIOManager
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.policy import Personal, PersonalDataPolicy
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.places import on_disk

START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = dg.DailyPartitionsDefinition("2026-03-01", end_date="2026-03-06")


class Row(BaseModel):
    """A row."""

    day: date
    hour: datetime
    n: int
    who: Annotated[str | None, Personal()] = None


class User(BaseModel):
    """A user."""

    id: str
    changed: int


HOURLY = Table(
    name="shop/rows",
    row=Row,
    key=("n",),
    write_mode="replace_window",
    partition_by=("day",),
    window="hour",
    data_time="hour",
)
TABLES = {
    table.name: table
    for table in (
        HOURLY,
        Table(name="shop/daily", row=Row, key=("n",), write_mode="replace_window", window="day"),
        Table(name="shop/copies", row=Row, key=("n",), write_mode="replace_window", window="hour"),
        Table(name="shop/whole", row=Row, key=("n",), write_mode="replace"),
        Table(name="shop/users", row=User, key=("id",), write_mode="merge", version="changed"),
        Table(name="shop/log", row=Row, key=("n",), write_mode="append_once"),
    )
}


def _rows(*days: int, who: str | None = None) -> pa.Table:
    rows = [
        {"day": at.date(), "hour": at, "n": day, "who": who}
        for day in days
        for at in [START + timedelta(days=day, hours=7)]
    ]
    return pa.Table.from_pylist(rows, schema=HOURLY.schema)


def _asset(name: str, make: Callable[[dg.AssetExecutionContext], Any], **told: Any) -> Any:
    @dg.asset(key=["shop", name], **told)
    def made(context: dg.AssetExecutionContext) -> Any:
        return make(context)

    return made


def _run(
    lake: Store,
    *assets: Any,
    days: tuple[str, str] | None = None,
    policy: PersonalDataPolicy | None = None,
) -> dg.ExecuteInProcessResult:
    tags = {}
    if days is not None:
        tags = {
            "dagster/asset_partition_range_start": days[0],
            "dagster/asset_partition_range_end": days[1],
        }
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            list(assets),
            instance=instance,
            resources={
                "io_manager": DeltaIOManager(lake, TABLES, policy or PersonalDataPolicy()),
                "documents": DocumentIOManager(lake),
            },
            tags=tags,
        )


def _numbers(lake: Store, name: str) -> list[int]:
    return sorted(read(lake, TABLES[f"shop/{name}"])["n"].to_pylist())


FORMS: dict[str, Callable[[pa.Table], Any]] = {
    "RecordBatchReader": lambda rows: rows.to_reader(),
    "Table": lambda rows: rows,
    "DataFrame": lambda rows: rows.to_pandas(),
    "DuckDB relation": lambda rows: duckdb.from_arrow(rows),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_rows_are_taken_in_any_form(form: Callable[[pa.Table], Any], lake: Store) -> None:
    result = _run(lake, _asset("whole", lambda _: form(_rows(0, 1, who="u"))))
    assert result.success
    found = read(lake, TABLES["shop/whole"]).sort_by("n")
    assert found.to_pylist() == _rows(0, 1, who="u").to_pylist()


WANTED: dict[str, Any] = {
    "RecordBatchReader": pa.RecordBatchReader,
    "Table": pa.Table,
    "DataFrame": pd.DataFrame,
    "DuckDB relation": duckdb.DuckDBPyRelation,
    "nothing": None,
}
LENGTHS: dict[str, Callable[[Any], int]] = {
    "RecordBatchReader": lambda rows: len(rows.read_all()),
    "Table": lambda rows: rows.num_rows,
    "DataFrame": lambda rows: rows.shape[0],
    "DuckDB relation": lambda rows: len(rows.fetchall()),
    "nothing": lambda rows: rows.num_rows,
}


@pytest.mark.parametrize("wanted", WANTED)
def test_the_annotation_decides_what_is_loaded(wanted: str, lake: Store) -> None:
    seen: list[tuple[Any, int]] = []

    def downstream(whole: Any) -> None:
        seen.append((type(whole), LENGTHS[wanted](whole)))

    annotation = WANTED[wanted]
    downstream.__annotations__ = {} if annotation is None else {"whole": annotation}
    taking = dg.asset(ins={"whole": dg.AssetIn(["shop", "whole"])}, io_manager_key="documents")(
        downstream
    )
    assert _run(lake, _asset("whole", lambda _: _rows(0, 1, 2)), taking).success
    assert seen == [(annotation or pa.Table, 3)]


def test_a_range_of_days_is_one_window(lake: Store) -> None:
    days = {"partitions_def": DAYS, "backfill_policy": dg.BackfillPolicy.single_run()}
    _run(
        lake, _asset("rows", lambda _: _rows(0, 1, 2, 3), **days), days=("2026-03-01", "2026-03-04")
    )
    result = _run(
        lake, _asset("rows", lambda _: _rows(2), **days), days=("2026-03-02", "2026-03-03")
    )
    assert result.success
    assert _numbers(lake, "rows") == [0, 2, 3]


def test_one_day_is_a_window_of_dates_where_the_column_is_a_date(lake: Store) -> None:
    asset = _asset("daily", lambda _: _rows(1), partitions_def=DAYS)
    with dg.DagsterInstance.ephemeral() as instance:
        resources = {"io_manager": DeltaIOManager(lake, TABLES, PersonalDataPolicy())}
        for _ in range(2):
            assert dg.materialize(
                [asset], instance=instance, resources=resources, partition_key="2026-03-02"
            ).success
    assert _numbers(lake, "daily") == [1]


def test_a_row_outside_the_runs_partitions_fails_the_step(lake: Store) -> None:
    asset = _asset(
        "rows",
        lambda _: _rows(0, 4),
        partitions_def=DAYS,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    with pytest.raises(PermanentFailure, match="found rows outside"):
        _run(lake, asset, days=("2026-03-01", "2026-03-02"))
    assert _numbers(lake, "rows") == []


def test_only_the_runs_partitions_are_loaded(lake: Store) -> None:
    days = {"partitions_def": DAYS, "backfill_policy": dg.BackfillPolicy.single_run()}
    source = _asset("rows", lambda _: _rows(0, 1, 2, 3, 4), **days)
    _run(lake, source, days=("2026-03-01", "2026-03-05"))
    seen: list[list[int]] = []

    @dg.asset(key=["shop", "copies"], ins={"rows": dg.AssetIn(["shop", "rows"])}, **days)
    def copies(rows: pa.Table) -> pa.Table:
        seen.append(sorted(rows["n"].to_pylist()))
        return rows

    with dg.DagsterInstance.ephemeral() as instance:
        assert dg.materialize(
            [copies, source],
            selection=[copies],
            instance=instance,
            resources={"io_manager": DeltaIOManager(lake, TABLES, PersonalDataPolicy())},
            tags={
                "dagster/asset_partition_range_start": "2026-03-02",
                "dagster/asset_partition_range_end": "2026-03-03",
            },
        ).success
    assert seen == [[1, 2]]
    assert _numbers(lake, "copies") == [1, 2]


def test_a_merged_table_is_merged(lake: Store) -> None:
    for changed in (2, 1):
        users = pa.table({"id": ["a"], "changed": [changed]}).to_reader()
        assert _run(lake, _asset("users", lambda _, users=users: users)).success
    assert read(lake, TABLES["shop/users"])["changed"].to_pylist() == [2]


def test_the_receipt_is_the_materializations_metadata(lake: Store) -> None:
    asset = _asset(
        "rows",
        lambda _: _rows(0, 1),
        partitions_def=DAYS,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    result = _run(lake, asset, days=("2026-03-01", "2026-03-02"))
    (event, *_) = result.get_asset_materialization_events()
    metadata = {key: value.value for key, value in event.materialization.metadata.items()}
    assert metadata["rows_written"] == 2
    assert metadata["files_written"] == 2
    assert metadata["newest"] == str(START + timedelta(days=1, hours=7))
    assert metadata["bytes_written"] > 0


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_personal_data_is_hashed_in_every_form(
    form: Callable[[pa.Table], Any], lake: Store
) -> None:
    policy = PersonalDataPolicy("hash", b"a key")
    _run(lake, _asset("whole", lambda _: form(_rows(0, who="jane"))), policy=policy)
    assert read(lake, TABLES["shop/whole"])["who"].to_pylist() == [policy.hash("jane")]


REFUSED: dict[str, tuple[str, Any, str]] = {
    "a list": ("whole", [1], "expected rows as RecordBatchReader.*found builtins.list"),
    "no table": ("nothing", _rows(0), "shop/nothing: expected a Table of that name"),
    "no partitions": ("rows", _rows(0), "shop/rows is written by windows"),
    "an append": ("log", _rows(0), "call lake.delta.append_once"),
}


@on_disk
@pytest.mark.parametrize(("name", "value", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_written_fails_for_good(
    name: str, value: Any, told: str, lake: Store
) -> None:
    with pytest.raises(PermanentFailure, match=told):
        _run(lake, _asset(name, lambda _: value))


DOCUMENT = {"text": "é 😀", "list": [1, None, 2.5], "deep": {"a": [{}]}}


def test_a_document_comes_back_as_it_was(lake: Store) -> None:
    seen: list[Any] = []

    @dg.asset(key=["shop", "page"], io_manager_key="documents")
    def page() -> Any:
        return DOCUMENT

    @dg.asset(io_manager_key="documents", ins={"page": dg.AssetIn(["shop", "page"])})
    def reader(page: Any) -> list[Any]:
        seen.append(page)
        return []

    assert _run(lake, page, reader).success
    assert seen == [DOCUMENT]
    assert json.loads(lake.read("documents", "shop", "page.json")) == DOCUMENT
    stored = [entry.file for entry in lake.entries("documents/shop/")]
    assert stored == ["documents/shop/page.json"]


def test_a_document_that_is_no_json_leaves_the_one_before(lake: Store) -> None:
    def page(value: Any) -> Any:
        return _asset("page", lambda _: value, io_manager_key="documents")

    assert _run(lake, page(DOCUMENT)).success
    with pytest.raises(TypeError):
        _run(lake, page(object()))
    assert json.loads(lake.read("documents", "shop", "page.json")) == DOCUMENT
