"""A table of PostgreSQL to Delta, beside connectorx alone and dlt's sql_database.

connectorx alone only reads the rows to Arrow, and writes nothing; dlt writes Parquet files. Then,
of a table that is loaded: a full read that finds nothing new, changes by logical decoding, and a
sweep of keys. The goal: 0.6 of the rows a second of connectorx alone.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from harness import Measured, report, run_script, sampled, timed, verdict

from novade_pipeline.sandbox.database_servers import DatabaseServer, running_postgres

GOAL = 0.6
CREATE = """create table sales as select
    i::bigint as id, (i * 7919::bigint % 1000000)::int as customer,
    ((i % 1000000) / 7.0)::numeric(12, 2) as amount, md5(i::text)::uuid as ref,
    timestamptz '2024-01-01' + i * interval '1 second' as changed_at,
    'article ' || i % 5000 as article, i % 2 = 0 as paid
    from generate_series(1, {}) i"""
COLUMNS = {
    **{"id": "integer", "customer": "integer", "amount": "decimal(12,2)", "ref": "uuid"},
    **{"changed_at": "timestamp", "article": "text", "paid": "boolean"},
}


def main() -> None:
    """Run the benchmark, or one piece of its work in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--skip-dlt", action="store_true")
    parser.add_argument("--json", type=Path, help="Write the figures to this file.")
    parser.add_argument("--work", nargs=3, metavar=("KIND", "URL", "FOLDER"))
    options = parser.parse_args()
    if options.work:
        kind, url, folder = options.work
        _import(kind)
        report(timed(lambda: WORK[kind](url, Path(folder))))
        return
    with running_postgres(options={"shared_buffers": "256MB"}) as server:
        _fill(server, options.rows)
        figures = _measure(server, options)
    if options.json:
        options.json.write_text(json.dumps({k: m.as_dict() for k, m in figures.items()}, indent=2))


def _fill(server: DatabaseServer, rows: int) -> None:
    _execute(
        server,
        CREATE.format(rows),
        "alter table sales add primary key (id)",
        "create publication novade for table sales",
        "vacuum analyze sales",
    )


def _execute(server: DatabaseServer, *statements: str) -> None:
    import psycopg2

    with closing(psycopg2.connect(server.url("postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


def _measure(server: DatabaseServer, options: argparse.Namespace) -> dict[str, Measured]:
    script, url = Path(__file__), server.url("postgres")
    figures: dict[str, Measured] = {}
    with tempfile.TemporaryDirectory(prefix="novade-benchmark-") as temporary:
        root = Path(temporary)
        kinds = ["connectorx", "novade", *([] if options.skip_dlt else ["dlt"])]
        samples: dict[str, list[Any]] = {kind: [] for kind in kinds}
        # In turns, so that what disturbs the machine disturbs all.
        for number in range(options.runs):
            for kind in kinds:
                folder = root / f"{kind} {number}"
                samples[kind].append(sampled(script, ["--work", kind, url, folder]))
                if kind != "novade" or number < options.runs - 1:
                    shutil.rmtree(folder, ignore_errors=True)
        figures |= {kind: Measured(tuple(of_kind)) for kind, of_kind in samples.items()}
        for kind, measured in figures.items():
            _show(kind, measured)
        share = figures["novade"].rate / figures["connectorx"].rate
        print(f"novade to connectorx alone: {share:.2f} (goal {GOAL}: {verdict(share >= GOAL)})")
        if not options.skip_dlt:
            print(f"novade to dlt: {figures['novade'].rate / figures['dlt'].rate:.1f}")
        lake = root / f"novade {options.runs - 1}"
        _execute(
            server,
            "update sales set amount = amount + 1 where id % 5000 = 0",
            "delete from sales where id % 50000 = 1",
        )
        for kind in ("changes", "unchanged"):
            figures[kind] = Measured((sampled(script, ["--work", kind, url, lake]),))
            _show(kind, figures[kind])
        counted = run_script(script, ["--work", "count", url, lake])
        print(f"rows in the lake that are not deleted: {counted['events']:,}")
    return figures


def _import(kind: str) -> None:
    """Import what a piece of work uses, which is not measured."""
    import connectorx

    assert connectorx
    if kind == "dlt":
        import dlt
        from dlt.sources import sql_database

        assert dlt
        assert sql_database
    elif kind != "connectorx":
        from novade_pipeline.databases import feed_of, load

        assert feed_of
        assert load


def _show(kind: str, measured: Measured) -> None:
    print(
        f"{kind:12} {measured.samples[0].events:>10,} rows {measured.seconds:8.2f} s "
        f"{measured.rate:>12,.0f} rows/s {measured.cpu_seconds:8.2f} CPU s "
        f"{measured.peak_mib:7,.0f} MiB"
    )


def _connectorx(url: str, folder: Path) -> int:
    import connectorx

    batches = connectorx.read_sql(
        url, "select * from sales", return_type="arrow_stream", batch_size=50_000
    )
    return sum(batch.num_rows for batch in batches)


def _load(url: str, folder: Path, mode: str) -> int:
    from novade_pipeline.databases.database import Database
    from novade_pipeline.databases.declaration import DatabaseTables
    from novade_pipeline.databases.feed_of import feed_of
    from novade_pipeline.databases.load import Loader
    from novade_pipeline.privacy.policy import PersonalDataPolicy
    from novade_pipeline.storage.locations import store

    columns = [{"name": name, "type": kind} for name, kind in COLUMNS.items()]
    table = {"table": "sales", "key": ["id"], "columns": columns, "mode": mode}
    declared = DatabaseTables.model_validate({"tables": [table], "slot": "benchmark"})
    with Database(url).session() as session:
        feed = feed_of(session, declared)
        loader = Loader("erp", session, declared, store(str(folder)), PersonalDataPolicy(), feed)
        loaded = loader.load(declared.tables[0])
        loader.release()
    return loaded.read


def _dlt(url: str, folder: Path) -> int:
    # dlt keeps its state where this says, and asks nobody.
    os.environ |= {"DLT_DATA_DIR": str(folder), "RUNTIME__DLTHUB_TELEMETRY": "false"}
    import dlt
    from dlt.sources.sql_database import sql_table

    pipeline = dlt.pipeline(
        "sales",
        pipelines_dir=str(folder / "pipelines"),
        destination=dlt.destinations.filesystem(str(folder / "files")),
        dataset_name="erp",
    )
    rows = sql_table(
        url.replace("postgresql://", "postgresql+psycopg2://"),
        "sales",
        backend="pyarrow",
        chunk_size=50_000,
    )
    pipeline.run(rows, loader_file_format="parquet")
    return int(pipeline.last_trace.last_normalize_info.row_counts["sales"])


def _count(_: str, folder: Path) -> int:
    from novade_pipeline.lake.query import connect

    with closing(connect()) as connection:
        rows = connection.execute(
            f"select count(*) from delta_scan('{folder}/erp/sales') where not is_deleted"
        ).fetchall()
    return int(rows[0][0])


WORK = {
    "connectorx": _connectorx,
    "novade": lambda url, folder: _load(url, folder, "changes"),
    "changes": lambda url, folder: _load(url, folder, "changes"),
    "unchanged": lambda url, folder: _load(url, folder, "full"),
    "dlt": _dlt,
    "count": _count,
}

if __name__ == "__main__":
    sys.exit(main())
