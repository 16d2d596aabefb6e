"""The public log as two stacks recorded it: Segment until a day, Amplitude from one on."""

import gzip
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.execution.local_run import run_graph
from novade_pipeline.execution.outcome import RunOutcome
from novade_pipeline.lake.query import open_database
from novade_pipeline.sandbox.segment_tables import AmplitudeEvent, exported_events, land
from novade_pipeline.settings import Settings
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.worlds import settings_in

FIRST, END = datetime(2018, 11, 11, tzinfo=UTC), datetime(2018, 11, 21, tzinfo=UTC)
"""Ten days that both recorded: Amplitude begins with the first, Segment ends before the other."""
LANDED = datetime(2018, 12, 10, 9, tzinfo=UTC)
SELECTION = " or ".join(
    [
        *("group:amplitude", "group:segment", "group:marts_segment", "group:reconciliation"),
        *(
            f'key:"marts/{name}"'
            for name in ("event_enhanced", "sessions", "user_days", "user_enhanced")
        ),
    ]
)
PLANTED = {"missing": 3, "extra": 4, "twice": 3, "other_time": 5, "other_property": 4}
KIND_OF = {
    **{"missing": "only_amplitude", "extra": "only_segment", "twice": "segment_twice"},
    **{"other_time": "other_time", "other_property": "other_properties"},
    "uploaded twice": "amplitude_twice",
}
"""What is planted -> the kind of difference that it has to be."""
Planted = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class TwoStacks:
    """A lake that has both, the run that loaded it, and the ids that differ by what was planted."""

    settings: Settings
    outcome: RunOutcome
    planted: Planted

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query of the warehouse."""
        with closing(open_database(self.settings.warehouse_path)) as connection:
            return connection.execute(sql).fetchall()


def changed_at(folder: Path, moment: datetime, pattern: str = "*") -> None:
    """Sets when the files of a folder were last changed, which is the hour that they belong to."""
    for path in folder.rglob(pattern):
        if path.is_file():
            os.utime(path, (moment.timestamp(), moment.timestamp()))


def land_segment(
    landing: Path, events: Iterable[AmplitudeEvent], differences: Mapping[str, int], seed: int
) -> Planted:
    """Land Segment's tables; what is there twice lands in another hour."""
    landed = land(store(str(landing)), events, differences=differences, seed=seed)
    changed_at(landing / "segment", LANDED)
    changed_at(landing / "segment", LANDED.replace(hour=11), "again-*")
    return landed.planted


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> TwoStacks:
    root = tmp_path_factory.mktemp("stacks")
    landing = root / "landing"
    log = store(str(shared / "landing"))
    shutil.copytree(
        shared / "landing" / "amplitude",
        landing / "amplitude",
        ignore=lambda folder, names: {n for n in names if f"_{FIRST:%Y-%m-%d}_" > _day_in(n)},
    )
    both = list(exported_events(log, FIRST, END))
    land(store(str(landing)), exported_events(log, None, FIRST), dataset="lantern_before")
    planted = dict(land_segment(landing, both, PLANTED, seed=7))
    untouched = {e["$insert_id"]: e for e in both if not _is_in(planted, e["$insert_id"])}
    planted["uploaded twice"] = _upload_again(landing, list(untouched.values())[5:400:150])
    settings = settings_in(root, landing)
    outcome = run_graph(settings, select=SELECTION)
    assert outcome.success, outcome.failures
    return TwoStacks(settings, outcome, planted)


def _day_in(name: str) -> str:
    """The part of a file's name that is its day, `_2018-11-05_`; all others are later."""
    start = name.find("_2018-")
    return "_9" if start < 0 else name[start : start + 12]


def _is_in(planted: Planted, id_: str) -> bool:
    return any(id_ in ids or f"{id_}-extra" in ids for ids in planted.values())


def _upload_again(landing: Path, events: Sequence[AmplitudeEvent]) -> list[str]:
    """Events that Amplitude got from another device, with their ids."""
    lines = [
        json.dumps({**event, "uuid": f"again-{n}", "device_id": f"other-{n}"})
        for n, event in enumerate(events)
    ]
    content = gzip.compress("\n".join(lines).encode(), mtime=0)
    (landing / "amplitude" / "events" / "187520_2018-11-29_9#7.json.gz").write_bytes(content)
    return [event["$insert_id"] for event in events]
