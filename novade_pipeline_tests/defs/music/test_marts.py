"""The star schema: made from the lake by dbt, its relations tested; empty of nothing."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.defs.marts.project import Project, prepared_project
from novade_pipeline.defs.marts.refresh import RefreshReport, refresh
from novade_pipeline.defs.music.tables import USERS
from novade_pipeline.lake.query import open_database
from novade_pipeline.sandbox.music_api import MusicApi
from novade_pipeline_tests.defs.music.conftest import World

MARTS = ("dim_tracks", "dim_users", "fct_listens", "top_tracks_by_genre", "user_taste")
Rows = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def project() -> Project:
    return prepared_project(Path("warehouse.duckdb"))


class Marts:
    """A small world whose marts are up to date."""

    def __init__(self, root: Path, project: Project, stack: ExitStack) -> None:
        self.world = World(root, stack)
        self.project = project
        self.path = root / "warehouse.duckdb"

    def refresh(self) -> RefreshReport:
        return refresh(
            self.project,
            self.world.lake,
            self.path,
            models=MARTS,
            checks=[check.name for check in self.project.checks if check.model in MARTS],
        )

    def query(self, sql: str) -> Rows:
        with closing(open_database(self.path)) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture(scope="module")
def empty_and_then_full(
    tmp_path_factory: pytest.TempPathFactory, project: Project
) -> Iterator[tuple[RefreshReport, Marts, MusicApi, RefreshReport]]:
    """The marts of an empty lake, and then of a service; one dbt is slow enough."""
    with ExitStack() as stack:
        marts = Marts(tmp_path_factory.mktemp("marts"), project, stack)
        empty = marts.refresh()
        service = MusicApi(tracks=60, users=9, histories=40)
        listens = service.tables["listen_history"]
        # A track and a user that the service never tells of.
        listens[0] |= {"user_id": 77, "items": [999, 1]}
        del service.tables["tracks"][9]
        marts.world.serve(service)
        marts.world.load()
        yield empty, marts, service, marts.refresh()


@pytest.fixture
def full(
    empty_and_then_full: tuple[RefreshReport, Marts, MusicApi, RefreshReport],
) -> tuple[Marts, MusicApi]:
    return empty_and_then_full[1], empty_and_then_full[2]


def test_an_empty_lake_has_empty_marts_and_checks_that_pass(
    empty_and_then_full: tuple[RefreshReport, Marts, MusicApi, RefreshReport],
) -> None:
    for refreshed, some in ((empty_and_then_full[0], False), (empty_and_then_full[3], True)):
        assert refreshed.failures == {}
        assert {name: mart.rows > 0 for name, mart in refreshed.marts.items()} == dict.fromkeys(
            MARTS, some
        )
        assert [report.check.name for report in refreshed.checks if not report.passed] == []
        assert len(refreshed.checks) > 20


def test_each_listened_track_is_one_row(full: tuple[Marts, MusicApi]) -> None:
    marts, service = full
    expected = sorted(
        (str(row["user_id"]), track)
        for row in service.tables["listen_history"]
        for track in row["items"]
    )
    found = marts.query("select user_id, track_id from marts.fct_listens")
    assert sorted((str(user), track) for user, track in found) == expected


def test_what_was_listened_to_and_never_told_of_is_inferred(full: tuple[Marts, MusicApi]) -> None:
    marts, _ = full
    tracks = marts.query("select track_id, name from marts.dim_tracks where is_inferred order by 1")
    assert (999, None) in tracks
    assert (10, None) in tracks or not marts.query(
        "select 1 from marts.fct_listens where track_id = 10"
    )
    assert marts.query("select user_id from marts.dim_users where is_inferred") == [(77,)]


def test_the_top_tracks_are_those_that_a_count_by_hand_finds(full: tuple[Marts, MusicApi]) -> None:
    marts, service = full
    genres = {row["id"]: row["genres"] for row in service.tables["tracks"]}
    counts: dict[int, int] = {}
    for row in service.tables["listen_history"]:
        for track in row["items"]:
            counts[track] = counts.get(track, 0) + 1
    expected = set()
    for genre in set(genres.values()):
        of_genre = {track: n for track, n in counts.items() if genres.get(track) == genre}
        for track, listens in of_genre.items():
            rank = 1 + sum(other > listens for other in of_genre.values())
            if rank <= 10:
                expected.add((genre, rank, track, listens))
    found = marts.query(
        "select genre, genre_rank, track_id, listens from marts.top_tracks_by_genre"
    )
    assert set(found) == expected
    assert len(found) == len(expected)


def test_the_shares_of_a_taste_make_a_whole_and_the_favourite_is_marked(
    full: tuple[Marts, MusicApi],
) -> None:
    marts, service = full
    shares = marts.query("select user_id, sum(share) from marts.user_taste group by 1 order by 1")
    # User 77 also listened to a track of no known genre, others perhaps to the track that is gone.
    assert all(0 < share <= 1.000001 for _, share in shares)
    assert dict(shares)[77] == pytest.approx(0.5)
    favourites = {row["id"]: row["favorite_genres"] for row in service.tables["users"]}
    rows = marts.query("select user_id, genre, is_favorite from marts.user_taste")
    assert {(u, g): favourites.get(u) == g for u, g, _ in rows} == {(u, g): f for u, g, f in rows}


def test_what_is_personal_in_the_tables_is_personal_in_the_marts(project: Project) -> None:
    columns = {c.name: c for c in project.tables["dim_users"].columns}
    assert {n for n, c in columns.items() if c.personal is not None} == set(USERS.personal)
    for name in MARTS:
        if name != "dim_users":
            assert not project.tables[name].personal


def test_a_history_that_vanished_counts_no_more_and_what_is_unchanged_rests(
    full: tuple[Marts, MusicApi],
) -> None:
    marts, service = full
    gone = service.tables["listen_history"].pop()
    before = marts.query("select count(*) from marts.fct_listens")[0][0]
    marts.world.load()
    refreshed = marts.refresh()
    assert refreshed.failures == {}
    after = marts.query("select count(*) from marts.fct_listens")[0][0]
    assert before - after == len(gone["items"])
    assert all(mart.is_unchanged for mart in marts.refresh().marts.values())
