"""What a tick costs when a million blobs are old and ten are new, against listing everything.

    .venv/bin/python benchmarks/discovery.py [--blobs 1000000] [--azurite 20000]

Each tick has a process of its own, with a ledger on the local disk that knows every old blob. The
million is a simulated listing, in pages of 5,000 names; the smaller number lies in Azurite for
real. The peers are a look that remembers nothing and lists all, and a page of the listing that
nobody looks at, which is the server's own share of a tick. It is a benchmark, not a test: a missed
goal ends with 0 too.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness import Sample, peak_mib, report, sampled, verdict

from novade_pipeline.defs.amplitude.export_files import EVENTS
from novade_pipeline.landing.discovery import PollCursor, Sweep
from novade_pipeline.landing.ledger import Rules
from novade_pipeline.landing.poll import poll_source
from novade_pipeline.landing.tables import LedgerRow
from novade_pipeline.storage.local import LocalStore
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import PAGE_ENTRIES, Entry, Page, Store

if TYPE_CHECKING:
    from novade_pipeline_tests.azurite import Azurite

LAST_HOUR = datetime(2026, 11, 21, 23, tzinfo=UTC)
NOW = LAST_HOUR + timedelta(hours=12)
PARTS = 14
"""Files an hour: a million blobs are about eight years."""
NEW = 10
MOST_SECONDS, MOST_MIB = 2.0, 100.0
TICK, SWEEP = "a tick, 10 new", "a tick, a page of the sweep"
PAGE, EVERYTHING = "a page listed, no tick", "everything listed"
STEM = "amplitude/events/187520_"


def name_of(number: int, blobs: int) -> tuple[str, datetime]:
    """The path of an old blob and its hour; the last has the last hour."""
    hour = LAST_HOUR - timedelta(hours=(blobs - 1 - number) // PARTS)
    return f"{STEM}{hour:%Y-%m-%d}_{hour.hour}#{(blobs - 1 - number) % PARTS}.json.gz", hour


def etag(name: str) -> str:
    """As a server would give it: the same for all."""
    return "0x8DB4CA8E9E4D4A2"


@dataclass(frozen=True)
class Simulated(LocalStore):
    """A landing zone of so many old blobs and ten new ones, listed day by day as Azure would."""

    blobs: int = 0

    def pages(self, prefix: str = "", following: str | None = None) -> Iterator[Page]:
        """Pages in the order of names."""
        page: list[Entry] = []
        for name in self._names(prefix, following or ""):
            if len(page) == PAGE_ENTRIES:
                yield Page(page, page[-1].file)
                page = []
            page.append(Entry(name, etag(name), 75_000, LAST_HOUR))
        yield Page(page, None)

    def _names(self, prefix: str, after: str) -> Iterator[str]:
        first = name_of(0, self.blobs)[1]
        days = (LAST_HOUR.date() - first.date()).days + 1
        for day in (first.date() + timedelta(days=n) for n in range(days)):
            stem = f"{STEM}{day}"
            if (stem.startswith(prefix) or prefix.startswith(stem)) and f"{stem}~" > after:
                names = (
                    f"{stem}_{hour}#{part}.json.gz"
                    for hour in range(24)
                    for part in range(PARTS + (NEW if self._is_last(day, hour) else 0))
                    if self._is_there(day, hour, part)
                )
                yield from (n for n in sorted(names) if n > after and n.startswith(prefix))

    def _is_last(self, day: date, hour: int) -> bool:
        return day == LAST_HOUR.date() and hour == LAST_HOUR.hour

    def _is_there(self, day: date, hour: int, part: int) -> bool:
        moment = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=hour)
        if moment > LAST_HOUR:
            return False
        back = int((LAST_HOUR - moment).total_seconds()) // 3600 * PARTS + part
        return part >= PARTS or back < self.blobs


def make_ledger(lake: Store, blobs: int, real: dict[str, str] | None = None) -> None:
    """A ledger that knows every old blob.

    Args:
        real: path -> etag, of blobs that lie somewhere for real.
    """
    from novade_pipeline.lake.delta import replace as put
    from novade_pipeline.landing.ledger import ledger_rows

    def batches() -> Iterator[object]:
        for first in range(0, blobs, 50_000):
            rows = []
            for number in range(first, min(first + 50_000, blobs)):
                name, hour = name_of(number, blobs)
                rows.append(
                    LedgerRow.model_construct(
                        **dict.fromkeys(LedgerRow.model_fields)
                        | {
                            "source": EVENTS.name,
                            "file": name,
                            "etag": (real or {}).get(name) or etag(name),
                            "size": 75_000,
                            "upload_date": hour.date(),
                            "upload_hour": hour,
                            **dict.fromkeys(("lines", "rows"), 500),
                            **dict.fromkeys(("repeated", "quarantined", "blank"), 0),
                            "refused": False,
                            "parser_version": EVENTS.parser_version,
                            "personal_data": "keep",
                            "loaded_at": LAST_HOUR,
                        }
                    )
                )
            yield from ledger_rows(rows, EVENTS.ledger).to_batches()

    import pyarrow as pa

    reader = pa.RecordBatchReader.from_batches(EVENTS.ledger.schema, batches())
    put(lake, EVENTS.ledger, reader)


def tick(landing: Store, lake: Store, case: str) -> None:
    """One look, in this process; reports wall time and what memory it took.

    Args:
        case: what is measured, one of the four above.
    """
    rules = Rules(EVENTS.parser_version, "keep", datetime(2010, 1, 1).date(), timedelta(days=1))
    # What every process of the graph has imported already is not the tick's.
    tiny = store(tempfile.mkdtemp())
    make_ledger(tiny, 100)
    poll_source(EVENTS, tiny, tiny, rules, None, timedelta(hours=6), NOW)
    list(landing.pages(f"{STEM}1999-01-01"))
    sweep = Sweep(NOW - timedelta(hours=7) if case == SWEEP else NOW, is_done=True)
    cursor = None if case == EVERYTHING else PollCursor(LAST_HOUR.date(), (STEM,), sweep)
    before, cpu, started = peak_mib(), time.process_time(), time.perf_counter()
    if case == PAGE:
        assert next(iter(landing.pages(STEM))).entries, "expected a page of blobs"
    elif case == SWEEP:
        # A tick that also looks at a page of the rolling sweep, with nothing new before it.
        found = poll_source(
            EVENTS, landing, lake, rules, cursor, timedelta(hours=6), NOW, newest_days=False
        )
        assert found.plan.is_empty, "expected nothing new on the first page"
    else:
        found = poll_source(EVENTS, landing, lake, rules, cursor, timedelta(hours=6), NOW)
        new = [f for files in found.plan.hours.values() for f in files]
        assert len(new) in (NEW, PARTS + NEW), f"expected the new blobs, found {len(new)}"
    seconds = time.perf_counter() - started
    report(Sample(1, seconds, time.process_time() - cpu, peak_mib() - before))


def land(server: "Azurite", blobs: int) -> tuple[str, dict[str, str]]:
    """Put so many old blobs and ten new ones into a container of Azurite: its URL and etags."""
    from concurrent.futures import ThreadPoolExecutor

    root = server.new_store("landing")
    names = [name_of(n, blobs)[0] for n in range(blobs)]
    stem = f"{STEM}{LAST_HOUR:%Y-%m-%d}_{LAST_HOUR.hour}"
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: root.write(b"", name), names))
    etags = {entry.file: entry.etag for entry in root.entries()}
    for part in range(NEW):
        root.write(b"", f"{stem}#{PARTS + part}.json.gz")
    return root.url, etags


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--blobs", type=int, default=1_000_000, help="of the simulated listing")
    parser.add_argument("--azurite", type=int, default=20_000, help="blobs that lie in Azurite")
    parser.add_argument("--tick", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if min(options.blobs, options.azurite or options.blobs) <= PAGE_ENTRIES and not options.tick:
        parser.error(f"more than a page of {PAGE_ENTRIES:,} blobs is needed, or 0 in Azurite")
    if options.tick:
        url, endpoint, key, lake, case = options.tick
        landing: Store = (
            store(url, {"endpoint": endpoint, "account_key": key})
            if key
            else Simulated(Path(lake).as_uri(), int(endpoint))
        )
        tick(landing, store(lake), case)
        return
    with tempfile.TemporaryDirectory() as folder, ExitStack() as until_end:
        from novade_pipeline_tests.azurite import running_azurite

        print(f"making a ledger of {options.blobs:,} blobs …", flush=True)
        make_ledger(store(f"{folder}/simulated"), options.blobs)
        places = [("simulated", options.blobs, ["-", str(options.blobs), ""])]
        if options.azurite:
            print(f"landing {options.azurite:,} blobs in Azurite …", flush=True)
            server = until_end.enter_context(running_azurite())
            url, etags = land(server, options.azurite)
            make_ledger(store(f"{folder}/azurite"), options.azurite, etags)
            places.append(("azurite", options.azurite, [url, server.blob_url, server.key]))
        for name, blobs, where in places:
            found = {}
            for case in (TICK, SWEEP, PAGE, EVERYTHING):
                sample = sampled(Path(__file__), ["--tick", *where, f"{folder}/{name}", case])
                found[case] = sample
                bounded = case in (TICK, SWEEP)
                ok = sample.seconds < MOST_SECONDS and sample.peak_mib < MOST_MIB
                goal = f"wanted < {MOST_SECONDS:g} s, < {MOST_MIB:g} MiB   " if bounded else ""
                print(
                    f"{name:9} {blobs:>9,}  {case:28} {sample.seconds:7.2f} s "
                    f"{sample.peak_mib:7.1f} MiB   {goal}{verdict(ok) * bounded}"
                )
            ratio = found[EVERYTHING].seconds / found[TICK].seconds
            print(f"{name:9} {blobs:>9,}  everything / a tick          {ratio:7.1f} x", flush=True)


if __name__ == "__main__":
    main()
