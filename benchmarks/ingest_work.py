"""What `ingest.py` measures, each in a process of its own: `ingest_work.py NAME LANDING FILES OUT`.

Each function prepares, unmeasured, and returns the work, which is measured and returns how many
events it handled. All is done once before with a few events, so that nothing is imported later.
"""

import os
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from harness import report, timed

Work = Callable[[], int]

FIRST_HOUR = datetime(2018, 11, 5, tzinfo=UTC)
FEW_EVENTS = 200
_READ_BYTES = 2**20


def landed(cache: Path, events: int, files: int, days: int) -> Path:
    """A landing folder with so many events and the plan; made where it is not there yet."""
    from novade_pipeline.sandbox.amplitude_exports import land_bulk, plan

    folder = cache / f"landing-{events}-events-{files}-files-{days}-days"
    if not folder.is_dir():
        import json

        fresh = cache / f".{folder.name}-{os.getpid()}"
        land_bulk(fresh, events=events, files=files, first_hour=FIRST_HOUR, spread_days=days)
        (fresh / "tracking_plan").mkdir()
        (fresh / "tracking_plan" / "plan.json").write_text(json.dumps(plan()))
        fresh.rename(folder)
    return folder


def event_files(landing: Path) -> list[Path]:
    """The files of events, in the order of their names."""
    return sorted((landing / "amplitude" / "events").iterdir())


def gunzip(landing: Path, files: int, out: Path) -> Work:
    """Decompress, and throw away; counts lines, the only thing left of them."""
    from isal import igzip

    def work() -> int:
        lines = 0
        for path in event_files(landing)[:files]:
            with igzip.open(path, "rb") as stream:
                while text := stream.read(_READ_BYTES):
                    lines += text.count(b"\n")
        return lines

    return work


def parse_lines(landing: Path, files: int, out: Path) -> Work:
    """DuckDB's typed parse to Arrow, from lines that were decompressed before the clock starts."""
    from isal import igzip

    spooled = []
    for path in event_files(landing)[:files]:
        spooled.append(out / path.stem)
        with igzip.open(path, "rb") as source, spooled[-1].open("wb") as target:
            shutil.copyfileobj(source, target, _READ_BYTES)
    return _parse(spooled)


def parse_gzip(landing: Path, files: int, out: Path) -> Work:
    """DuckDB's typed parse to Arrow, from the files as they landed."""
    return _parse(event_files(landing)[:files])


def _parse(paths: list[Path]) -> Work:
    import duckdb
    import pyarrow as pa

    from novade_pipeline.defs.amplitude.tables import EVENTS
    from novade_pipeline.json_rows.text import OTHER_FIELDS
    from novade_pipeline.landing.json_lines import LANDED

    types = {pa.string(): "VARCHAR", pa.int64(): "BIGINT", pa.float64(): "DOUBLE"}
    types |= {pa.bool_(): "BOOLEAN", pa.timestamp("us", tz="UTC"): "TIMESTAMP"}
    declared = ", ".join(
        f"'{column.source}': '{'JSON' if column.json else types[column.type]}'"
        for column in EVENTS.columns
        if column.name not in (*LANDED, OTHER_FIELDS)
    )
    connection = duckdb.connect()

    def work() -> int:
        # File by file: all of it in one Arrow table would be slower, and is nobody's way.
        return sum(
            len(
                connection.sql(
                    f"SELECT * FROM read_json('{path}', columns = {{{declared}}}, "
                    "format = 'newline_delimited')"
                ).to_arrow_table()
            )
            for path in paths
        )

    return work


def load(landing: Path, files: int, out: Path) -> Work:
    """This project's load: landing to committed Delta, accounting included, into an empty lake."""
    from novade_pipeline.defs.amplitude.export_files import EVENTS
    from novade_pipeline.landing.ledger import Rules
    from novade_pipeline.landing.load import load as load_pending
    from novade_pipeline.landing.source import find_pending
    from novade_pipeline.privacy.policy import PersonalDataPolicy
    from novade_pipeline.storage.locations import store

    policy = PersonalDataPolicy()
    rules = Rules(EVENTS.parser_version, policy.fingerprint, date(2018, 1, 1), timedelta(days=1))
    source, lake = store(str(landing)), store(str(out / "lake"))
    shutil.rmtree(out / "lake", ignore_errors=True)

    def work() -> int:
        todo = find_pending(EVENTS, source, lake, rules)
        lines = load_pending(EVENTS, source, lake, policy, todo).lines
        assert lines.rows == lines.lines, f"expected every line to be a row, found {lines}"
        return lines.rows

    return work


