"""Partitions begin with what has landed, and none that a run has covered is missing."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import dagster as dg
import pytest

from novade_pipeline.definitions import build_definitions
from novade_pipeline.defs.amplitude.assets import SOURCES
from novade_pipeline.defs.amplitude.tables import EVENTS, FILES
from novade_pipeline.graph import upload_days as module
from novade_pipeline.graph.job_runs import PARTITION_TAG, RANGE_END_TAG, RANGE_START_TAG
from novade_pipeline.graph.table_assets import key_of
from novade_pipeline.graph.upload_days import landed_days, landed_tables, upload_days
from novade_pipeline.lake.delta import current_version
from novade_pipeline.lake.read import count_by, read
from novade_pipeline.settings import Settings, load_settings
from novade_pipeline.storage import store as storage
from novade_pipeline_tests.graph.sensor_world import World

TABLES = landed_tables(SOURCES)


def _ago(days: int) -> date:
    """Asked for when it is needed: the tests may run over midnight."""
    return datetime.now(UTC).date() - timedelta(days=days)


def _land(world: World, days_ago: int) -> None:
    """Land a day but for its last hours; a night may have no events."""
    world.land(20, datetime.combine(_ago(days_ago), time(), UTC))


def _land_today(world: World) -> None:
    """Land the first hour of today, which may not have had any other."""
    landing = world.settings.landing
    file = next(iter(landing.entries("amplitude/events/"))).file
    landing.write(landing.read(file), f"amplitude/events/187520_{_ago(0)}_0#0.json.gz")


def _run_requested(world: World) -> dg.ExecuteInProcessResult:
    (request,) = world.tick().run_requests
    result = world.run(request)
    assert result.success
    return result


def _missing(world: World) -> set[tuple[str, str]]:
    keys = set(upload_days(world.settings).get_partition_keys())
    return {
        (table.name, key)
        for table in TABLES
        for key in keys - world.instance.get_materialized_partitions(key_of(table))
    }


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Exports of the fifth day before today and of today; none of the days between."""
    with dg.DagsterInstance.ephemeral() as instance:
        world = World(tmp_path_factory.mktemp("world"), instance)
        _land(world, 5)
        _land_today(world)
        _run_requested(world)
        world.definitions = build_definitions(world.settings)
        yield world


def test_partitions_begin_with_the_first_day_that_has_landed(loaded: World) -> None:
    for table in TABLES:
        partitions = loaded.definitions.resolve_asset_graph().get(key_of(table)).partitions_def
        assert partitions is not None
        assert partitions.get_first_partition_key() == str(_ago(5))
        assert partitions.get_last_partition_key() == str(_ago(0))


def test_no_partition_is_missing_after_a_run(loaded: World) -> None:
    assert _missing(loaded) == set()


def test_each_partition_has_its_own_row_count(loaded: World) -> None:
    for table in TABLES:
        rows = count_by(loaded.settings.lake, table, "upload_date")
        for day in (5, 4, 0):
            where = dg.AssetRecordsFilter(
                asset_key=key_of(table), asset_partitions=[str(_ago(day))]
            )
            (record,) = loaded.instance.fetch_materializations(where, limit=9).records
            assert record.asset_materialization is not None
            metadata = record.asset_materialization.metadata
            assert metadata["dagster/partition_row_count"].value == rows[str(_ago(day))]
    assert rows[str(_ago(4))] == 0


def test_older_files_are_loaded_once_by_a_graph_whose_partitions_begin_later(
    loaded: World,
) -> None:
    _land(loaded, 9)
    partitions = upload_days(loaded.settings)
    assert partitions.get_first_partition_key() == str(_ago(5))
    (request,) = loaded.tick().run_requests
    # Dagster's daemon would refuse others.
    assert {request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]} <= {
        *partitions.get_partition_keys()
    }
    result = loaded.run(request)
    assert result.success
    events = [e for e in result.all_events if e.asset_key == key_of(EVENTS)]
    assert {e.partition for e in events if e.is_step_materialization} >= {str(_ago(9))}
    files = read(loaded.settings.lake, FILES, columns=["file"])["file"].to_pylist()
    landed = [entry.file for entry in loaded.settings.landing.entries("amplitude/")]
    assert Counter(files) == Counter(landed)
    rows = read(loaded.settings.lake, EVENTS, columns=["uuid", "upload_hour"]).to_pylist()
    assert max(Counter((row["uuid"], row["upload_hour"]) for row in rows).values()) == 1
    assert str(_ago(9)) in count_by(loaded.settings.lake, EVENTS, "upload_date")
    assert "all landed files" in loaded.tick().skip_message
    assert upload_days(loaded.settings).get_first_partition_key() == str(_ago(9))
    assert _missing(loaded) == set()


