"""The names of Amplitude's export files, and the hours that they say."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novade_pipeline.defs.amplitude.export_files import (
    EVENTS,
    MERGED_IDS,
    events_hour,
    merged_ids_hour,
)

HourOf = Callable[[str], datetime | None]
NUMBERS = st.integers(0, 10**9)
DAYS = st.dates(date(1000, 1, 1))
HOURS = st.integers(0, 23)


def _hour(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


@given(project=NUMBERS, day=DAYS, hour=HOURS, part=NUMBERS)
def test_a_name_of_events_yields_its_hour(project: int, day: date, hour: int, part: int) -> None:
    assert events_hour(f"{project}_{day}_{hour}#{part}.json.gz") == _hour(day, hour)


@given(organisation=NUMBERS, day=DAYS, hour=HOURS)
def test_a_name_of_merges_yields_its_hour(organisation: int, day: date, hour: int) -> None:
    assert merged_ids_hour(f"-{organisation}_{day}_{hour}.json.gz") == _hour(day, hour)


@given(day=DAYS, hour=HOURS, at=st.integers(0, 40), character=st.characters())
def test_a_mutated_name_yields_no_hour_or_that_of_a_name_like_it(
    day: date, hour: int, at: int, character: str
) -> None:
    name = f"187520_{day}_{hour}#0.json.gz"
    mutated = name[:at] + character + name[at + 1 :]
    parsed = events_hour(mutated)
    if parsed is not None:
        project, day_text, rest = mutated.split("_")
        hour_text, part = rest.removesuffix(".json.gz").split("#")
        assert (project.isascii(), part.isascii()) == (True, True)
        assert parsed == _hour(date.fromisoformat(day_text), int(hour_text))


@given(name=st.text())
def test_any_text_is_a_name_or_is_none(name: str) -> None:
    assert events_hour(name) is None
    assert merged_ids_hour(name) is None


NO_HOURS = [
    "187520_2018-11-05_24#0.json.gz",
    "187520_2018-11-05_99#0.json.gz",
    "187520_2018-13-05_9#0.json.gz",
    "187520_2018-00-05_9#0.json.gz",
    "187520_2018-02-30_9#0.json.gz",
    "187520_0000-11-05_9#0.json.gz",
    "187520_2018-11-05_100#0.json.gz",
    "187520_2018-11-05_-1#0.json.gz",
    "187520_2018-11-05_#0.json.gz",
    "187520_2018-11-5_9#0.json.gz",
    "187520_18-11-05_9#0.json.gz",
    "187520_2018-11-05_9.json.gz",
    "187520_2018-11-05_9#.json.gz",
    "187520_2018-11-05_9#0.json",
    "187520_2018-11-05_9#0.json.gz.part",
    "187520_2018-11-05_9#0.json.gz\n",
    "187520_2018-11-05_9%230.json.gz",
    "_2018-11-05_9#0.json.gz",
    "-187520_2018-11-05_9#0.json.gz",
    "187520_2018-11-05_9#0.JSON.GZ",
    "١٨٧_2018-11-05_9#0.json.gz",
    "187520_2018-11-05_٩#0.json.gz",
    "187520 2018-11-05 9#0.json.gz",
    "export of december.json.gz",
]


@pytest.mark.parametrize("name", NO_HOURS)
def test_a_name_that_is_not_amplitudes_yields_no_hour(name: str) -> None:
    assert events_hour(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "187520_2018-11-05_9.json.gz",
        "-9187_2018-11-05_24.json.gz",
        "-9187_2018-11-05_9#0.json.gz",
        "-_2018-11-05_9.json.gz",
    ],
)
def test_a_name_that_is_not_of_merges_yields_no_hour(name: str) -> None:
    assert merged_ids_hour(name) is None


def test_an_hour_with_a_leading_zero_is_the_same_hour() -> None:
    # Amplitude writes H without one; who renames files to sort them loses nothing.
    assert events_hour("187520_2018-11-05_09#0.json.gz") == datetime(2018, 11, 5, 9, tzinfo=UTC)


def test_the_example_in_the_message_is_a_name() -> None:
    for source in (EVENTS, MERGED_IDS):
        assert source.hour_of(source.naming) is not None
