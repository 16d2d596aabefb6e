"""How fast a topic becomes a table, against the client alone, Structured Streaming and dlt.

    .venv/bin/python benchmarks/streams.py [--records 1000000] [--repeat 3] [--kills 50]

A real broker is started, and each measurement has a process of its own. Kills are real ones of a
process that loads; unlike the figures they can fail: it ends with 1 if a table differs from what
the broker has.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness import Measured, Sample, sampled, verdict
from rich.console import Console
from rich.table import Table
from streams_work import LARGE, SMALL, TENTH, TICKETS

from novade_pipeline.lake.read import read
from novade_pipeline.sandbox.broker import Broker, running_broker
from novade_pipeline.storage.locations import store

WORK = Path(__file__).with_name("streams_work.py")
WARM_RECORDS = 80_000
"""Enough that each of two executors has some."""
NAMES = {
    "client": "confluent-kafka alone (the limit)",
    "load_spark": "load to committed Delta, local[2]",
    "load_tenth": "the same, a tenth of the records",
    "load_alone": "load to committed Delta, one process",
    "structured": "Structured Streaming to Delta, local[2]",
    "dlt": "dlt to Parquet, a tenth of the records",
}
LOAD = """
import sys
from pathlib import Path
sys.path.insert(0, {benchmarks!r})
from streams_work import *
loader = Loader(Broker({servers!r}, "kills"), store({lake!r}), PersonalDataPolicy(),
                lambda _: InProcess(), most_records=700)
topic = Topic("kills", TICKETS, QUARANTINE)
print("ready", flush=True)
while loader.load(topic).remaining:
    pass
"""


def produce(broker: Broker, topic: str, records: int, partitions: int = 2) -> None:
    """Produce tickets of 300 bytes."""
    broker.create_topic(topic, partitions)
    producer = broker.producer(
        linger_ms=50, compression_type="lz4", queue_buffering_max_messages=200_000
    )
    for number in range(records):
        value = json.dumps(
            {
                "ticket_id": f"TICKET-{number:07}",
                "client_id": f"C{number % 5000}",
                "created_at": f"2026-11-{number % 28 + 1:02}T10:11:12Z",
                "request": f"My order {number} has not come. {'Where is it? ' * 10}",
                "request_type": ("technical", "billing", "support", "other")[number % 4],
                "priority": ("low", "medium", "high")[number % 3],
            }
        ).encode()
        while True:
            try:
                producer.produce(topic, value, key=f"{number}", partition=number % partitions)
                break
            except BufferError:
                producer.poll(0.05)
        if number % 1000 == 0:
            producer.poll(0)
    producer.flush()


def measured(broker: Broker, repeat: int) -> dict[str, Measured]:
    """Every measurement, `repeat` times, in turns."""
    samples: dict[str, list[Sample]] = {name: [] for name in NAMES}
    for _ in range(repeat):
        for name in NAMES:
            with tempfile.TemporaryDirectory(prefix="novade-streams-") as out:
                samples[name].append(sampled(WORK, [name, broker.address, out]))
    return {name: Measured(tuple(taken)) for name, taken in samples.items()}


def goals(figures: dict[str, Measured]) -> list[tuple[str, float, str, float]]:
    """(what, figure, how they compare, goal)."""
    load = figures["load_spark"]
    return [
        ("load, records/s", load.rate, ">=", 100_000),
        ("load / Structured Streaming", load.rate / figures["structured"].rate, ">", 1),
        ("load / the client alone", load.rate / figures["client"].rate, ">=", 0.1),
        ("memory / that of a tenth", load.peak_mib / figures["load_tenth"].peak_mib, "<", 1.25),
    ]


def kills(broker: Broker, number: int, seed: int = 1) -> int:
    """Kill a load so many times; returns how many records are missing or twice in the end."""
    records, chance = 20_000, random.Random(seed)
    produce(broker, "kills", records)
    killed = 0
    with tempfile.TemporaryDirectory(prefix="novade-kills-") as lake:
        code = LOAD.format(benchmarks=str(WORK.parent), servers=broker.address, lake=lake)
        while True:
            process = subprocess.Popen(
                [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
            )
            assert process.stdout is not None
            process.stdout.readline()
            try:
                process.wait(chance.uniform(0, 0.8) if killed < number else None)
                break
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                killed += 1
        rows = read(store(lake), TICKETS, columns=["partition", "offset"]).to_pylist()
    places = {(row["partition"], row["offset"]) for row in rows}
    print(f"{killed} kills; {records:,} records, {len(rows):,} rows, {len(places):,} different")
    return abs(records - len(rows)) + abs(len(rows) - len(places))


def main() -> int:
    """Print the figures and the goals."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--records", type=int, default=1_000_000)
    options.add_argument("--repeat", type=int, default=3)
    options.add_argument("--kills", type=int, default=50)
    chosen = options.parse_args()
    console = Console(width=120)
    with running_broker() as broker:
        wrong = kills(broker, chosen.kills) if chosen.kills else 0
        started = time.monotonic()
        counts = {SMALL: WARM_RECORDS, TENTH: chosen.records // 10, LARGE: chosen.records}
        for topic, count in counts.items():
            produce(broker, topic, count)
        console.print(f"{sum(counts.values()):,} produced in {time.monotonic() - started:.0f} s")
        figures = measured(broker, chosen.repeat) if chosen.repeat else {}
    table = Table(title="Topic to table")
    table.add_column("what")
    for heading in ("records", "s, best", "s, median", "CPU s", "records/s", "peak MiB"):
        table.add_column(heading, justify="right")
    for name, one in figures.items():
        table.add_row(
            NAMES[name],
            f"{one.samples[0].events:,}",
            *(f"{value:.2f}" for value in (one.seconds, one.median_seconds, one.cpu_seconds)),
            f"{one.rate:,.0f}",
            f"{one.peak_mib:,.0f}",
        )
    console.print(table)
    for what, figure, how, goal in goals(figures) if figures else ():
        is_met = {">=": figure >= goal, ">": figure > goal, "<": figure < goal}[how]
        console.print(f"{what}: {figure:,.2f}, wanted {how} {goal:,}: {verdict(is_met)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
