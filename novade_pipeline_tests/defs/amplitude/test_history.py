"""History from the Export API lands once, whole, and never changes what has landed before."""

import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from novade_pipeline.api.client import Client
from novade_pipeline.defs.amplitude.export_api import HOUR, api_of
from novade_pipeline.defs.amplitude.export_files import EVENTS
from novade_pipeline.defs.amplitude.history import (
    FOLDER,
    HistoryReport,
    compare_exports,
    fetch_history,
    pending_hours,
)
from novade_pipeline.defs.amplitude.settings import AmplitudeSettings
from novade_pipeline.defs.amplitude.tables import EVENTS as EVENTS_TABLE
from novade_pipeline.defs.amplitude.tables import FILES, HISTORY
from novade_pipeline.errors import PermanentFailure, TransientFailure
from novade_pipeline.graph.landing_assets import rules_of
from novade_pipeline.lake.delta import current_version
from novade_pipeline.lake.read import read
from novade_pipeline.lake.windows import Window
from novade_pipeline.landing.load import load
from novade_pipeline.landing.source import find_pending
from novade_pipeline.sandbox.amplitude_api import AmplitudeApi, Faults, those_in
from novade_pipeline.sandbox.serving import serving
from novade_pipeline.settings import Settings, load_settings
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.forks import FORKS

FIRST = datetime(2018, 11, 1, 20, tzinfo=UTC)
DAY = timedelta(days=1)


