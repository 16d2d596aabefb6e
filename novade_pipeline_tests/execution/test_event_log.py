"""Dagster's log of events over connections that stay open, beside Dagster's own."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from novade_pipeline.execution.event_log import OPEN_DATABASES, PLANNED_DAYS, EventLog
from novade_pipeline.execution.home import dagster_instance, prepare_home
from novade_pipeline.graph.job_runs import range_tags
from novade_pipeline.settings import Settings, load_settings
from novade_pipeline_tests.forks import FORKS
from novade_pipeline_tests.worlds import settings_in

ASSETS = ("a", "b", "c")


@dg.multi_asset(
    specs=[dg.AssetSpec(name) for name in ASSETS],
    check_specs=[dg.AssetCheckSpec("is_right", asset=name) for name in ASSETS],
)
def made() -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    for name in ASSETS:
        yield dg.MaterializeResult(asset_key=name, metadata={"of": name})
        yield dg.AssetCheckResult(asset_key=name, passed=name != "b")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path, tmp_path / "landing")


def _run(instance: dg.DagsterInstance) -> str:
    job = dg.Definitions(assets=[made], jobs=[dg.define_asset_job("all_of_it")])
    done = job.resolve_job_def("all_of_it").execute_in_process(instance=instance)
    assert done.success
    return done.run_id


def _contents(
    instance: dg.DagsterInstance, run: str
) -> tuple[list[str], dict[str, str], list[bool]]:
    """The kinds of a run's events, the run of each asset's latest one, and what checks found."""
    kinds = [str(record.event_log_entry.dagster_event_type) for record in _records(instance, run)]
    latest = {}
    for name in ASSETS:
        event = instance.get_latest_materialization_event(dg.AssetKey(name))
        assert event is not None
        latest[name] = event.run_id
    checks = [dg.AssetCheckKey(dg.AssetKey(name), "is_right") for name in ASSETS]
    executions = instance.event_log_storage.get_latest_asset_check_execution_by_key(checks)
    return kinds, latest, [executions[key].status.value == "SUCCEEDED" for key in checks]


def _records(instance: dg.DagsterInstance, run: str) -> list[dg.EventLogRecord]:
    return list(instance.event_log_storage.get_records_for_run(run).records)


def test_it_is_the_log_of_the_command_line_and_of_the_web_page(settings: Settings) -> None:
    with dagster_instance(settings) as instance:
        assert isinstance(instance.event_log_storage, EventLog)


def run_with_dagsters_own(home: Path) -> None:
    """Run in a home with Dagster's default log."""
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    with dg.DagsterInstance.from_config(str(home)) as own:
        assert type(own.event_log_storage) is EventLog.__base__
        _run(own)
    (home / "dagster.yaml").unlink()


def test_it_holds_what_dagsters_own_holds_in_the_same_files(settings: Settings) -> None:
    """In another process, since this one compresses the databases of the home."""
    home = settings.dagster_home
    own = FORKS.Process(target=run_with_dagsters_own, args=(home,))
    own.start()
    own.join()
    assert own.exitcode == 0
    files = sorted(path.name for path in (home / "history" / "runs").glob("*.db"))
    earlier = next(name for name in files if name != "index.db").removesuffix(".db")
    with dagster_instance(settings) as instance:
        contents = _contents(instance, earlier)
        assert "ASSET_MATERIALIZATION" in str(contents[0])
        assert contents[1:] == (dict.fromkeys(ASSETS, earlier), [True, False, True])
        run = _run(instance)
        assert _contents(instance, run) == (contents[0], dict.fromkeys(ASSETS, run), contents[2])
        assert _contents(instance, earlier)[0] == contents[0]
    files_of_runs = {path.name for path in (home / "history" / "runs").glob("*.db")}
    assert files_of_runs == {*files, f"{run}.db"}


FIRST_DAY = date(2026, 1, 1)


