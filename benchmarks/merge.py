"""A table of a CRM's size: loaded page by page, then 100 changed rows, beside plain delta-rs.

    .venv/bin/python benchmarks/merge.py [--rows 1000000] [--page 100000] [--changed 100]
        [--whole 5000000]

Each piece of work is done in a process of its own. `lake.merge` and `DeltaTable.merge` load the
same pages of 20 columns into an empty table and then merge changed rows: among the youngest 1 % of
the keys, and anywhere; before upkeep, which puts small files together, and after it. `--whole` rows
are merged in one call as well, in the order of their keys and shuffled, without a peer: delta-rs
holds such a stream in memory. A benchmark, not a test: a missed goal ends with 0.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from math import ceil
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from harness import Sample, peak_mib, report, sampled, verdict
from pydantic import BaseModel, Field

from novade_pipeline.lake.delta import create, open_table
from novade_pipeline.lake.maintenance import compact
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store

SECONDS, SHARE, MIB = 3.0, 0.05, 1024.0
START = datetime(2020, 1, 1, tzinfo=UTC)
RECENT = 0.01


class Account(BaseModel):
    """An account: 20 columns."""

    id: str = Field(description="Names the account.")
    is_deleted: bool = Field(description="It is gone.")
    created: datetime = Field(description="When it was made, UTC.")
    changed: datetime = Field(description="When it last changed, UTC.")
    name: str | None = Field(description="What it is called.")
    owner: str | None = Field(description="Who looks after it.")
    phone: str | None = Field(description="Its telephone.")
    street: str | None = Field(description="Its street.")
    city: str | None = Field(description="Its city.")
    country: str | None = Field(description="Its country.")
    industry: str | None = Field(description="What it does.")
    kind: str | None = Field(description="Customer or prospect.")
    source: str | None = Field(description="Where it was found.")
    website: str | None = Field(description="Its address.")
    employees: int | None = Field(description="How many people it has.")
    revenue: float | None = Field(description="What it earns.")
    latitude: float | None = Field(description="Degrees north.")
    longitude: float | None = Field(description="Degrees east.")
    score: int | None = Field(description="How good it is.")
    visits: int | None = Field(description="How often we were there.")


OURS, PEERS = (
    Table(f"crm/{name}", Account, ("id",), "merge", version="changed", data_time="changed")
    for name in ("ours", "peers")
)


def accounts(numbers: "list[int] | range", hour: int = 0) -> pa.Table:
    """The accounts of these numbers, as they are after so many hours."""
    dice = random.Random(numbers[0] + hour)
    count = len(numbers)
    moment = int(START.timestamp()) * 1_000_000

    def of(*words: str) -> list[str]:
        return dice.choices(words, k=count)

    def number(most: int) -> list[int]:
        return [int(dice.random() * most) for _ in range(count)]

    columns = {
        "id": [f"001{n:012d}AAA" for n in numbers],
        "is_deleted": [False] * count,
        "created": [moment + n * 1_000_000 for n in numbers],
        "changed": [moment + n * 1_000_000 + hour * 3_600_000_000 for n in numbers],
        "name": [f"Company {n} Ltd" for n in number(10**9)],
        "owner": [f"005{n:012d}AAA" for n in number(200)],
        "phone": [f"+44 20 {n:08d}" for n in number(10**8)],
        "street": [f"{n % 300} Street {n}" for n in number(10**6)],
        "city": [f"City {n}" for n in number(5000)],
        "country": of("Germany", "France", "Spain", "Poland", "Italy"),
        "industry": of("Banking", "Energy", "Media", "Retail"),
        "kind": of("Customer", "Prospect"),
        "source": of("Web", "Fair", "Partner", "Phone"),
        "website": [f"https://company-{n}.example" for n in number(10**9)],
        "employees": number(10**5),
        "revenue": [dice.random() * 1e7 for _ in range(count)],
        "latitude": [dice.random() * 180 - 90 for _ in range(count)],
        "longitude": [dice.random() * 360 - 180 for _ in range(count)],
        "score": number(100),
        "visits": number(1000),
    }
    arrays = [pa.array(columns[field.name], field.type) for field in OURS.schema]
    return pa.table(arrays, schema=OURS.schema)


def pages(rows: int, page: int, *, shuffled: bool = False) -> Iterator[pa.Table]:
    """All accounts, in the order in which they were made, or in none."""
    every = ceil(rows / page)
    for first in range(every):
        if shuffled:
            yield accounts(range(first, rows, every))
        else:
            yield accounts(range(first * page, min((first + 1) * page, rows)))


def picked(which: str, rows: int, changed: int) -> list[int]:
    """Which accounts change."""
    dice = random.Random(which)
    if which == "recent":
        return sorted(dice.sample(range(rows - max(changed, int(rows * RECENT)), rows), changed))
    return sorted(dice.sample(range(rows), changed))


def put(lake: Store, who: str, page: pa.Table) -> int:
    """Merge a page; the bytes that it rewrote."""
    if who == "ours":
        return merge(lake, OURS, page).bytes
    before = create(lake, PEERS)
    sizes = _sizes(before)
    before.merge(page, "t.id = s.id", source_alias="s", target_alias="t").when_matched_update_all(
        predicate="s.changed > t.changed"
    ).when_not_matched_insert_all().execute()
    after = _sizes(before)
    return sum(size for path, size in after.items() if path not in sizes)


def _sizes(found: DeltaTable) -> dict[str, int]:
    files = pa.table(found.get_add_actions(flatten=True))
    return dict(zip(files["path"].to_pylist(), files["size_bytes"].to_pylist(), strict=True))


def work(asked: argparse.Namespace) -> None:
    """One piece of work, told by `--do`, in this process; the source's time is not counted."""
    lake = store(asked.lake)
    what, who = asked.do.split()
    seconds, done = 0.0, 0
    cpu = time.process_time()
    if what in ("whole", "shuffled"):
        source = pages(asked.rows, asked.page, shuffled=what == "shuffled")
        batches = (batch for page in source for batch in page.to_batches())
        reader = pa.RecordBatchReader.from_batches(OURS.schema, batches)
        started = time.perf_counter()
        merge(lake, OURS, reader)
        seconds = time.perf_counter() - started
    elif what == "load":
        for page in pages(asked.rows, asked.page):
            started = time.perf_counter()
            put(lake, who, page)
            seconds += time.perf_counter() - started
    elif what == "compact":
        started = time.perf_counter()
        compact(lake, OURS)
        seconds = time.perf_counter() - started
    elif what == "read":
        started = time.perf_counter()
        done = len(read(lake, OURS if who == "ours" else PEERS))
        seconds = time.perf_counter() - started
    else:
        table = OURS if who == "ours" else PEERS
        rows = accounts(picked(what, asked.rows, asked.changed), asked.hour)
        found = open_table(lake, table)
        assert found is not None
        whole = sum(_sizes(found).values())
        started = time.perf_counter()
        rewritten = put(lake, who, rows)
        seconds = time.perf_counter() - started
        done = round(1e6 * rewritten / whole)
    report(Sample(done, seconds, time.process_time() - cpu, peak_mib()))


