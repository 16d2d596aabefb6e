"""Landed events to all marts, whole and for one more hour, at several sizes, beside its peers.

    .venv/bin/python benchmarks/marts.py [--millions 1 10 50] [--sessions realistic one-event]

Each size is the first files of the same landing zone, which stays in `data/bench` for the next
time: 720 files and 60 days for ten million events. Beside a `novade run` stand, on the lake that it
has loaded and with the same memory: the bare copy of the events into DuckDB; the same models as
plain `create table as`, as somebody would write them by hand; and a package that is incremental by
a look-back window, in the way of fivetran's. Each runs in a process of its own. It is a benchmark,
not a test: a missed goal ends with 0 too.
"""

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from harness import run_script, verdict
from rich.console import Console
from rich.table import Table

CACHE = Path(__file__).parents[1] / "data" / "bench"
WORK = Path(__file__).with_name("marts_work.py")
FIRST_HOUR = datetime(2025, 1, 6, tzinfo=UTC)
MILLION = 1_000_000
FILES_PER_MILLION, DAYS_PER_MILLION = 72, 6
HOUR_EVENTS = 14_000
PEOPLE_PER_MILLION = 5
MEMORY_MB = 1_500
BESIDE_MIB = 512
PEERS = ("copy", "by_hand", "look_back")


@dataclass(frozen=True)
class Scale:
    """A landing zone: how many events it has, and what their sessions are like."""

    millions: int
    sessions: str

    @property
    def files(self) -> int:
        """How many files of events."""
        return self.millions * FILES_PER_MILLION

    @property
    def name(self) -> str:
        """As the console has it."""
        return f"{self.millions}M events, sessions: {self.sessions}"


def landing_zone(scale: Scale, most: int, root: Path) -> Path:
    """A folder with the first files of the landing zone of `most` million events."""
    whole = _whole_zone(most, scale.sessions)
    zone = root / "landing"
    events = zone / "amplitude" / "events"
    events.mkdir(parents=True)
    for file in _in_order(whole)[: scale.files]:
        os.link(file, events / file.name)
    shutil.copytree(whole / "tracking_plan", zone / "tracking_plan")
    return zone


def land_one_more_hour(scale: Scale, zone: Path) -> None:
    """Land the hour behind the last one."""
    from novade_pipeline.sandbox.amplitude_exports import land_bulk

    hour = FIRST_HOUR + timedelta(days=scale.millions * DAYS_PER_MILLION)
    land_bulk(
        zone,
        events=HOUR_EVENTS,
        files=1,
        first_hour=hour,
        seed=2,
        one_event_sessions=scale.sessions == "one-event",
    )


def _whole_zone(millions: int, sessions: str) -> Path:
    from novade_pipeline.sandbox.amplitude_exports import land_bulk, plan

    folder = CACHE / f"marts-{millions}-million-events-{sessions}"
    if not folder.is_dir():
        fresh = CACHE / f".{folder.name}-{os.getpid()}"
        land_bulk(
            fresh,
            events=millions * MILLION,
            files=millions * FILES_PER_MILLION,
            first_hour=FIRST_HOUR,
            spread_days=millions * DAYS_PER_MILLION,
            people=millions * PEOPLE_PER_MILLION,
            one_event_sessions=sessions == "one-event",
        )
        (fresh / "tracking_plan").mkdir()
        (fresh / "tracking_plan" / "plan.json").write_text(json.dumps(plan()))
        fresh.rename(folder)
    return folder


def _in_order(zone: Path) -> list[Path]:
    """The files of events by their hours: names have these without a leading zero."""

    def place(path: Path) -> tuple[str, int, int]:
        _, day, rest = path.name.split("_")
        hour, _, part = rest.removesuffix(".json.gz").partition("#")
        return day, int(hour), int(part)

    return sorted((zone / "amplitude" / "events").iterdir(), key=place)


