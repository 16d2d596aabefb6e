"""What the lake held at some moment, as of any run."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from novade_pipeline.defs.music.as_of import moment_of, rows_as_of, versions_as_of
from novade_pipeline.defs.music.commands import add_to
from novade_pipeline.defs.music.tables import READ, TRACKS
from novade_pipeline.errors import UserError
from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.maintenance import vacuum
from novade_pipeline.sandbox.music_api import MusicApi

World = Any
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-05-01", datetime(2024, 5, 1, 23, 59, 59, 999999, UTC)),
        ("2024-05-01T13:30", datetime(2024, 5, 1, 13, 30, tzinfo=UTC)),
        ("2024-05-01T13:30:00+02:00", datetime(2024, 5, 1, 11, 30, tzinfo=UTC)),
        ("2026-11-22", NOW),
    ],
)
def test_a_day_means_its_end(text: str, moment: datetime) -> None:
    assert moment_of(text, NOW) == moment


@pytest.mark.parametrize(
    ("text", "message"),
    [("yesterday", "expected a day"), ("2026-11-23", "in the past"), ("2024-13-01", "a day as")],
)
def test_what_is_no_moment_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        moment_of(text, NOW)


@pytest.fixture
def read_twice(world: World) -> tuple[datetime, datetime]:
    """Moments after a first and a second read of a service that lost and changed a track."""
    service = MusicApi(tracks=20, users=5, histories=5)
    world.serve(service)
    world.load()
    first = datetime.now(UTC)
    del service.tables["tracks"][0]
    service.tables["tracks"][0] |= {"name": "Renamed", "updated_at": "2026-01-01T00:00:00"}
    world.load()
    return first, datetime.now(UTC)


def test_each_moment_has_the_rows_of_its_read(
    world: World, read_twice: tuple[datetime, datetime]
) -> None:
    names = []
    for moment in read_twice:
        (held,) = [h for h in versions_as_of(world.lake, moment) if h.table is TRACKS]
        rows = rows_as_of(world.lake, held).sort_by("id")
        assert len(rows) == 20
        names.append((rows["is_deleted"].to_pylist()[0], rows["name"].to_pylist()[1]))
    assert [gone for gone, _ in names] == [False, True]
    assert names[0][1] != "Renamed"
    assert names[1][1] == "Renamed"


@pytest.mark.usefixtures("read_twice")
def test_before_the_first_read_there_was_nothing(world: World) -> None:
    held = versions_as_of(world.lake, datetime.now(UTC) - timedelta(days=1))
    assert [one.version for one in held] == [None] * len(READ)


def test_upkeep_leaves_every_run_readable(
    world: World, read_twice: tuple[datetime, datetime]
) -> None:
    vacuum(world.lake, TRACKS, 1, now=lambda: datetime.now(UTC) + timedelta(days=3650))
    held = [h for h in versions_as_of(world.lake, read_twice[0]) if h.table is TRACKS]
    assert len(rows_as_of(world.lake, held[0])) == 20
    found = open_table(world.lake, TRACKS)
    assert found is not None
    assert found.metadata().configuration["delta.logRetentionDuration"] == "interval 36507 days"


def _run(world: World, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.setenv("NOVADE_LAKE_URL", world.lake.url)
    monkeypatch.setenv("COLUMNS", "250")
    app = typer.Typer()
    add_to(app)
    return CliRunner().invoke(app, ["music", "as-of", *arguments])


def test_the_command_shows_and_writes_what_was_there(
    world: World,
    read_twice: tuple[datetime, datetime],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    out = tmp_path / "then"
    done = _run(world, monkeypatch, read_twice[0].isoformat(), "--out", str(out))
    assert done.exit_code == 0, done.output
    (line,) = [line for line in done.output.splitlines() if line.startswith("music/tracks")]
    assert "version := 1" in line
    assert pq.read_table(out / "tracks.parquet").num_rows == 20
    today = _run(world, monkeypatch, f"{datetime.now(UTC):%Y-%m-%d}")
    assert "version := 2" in today.output


def test_the_command_says_when_the_first_read_was(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = _run(world, monkeypatch, "2024-05-01")
    assert isinstance(done.exception, UserError)
    assert "nothing has been read yet" in str(done.exception)