def done(lake: Path, do: str, asked: argparse.Namespace, **other: int) -> Sample:
    """Have a piece of work done in a process of its own."""
    told = {"rows": asked.rows, "page": asked.page, "changed": asked.changed} | other
    args = [text for name, value in told.items() for text in (f"--{name}", str(value))]
    return sampled(Path(__file__), ["--do", do, "--lake", str(lake), *args])


def compared(lake: Path, asked: argparse.Namespace) -> None:
    """Load, change and read both tables, and print."""
    print(f"{asked.rows:,} rows of {len(OURS.schema)} columns in pages of {asked.page:,}")
    ours, peers = (done(lake, f"load {who}", asked) for who in ("ours", "peers"))
    print(
        f"load            {ours.seconds:7.2f} s  {ours.peak_mib:6.0f} MiB "
        f"{verdict(ours.peak_mib < MIB):<6}"
        f"   delta-rs {peers.seconds:7.2f} s  {peers.peak_mib:6.0f} MiB"
        f"   ratio {ours.seconds / peers.seconds:5.2f}"
    )
    for when in ("after the load", "after upkeep"):
        for hour, which in enumerate(("recent", "random")):
            hours = {"hour": 1 + hour + 2 * (when == "after upkeep")}
            ours, peers = (
                done(lake, f"{which} {who}", asked, **hours) for who in ("ours", "peers")
            )
            share, of_peer = ours.events / 1e6, peers.events / 1e6
            print(
                f"{asked.changed} {which:<7} {when:<14} {ours.seconds:5.2f} s "
                f"{verdict(ours.seconds < SECONDS):<6} {share:6.2%} rewritten "
                f"{verdict(share < SHARE):<6}"
                f" {ours.peak_mib:5.0f} MiB   delta-rs {peers.seconds:5.2f} s {of_peer:6.1%}"
                f"   ratio {ours.seconds / peers.seconds:5.2f}"
            )
        if when == "after the load":
            upkept = done(lake, "compact ours", asked)
            print(f"upkeep          {upkept.seconds:7.2f} s  {upkept.peak_mib:6.0f} MiB")
    ours, peers = (done(lake, f"read {who}", asked) for who in ("ours", "peers"))
    print(
        f"read whole      {ours.seconds:7.2f} s   delta-rs's files {peers.seconds:7.2f} s"
        f"   ratio {ours.seconds / peers.seconds:5.2f}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the table")
    parser.add_argument("--page", type=int, default=100_000, help="rows a merge, while loading")
    parser.add_argument("--changed", type=int, default=100, help="rows of an incremental merge")
    parser.add_argument("--whole", type=int, default=0, help="rows of one merge of a stream")
    parser.add_argument("--do", help=argparse.SUPPRESS)
    parser.add_argument("--lake", help=argparse.SUPPRESS)
    parser.add_argument("--hour", type=int, default=0, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.do:
        return work(asked)
    with tempfile.TemporaryDirectory() as folder:
        compared(Path(folder, "both"), asked)
        if asked.whole:
            for how in ("whole", "shuffled"):
                one = done(Path(folder, how), f"{how} ours", asked, rows=asked.whole)
                order = "in the order of the key" if how == "whole" else "shuffled"
                print(
                    f"one call of {asked.whole:,} rows {order:<24} {one.seconds:6.1f} s with its "
                    f"source  {one.peak_mib:5.0f} MiB {verdict(one.peak_mib < MIB)}"
                )
    return None


if __name__ == "__main__":
    main()
