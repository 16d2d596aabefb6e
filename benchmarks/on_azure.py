"""The load with landing and lake on Azurite, against the local disk and against copying alone.

    .venv/bin/python benchmarks/on_azure.py [--events 500000] [--files 10] [--repeat 3]

In turns, each load in a process of its own, on the same files. The peer moves the same bytes and
does nothing else: it downloads the exports and uploads what the load wrote, with eight connections,
as azcopy would. Azurite works on the same cores, so its own CPU time is told too. It is a
benchmark, not a test: a missed goal ends with 0 too.
"""

import argparse
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness import Measured, Sample, report, sampled, timed, verdict
from ingest_work import landed

from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store

CACHE = Path(__file__).parents[1] / "data" / "bench"
CONNECTIONS = 8
GOAL = 0.5


def place(url: str, endpoint: str, key: str) -> Store:
    """A store of the local disk where there is no endpoint."""
    return store(url, {"endpoint": endpoint, "account_key": key} if endpoint else None)


def load(landing: Store, lake: Store) -> int:
    """This project's load into an empty lake."""
    from novade_pipeline.defs.amplitude.export_files import EVENTS
    from novade_pipeline.landing.ledger import Rules
    from novade_pipeline.landing.load import load as load_pending
    from novade_pipeline.landing.source import find_pending
    from novade_pipeline.privacy.policy import PersonalDataPolicy

    policy = PersonalDataPolicy()
    rules = Rules(EVENTS.parser_version, policy.fingerprint, date(2018, 1, 1), timedelta(days=1))
    todo = find_pending(EVENTS, landing, lake, rules)
    return load_pending(EVENTS, landing, lake, policy, todo).lines.rows


def copy(landing: Store, lake: Store, target: Store) -> Sample:
    """Download all exports; upload the bytes that the load wrote, one blob a file."""
    written = {entry.file: lake.read(entry.file) for entry in lake.entries()}
    started = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        list(threads.map(landing.read, [entry.file for entry in landing.entries("amplitude/")]))
        list(threads.map(lambda file: target.write(written[file], file), written))
    return Sample(len(written), time.perf_counter() - started, 0.0, 0.0)


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--files", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--load", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        landing_url, lake_url, endpoint, key = options.load
        landing, lake = place(landing_url, endpoint, key), place(lake_url, endpoint, key)
        # Imports, log-in and the first connection are not the load's.
        load(place(f"{landing_url}/none", endpoint, key), lake)
        report(timed(lambda: load(landing, lake)))
        return
    from novade_pipeline_tests.azurite import running_azurite

    CACHE.mkdir(parents=True, exist_ok=True)
    exports = landed(CACHE, options.events, options.files, 1)
    disk: list[Sample] = []
    azure: list[Sample] = []
    copied: list[Sample] = []
    served = []
    with ExitStack() as until_end:
        folder = until_end.enter_context(tempfile.TemporaryDirectory(".azure", dir=CACHE))
        server = until_end.enter_context(running_azurite(Path(folder, "azurite")))
        there = server.new_store("landing")
        for entry in (local := store(str(exports))).entries():
            there.write(local.read(entry.file), entry.file)
        reach = [server.blob_url, server.key]
        for turn in range(options.repeat):
            out = f"{folder}/lake{turn}"
            disk.append(sampled(Path(__file__), ["--load", str(exports), out, "", ""]))
            lake = server.new_store("lake")
            before = cpu_seconds(server.pid)
            azure.append(sampled(Path(__file__), ["--load", there.url, lake.url, *reach]))
            served.append(cpu_seconds(server.pid) - before)
            copied.append(copy(there, lake, server.new_store("copy")))
    on_disk, on_azurite = Measured(tuple(disk)), Measured(tuple(azure))
    raw = min(sample.seconds for sample in copied)
    ratio = on_azurite.rate / on_disk.rate
    print(f"{options.events:,} events in {options.files} files, best of {options.repeat}")
    for name, found in (("local disk", on_disk), ("Azurite", on_azurite)):
        print(
            f"load, {name:11} {found.seconds:7.2f} s  {found.rate:9,.0f} events/s  "
            f"{found.cpu_seconds:6.2f} CPU s"
        )
    print(f"copy alone        {raw:7.2f} s  download and upload, {CONNECTIONS} connections")
    print(f"Azurite itself    {min(served):7.2f} CPU s during a load, on the same cores")
    print(f"Azurite / local disk    {ratio:5.2f}   wanted >= {GOAL}   {verdict(ratio >= GOAL)}")
    print(f"load / copy alone       {on_azurite.seconds / raw:5.2f}")


if __name__ == "__main__":
    main()
