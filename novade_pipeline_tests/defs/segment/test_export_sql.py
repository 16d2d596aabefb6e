"""The SQL that exports a dataset: BigQuery's dialect, each row in one span, the price stated."""

from pathlib import Path

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from novade_pipeline.defs.segment.export_sql import (
    SPAN_BYTES,
    Export,
    estimate_sql,
    export_statement,
    script,
    spans_sql,
)
from novade_pipeline.errors import UserError
from novade_pipeline_tests.commands import novade

EXPORT = Export("lantern", "gs://my-bucket", "my-project")
GIGABYTE = SPAN_BYTES


def spans(
    partitions: list[tuple[str, str | None, int]], columns: list[tuple[str, str, str]]
) -> list[tuple[str, str, int, str]]:
    """The spans of a dataset with these (table, partition, bytes), computed by DuckDB."""
    sql = spans_sql(EXPORT).replace("`my-project.lantern`.INFORMATION_SCHEMA.", "schema_")
    with duckdb.connect() as connection:
        connection.execute(
            "create table schema_PARTITIONS (table_name varchar, partition_id varchar,"
            " total_logical_bytes bigint, total_rows bigint)"
        )
        connection.execute(
            "create table schema_COLUMNS (table_name varchar, column_name varchar,"
            " data_type varchar, is_partitioning_column varchar)"
        )
        connection.executemany(
            "insert into schema_PARTITIONS values ($1, $2, $3, least($3, 1))",
            [list(row) for row in partitions],
        )
        connection.execute(
            "create table schema_TABLES as select distinct table_name, 'BASE TABLE' as table_type"
            " from schema_PARTITIONS union all select 'tracks_view', 'VIEW'"
        )
        for row in columns:
            connection.execute("insert into schema_COLUMNS values ($1, $2, $3, 'YES')", list(row))
        (translated,) = sqlglot.transpile(sql, read="bigquery", write="duckdb")
        return connection.execute(translated).fetchall()


def test_partitions_that_follow_each_other_are_one_statement_up_to_a_gigabyte() -> None:
    days = [("tracks", f"202401{day:02}", GIGABYTE // 2) for day in range(1, 6)]
    rows = spans(days, [("tracks", "_PARTITIONTIME", "TIMESTAMP")])
    bound = '_PARTITIONTIME >= CAST("{}" AS TIMESTAMP)'
    below = ' AND _PARTITIONTIME < CAST("{}" AS TIMESTAMP)'
    assert [(name, condition) for _, name, _, condition in rows] == [
        ("20240101", bound.format("2024-01-01") + below.format("2024-01-03")),
        ("20240103", bound.format("2024-01-03") + below.format("2024-01-05")),
        ("20240105", bound.format("2024-01-05")),
    ]
    assert [int(size) for _, _, size, _ in rows] == [GIGABYTE, GIGABYTE, GIGABYTE // 2]


def test_tables_without_partitions_and_rows_without_a_date_are_exported_whole() -> None:
    rows = spans(
        [
            *(("users", None, 10), ("empty", None, 0)),
            *(("orders", "__NULL__", 1), ("orders", "__UNPARTITIONED__", 2), ("orders", "2024", 3)),
            ("hours", "2024013105", 4),
        ],
        [("orders", "day", "DATE"), ("hours", "_PARTITIONTIME", "TIMESTAMP")],
    )
    assert [(table, name, int(size), condition) for table, name, size, condition in rows] == [
        ("hours", "2024013105", 4, '_PARTITIONTIME >= CAST("2024-01-31 05:00:00" AS TIMESTAMP)'),
        ("orders", "2024", 3, 'day >= CAST("2024-01-01" AS DATE)'),
        ("orders", "undated", 3, "day IS NULL"),
        ("users", "all", 10, "TRUE"),
    ]


@pytest.mark.parametrize("form", ["parquet", "avro", "json"])
def test_each_statement_is_bigquerys_sql(form: str) -> None:
    export = Export("lantern", "gs://my-bucket/old/", format=form)
    for sql in (spans_sql(export), estimate_sql(export)):
        assert isinstance(sqlglot.parse_one(sql, read="bigquery"), exp.Select)
    template = export_statement(export, form.upper(), "GZIP", form)
    filled = template % ("tracks", "20240101", "tracks", 'day >= CAST("2024-01-01" AS DATE)')
    statement = sqlglot.parse_one(filled, read="bigquery")
    assert isinstance(statement, exp.Export)
    assert f"'gs://my-bucket/old/segment/lantern/tracks/20240101-*.{form}'" in filled
    assert [table.name for table in statement.find_all(exp.Table)][-1].endswith("tracks")
    # Four values fill the template in the script, too.
    assert script(export).count("%s") == 4


def test_the_command_prints_a_script_and_says_what_it_costs(tmp_path: Path) -> None:
    options = ("--dataset", "lantern", "--project", "my-project", "--bucket", "gs://my-bucket")
    printed = novade(tmp_path, "segment", "export-sql", *options).stdout
    assert printed == script(EXPORT)
    assert "$6.25 a TiB" in printed
    more = ("--estimate", "--price-per-tib", "5")
    assert "* 5, 2) AS dollars" in novade(tmp_path, "segment", "export-sql", *options, *more).stdout
    refused = novade(tmp_path, "segment", "export-sql", "--dataset", "a`b")
    assert refused.returncode == 2
    assert "--dataset: expected a name like lantern_web" in refused.stderr


@pytest.mark.parametrize(
    "names", [{"bucket": "s3://x"}, {"project": "a'b"}, {"format": "csv"}, {"bucket": "gs://a'b"}]
)
def test_other_names_are_refused(names: dict[str, str]) -> None:
    with pytest.raises(UserError, match=f"--{next(iter(names))}: expected"):
        Export(**{"dataset": "lantern", "bucket": "gs://my-bucket"} | names)
