"""The sandbox's exports are what they say they are: their files, and what is told of them."""

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from novade_pipeline.sandbox.amplitude_exports import Landed, land, plan
from novade_pipeline.sandbox.amplitude_faults import NEW_FIELD
from novade_pipeline_tests.sandbox.landed_exports import (
    EVENTS_NAME,
    EVENTS_PER_HOUR,
    MONDAY,
    ExportContents,
    delay,
    files_below,
    landed_in,
    read,
)


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    landed_in(tmp_path / "one", MONDAY, 30)
    landed_in(tmp_path / "two", MONDAY, 30)
    assert files_below(tmp_path / "one") == files_below(tmp_path / "two")


def test_another_seed_is_another_world(tmp_path: Path) -> None:
    first = landed_in(tmp_path / "one", MONDAY, 3)
    landed_in(tmp_path / "two", MONDAY, 3, seed=2)
    assert first.rows
    assert not read(tmp_path / "one").rows.keys() & read(tmp_path / "two").rows.keys()


def test_landing_again_touches_nothing(tmp_path: Path) -> None:
    first = landed_in(tmp_path, MONDAY, 26)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    second = landed_in(tmp_path, MONDAY, 26)
    assert (first.unchanged, second.written) == (0, 0)
    assert first.written == second.unchanged == len(files_below(tmp_path))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == stamps


def test_a_file_that_differs_is_written_anew(tmp_path: Path) -> None:
    landed_in(tmp_path, MONDAY, 3)
    expected = files_below(tmp_path)
    next((tmp_path / "amplitude/events").iterdir()).write_bytes(b"cut short")
    assert landed_in(tmp_path, MONDAY, 3).written == 1
    assert files_below(tmp_path) == expected


def test_two_days_landed_one_by_one_are_the_same_two_days(tmp_path: Path) -> None:
    landed_in(tmp_path / "whole", MONDAY, 48)
    landed_in(tmp_path / "split", MONDAY, 24)
    landed_in(tmp_path / "split", MONDAY + timedelta(days=1), 24)
    assert files_below(tmp_path / "split") == files_below(tmp_path / "whole")


def test_short_ranges_bring_faulty_lines_and_no_faulty_files(tmp_path: Path) -> None:
    for start in range(0, 24, 12):
        part = landed_in(tmp_path / "split", MONDAY + timedelta(hours=start), 12)
        assert part.faulty_files == 0
    whole = landed_in(tmp_path / "whole", MONDAY + timedelta(days=1), 24)
    assert whole.faulty_files == 1
    assert read(tmp_path / "split").tally["quarantined_lines"]


def test_short_ranges_differ_from_a_whole_day_by_its_faulty_file_only(tmp_path: Path) -> None:
    tuesday = MONDAY + timedelta(days=1)
    landed_in(tmp_path / "whole", tuesday, 24)
    for start in range(0, 24, 8):
        landed_in(tmp_path / "split", tuesday + timedelta(hours=start), 8)
    whole, split = files_below(tmp_path / "whole"), files_below(tmp_path / "split")
    assert split.items() <= whole.items()
    assert len(whole) - len(split) == 1


def test_without_faults_every_line_is_an_event(tmp_path: Path) -> None:
    figures = landed_in(tmp_path, MONDAY, 48, faults=False)
    contents = read(tmp_path)
    assert figures.lines == figures.rows + figures.repeated_in_hour
    assert not contents.tally["quarantined_lines"] + contents.tally["blank_lines"]
    assert not contents.tally["faulty_files"]
    assert not any(NEW_FIELD in event for event in contents.rows.values())


def test_faults_take_no_event_away(
    tmp_path: Path, week: tuple[Path, Landed, ExportContents]
) -> None:
    landed_in(tmp_path, MONDAY, 168, faults=False)
    assert read(tmp_path).rows.keys() == week[2].rows.keys()


def test_only_stray_files_break_the_naming_pattern(
    week: tuple[Path, Landed, ExportContents],
) -> None:
    names = [path.name for path in (week[0] / "amplitude/events").iterdir()]
    stray = [name for name in names if not EVENTS_NAME.fullmatch(name)]
    assert stray
    assert all(re.fullmatch(r"resent by hand [\d-]{10}\.json\.gz", name) for name in stray)


def test_the_figures_are_those_of_the_files(week: tuple[Path, Landed, ExportContents]) -> None:
    folder, figures, contents = week
    files = files_below(folder)
    unique = {uuid for _, uuid in contents.rows}
    expected = {
        **contents.tally,
        "merged_files": len({hour for hour, _ in contents.merges}),
        "merges": len(contents.merges),
        "unique_events": len(unique),
        "repeated_across_hours": len(contents.rows) - len(unique),
        "late_events": len({e["uuid"] for e in contents.rows.values() if delay(e) >= 1}),
        "new_field_rows": sum(NEW_FIELD in event for event in contents.rows.values()),
        "bytes_landed": sum(map(len, files.values())),
        "written": len(files),
    }
    assert {name: getattr(figures, name) for name in expected} == expected
    assert min(expected.values()) > 0


def test_every_line_is_accounted_for(week: tuple[Path, Landed, ExportContents]) -> None:
    figures = week[1]
    assert figures.lines == (
        figures.rows + figures.repeated_in_hour + figures.quarantined_lines + figures.blank_lines
    )
    assert figures.rows == figures.unique_events + figures.repeated_across_hours


def test_the_number_of_events_is_about_the_requested_one(
    week: tuple[Path, Landed, ExportContents],
) -> None:
    assert week[1].unique_events == pytest.approx(168 * EVENTS_PER_HOUR, rel=0.2)


def test_some_hours_have_two_parts_some_are_empty_some_have_no_file(
    week: tuple[Path, Landed, ExportContents],
) -> None:
    contents = week[2]
    full = {hour for hour, _ in contents.rows}
    assert any(parts == {0, 1} for parts in contents.parts.values())
    assert contents.parts.keys() - full
    assert {MONDAY + timedelta(hours=h) for h in range(168)} - contents.parts.keys()


def test_the_plan_is_landed_and_its_schemas_are_valid(
    week: tuple[Path, Landed, ExportContents],
) -> None:
    landed = json.loads((week[0] / "tracking_plan/lantern.json").read_bytes())
    assert landed == plan()
    for rule in landed["rules"]:
        Draft7Validator.check_schema(rule["jsonSchema"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"first_hour": MONDAY.replace(tzinfo=None)}, "UTC"),
        ({"first_hour": MONDAY.replace(tzinfo=timezone(timedelta(hours=1)))}, "UTC"),
        ({"first_hour": MONDAY.replace(minute=30)}, "full hour"),
        ({"first_hour": datetime(1999, 1, 1, tzinfo=UTC)}, "2000"),
        ({"hours": 0}, "hours"),
        ({"events_per_hour": 0}, "events_per_hour"),
    ],
)
def test_arguments_without_a_meaning_are_refused(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    arguments = {"first_hour": MONDAY, "hours": 1, "events_per_hour": 1, **options}
    with pytest.raises(ValueError, match=message):
        land(tmp_path, **arguments)
    assert not files_below(tmp_path)