class World:
    """A landing zone, a lake, and an API that is served while the world lives."""

    def __init__(self, root: Path, opened: ExitStack) -> None:
        self.root = root
        self._opened = opened
        self.settings: Settings = load_settings(
            lake_url=str(root / "lake"), landing_url=str(root / "landing")
        )
        (root / "landing" / EVENTS.folder).mkdir(parents=True)

    def serve(self, api: AmplitudeApi, **settings: Any) -> AmplitudeSettings:
        url = self._opened.enter_context(serving(api.app()))
        keys = {"api_key": api.api_key, "secret_key": api.secret_key}
        return AmplitudeSettings(api_url=url, **keys | settings)

    def fetch(
        self, settings: AmplitudeSettings, first: datetime, end: datetime, *, again: bool = False
    ) -> HistoryReport:
        return _fetch(self.settings, settings, Window(first, end), again)

    def load(self) -> None:
        zone, lake = self.settings.landing, self.settings.lake
        rules = rules_of(self.settings, EVENTS)
        plan = find_pending(EVENTS, zone, lake, rules)
        load(EVENTS, zone, lake, self.settings.personal_data_policy, plan)

    def events(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = read(self.settings.lake, EVENTS_TABLE).to_pylist()
        return sorted(rows, key=lambda row: (row["upload_hour"], row["uuid"]))

    def landed(self) -> dict[str, bytes]:
        folder = self.root / "landing" / FOLDER
        return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _fetch(
    settings: Settings, amplitude: AmplitudeSettings, window: Window, again: bool = False
) -> HistoryReport:
    with Client(api_of(amplitude)) as client:
        zone, lake = settings.landing, settings.lake
        return fetch_history(client, zone, lake, window, amplitude, again=again)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with ExitStack() as opened:
        yield World(tmp_path, opened)


@pytest.fixture(scope="module")
def exports(shared: Path) -> Path:
    """The real log's export files of events."""
    return shared / "landing" / EVENTS.folder


def _files(exports: Path, first: datetime, end: datetime) -> dict[str, bytes]:
    return dict(those_in(exports)(first, (end - first) // HOUR))


def test_an_hour_that_both_exports_have_is_loaded_once(world: World, exports: Path) -> None:
    first, end = FIRST, datetime(2018, 11, 4, tzinfo=UTC)
    files = _files(exports, first, end)
    for name in files:
        shutil.copy(exports / name, world.root / "landing" / EVENTS.folder)
    world.load()
    before = world.events()
    world.fetch(world.serve(AmplitudeApi(those_in(exports))), first, end)
    assert world.landed() == files
    world.load()
    assert world.events() == before
    ledger = Counter[str]()
    for row in read(world.settings.lake, FILES).to_pylist():
        ledger.update(lines=row["lines"], rows=row["rows"], repeated=row["repeated"])
    assert ledger["lines"] == ledger["rows"] + ledger["repeated"]
    assert ledger["rows"] == len(before)


def test_without_the_storages_export_the_api_alone_gives_the_same_events(
    world: World, exports: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first, end = FIRST, datetime(2018, 11, 3, tzinfo=UTC)
    world.fetch(world.serve(AmplitudeApi(those_in(exports))), first, end)
    world.load()
    with ExitStack() as opened:
        other = World(tmp_path_factory.mktemp("storage"), opened)
        for name in _files(exports, first, end):
            shutil.copy(exports / name, other.root / "landing" / EVENTS.folder)
        other.load()
        assert _without_place(world.events()) == _without_place(other.events())


def _without_place(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "file"} for row in rows]


def test_spans_that_are_too_large_or_too_slow_are_split_and_no_more_is_read(
    world: World, exports: Path
) -> None:
    first, end = FIRST, FIRST + 4 * DAY
    files = _files(exports, first, end)
    faults = Faults(slow_hours=30, limited_every=5, retry_after=0, failing_every=7, cut_every=9)
    api = AmplitudeApi(those_in(exports), most_bytes=60_000, faults=faults)
    report = world.fetch(world.serve(api, api_hours_per_request=48), first, end)
    assert world.landed() == files
    assert (report.files, report.hours) == (len(files), 96)
    rows = read(world.settings.lake, HISTORY).to_pylist()
    assert {row["upload_hour"]: row["bytes"] for row in rows} == {
        first + n * HOUR: sum(
            map(len, _files(exports, first + n * HOUR, first + (n + 1) * HOUR).values())
        )
        for n in range(96)
    }
    assert report.empty_hours == sum(row["files"] == 0 for row in rows) > 0


def test_a_second_run_asks_for_nothing_and_a_third_that_is_told_to_changes_nothing(
    world: World, exports: Path
) -> None:
    first, end = FIRST, FIRST + DAY
    api = AmplitudeApi(those_in(exports))
    settings = world.serve(api)
    world.fetch(settings, first, end)
    landed = world.landed()
    times = {p: p.stat().st_mtime_ns for p in (world.root / "landing").rglob("*.gz")}
    version = current_version(world.settings.lake, HISTORY)
    requests = api.request_count
    assert world.fetch(settings, first, end).hours == 0
    assert api.request_count == requests
    assert current_version(world.settings.lake, HISTORY) == version
    report = world.fetch(settings, first, end, again=True)
    assert (report.files, report.unchanged_files) == (0, len(landed))
    assert {p: p.stat().st_mtime_ns for p in times} == times


def test_hours_that_are_not_exported_yet_are_left_for_later(world: World) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    api = AmplitudeApi(lambda start, hours: {})
    report = world.fetch(world.serve(api, api_delay_hours=3), now - 5 * HOUR, now + DAY)
    assert (report.hours, report.later_hours) == (2, 27)
    assert pending_hours(world.settings.lake, Window(now - 5 * HOUR, now), now) == [
        now - 3 * HOUR,
        now - 2 * HOUR,
        now - HOUR,
    ]


def test_of_a_window_that_begins_later_only_its_own_hours_are_left(world: World) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    api = AmplitudeApi(lambda start, hours: {})
    report = world.fetch(world.serve(api, api_delay_hours=3), now, now + DAY)
    assert (report.hours, report.later_hours, api.request_count) == (0, 24, 0)


def test_a_file_that_amplitude_has_changed_replaces_the_landed_one_of_the_same_size(
    world: World,
) -> None:
    name = "187520_2018-11-01_20#0.json.gz"
    files = {name: b"former"}
    settings = world.serve(AmplitudeApi(lambda start, hours: files))
    world.fetch(settings, FIRST, FIRST + HOUR)
    files[name] = b"newest"
    report = world.fetch(settings, FIRST, FIRST + HOUR, again=True)
    assert world.landed() == files
    assert (report.files, report.unchanged_files) == (1, 0)


class Deadly(AmplitudeApi):
    """An API at whose every third request the process that asks is killed."""

    victim: int | None = None
    kills = 0

    def _export(self, request: Request) -> Response:
        answer = super()._export(request)
        if self.victim is not None and self.request_count % 3 == 0:
            self.kills += 1
            os.kill(self.victim, signal.SIGKILL)
            self.victim = None
        return answer


def test_a_backfill_that_is_killed_ten_times_is_exact_and_reads_hardly_more(
    world: World, exports: Path
) -> None:
    first, end = FIRST, FIRST + 20 * DAY
    files = _files(exports, first, end)
    api = Deadly(those_in(exports))
    settings = world.serve(api, api_hours_per_request=6, api_concurrency=1)
    for _ in range(60):
        process = FORKS.Process(target=_fetch, args=(world.settings, settings, Window(first, end)))
        process.start()
        api.victim = process.pid if api.kills < 10 else None
        process.join()
        if process.exitcode == 0:
            break
    assert api.kills == 10
    assert world.landed() == files
    hours = Counter(row["upload_hour"] for row in read(world.settings.lake, HISTORY).to_pylist())
    assert hours == dict.fromkeys((first + n * HOUR for n in range(480)), 1)
    # Each kill costs at most the span that was answered and the one that was asked for.
    assert max(Counter(api.hours).values()) <= 3
    assert len(api.hours) <= len(set(api.hours)) + 10 * 2 * 6


def test_the_hours_that_one_export_lacks_are_named(world: World, exports: Path) -> None:
    first, end = datetime(2018, 11, 2, tzinfo=UTC), datetime(2018, 11, 3, tzinfo=UTC)
    hours = sorted(
        {int(n.partition("#")[0].rpartition("_")[2]) for n in _files(exports, first, end)}
    )
    not_stored, not_in_api = (first + hour * HOUR for hour in (hours[3], hours[5]))
    for name in _files(exports, first, end):
        if f"_{hours[3]}#" not in name:
            shutil.copy(exports / name, world.root / "landing" / EVENTS.folder)

    def of_api(start: datetime, count: int) -> dict[str, bytes]:
        files = those_in(exports)(start, count)
        return {name: file for name, file in files.items() if f"_{hours[5]}#" not in name}

    world.fetch(world.serve(AmplitudeApi(of_api)), first - 2 * DAY, end)
    world.load()
    difference = compare_exports(world.settings.lake)
    assert difference.only_api == [not_stored]
    assert difference.only_storage == [not_in_api]


@pytest.mark.parametrize(
    ("keys", "may_export", "message"),
    [
        (("lantern-secret", "lantern-key"), True, "401.*SECRET_KEY are swapped"),
        (("lantern-key", "lantern-secret"), False, "403.*may be exported"),
    ],
    ids=["swapped", "no right"],
)
def test_keys_that_are_refused_are_told_with_what_to_look_at(
    keys: tuple[str, str], may_export: bool, message: str, world: World
) -> None:
    api = AmplitudeApi(lambda start, hours: {}, may_export=may_export)
    settings = world.serve(api, api_key=keys[0], secret_key=keys[1])
    with pytest.raises(PermanentFailure, match=message) as failure:
        world.fetch(settings, FIRST, FIRST + HOUR)
    assert api.request_count == 1
    assert "lantern" not in str(failure.value)


def test_an_hour_that_cannot_be_split_is_told(world: World, exports: Path) -> None:
    settings = world.serve(AmplitudeApi(those_in(exports), most_bytes=10))
    with pytest.raises(PermanentFailure, match=r"2018110\dT\d\d.*400.*cannot be split"):
        world.fetch(settings, FIRST, FIRST + HOUR)


@pytest.mark.parametrize("fault", ["cut_every", "damaged_every"])
def test_of_a_zip_that_is_damaged_each_time_nothing_lands(
    fault: str, world: World, exports: Path
) -> None:
    settings = world.serve(AmplitudeApi(those_in(exports), faults=Faults(**{fault: 1})))
    with pytest.raises(TransientFailure, match="damaged one 3 times; nothing of it has landed"):
        world.fetch(settings, FIRST, FIRST + HOUR)
    assert world.landed() == {}


@pytest.mark.parametrize(
    "name",
    ["187520_2018-11-09_9#0.json.gz", "../187520_2018-11-01_20#0.json.gz", "readme.txt"],
    ids=["another hour", "a path that climbs", "another file"],
)
def test_of_an_answer_with_other_files_nothing_lands(name: str, world: World) -> None:
    settings = world.serve(AmplitudeApi(lambda start, hours: {name: b"1"}))
    with pytest.raises(PermanentFailure, match="nothing of it has landed"):
        world.fetch(settings, FIRST, FIRST + HOUR)
    assert world.landed() == {}


def test_a_budget_that_is_used_up_ends_a_run_whose_next_one_goes_on(
    world: World, exports: Path
) -> None:
    api = AmplitudeApi(those_in(exports))
    settings = world.serve(api, api_max_bytes=1, api_hours_per_request=12, api_concurrency=1)
    with pytest.raises(PermanentFailure, match=r"12 hours of 24 are fetched.*MAX_BYTES"):
        world.fetch(settings, FIRST, FIRST + DAY)
    world.fetch(settings, FIRST, FIRST + DAY)
    assert world.landed() == _files(exports, FIRST, FIRST + DAY)


def test_the_lake_and_the_landing_zone_may_be_anywhere(
    world: World, exports: Path, azurite: Any
) -> None:
    zone = azurite.new_store("landing")
    settings = world.serve(AmplitudeApi(those_in(exports)))
    window = Window(FIRST, FIRST + 6 * HOUR)
    with Client(api_of(settings)) as client:
        fetch_history(client, zone, store(str(world.root / "lake")), window, settings)
        again = fetch_history(
            client, zone, store(str(world.root / "lake")), window, settings, again=True
        )
    files = _files(exports, FIRST, FIRST + 6 * HOUR)
    assert {e.file.rpartition("/")[2] for e in zone.entries(FOLDER)} == files.keys()
    assert (again.files, again.unchanged_files) == (0, len(files))
