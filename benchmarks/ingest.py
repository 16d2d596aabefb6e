"""How fast events become tables, against the bare parse and against dlt and pandas, in one run.

    .venv/bin/python benchmarks/ingest.py [--events 500000] [--files 10] [--days 1] [--repeat 3]

Each run of each measurement has a process of its own, on the same files, which stay in
`data/bench` for the next time. It is a benchmark, not a test: a missed goal ends with 0 too.
"""

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from harness import Measured, Sample, sampled
from ingest_work import event_files, landed
from rich.console import Console
from rich.table import Table

CACHE = Path(__file__).parents[1] / "data" / "bench"
WORK = Path(__file__).with_name("ingest_work.py")
# The peers are slow: by default they get the first files only, a tenth of the events.
PEER_SHARE = 10
MAX_MEMORY_MIB = 1024
# Two runs of the same load differ by so much in their peak.
SAME_MEMORY = 1.1
NAMES = {
    "gunzip": "gunzip alone",
    "parse_lines": "DuckDB's typed parse to Arrow, of lines",
    "parse_gzip": "DuckDB's typed parse to Arrow, of .gz",
    "load": "load amplitude/events, committed",
    "verdicts": "event_verdicts, committed",
    "peer_dlt": "dlt: read_jsonl to Parquet",
    "peer_pandas": "pandas: read_json to Parquet",
}


def measured(landing: Path, repeat: int, full_peers: bool) -> dict[str, Measured]:
    """Every measurement, `repeat` times; in turns, so that a busy moment hits all of them."""
    files = len(event_files(landing))
    few = files if full_peers else max(1, files // PEER_SHARE)
    samples: dict[str, list[Sample]] = {name: [] for name in NAMES}
    with tempfile.TemporaryDirectory(prefix=".run-", dir=CACHE) as out:
        for _ in range(repeat):
            for name in NAMES:
                count = few if name.startswith("peer_") else files
                samples[name].append(sampled(WORK, [name, landing, str(count), out]))
    return {name: Measured(tuple(taken)) for name, taken in samples.items()}


def goals(figures: dict[str, Measured]) -> list[tuple[str, float, str, float]]:
    """(what, found, how they compare, goal)."""
    bare = max(figures["parse_lines"].rate, figures["parse_gzip"].rate)
    load, verdicts = figures["load"], figures["verdicts"]
    return [
        ("load, events/s", load.rate, ">=", 200_000),
        ("load / bare parse (the faster one)", load.rate / bare, ">=", 0.6),
        ("load / dlt", load.rate / figures["peer_dlt"].rate, ">=", 40),
        ("verdicts, events/s", verdicts.rate, ">=", 300_000),
        ("load, peak MiB", load.peak_mib, "<", MAX_MEMORY_MIB),
        ("verdicts, peak MiB", verdicts.peak_mib, "<", MAX_MEMORY_MIB),
    ]


def memory(events: int) -> dict[str, Measured]:
    """The load's peak for the events in a day, ten times as many, in one hour, over 365 days."""
    asked = {
        "1x: 10 files, 1 day": (events, 10, 1),
        "10x: 100 files, 1 day": (events * 10, 100, 1),
        "10x: 1 file, 1 hour": (events * 10, 1, 1),
        "1x: 365 files, 365 days": (events, 365, 365),
    }
    found = {}
    for name, (count, files, days) in asked.items():
        landing = landed(CACHE, count, files, days)
        with tempfile.TemporaryDirectory(prefix=".run-", dir=CACHE) as out:
            found[name] = Measured((sampled(WORK, ["load", landing, str(files), out]),))
        if count > events:
            shutil.rmtree(landing)
    return found


def memory_goals(figures: dict[str, Measured]) -> list[tuple[str, float, str, float]]:
    """(what, found, how they compare, goal); no more than once the events in a day take."""
    first = next(iter(figures.values())).peak_mib
    return [
        *((f"peak MiB, {name}", m.peak_mib, "<", MAX_MEMORY_MIB) for name, m in figures.items()),
        *(
            (f"peak / the first, {n}", m.peak_mib / first, "<", SAME_MEMORY)
            for n, m in list(figures.items())[1:]
        ),
    ]


def show(
    console: Console,
    title: str,
    figures: dict[str, Measured],
    targets: Sequence[tuple[str, float, str, float]],
) -> None:
    """Print the figures, and each goal with what was found."""
    table = Table(title=title, title_justify="left")
    table.add_column("what")
    for heading in ("events", "s, best", "s, median", "CPU s", "events/s", "peak MiB"):
        table.add_column(heading, justify="right")
    for name, one in figures.items():
        table.add_row(
            NAMES.get(name, name),
            f"{one.samples[0].events:,}",
            *(f"{value:.2f}" for value in (one.seconds, one.median_seconds, one.cpu_seconds)),
            f"{one.rate:,.0f}",
            f"{one.peak_mib:,.0f}",
        )
    console.print(table)
    compared = Table()
    compared.add_column("goal")
    for heading in ("found", "wanted", ""):
        compared.add_column(heading, justify="right")
    for what, found, how, goal in targets:
        compared.add_row(
            what,
            f"{found:,.2f}",
            f"{how} {goal:,}",
            "ok" if _is_met(found, how, goal) else "[bold]missed",
        )
    console.print(compared)


def _is_met(found: float, how: str, goal: float) -> bool:
    return found >= goal if how == ">=" else found < goal


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--files", type=int, default=10)
    parser.add_argument("--days", type=int, default=1, help="upload days of the files")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each measurement")
    parser.add_argument("--full-peers", action="store_true", help="dlt and pandas get all files")
    parser.add_argument(
        "--memory", action="store_true", help="only the load's memory; 1x, 10x, 1 hour, 365 days"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    args = parser.parse_args()
    CACHE.mkdir(parents=True, exist_ok=True)
    console = Console(width=120)
    if args.memory:
        title = f"Memory of the load, {os.cpu_count()} cores"
        figures = memory(args.events)
        targets = memory_goals(figures)
    else:
        landing = landed(CACHE, args.events, args.files, args.days)
        size = sum(path.stat().st_size for path in event_files(landing))
        title = (
            f"{args.events:,} events, {args.files} files of together {size / 1e6:,.0f} MB, upload "
            f"days: {args.days}, {os.cpu_count()} cores, runs: {args.repeat}"
        )
        if not args.full_peers:
            title += "\nThe peers read only the first of the files; --full-peers: all."
        figures = measured(landing, args.repeat, args.full_peers)
        targets = goals(figures)
    show(console, title, figures, targets)
    if args.json:
        told = {
            "title": title,
            "figures": {name: one.as_dict() for name, one in figures.items()},
            "goals": [
                {"what": w, "found": f, "wanted": f"{h} {g}", "met": _is_met(f, h, g)}
                for w, f, h, g in targets
            ],
        }
        args.json.write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
