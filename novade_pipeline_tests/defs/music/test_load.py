"""What the service has is in the lake: each row once, none lost, nothing written for nothing."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.defs.music.tables import LISTEN_HISTORY, QUARANTINE, TRACKS, USERS
from novade_pipeline.errors import PermanentFailure, TransientFailure
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.sandbox.music_api import Faults, MusicApi
from novade_pipeline_tests.places import NewStore

World = Any
SECRET = b"listener7@example.com"


class Meddled(MusicApi):
    """A service to which something happens right after a page was told."""

    def __init__(self, then: Callable[["Meddled", int], None], **size: int) -> None:
        super().__init__(**size)
        self.pages_told = 0
        self._then = then

    def _page(self, endpoint: str, page: int, size: int) -> bytes:
        body = super()._page(endpoint, page, size)
        self.pages_told += 1
        self._then(self, self.pages_told)
        return body


def _ids(rows: list[dict[str, Any]]) -> list[int]:
    return [row["id"] for row in rows]


def test_every_row_of_the_service_is_in_the_lake_in_its_types(world: World) -> None:
    service = MusicApi(tracks=230, users=120, histories=310)
    world.serve(service)
    loaded = world.load()
    assert {name: done.changes.new for name, done in loaded.items()} == {
        "listen_history": 310,
        "tracks": 230,
        "users": 120,
    }
    record = service.tables["tracks"][41]
    (row,) = [row for row in world.rows(TRACKS) if row["id"] == record["id"]]
    minutes, seconds = record["duration"].split(":")
    assert row["duration_seconds"] == int(minutes) * 60 + int(seconds)
    assert row["updated_at"] == datetime.fromisoformat(record["updated_at"]).replace(tzinfo=UTC)
    assert row["name"] == record["name"]
    histories = sorted((str(h["user_id"]), h["items"]) for h in service.tables["listen_history"])
    found = sorted((str(h["user_id"]), h["items"]) for h in world.rows(LISTEN_HISTORY))
    assert found == histories


def test_what_is_the_same_is_not_written(world: World) -> None:
    world.serve(MusicApi(faults=Faults(broken_every=40)))
    world.load()
    before = world.versions()
    loaded = world.load()
    assert world.versions() == before
    assert all(done.receipt is None and done.quarantine is None for done in loaded.values())
    assert loaded["users"].changes.unchanged == 59


def test_a_change_of_one_row_writes_that_row(world: World) -> None:
    service = MusicApi()
    world.serve(service)
    world.load()
    service.tables["tracks"][3] |= {"name": "Renamed", "updated_at": "2026-01-01T00:00:00.000001"}
    loaded = world.load()
    assert loaded["tracks"].receipt is not None
    assert loaded["tracks"].receipt.rows == 1
    assert loaded["users"].receipt is None
    assert world.rows(TRACKS)[3]["name"] == "Renamed"
    (before,) = [r for r in read(world.lake, TRACKS, version=1).to_pylist() if r["id"] == 4]
    assert before["name"] != "Renamed"


def test_a_row_that_changed_without_a_new_time_is_taken(world: World) -> None:
    service = MusicApi()
    world.serve(service)
    world.load()
    service.tables["users"][0]["favorite_genres"] = "polka"
    assert world.load(USERS)["users"].changes.changed == 1
    assert world.rows(USERS)[0]["favorite_genres"] == "polka"


@pytest.mark.parametrize("table", [TRACKS, USERS, LISTEN_HISTORY])
def test_a_row_that_the_service_restored_to_an_older_state_is_what_the_service_says(
    world: World, new_store: NewStore, table: Table
) -> None:
    world.lake, name = new_store("lake"), table.path[-1]
    service = MusicApi(tracks=17, users=17, histories=17)
    world.serve(service)
    world.load(table)
    service.touch(name, "update")
    world.load(table)
    service.touch(name, "restore")
    loaded = world.load(table)[name]
    assert (loaded.changes.changed, loaded.changes.passed_over) == (1, 0)
    assert world.load(table)[name].receipt is None
    stored = {
        str([row[n] for n in ("id", "user_id", "items") if n in row]): row["updated_at"]
        for row in world.rows(table)
    }
    assert stored == {
        str([row[n] for n in ("id", "user_id", "items") if n in row]): datetime.fromisoformat(
            row["updated_at"]
        ).replace(tzinfo=UTC)
        for row in service.tables[name]
    }


def test_after_a_restart_of_the_service_its_rows_win_whichever_are_older(world: World) -> None:
    """The ids are the same, the rows are others, and many are older than the lake's."""
    before, after = MusicApi(tracks=17, seed=1), MusicApi(tracks=17, seed=2)
    older = sum(
        new["updated_at"] < old["updated_at"]
        for old, new in zip(before.tables["tracks"], after.tables["tracks"], strict=True)
    )
    assert 0 < older < 17
    for service in (before, after):
        world.serve(service)
        world.load(TRACKS)
    assert [row["name"] for row in world.rows(TRACKS)] == [
        row["name"] for row in after.tables["tracks"]
    ]


