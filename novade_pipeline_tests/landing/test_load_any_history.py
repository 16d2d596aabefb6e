"""Whatever happens to the files, the last load leaves what one from nothing would."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from novade_pipeline.lake.windows import Window
from novade_pipeline.sandbox.amplitude_exports import land_bulk
from novade_pipeline_tests.landing.plays import play
from novade_pipeline_tests.places import on_disk

Shop = Any
HourOf = Callable[[int], Any]


FILES = st.tuples(st.integers(0, 3), st.integers(0, 1)) | st.just("stray")
LINES = st.lists(
    st.sampled_from(
        [play("a"), play("b"), play("a", share=1), play("c", new=2), b"", b"{", b"\xff"]
    ),
    max_size=4,
)
EXPORT = st.tuples(st.just("export"), FILES, LINES)
STEPS = st.one_of(
    EXPORT,
    EXPORT,
    st.tuples(st.just("damage"), FILES, st.just(())),
    st.tuples(st.just("delete"), FILES, st.just(())),
    st.tuples(st.just("touch"), FILES, st.just(())),
    st.tuples(st.just("load"), st.integers(0, 3), st.integers(1, 4)),
    st.tuples(st.just("load"), st.just(0), st.just(4)),
)


@on_disk
@given(steps=st.lists(STEPS, min_size=3, max_size=14))
@settings(max_examples=25)
def test_whatever_happens_the_last_load_leaves_what_a_load_from_nothing_would(
    steps: list[tuple[str, Any, Any]], new_shop: Callable[[], Shop], hour: HourOf
) -> None:
    _live_through(steps, new_shop(), hour)


def test_one_of_each_that_may_happen_leaves_what_a_load_from_nothing_would(
    shop: Shop, hour: HourOf
) -> None:
    a, b = [play("a")], [play("a", share=1), b"{", b"\xff"]
    steps: list[tuple[str, Any, Any]] = [
        *[("export", (0, 0), a), ("export", (0, 1), b), ("export", (1, 0), a)],
        *[("export", (2, 0), a), ("export", "stray", a), ("damage", (3, 0), ())],
        *[("load", 0, 2), ("load", 1, 3)],
        *[("export", (0, 0), b), ("touch", (0, 1), ()), ("delete", (1, 0), ())],
        *[("damage", (2, 0), ()), ("export", (3, 0), a), ("delete", "stray", ())],
        ("load", 0, 1),
    ]
    _live_through(steps, shop, hour)


def _live_through(steps: list[tuple[str, Any, Any]], shop: Shop, hour: HourOf) -> None:
    for what, which, how in steps:
        if what == "load":
            shop.load(Window(hour(which), hour(which + how)))
            continue
        name = "stray.json.gz" if which == "stray" else shop.name(*which)
        if what == "export":
            shop.land(name, *how)
        elif what == "damage":
            shop.upload(name, b"\x1f\x8b and no more")
        elif name in shop.names():
            content = shop.remove(name)
            if what == "touch":
                shop.upload(name, content)
    shop.load()
    assert shop.state() == shop.state_from_nothing()
    assert shop.plan().is_empty


def test_memory_stays_bounded_over_many_days(tmp_path: Path) -> None:
    land_bulk(
        tmp_path / "landing",
        events=80_000,
        files=60,
        first_hour=datetime(2026, 1, 1, tzinfo=UTC),
        spread_days=60,
    )
    code = """
import re, sys
from pathlib import Path
from datetime import date, timedelta
from novade_pipeline.defs.amplitude.export_files import EVENTS
from novade_pipeline.landing.ledger import Rules
from novade_pipeline.landing.load import load
from novade_pipeline.landing.source import find_pending
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.storage.locations import store
landing, lake = store(sys.argv[1] + "/landing"), store(sys.argv[1] + "/lake")
rules = Rules(1, "keep", date(2018, 1, 1), timedelta(0))
todo = find_pending(EVENTS, landing, lake, rules)
report = load(EVENTS, landing, lake, PersonalDataPolicy(), todo)
# Not `ru_maxrss`: Linux carries that over from the process that starts this one.
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]
print(report.lines.rows, int(peak) // 1024)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    rows, mebibytes = map(int, ran.stdout.split())
    assert rows == 80_000
    assert mebibytes < 900
