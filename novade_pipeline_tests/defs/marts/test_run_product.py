"""Events as people have met them, landed and run with `novade run`: what the marts count."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from novade_pipeline.execution.home import dagster_instance
from novade_pipeline.lake.query import connect
from novade_pipeline_tests.commands import novade
from novade_pipeline_tests.worlds import settings_in

SELECTION = ",".join(
    [
        *("amplitude/events", "amplitude/merged_ids", "amplitude/identities", "amplitude/repeats"),
        *("marts/event_enhanced", "marts/sessions", "marts/user_days", "marts/user_enhanced"),
        *("marts/daily_performance", "marts/weekly_retention"),
    ]
)
EVENT = {
    **{"event_type": "Song Played", "event_time": "2026-03-02 10:15:00.000000", "app": 187520},
    **{"amplitude_id": 900001, "session_id": 1772446500000, "user_id": "u-1", "device_id": "d-1"},
    **{"event_properties": {}, "user_properties": {"email": "u1@acme.example"}, "groups": {}},
}
WRONG_CLOCKS = ("2150-06-01 00:00:00.000000", "1970-01-01 00:00:00.000000")


def _event(number: int, **fields: Any) -> dict[str, Any]:
    return {"uuid": f"00000000-0000-4000-8000-{number:012}", **EVENT, **fields}


def _events() -> list[dict[str, Any]]:
    return [
        *(_event(number, event_type=f"Type {number % 3}") for number in range(31)),
        *(_event(100 + n, event_time=time) for n, time in enumerate(WRONG_CLOCKS)),
        # One of the same insert id; two of null ids; one of the same id on another device.
        *(
            _event(200 + n, event_type="Sent", device_id=device, **{"$insert_id": insert_id})
            for n, (device, insert_id) in enumerate(
                [("d-1", "i-1"), ("d-1", "i-1"), ("d-1", None), ("d-1", None), ("d-2", "i-1")]
            )
        ),
        *(
            _event(
                300 + n, event_type="Anonymous", amplitude_id=None, user_id=user, device_id=device
            )
            for n, (user, device) in enumerate(
                [("", "d-A"), ("null", "d-B"), ("0", "d-A"), ("\t\r\n", "d-B")]
            )
        ),
    ]


@dataclass(frozen=True)
class Ran:
    """A folder after `novade run`, and what the command printed."""

    folder: Path
    output: str

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with connect(self.folder / "data" / "warehouse.duckdb", read_only=True) as connection:
            return connection.execute(sql).fetchall()


def _land(folder: Path, hour: int, events: Sequence[dict[str, Any]]) -> None:
    path = folder / f"data/landing/amplitude/events/187520_2026-03-02_{hour}#0.json.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("".join(json.dumps(e) + "\n" for e in events).encode()))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("product")
    _land(folder, 10, _events())
    ended = novade(folder, "run", "--select", SELECTION)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return Ran(folder, " ".join((ended.stdout + ended.stderr).split()))


def test_clocks_that_are_years_off_bend_no_date_grid(ran: Ran) -> None:
    days = ran.rows("select min(event_date), max(event_date) from marts.daily_performance")
    assert days == [(date(2026, 3, 2), date(2026, 3, 2))]
    assert "Warning marts/event_enhanced: No event's time lies further" in ran.output


def test_events_of_a_wrong_clock_are_kept_and_count_at_their_upload(ran: Ran) -> None:
    rows = ran.rows(
        "select event_time, effective_time from marts.event_enhanced where clock_is_off order by 1"
    )
    upload = datetime(2026, 3, 2, 10, tzinfo=UTC)
    assert [(time.year, effective) for time, effective in rows] == [(1970, upload), (2150, upload)]


def test_a_wrong_clock_makes_no_data_fresh(ran: Ran) -> None:
    assert "Warning amplitude/events: The newest data is of 2026-03-02 11:00" in ran.output


def test_a_wrong_clock_is_not_the_newest_that_the_asset_shows(ran: Ran) -> None:
    settings = settings_in(ran.folder / "data", ran.folder / "data" / "landing")
    with dagster_instance(settings) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["amplitude", "events"]))
    assert event is not None
    assert event.asset_materialization is not None
    newest = event.asset_materialization.metadata["newest"].value
    assert newest == "2026-03-02 11:00:00+00:00"


def test_one_insert_id_of_an_app_and_device_is_one_event(ran: Ran) -> None:
    rows = ran.rows(
        "select device_id, insert_id from marts.event_enhanced where event_type = 'Sent'"
    )
    assert sorted(map(repr, rows)) == sorted(
        map(repr, [("d-1", "i-1"), ("d-1", None), ("d-1", None), ("d-2", "i-1")])
    )


def test_placeholder_ids_make_no_person_known(ran: Ran) -> None:
    rows = ran.rows(
        "select person.known, person.events from marts.user_enhanced as person"
        " where person.person_id in"
        " (select person_id from marts.event_enhanced where event_type = 'Anonymous')"
    )
    assert sorted(rows) == [(False, 2), (False, 2)]