def verdicts(landing: Path, files: int, out: Path) -> Work:
    """This project's verdicts, committed, on the lake that `load` left in the same folder."""
    from novade_pipeline.defs.tracking_plan.plan_files import newest_file, plan_rows, read_plan
    from novade_pipeline.defs.tracking_plan.tables import EVENT_VERDICTS, PLAN
    from novade_pipeline.defs.tracking_plan.verdicts import judge_changes
    from novade_pipeline.lake.delta import replace
    from novade_pipeline.storage.locations import store

    if not (out / "lake").is_dir():
        load(landing, files, out)()
    lake, source = store(str(out / "lake")), store(str(landing))
    shutil.rmtree(out / "lake" / EVENT_VERDICTS.name, ignore_errors=True)
    file = newest_file(source)
    assert file is not None
    replace(lake, PLAN, plan_rows(read_plan(source, file), file.file))

    def work() -> int:
        return sum(receipt.rows for receipt in judge_changes(lake))

    return work


def peer_dlt(landing: Path, files: int, out: Path) -> Work:
    """dlt: filesystem source, `read_jsonl`, Parquet on the local disk; nested values as JSON."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"
    os.environ["DLT_DATA_DIR"] = str(out / "dlt")
    import dlt
    from dlt.sources.filesystem import filesystem, read_jsonl

    source = out / "dlt-landing"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    for path in event_files(landing)[:files]:
        # dlt takes the number sign for the beginning of a URL's fragment.
        (source / path.name.replace("#", "_")).symlink_to(path.absolute())

    def work() -> int:
        pipeline = dlt.pipeline(
            f"bench_{landing.name.replace('-', '_')}",
            pipelines_dir=str(out / "dlt" / "pipelines"),
            destination=dlt.destinations.filesystem(bucket_url=(out / "dlt-lake").as_uri()),
            dataset_name="bench",
        )
        read = filesystem(bucket_url=source.as_uri(), file_glob="*.json.gz") | read_jsonl()
        resource = read.with_name("events")
        resource.max_table_nesting = 0
        pipeline.run(resource, loader_file_format="parquet")
        trace = pipeline.last_trace
        assert trace is not None
        assert trace.last_normalize_info is not None
        return int(trace.last_normalize_info.row_counts["events"])

    return work


def peer_pandas(landing: Path, files: int, out: Path) -> Work:
    """pandas: `read_json(lines=True)` of each file to Parquet; nested values as JSON."""
    import json

    import pandas as pd

    def work() -> int:
        rows = 0
        for path in event_files(landing)[:files]:
            frame = pd.read_json(path, lines=True)
            for name in frame.columns:
                # Parquet knows no object without keys.
                if isinstance(frame[name].iat[0], dict | list):
                    frame[name] = frame[name].map(json.dumps)
            frame.to_parquet(out / f"{path.stem}.parquet")
            rows += len(frame)
        return rows

    return work


WORK = {
    function.__name__: function
    for function in (
        *(gunzip, parse_lines, parse_gzip, load, verdicts),
        *(peer_dlt, peer_pandas),
    )
}


def main(name: str, landing: str, files: str, out: str) -> None:
    """Do the work once with a few events, then measure it."""
    few = landed(Path(landing).parent, FEW_EVENTS, 1, 1)
    for_few, for_all = Path(out, "few"), Path(out, "all")
    for folder in (for_few, for_all):
        folder.mkdir(exist_ok=True)
    WORK[name](few, 1, for_few)()
    report(timed(WORK[name](Path(landing), int(files), for_all)))


if __name__ == "__main__":
    main(*sys.argv[1:])
