"""The SQL that exports a dataset of Segment from BigQuery into files that land here.

One script for BigQuery's console: it lists the tables and their partitions in INFORMATION_SCHEMA
and exports span by span, so that a statement exports about a gigabyte and scans no partition twice.

Sources: https://cloud.google.com/bigquery/docs/reference/standard-sql/export-statements,
https://cloud.google.com/bigquery/docs/information-schema-partitions.
"""

import re
from dataclasses import dataclass

from novade_pipeline.errors import UserError

FORMATS = ("parquet", "avro", "json")
SPAN_BYTES = 10**9
PRICE_PER_TIB = 6.25
"""Dollars for a TiB scanned on demand; Google's list price in the US and much of the EU, 2025."""
_OPTIONS = {
    "parquet": ("PARQUET", "SNAPPY", "parquet"),
    "avro": ("AVRO", "SNAPPY", "avro"),
    "json": ("JSON", "GZIP", "json.gz"),
}
_DATASET = re.compile(r"\w{1,1024}", re.ASCII)
_PROJECT = re.compile(r"(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]", re.ASCII)
_BUCKET = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](?:/[\w.=-]+)*", re.ASCII)


@dataclass(frozen=True)
class Export:
    """What is exported, and where to.

    Attributes:
        dataset: of BigQuery; a source of Segment.
        bucket: `gs://bucket` or a folder of it.
        project: the dataset's project; empty for that of the console.
        format: one of `FORMATS`; of JSON, numbers come as texts.
        price: dollars for a TiB scanned.

    Raises:
        UserError: a name is none of BigQuery's or Cloud Storage's.
    """

    dataset: str
    bucket: str
    project: str = ""
    format: str = "parquet"
    price: float = PRICE_PER_TIB

    def __post_init__(self) -> None:
        for option, value, pattern, example in (
            ("--dataset", self.dataset, _DATASET, "lantern_web"),
            ("--project", self.project or "example-project", _PROJECT, "example-project"),
            ("--bucket", self.bucket.rstrip("/"), _BUCKET, "gs://my-bucket"),
        ):
            if not pattern.fullmatch(value):
                raise UserError(f"{option}: expected a name like {example}, found {value!r}.")
        if self.format not in FORMATS:
            raise UserError(f"--format: expected {', '.join(FORMATS)}, found {self.format!r}.")

    @property
    def source(self) -> str:
        """The dataset as SQL begins its tables' names."""
        return f"{self.project}.{self.dataset}" if self.project else self.dataset

    @property
    def target(self) -> str:
        """The folder of the bucket that the files go to."""
        return f"{self.bucket.rstrip('/')}/segment/{self.dataset}"


def estimate_sql(export: Export) -> str:
    """A query of what the export scans and costs, table by table and in all."""
    return f"""\
SELECT
  COALESCE(table_name, 'all tables') AS source_table,
  COUNT(*) AS statements,
  ROUND(SUM(bytes) / POW(2, 30), 3) AS scanned_gib,
  ROUND(SUM(bytes) / POW(2, 40) * {export.price:g}, 2) AS dollars
FROM (
{_indented(spans_sql(export))}
)
GROUP BY ROLLUP (table_name)
ORDER BY scanned_gib DESC"""


def script(export: Export) -> str:
    """The script for BigQuery's console."""
    kind, compression, ending = _OPTIONS[export.format]
    return f"""\
-- Exports the dataset {export.source} to {export.target}/<table>/.
-- It scans each table once; on demand that costs ${export.price:g} a TiB, and the first TiB of a
-- month is free. To see the bytes and the price first: novade segment export-sql --estimate
-- Paste all of it into a new query of BigQuery's console, and run it. Then bring the files to
-- the landing zone, where Google charges what leaves its network (about $0.12 a GiB):
--   gcloud storage cp --recursive {export.target} LANDING/segment/
FOR span IN (
{_indented(spans_sql(export))}
)
DO
  EXECUTE IMMEDIATE FORMAT(
    \"\"\"
{_indented(export_statement(export, kind, compression, ending), 4)}
    \"\"\",
    span.table_name, span.name, span.table_name, span.condition
  );
END FOR;
"""