@dg.asset(
    partitions_def=dg.DailyPartitionsDefinition(str(FIRST_DAY)),
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def daily(context: dg.AssetExecutionContext) -> None:
    if len(context.partition_keys) < PLANNED_DAYS:
        raise dg.Failure("A short range.", allow_retries=False)


def _plans_of_days(instance: dg.DagsterInstance, days: int) -> tuple[int, list[str]]:
    """How many events plan a run of so many days, and the days that the page shows as failed."""
    last = FIRST_DAY + timedelta(days=days - 1)
    job = dg.Definitions(assets=[daily], jobs=[dg.define_asset_job("all_days", [daily])])
    done = job.resolve_job_def("all_days").execute_in_process(
        instance=instance, tags=range_tags([FIRST_DAY, last]), raise_on_error=False
    )
    kinds = [
        record.event_log_entry.dagster_event_type for record in _records(instance, done.run_id)
    ]
    log = instance.event_log_storage
    key = dg.AssetKey("daily")
    failed = log.get_latest_asset_partition_materialization_attempts_without_materializations(key)
    return kinds.count(dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED), sorted(failed)


def test_each_of_few_days_is_planned_so_that_the_page_shows_which_failed(
    settings: Settings,
) -> None:
    with dagster_instance(settings) as instance:
        days = ["2026-01-01", "2026-01-02", "2026-01-03"]
        assert _plans_of_days(instance, 3) == (3, days)


def test_many_days_are_planned_by_one_event(settings: Settings) -> None:
    with dagster_instance(settings) as instance:
        assert _plans_of_days(instance, PLANNED_DAYS)[0] == PLANNED_DAYS
        assert _plans_of_days(instance, PLANNED_DAYS + 1)[0] == 1
        materialized = instance.get_materialized_partitions(dg.AssetKey("daily"))
        assert len(materialized) == PLANNED_DAYS + 1


def test_few_databases_are_open_however_many_runs_there_are(settings: Settings) -> None:
    with dagster_instance(settings) as instance:
        runs = [_run(instance) for _ in range(OPEN_DATABASES + 3)]
        assert len(_open_databases(settings)) <= OPEN_DATABASES
        assert {len(_records(instance, run)) for run in runs} == {len(_records(instance, runs[0]))}
        assert len(_open_databases(settings)) <= OPEN_DATABASES
    assert _open_databases(settings) == set()


def _open_databases(settings: Settings) -> set[Path]:
    """Of the log of events, those that this process holds open."""
    folder = settings.dagster_home.resolve() / "history" / "runs"
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return {file for file in (link.readlink() for link in links) if _is_log(file, folder)}


def _is_log(file: Path, folder: Path) -> bool:
    return file.parent == folder and file.suffix == ".db"


EVENTS_OF_A_WRITER = 40


def report(home: Path, writer: str) -> None:
    """Write some events."""
    with dagster_instance(load_settings(dagster_home=home)) as instance:
        _report(instance, writer)


def _report(instance: dg.DagsterInstance, writer: str) -> None:
    for number in range(EVENTS_OF_A_WRITER):
        event = dg.AssetMaterialization("shared", metadata={"of": f"{writer} {number}"})
        instance.report_runless_asset_event(event)


def test_threads_and_processes_write_at_the_same_time_and_nothing_is_lost(
    settings: Settings,
) -> None:
    """As the steps of a run on the web page do."""
    with dagster_instance(settings) as instance:
        other = FORKS.Process(target=report, args=(settings.dagster_home, "process"))
        other.start()
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda name: _report(instance, name), ["first", "second", "third"]))
        other.join()
        assert other.exitcode == 0
        records = instance.fetch_materializations(dg.AssetKey("shared"), limit=1000).records
        contents = sorted(
            str(record.asset_materialization.metadata["of"].value)
            for record in records
            if record.asset_materialization is not None
        )
        writers = ("first", "second", "third", "process")
        expected = [f"{name} {number}" for name in writers for number in range(EVENTS_OF_A_WRITER)]
        assert contents == sorted(expected)


def test_a_table_or_a_column_is_known_only_from_when_it_is_there(settings: Settings) -> None:
    with dagster_instance(settings) as instance:
        log = instance.event_log_storage
        assert isinstance(log, EventLog)
        assert [log.has_table("asset_keys"), log.has_table("later")] == [True, False]
        with log.index_connection() as connection:
            connection.exec_driver_sql("create table later (id integer)")
        assert [log.has_table("later"), log.has_table("later")] == [True, True]
        assert log.has_asset_key_col("cached_status_data")
        assert not log.has_asset_key_col("no_such_column")


def test_what_is_wiped_is_gone_and_the_next_run_is_held(settings: Settings) -> None:
    with dagster_instance(settings) as instance:
        gone = _run(instance)
        instance.event_log_storage.wipe()
        assert instance.get_latest_materialization_event(dg.AssetKey("a")) is None
        assert _records(instance, gone) == []
        run = _run(instance)
        assert _contents(instance, run)[1:] == (dict.fromkeys(ASSETS, run), [True, False, True])


def test_dagsters_settings_are_those_of_this_version_until_a_user_replaces_them(
    settings: Settings,
) -> None:
    config = prepare_home(settings) / "dagster.yaml"
    content = config.read_text()
    assert str(settings.dagster_home.absolute()) in content
    config.write_text(content.split("\n")[0] + "\n# of an older version\n")
    prepare_home(settings)
    assert config.read_text() == content
    config.write_text("telemetry: {enabled: false}\n")
    prepare_home(settings)
    assert config.read_text() == "telemetry: {enabled: false}\n"
    assert [path.name for path in settings.dagster_home.iterdir()] == ["dagster.yaml"]