def measured(scale: Scale, most: int, peers: Sequence[str]) -> dict[str, Any]:
    """What a run and its peers take, whole and for one more hour."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".marts-", dir=CACHE) as folder:
        root = Path(folder)
        zone = landing_zone(scale, most, root)
        whole = run_script(WORK, ["run", root])
        figures = {"run": whole, **{name: run_script(WORK, [name, root]) for name in peers}}
        land_one_more_hour(scale, zone)
        hour = {"run": run_script(WORK, ["run", root])}
        if "look_back" in peers:
            hour["look_back"] = run_script(WORK, ["look_back", root])
    return {"whole": figures, "hour": hour}


Goal = tuple[str, float, str, float]
"""(what, value, how they compare, goal)."""


def goals(results: dict[Scale, dict[str, Any]]) -> Iterator[Goal]:
    """Those of one size, and those between two of the same kind of sessions."""
    for scale, result in results.items():
        run, name = result["whole"]["run"], scale.name
        yield f"{name}: peak MiB", run["peak_mib"], "<=", MEMORY_MB / 1.048576 + BESIDE_MIB
        if "copy" in result["whole"]:
            ratio = run["steps"]["marts/event_enhanced"]["seconds"]
            ratio /= result["whole"]["copy"]["seconds"]
            yield f"{name}: event_enhanced / bare copy", ratio, "<=", 1.4
        if scale.millions == 10:
            yield f"{name}: seconds", run["seconds"], "<=", 140
            yield f"{name}: GB written", run["written_gb"], "<=", 5
            yield f"{name}: one more hour, seconds", result["hour"]["run"]["seconds"], "<=", 12
    for scale, result in results.items():
        tenth = results.get(Scale(10, scale.sessions))
        if scale.millions == 50 and tenth is not None:
            run, small = result["whole"]["run"], tenth["whole"]["run"]
            yield f"{scale.name} / 10M: seconds", run["seconds"] / small["seconds"], "<=", 5.5
            hours = [of["hour"]["run"]["seconds"] for of in (result, tenth)]
            yield f"{scale.name} / 10M: one more hour", hours[0] / hours[1], "<=", 1.3


def show(console: Console, scale: Scale, result: dict[str, Any]) -> None:
    """Print each step of the run, and the totals of the peers."""
    run, hour = result["whole"]["run"], result["hour"]["run"]
    table = Table(title=scale.name, title_justify="left")
    table.add_column("step")
    for heading in ("s", "rows/s", "peak MiB", "GB written", "one more hour, s", "peak MiB"):
        table.add_column(heading, justify="right")
    for name, step in run["steps"].items():
        again = hour["steps"].get(name, {"seconds": 0.0, "peak_mib": 0.0})
        rate = scale.millions * MILLION / step["seconds"] if step["seconds"] > 0.05 else 0
        table.add_row(
            name,
            f"{step['seconds']:.1f}",
            f"{rate:,.0f}" if rate else "",
            f"{step['peak_mib']:,.0f}",
            f"{step['written_gb']:.2f}",
            f"{again['seconds']:.1f}",
            f"{again['peak_mib']:,.0f}",
        )
    table.add_section()
    for name, whole in result["whole"].items():
        again = result["hour"].get(name)
        table.add_row(
            {"run": "novade run", "copy": "peer: bare copy", "by_hand": "peer: models by hand"}.get(
                name, "peer: look-back window"
            ),
            whole.get("failure") or f"{whole['seconds']:.1f}",
            f"{scale.millions * MILLION / whole['seconds']:,.0f}",
            f"{whole['peak_mib']:,.0f}",
            f"{whole['written_gb']:.1f}",
            "" if again is None else f"{again['seconds']:.1f}",
            "" if again is None else f"{again['peak_mib']:,.0f}",
        )
    console.print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument(
        "--sessions", nargs="+", default=["realistic"], choices=["realistic", "one-event"]
    )
    parser.add_argument("--without-peers", action="store_true", help="only this project")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    args = parser.parse_args()
    console = Console(width=130)
    results: dict[Scale, dict[str, Any]] = {}
    for sessions in args.sessions:
        for millions in sorted(args.millions):
            scale = Scale(millions, sessions)
            peers = () if args.without_peers else PEERS
            results[scale] = measured(scale, max(args.millions), peers)
            show(console, scale, results[scale])
    compared = Table()
    compared.add_column("goal")
    for heading in ("value", "wanted", ""):
        compared.add_column(heading, justify="right")
    for what, value, how, goal in goals(results):
        met = value <= goal
        compared.add_row(what, f"{value:,.2f}", f"{how} {goal:,g}", verdict(met))
    console.print(compared)
    if args.json:
        args.json.write_text(json.dumps({s.name: r for s, r in results.items()}, indent=1))


if __name__ == "__main__":
    main()