def export_statement(export: Export, kind: str, compression: str, ending: str) -> str:
    """The statement of a span; `%s` in place of table, span, table and condition."""
    return f"""\
EXPORT DATA OPTIONS (
  uri = '{export.target}/%s/%s-*.{ending}',
  format = '{kind}',
  compression = '{compression}',
  overwrite = TRUE
) AS
SELECT * FROM `{export.source}.%s` WHERE %s"""


def spans_sql(export: Export) -> str:
    """A query of the spans to export: table, name, bytes and condition of each.

    A span is partitions that follow each other and have about `SPAN_BYTES` together; a table
    without partitions is one. Rows without a date of their partition are a span of their own.
    """
    schema = f"`{export.source}`.INFORMATION_SCHEMA"
    return f"""\
WITH partitions AS (
  SELECT
    tables.table_name,
    partitioning.column_name,
    partitioning.data_type,
    CASE
      WHEN partitioning.column_name IS NULL THEN NULL
      WHEN REGEXP_CONTAINS(sizes.partition_id, '^[0-9]+$') THEN sizes.partition_id
    END AS partition_id,
    SUM(sizes.total_logical_bytes) AS bytes
  FROM {schema}.TABLES AS tables
  JOIN {schema}.PARTITIONS AS sizes
    ON sizes.table_name = tables.table_name
  LEFT JOIN {schema}.COLUMNS AS partitioning
    ON partitioning.table_name = tables.table_name
    AND partitioning.is_partitioning_column = 'YES'
    AND partitioning.data_type IN ('DATE', 'DATETIME', 'TIMESTAMP')
    -- The pseudo column _PARTITIONTIME says the same.
    AND partitioning.column_name <> '_PARTITIONDATE'
  WHERE tables.table_type = 'BASE TABLE' AND sizes.total_rows > 0
  GROUP BY 1, 2, 3, 4
),
numbered AS (
  SELECT
    *,
    partition_id IS NULL AS is_undated,
    CAST(FLOOR((SUM(bytes) OVER (
      PARTITION BY table_name, partition_id IS NULL ORDER BY partition_id
    ) - bytes) / {SPAN_BYTES}) AS INT64) AS number
  FROM partitions
),
spans AS (
  SELECT
    table_name, column_name, data_type, is_undated, number,
    SUM(bytes) AS bytes,
    MIN(partition_id) AS first_partition
  FROM numbered
  GROUP BY 1, 2, 3, 4, 5
),
bounded AS (
  SELECT
    table_name, column_name, data_type, is_undated, bytes, first_partition,
    {_moment("first_partition")} AS begins,
    LEAD({_moment("first_partition")}) OVER (
      PARTITION BY table_name, is_undated ORDER BY number
    ) AS next_begins
  FROM spans
)
SELECT
  table_name,
  COALESCE(first_partition, IF(column_name IS NULL, 'all', 'undated')) AS name,
  bytes,
  CASE
    WHEN column_name IS NULL THEN 'TRUE'
    WHEN is_undated THEN CONCAT(column_name, ' IS NULL')
    ELSE CONCAT(
      column_name, ' >= CAST("', begins, '" AS ', data_type, ')',
      COALESCE(CONCAT(' AND ', column_name, ' < CAST("', next_begins, '" AS ', data_type, ')'), '')
    )
  END AS condition
FROM bounded
ORDER BY table_name, name"""


def _moment(partition: str) -> str:
    """SQL of the time at which a partition of hours, days, months or years begins."""
    return (
        f"CONCAT(SUBSTR({partition}, 1, 4), '-', "
        f"IF(LENGTH({partition}) >= 6, SUBSTR({partition}, 5, 2), '01'), '-', "
        f"IF(LENGTH({partition}) >= 8, SUBSTR({partition}, 7, 2), '01'), "
        f"IF(LENGTH({partition}) >= 10, CONCAT(' ', SUBSTR({partition}, 9, 2), ':00:00'), ''))"
    )


def _indented(text: str, spaces: int = 2) -> str:
    return "\n".join(f"{' ' * spaces}{line}" for line in text.splitlines())
