"""A history of Segment: Parquet of BigQuery to Delta, beside DuckDB copying the same files.

    .venv/bin/python benchmarks/segment.py [--rows 5000000] [--files 2000] [--tables 300]
        [--repeat 1]

The files are event tables with flattened properties and context. Each work is done in a process of
its own. We read them into `segment/tracks`, with ids compared, ledger and JSON; DuckDB copies all
columns as they are into one Parquet file (zstd), which is the least that a copy can be. A
benchmark, not a test: a missed goal ends with 0.
"""

import argparse
import tempfile
from datetime import date, timedelta
from pathlib import Path

import duckdb
from harness import Measured, report, sampled, timed, verdict

from novade_pipeline.defs.segment.landed_files import SOURCES
from novade_pipeline.landing.ledger import Rules
from novade_pipeline.landing.load import load
from novade_pipeline.landing.source import find_pending
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.storage.locations import store

SHARE = 0.5
RULES = Rules(1, "keep", date(2018, 1, 1), timedelta(0))
COLUMNS = """
    md5(concat({table}, ':', n)) as id,
    'anonymous-' || n % 50000 as anonymous_id,
    case when n % 3 > 0 then 'user-' || n % 30000 end as user_id,
    'event_{table}' as event,
    'Event {table}' as event_text,
    timestamptz '2024-01-01 00:00:00Z' + to_milliseconds(n * 977) as timestamp,
    timestamptz '2024-01-01 00:00:00Z' + to_milliseconds(n * 977) as original_timestamp,
    timestamptz '2024-01-01 00:00:01Z' + to_milliseconds(n * 977) as sent_at,
    timestamptz '2024-01-01 00:00:02Z' + to_milliseconds(n * 977) as received_at,
    'https://lantern.example/tracks/' || n % 977 as context_page_url,
    'Track ' || n % 977 as context_page_title,
    '192.0.2.' || n % 256 as context_ip,
    'analytics.js' as context_library_name,
    'Mozilla/5.0 (X11; Linux x86_64) ' || n % 20 as context_user_agent,
    n % 977 as track_id,
    n % 10 / 4 as share,
    cast(n % 1000 / 100 as decimal(38, 9)) as price,
    n % 2 = 0 as is_offline,
    case when n % 5 = 0 then '["jazz","' || n % 7 || '"]' end as genres
"""


def make(folder: Path, rows: int, files: int, tables: int) -> None:
    """Write the files of BigQuery, the same number for each table."""
    each = rows // files
    with duckdb.connect() as connection:
        for number in range(files):
            table = number % tables
            path = folder / "segment" / "lantern" / f"event_{table}" / f"{number:012}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            first = number // tables * each
            connection.execute(
                f"copy (select {COLUMNS.format(table=table)} from range({first}, {first + each})"
                f" as t(n)) to '{path}' (format parquet, compression snappy)"
            )


def ingest(landing: str, lake: str) -> int:
    """Load the files; the number of rows."""
    source = SOURCES[0]
    stores = store(landing), store(lake)
    plan = find_pending(source, *stores, RULES)
    return load(source, *stores, PersonalDataPolicy(), plan).lines.rows


def copy(landing: str, target: str) -> int:
    """Copy the files with DuckDB; the number of rows."""
    with duckdb.connect() as connection:
        files = f"read_parquet('{landing}/segment/**/*.parquet', filename = true)"
        result = connection.execute(
            f"copy (select * from {files}) to '{target}' (format parquet, compression zstd)"
        ).fetchone()
    assert result is not None
    return int(result[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--tables", type=int, default=300)
    parser.add_argument("--repeat", type=int, default=1, help="runs of each; the best counts")
    parser.add_argument("--do", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.do:
        work, landing, target = options.do
        return report(timed(lambda: {"load": ingest, "copy": copy}[work](landing, target)))
    with tempfile.TemporaryDirectory() as folder:
        landing = Path(folder, "landing")
        make(landing, options.rows, options.files, options.tables)
        measured = {
            work: Measured(
                tuple(
                    sampled(
                        Path(__file__), ["--do", work, landing, Path(folder, f"{work}-{number}")]
                    )
                    for number in range(options.repeat)
                )
            )
            for work in ("copy", "load")
        }
    for work, runs in measured.items():
        print(
            f"{work:<6}{runs.samples[0].events:>12,} rows {runs.seconds:8.2f} s "
            f"{runs.rate:>11,.0f} rows/s {runs.cpu_seconds:8.2f} CPU s {runs.peak_mib:7.0f} MiB"
        )
    share = measured["load"].rate / measured["copy"].rate
    print(f"share of DuckDB's rate: {share:.2f} (goal {SHARE}) {verdict(share >= SHARE)}")
    return None


if __name__ == "__main__":
    main()
