"""What a write refuses, and which other forms of the same values it takes."""

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import BaseModel

from novade_pipeline.errors import PermanentFailure, UserError
from novade_pipeline.lake.conform import conform
from novade_pipeline.lake.delta import (
    create,
    current_version,
    replace,
    replace_window,
)
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.lake.delta_tables import (
    HOUR,
    PLAYS,
    SECRET,
    START,
    USERS,
    plays,
    songs_in,
    users,
    window_of,
)
from novade_pipeline_tests.places import on_disk

REFUSED: dict[str, tuple[pa.Table, str]] = {
    "another type": (
        plays((0, "a")).set_column(4, "count", pa.array([SECRET])),
        "column count is int64, found string",
    ),
    "a number for a text": (
        plays((0, "a")).set_column(3, "song", pa.array([7])),
        "column song is string, found int64",
    ),
    "a time without a zone": (
        plays((0, "a")).set_column(1, "hour", pa.array([datetime(2026, 3, 1)], pa.timestamp("us"))),
        r"column hour is timestamp\[us, tz=UTC\], found timestamp\[us\]",
    ),
    "a number that does not fit": (
        plays((0, "a")).set_column(4, "count", pa.array([2**63], pa.uint64())),
        "column count is int64, found uint64",
    ),
    "no value where one must be": (
        plays((0, "a")).set_column(2, "kind", pa.array([None], pa.string())),
        "expected a value in every kind, found 1 without",
    ),
    "an unknown column": (
        plays((0, "a")).append_column("more", pa.array([SECRET])),
        r"only the declared columns, found also \['more'\]; declare them in Play",
    ),
    "a required column less": (
        plays((0, "a")).drop_columns(["kind"]),
        "expected a column kind, found none",
    ),
}


@on_disk
@pytest.mark.parametrize(("rows", "told"), REFUSED.values(), ids=REFUSED)
def test_rows_that_are_not_the_tables_are_refused_with_both_sides_named(
    rows: pa.Table, told: str, lake: Store
) -> None:
    create(lake, PLAYS)
    with pytest.raises(PermanentFailure, match=f"shop/plays: .*{told}") as raised:
        replace_window(lake, PLAYS, rows, [window_of(0, 1)])
    assert current_version(lake, PLAYS) == 0
    assert SECRET not in str(raised.value)


TAKEN = {
    "large text": pa.array(["a"], pa.large_string()),
    "text view": pa.array(["a"], pa.string_view()),
    "dictionary": pa.array(["a"]).dictionary_encode(),
    "nothing": pa.nulls(1),
}


@on_disk
@pytest.mark.parametrize("song", TAKEN.values(), ids=TAKEN)
def test_another_representation_of_the_same_values_is_taken(song: pa.Array, lake: Store) -> None:
    rows = plays((0, "a")).set_column(3, "song", song)
    replace_window(lake, PLAYS, rows, [window_of(0, 1)])
    assert read(lake, PLAYS).schema == PLAYS.schema
    assert songs_in(lake) == [str(song[0].as_py())]


def test_times_of_another_zone_and_unit_are_the_same_moments(lake: Store) -> None:
    moment = pa.array([START + HOUR]).cast(pa.timestamp("ms", "Asia/Tokyo"))
    replace_window(lake, PLAYS, plays((0, "a")).set_column(1, "hour", moment), [window_of(1, 2)])
    assert read(lake, PLAYS)["hour"].to_pylist() == [START + HOUR]


def test_a_type_that_changed_in_the_code_is_refused_with_both_types_named(lake: Store) -> None:
    class Play(BaseModel):
        """A play."""

        day: date
        hour: datetime | None
        kind: str
        song: str | None = None
        count: str | None = None

    replace_window(lake, PLAYS, plays((0, "a")), [window_of(0, 1)])
    changed = Table(
        name="shop/plays", row=Play, key=("hour",), write_mode="replace_window", window="hour"
    )
    told = "column count is int64 in the lake and string in the code; nothing is written"
    with pytest.raises(PermanentFailure, match=told):
        replace_window(lake, changed, plays().cast(changed.schema), [window_of(0, 1)])
    assert songs_in(lake) == ["a"]


def test_a_column_that_is_new_in_the_code_is_added(lake: Store) -> None:
    class Play(BaseModel):
        """A play."""

        day: date
        hour: datetime | None
        kind: str
        song: str | None = None
        count: int | None = None
        mood: str | None = None

    replace_window(lake, PLAYS, plays((0, "a"), (2, "b")), [window_of(0, 3)])
    grown = Table(
        name="shop/plays",
        row=Play,
        key=("hour",),
        write_mode="replace_window",
        partition_by=("day",),
        window="hour",
    )
    row = {"day": START.date(), "hour": START, "kind": "a", "song": "c", "mood": "good"}
    assert read(lake, grown)["mood"].to_pylist() == [None, None]
    replace_window(lake, grown, pa.Table.from_pylist([row], schema=grown.schema), [window_of(0, 1)])
    found = read(lake, grown).sort_by("song").to_pylist()
    assert [(r["song"], r["mood"]) for r in found] == [("b", None), ("c", "good")]


def test_conforming_puts_columns_in_order_and_fills_absent_ones() -> None:
    (batch,) = (
        plays((0, "a")).drop_columns(["count"]).select(["song", "kind", "hour", "day"]).to_batches()
    )
    conformed = conform(PLAYS, batch)
    assert conformed.schema == PLAYS.schema
    assert conformed.to_pylist() == plays((0, "a")).to_pylist()


@pytest.mark.parametrize(
    "write",
    [
        lambda lake: replace_window(lake, PLAYS, plays((0, SECRET)), [window_of(0, 1)]),
        lambda lake: merge(lake, USERS, users((SECRET, 1, None, False))),
        lambda lake: replace(lake, USERS, users((SECRET, 1, None, False))),
    ],
    ids=["replace_window", "merge", "replace"],
)
def test_a_lake_that_cannot_be_written_is_one_sentence(
    write: Callable[[Store], object], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError) as raised:
        write(store(str(tmp_path / "file" / "lake")))
    told = str(raised.value)
    assert "NOVADE_LAKE_URL" in told
    assert str(tmp_path / "file") in told
    assert SECRET not in told
    assert "\n" not in told
