"""Loads from and to storage that fails: complete and exact, or failed with whole hours."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.errors import TransientFailure, UserError
from novade_pipeline.lake.delta import current_version
from novade_pipeline.landing.load import LoadReport
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.azurite import Azurite
from novade_pipeline_tests.faulty_proxy import (
    BLOB_READS,
    COMMITS,
    PASSING,
    STALLS,
    Fault,
    Faults,
    FaultyProxy,
)
from novade_pipeline_tests.faulty_store import through_proxy

HOURS = range(4)
ROWS = 300
# A step runs so often at most: once, and three times more where a failure passes.
RUNS = 4
QUICK: tuple[Fault, ...] = tuple(kind for kind in PASSING if kind not in STALLS)
TO_LANDING = "-landing-"
FILES = r"^PUT \S+\.parquet\?"


class Exported:
    """A few hours in landing on Azurite, and what a load of them to the local disk says."""

    def __init__(self, shop: Any, azurite: Azurite, proxy: FaultyProxy, disk: Path) -> None:
        self.shop = shop
        self.azurite = azurite
        self.proxy = proxy
        for hour in HOURS:
            for part in range(2):
                plays = [_play(f"{hour}-{part}-{number}") for number in range(ROWS)]
                shop.land(shop.name(hour, part), *plays, *([b"not JSON"] if part else []))
        shop.upload(shop.name(1, 2), b"\x1f\x8b damaged")
        shop.load(lake=store(str(disk)))
        self.expected = shop.state(store(str(disk)))
        self.direct = shop.landing
        shop.landing = through_proxy(proxy, self.direct)

    def new_lake(self) -> Store:
        """An empty lake, without the proxy."""
        return self.azurite.new_store("lake")

    def load(self, lake: Store, lake_tries: int | None = None) -> LoadReport:
        """Load into a lake through the proxy."""
        report: LoadReport = self.shop.load(lake=through_proxy(self.proxy, lake, lake_tries))
        return report

    def loaded(self, lake: Store) -> tuple[LoadReport | None, list[str]]:
        """Load as a step does; its report, if it succeeded, and the failures before."""
        failures: list[str] = []
        for _ in range(RUNS):
            try:
                return self.load(lake), failures
            except TransientFailure as failure:
                failures.append(str(failure))
        return None, failures

    def reexport(self, hour: int) -> None:
        """Export the first part of an hour anew, with one row."""
        through_proxy, self.shop.landing = self.shop.landing, self.direct
        self.shop.land(self.shop.name(hour), _play("new"))
        self.shop.landing = through_proxy

    def whole_hours(self, lake: Store) -> int:
        """How many hours are there, each with all of its rows and nothing else."""
        rows = self.shop.rows(lake)
        hours = {row["upload_hour"] for row in rows}
        assert rows == [row for row in self.expected["rows"] if row["upload_hour"] in hours]
        return len(hours)


def _play(name: str) -> bytes:
    record = {
        "uuid": name,
        "$count": len(name),
        "user_id": "jane",
        "properties": {"song": "x" * 40},
    }
    return json.dumps(record).encode()


@pytest.fixture
def exported(
    new_shop: Callable[[], Any], azurite: Azurite, proxy: FaultyProxy, tmp_path: Path
) -> Exported:
    """The hours in a landing zone of their own."""
    return Exported(new_shop(), azurite, proxy, tmp_path / "expected")


pytestmark = pytest.mark.parametrize("new_store", ["azurite"], indirect=True)


@pytest.mark.parametrize(
    ("rate", "seed"), [(0.01, 0), (0.01, 2), (0.05, 1), (0.05, 2), (0.2, 1), (0.2, 2), (0.2, 3)]
)
def test_a_load_through_faults_is_complete_and_exact(
    rate: float, seed: int, exported: Exported
) -> None:
    lake = exported.new_lake()
    with exported.proxy.failing(Faults(QUICK, rate, seed)):
        report, failures = exported.loaded(lake)
    assert exported.proxy.done
    assert report is not None, failures
    assert exported.shop.state(lake) == exported.expected


@pytest.mark.parametrize("kind", QUICK)
def test_no_kind_of_fault_costs_or_doubles_a_row(kind: Fault, exported: Exported) -> None:
    lake = exported.new_lake()
    with exported.proxy.failing(Faults((kind,), 0.1, seed=7)):
        report, failures = exported.loaded(lake)
    assert set(exported.proxy.done) == {kind}
    assert report is not None, failures
    assert exported.shop.state(lake) == exported.expected


@pytest.mark.parametrize("aim", [COMMITS, TO_LANDING], ids=["commits", "landing"])
def test_answers_that_never_come_are_waited_for_only_so_long(aim: str, exported: Exported) -> None:
    lake = exported.new_lake()
    with exported.proxy.failing(Faults(STALLS, aim=aim, at_most=1, seed=2)):
        report, failures = exported.loaded(lake)
    assert exported.proxy.done.total() == 1
    assert report is not None, failures
    assert exported.shop.state(lake) == exported.expected


def test_no_answer_to_any_commit_leaves_each_commit_done_once(exported: Exported) -> None:
    heard, lost = exported.new_lake(), exported.new_lake()
    exported.load(heard)
    of_rows = r"^PUT \S+/_delta_log/0+[1-9]\.json\?"
    with exported.proxy.failing(Faults(("error_after",), 0.5, seed=1, aim=of_rows)):
        report = exported.load(lost)
    assert exported.proxy.done["error_after"] >= 2
    assert report.lines.rows == len(exported.expected["rows"])
    assert exported.shop.state(lost) == exported.expected
    source = exported.shop.source
    for table in (source.table, source.ledger, source.quarantine):
        assert current_version(lost, table) == current_version(heard, table)


@pytest.mark.parametrize(
    ("aim", "named"),
    [(COMMITS, "^shop/"), (TO_LANDING, "^abfss://.*-landing-"), (FILES, "^shop/")],
    ids=["commits", "landing", "files"],
)
def test_a_load_that_fails_names_what_failed_and_leaves_the_tables_as_they_were(
    aim: str, named: str, exported: Exported
) -> None:
    lake = exported.new_lake()
    exported.load(lake)
    exported.reexport(0)
    with (
        exported.proxy.failing(Faults(("internal_error",), aim=aim)),
        pytest.raises(TransientFailure, match=named),
    ):
        exported.load(lake, lake_tries=1)
    assert exported.shop.state(lake) == exported.expected
    exported.load(lake)
    assert len(exported.shop.rows(lake)) == len(exported.expected["rows"]) - ROWS + 1


def test_what_was_loaded_before_a_failure_is_whole_hours(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("novade_pipeline.landing.load.COMMIT_BYTES", 1)
    lake = exported.new_lake()
    third_hour = rf"{BLOB_READS}\S+_0%230\."
    with (
        exported.proxy.failing(Faults(("drop_before",), aim=third_hour)),
        pytest.raises(TransientFailure, match="-landing-"),
    ):
        exported.load(lake)
    assert exported.whole_hours(lake) == 2
    exported.load(lake)
    assert exported.shop.state(lake) == exported.expected


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("forbidden", "-landing-.*may not read there.*`Storage Blob Data Reader`"),
        ("expired", "-landing-.*the SAS token has expired"),
    ],
)
def test_a_missing_right_and_an_expired_token_have_different_messages(
    kind: Fault, message: str, exported: Exported
) -> None:
    lake = exported.new_lake()
    with (
        exported.proxy.failing(Faults((kind,), aim=f"{BLOB_READS}.*{TO_LANDING}")),
        pytest.raises(UserError, match=message),
    ):
        exported.load(lake)
    assert exported.proxy.done[kind] == 1
    assert exported.shop.state(lake) == {"rows": [], "ledger": {}, "quarantine": []}