def test_a_new_day_is_not_missing_until_exports_stop(
    loaded: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not loaded.tick().asset_events
    tomorrow = _ago(-1)
    monkeypatch.setattr(module, "_today", lambda: tomorrow)
    reports = loaded.tick().asset_events
    assert {(r.asset_key, r.partition) for r in reports} == {
        (key_of(table), str(tomorrow)) for table in TABLES
    }
    for report in reports:
        loaded.instance.report_runless_asset_event(report)
    assert not loaded.tick().asset_events
    monkeypatch.setattr(module, "_today", lambda: tomorrow + timedelta(days=1))
    assert not loaded.tick().asset_events


def test_days_chosen_by_name_stay_exact_with_files_and_without(loaded: World) -> None:
    def rows() -> dict[str, list[str]]:
        return {
            table.name: sorted(
                repr({k: v for k, v in row.items() if k not in ("loaded_at", "table_version")})
                for row in read(loaded.settings.lake, table).to_pylist()
            )
            for table in TABLES
        }

    before = rows()
    version = current_version(loaded.settings.lake, EVENTS)
    for day, is_written in ((4, False), (5, True)):
        tags = {PARTITION_TAG: str(_ago(day))}
        result = loaded.run(dg.RunRequest(f"by name {day}", job_name="load_amplitude", tags=tags))
        assert result.success
        assert rows() == before
        assert (current_version(loaded.settings.lake, EVENTS) != version) == is_written
    assert "all landed files" in loaded.tick().skip_message


def test_a_lost_home_finds_the_first_day_again(
    loaded: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Everything does not fit one page, so that a sensor with a cursor lists the newest days.
    monkeypatch.setattr(storage, "PAGE_ENTRIES", 2)
    loaded.cursor = None
    loaded.tick()
    before = landed_days(loaded.settings)
    (loaded.settings.dagster_home / module.FILE).unlink()
    assert landed_days(loaded.settings) is None
    loaded.tick()
    assert landed_days(loaded.settings) == before


def _settings(root: Path, record: str | None, **more: str) -> Settings:
    (root / "dagster").mkdir()
    if record is not None:
        (root / "dagster" / module.FILE).write_text(record)
    return load_settings(landing_url="landing", dagster_home=root / "dagster", **more)


def _record(zone: str, first: int, last: int) -> str:
    """The record of a zone whose first and last day are so many days ago."""
    days = f'{{"first": "{_ago(first)}", "last": "{_ago(last)}"}}'
    return f'{{"{zone}": {{"amplitude/events": {days}}}}}'


@pytest.mark.parametrize(
    ("record", "first", "last"),
    [
        pytest.param(("landing", 99, 1), 99, 0, id="exports go on"),
        pytest.param(("landing", 99, 7), 99, 0, id="a quiet week"),
        pytest.param(("landing", 99, 8), 99, 8, id="they ended"),
        pytest.param(("other", 99, 1), 0, 0, id="another zone"),
        pytest.param("{", 0, 0, id="a damaged record"),
        pytest.param(None, 0, 0, id="nothing is known"),
    ],
)
def test_the_partitions_follow_the_record(
    tmp_path: Path, record: tuple[str, int, int] | str | None, first: int, last: int
) -> None:
    text = _record(*record) if isinstance(record, tuple) else record
    keys = upload_days(_settings(tmp_path, text)).get_partition_keys()
    assert (keys[0], keys[-1]) == (str(_ago(first)), str(_ago(last)))


def test_a_start_that_is_set_stays(tmp_path: Path) -> None:
    record = _record("landing", 99, 50)
    keys = upload_days(_settings(tmp_path, record, history_start="2020-02-29")).get_partition_keys()
    assert (keys[0], keys[-1]) == ("2020-02-29", str(_ago(0)))