def test_rows_that_are_restored_while_they_are_read_are_those_of_the_last_read(
    world: World,
) -> None:
    service = MusicApi(tracks=250, faults=Faults(restores=4))
    world.serve(service)
    world.load(TRACKS, api_concurrency=1)
    world.load(TRACKS)
    stored = {row["id"]: row["album"] for row in world.rows(TRACKS)}
    assert stored == {row["id"]: row["album"] for row in service.tables["tracks"]}
    assert "As it was" in stored.values()


def test_a_row_that_vanished_is_marked_and_may_come_back(world: World) -> None:
    service = MusicApi()
    world.serve(service)
    world.load(TRACKS)
    gone = service.tables["tracks"].pop(7)
    assert world.load(TRACKS)["tracks"].changes.vanished == 1
    assert gone["id"] not in _ids(world.rows(TRACKS))
    assert len(world.rows(TRACKS, live=False)) == 240
    before = world.versions()
    world.load(TRACKS)
    assert world.versions() == before
    service.tables["tracks"].append(gone | {"updated_at": "2001-01-01T00:00:00"})
    assert world.load(TRACKS)["tracks"].changes.changed == 1
    assert gone["id"] in _ids(world.rows(TRACKS))


def test_a_history_that_grew_replaces_itself(world: World) -> None:
    service = MusicApi(histories=3)
    world.serve(service)
    world.load(LISTEN_HISTORY)
    service.tables["listen_history"][1] |= {"items": [9], "updated_at": "2026-01-01T00:00:00"}
    assert world.load(LISTEN_HISTORY)["listen_history"].changes.changed == 1
    assert len(world.rows(LISTEN_HISTORY, live=False)) == 3


def test_histories_of_one_user_and_moment_are_all_kept_and_repeats_are_one(world: World) -> None:
    service = MusicApi(histories=1)
    first = service.tables["listen_history"][0]
    other = {**first, "items": [1]}
    service.tables["listen_history"] = [first, other, dict(first), dict(other)]
    world.serve(service)
    loaded = world.load(LISTEN_HISTORY)["listen_history"]
    assert sorted(r["items"] for r in world.rows(LISTEN_HISTORY)) == sorted([first["items"], [1]])
    assert loaded.read.last.repeated == 2
    assert world.load(LISTEN_HISTORY)["listen_history"].receipt is None


def test_rows_that_break_their_types_are_in_quarantine_and_none_is_dropped(world: World) -> None:
    service = MusicApi(faults=Faults(broken_every=9))
    world.serve(service)
    for name, done in world.load().items():
        assert done.read.last.items == len(service.tables[name])
        assert done.changes.new + len(done.read.last.bad) == len(service.tables[name])
    rows = world.rows(QUARANTINE, live=False)
    assert len(rows) == 240 // 9 + 60 // 9 + 400 // 9
    reasons = {row["reason"] for row in rows}
    assert "duration: expected a duration as MM:SS, found text" in reasons
    assert "id: Input should be a valid integer, found text" in reasons
    assert "updated_at: expected a time as 2024-05-01T12:30:00.000000, found text" in reasons
    assert all(b"3 minutes" in r["raw"] for r in rows if r["reason"].startswith("duration"))


def test_a_row_that_breaks_keeps_its_last_good_state_until_it_is_mended(world: World) -> None:
    service = MusicApi()
    world.serve(service)
    world.load()
    before = world.rows(TRACKS), world.rows(LISTEN_HISTORY)
    good = {"tracks": dict(service.tables["tracks"][5])}
    service.tables["tracks"][5]["duration"] = None
    service.tables["listen_history"][5]["items"] = "1,2"
    world.load()
    assert (world.rows(TRACKS), world.rows(LISTEN_HISTORY)) == before
    assert len(world.rows(QUARANTINE, live=False)) == 2
    service.tables["tracks"][5] = good["tracks"]
    world.load()
    assert [row["source"] for row in world.rows(QUARANTINE, live=False)] == ["listen_history"]


def test_a_service_in_trouble_gives_what_one_without_gives(world: World) -> None:
    world.serve(MusicApi())
    world.load()
    undisturbed = [[{**r, "read_at": None} for r in world.rows(t)] for t in (TRACKS, USERS)]
    world.lake = type(world.lake)(world.lake.url + "-2")
    faults = Faults(limited_every=3, retry_after=0, failing_every=4, slow_every=7, slow_seconds=0.3)
    world.serve(MusicApi(faults=faults))
    world.load(api_timeout_seconds=0.15)
    assert [[{**r, "read_at": None} for r in world.rows(t)] for t in (TRACKS, USERS)] == undisturbed


