"""Many events at once are like those of the sandbox's world."""

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.sandbox.amplitude_exports import Landed, land_bulk
from novade_pipeline_tests.sandbox.landed_exports import (
    DOCUMENTED,
    EVENTS_NAME,
    MONDAY,
    TYPES,
    ExportContents,
    moment,
    read,
    verdicts,
)


@pytest.fixture(scope="module")
def bulk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Landed, ExportContents]:
    folder = tmp_path_factory.mktemp("bulk")
    figures = land_bulk(folder, events=5_003, files=7, first_hour=MONDAY, spread_days=3)
    (folder / "amplitude/merged_ids").mkdir()
    return figures, read(folder)


def test_bulk_lands_the_requested_number_of_distinct_events(
    bulk: tuple[Landed, ExportContents],
) -> None:
    figures, contents = bulk
    assert figures.events_files == contents.tally["events_files"] == 7
    assert figures.unique_events == len({uuid for _, uuid in contents.rows}) == 5_003
    assert figures.lines == contents.tally["lines"] == contents.tally["rows"]
    assert 1_550 < figures.bytes_raw / figures.lines < 1_800


def test_bulk_is_spread_over_its_days_and_each_event_is_of_its_hour(
    bulk: tuple[Landed, ExportContents],
) -> None:
    contents = bulk[1]
    assert {(hour - MONDAY).days for hour, _ in contents.rows} == {0, 1, 2}
    for (hour, _), event in contents.rows.items():
        assert hour <= moment(event["event_time"]) < moment(event["processed_time"])
        assert moment(event["processed_time"]) < hour + timedelta(hours=1)


def test_bulk_rows_conform_to_the_documented_fields_and_types(
    bulk: tuple[Landed, ExportContents],
) -> None:
    for event in bulk[1].rows.values():
        assert event.keys() == DOCUMENTED
        for names, kind in TYPES:
            assert {type(event[name]) for name in names} <= {kind, type(None)}


def test_bulk_figures_know_the_verdicts(bulk: tuple[Landed, ExportContents]) -> None:
    figures, contents = bulk
    judged = Counter(verdicts([(hour, event) for (hour, _), event in contents.rows.items()]))
    assert judged["violating"] == figures.violating_rows
    assert judged["unplanned"] == figures.unplanned_rows


def test_bulk_numbers_the_parts_where_an_hour_has_several_files(tmp_path: Path) -> None:
    land_bulk(tmp_path, events=60, files=60, first_hour=MONDAY)
    names = [path.name for path in (tmp_path / "amplitude/events").iterdir()]
    contents = [EVENTS_NAME.fullmatch(name) for name in names]
    assert Counter(int(name[3]) for name in contents if name) == {0: 24, 1: 24, 2: 12}


def test_bulk_has_the_requested_number_of_people_and_sessions(tmp_path: Path) -> None:
    land_bulk(tmp_path / "few", events=30_000, files=2, first_hour=MONDAY)
    land_bulk(
        tmp_path / "many",
        events=30_000,
        files=2,
        first_hour=MONDAY,
        people=3,
        one_event_sessions=True,
    )
    few, many = (_events(tmp_path / name) for name in ("few", "many"))
    # The pool comes more than twice, each time with people of its own.
    for name in ("amplitude_id", "device_id"):
        of_pool = len({event[name] for event in few})
        assert 2 * of_pool < len({event[name] for event in many}) < 3 * of_pool
    sessions = Counter((e["amplitude_id"], e["session_id"]) for e in many)
    assert set(sessions.values()) == {1}
    assert max(Counter((e["amplitude_id"], e["session_id"]) for e in few).values()) > 5


def _events(folder: Path) -> list[dict[str, Any]]:
    (folder / "amplitude/merged_ids").mkdir()
    return list(read(folder).rows.values())