@pytest.mark.parametrize("seed", range(1, 6))
def test_data_that_changes_between_pages_is_loaded_once_and_none_is_lost(
    world: World, seed: int
) -> None:
    service = MusicApi(tracks=320, users=210, seed=seed, faults=Faults(changes=9))
    world.serve(service)
    begin = {row["id"] for row in service.tables["tracks"]}
    world.load(TRACKS, USERS, api_most_reads=12)
    found = _ids(world.rows(TRACKS))
    assert len(found) == len(set(found))
    assert begin & {row["id"] for row in service.tables["tracks"]} <= set(found)
    world.load(TRACKS, USERS, api_most_reads=12)
    for table, name in ((TRACKS, "tracks"), (USERS, "users")):
        assert _ids(world.rows(table)) == sorted(row["id"] for row in service.tables[name])


def _swap_behind_the_first_page(service: Meddled, pages: int) -> None:
    """As many rows as before, and yet the first row of page 2 is on no page that is still told."""
    if pages == 1:
        del service.tables["tracks"][0]
        service.tables["tracks"].append(service._new("tracks"))


@pytest.mark.parametrize("most_reads", [1, 5])
def test_a_deletion_that_an_insertion_hides_loses_no_row(world: World, most_reads: int) -> None:
    world.serve(Meddled(_swap_behind_the_first_page, tracks=200))
    world.load(TRACKS, api_most_reads=most_reads, api_concurrency=1)
    # One read alone loses it: so this test can fail.
    assert (101 in _ids(world.rows(TRACKS))) == (most_reads > 1)


def _swap_always(service: Meddled, pages: int) -> None:
    del service.tables["tracks"][0]
    service.tables["tracks"].append(service._new("tracks"))


def test_a_service_that_never_holds_still_loses_nothing_and_is_told_of(world: World) -> None:
    service = Meddled(_swap_always, tracks=150)
    world.serve(service)
    for _ in range(2):
        before = set(_ids(world.rows(TRACKS)))
        there = {row["id"] for row in service.tables["tracks"]}
        done = world.load(TRACKS, api_most_reads=3)["tracks"]
        assert not done.read.is_stable
        still = there & {row["id"] for row in service.tables["tracks"]}
        assert still <= set(_ids(world.rows(TRACKS)))
        assert before & still <= set(_ids(world.rows(TRACKS)))
    assert any("the list changed" in line for line in world.log)


class Short(MusicApi):
    """A service whose second page is empty, though it says how many rows there are."""

    def _page(self, endpoint: str, page: int, size: int) -> bytes:
        return super()._page(endpoint, 99 if page == 2 else page, size)


def test_fewer_rows_than_the_service_says_are_not_believed(world: World) -> None:
    world.serve(MusicApi())
    world.load(TRACKS)
    before = world.versions()
    world.serve(Short())
    with pytest.raises(TransientFailure, match=r"expected the 240 rows .* found 140, in 3 reads"):
        world.load(TRACKS, api_most_reads=3)
    assert world.versions() == before


def test_a_service_that_has_nothing_is_believed_only_when_told_so(world: World) -> None:
    service = MusicApi()
    world.serve(service)
    world.load(USERS)
    before = world.versions()
    service.tables["users"].clear()
    with pytest.raises(PermanentFailure, match="the lake has 60, found that the service has none"):
        world.load(USERS)
    assert world.versions() == before
    world.load(USERS, api_accept_empty=True)
    assert world.rows(USERS) == []
    assert len(world.rows(USERS, live=False)) == 60


def test_a_service_that_never_had_anything_is_an_empty_table(world: World) -> None:
    world.serve(MusicApi(tracks=0, users=0, histories=0))
    loaded = world.load()
    assert all(done.receipt is None for done in loaded.values())
    assert world.rows(TRACKS) == []


@pytest.mark.parametrize("mode", ["hash", "drop"])
def test_no_personal_data_reaches_the_lake(world: World, mode: Any) -> None:
    policy = PersonalDataPolicy(mode, b"key")
    service = MusicApi(faults=Faults(broken_every=4))
    world.serve(service)
    world.load(USERS, policy=policy)
    files = [path for path in Path(world.root).rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if SECRET in path.read_bytes()]
    rows = world.rows(USERS)
    for name in ("email", "first_name", "last_name", "gender"):
        assert {row[name] is None for row in rows} == {mode == "drop"}
    assert all(row["raw"] is None for row in world.rows(QUARANTINE, live=False))
    before = world.versions()
    world.load(USERS, policy=policy)
    assert world.versions() == before


def test_what_no_secret_hides_is_kept_readable(world: World) -> None:
    """So that the test above can fail: what is kept is found where it looks."""
    world.serve(MusicApi())
    world.load(USERS)
    assert any(row["email"] == SECRET.decode() for row in world.rows(USERS))
