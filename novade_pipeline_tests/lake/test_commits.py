"""A commit counts once, and is known as our own, when the answer to it is lost."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from pydantic import BaseModel, Field

from novade_pipeline.errors import TransientFailure
from novade_pipeline.lake.delta import (
    WriteReceipt,
    append_once,
    create,
    current_version,
    replace,
    replace_window,
)
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.azurite import Azurite
from novade_pipeline_tests.faulty_proxy import BLOB_READS, COMMITS, Fault, Faults, FaultyProxy
from novade_pipeline_tests.faulty_store import through_proxy

START = datetime(2026, 3, 1, tzinfo=UTC)
LOST: tuple[Fault, ...] = ("drop_after", "error_after", "cut_response", "stall_after")


class Play(BaseModel):
    """A play."""

    day: date = Field(description="Its day.")
    hour: datetime = Field(description="Its hour.")
    song: str = Field(description="What was played.")
    count: int = Field(description="How often.")


PLAYS = Table(
    name="shop/plays",
    row=Play,
    key=("song",),
    write_mode="merge",
    window="hour",
    version="count",
)


def _plays(hours: range, count: int) -> pa.Table:
    moments = [START + timedelta(hours=hour) for hour in hours]
    rows = [
        {"day": moment.date(), "hour": moment, "song": f"{hour}", "count": count}
        for hour, moment in zip(hours, moments, strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=PLAYS.schema)


def _window(hours: range) -> list[Window]:
    return [Window(START + timedelta(hours=h), START + timedelta(hours=h + 1)) for h in hours]


WRITERS: dict[str, Callable[[Store], WriteReceipt | None]] = {
    "new window": lambda s: replace_window(s, PLAYS, _plays(range(2, 4), 9), _window(range(2, 4))),
    "same window": lambda s: replace_window(s, PLAYS, _plays(range(2), 9), _window(range(2))),
    "cleared window": lambda s: replace_window(s, PLAYS, _plays(range(0), 9), _window(range(2))),
    "replace": lambda s: replace(s, PLAYS, _plays(range(1, 3), 9)),
    "append": lambda s: append_once(s, PLAYS, _plays(range(2, 4), 9), app_id="a", version=1),
    "merge": lambda s: merge(s, PLAYS, _plays(range(1, 3), 9)),
}


def _rows(store: Store) -> list[tuple[str, int]]:
    return sorted((row["song"], row["count"]) for row in read(store, PLAYS).to_pylist())


def _told(receipt: WriteReceipt | None) -> dict[str, Any]:
    assert receipt is not None
    return {name: getattr(receipt, name) for name in ("rows", "files", "table_version", "newest")}


@pytest.mark.parametrize("kind", ["drop_after", "error_after"])
@pytest.mark.parametrize("name", WRITERS)
def test_a_write_whose_answer_is_lost_is_done_once_and_tells_the_same(
    name: str, kind: Fault, azurite: Azurite, proxy: FaultyProxy
) -> None:
    heard, lost = azurite.new_store("heard"), azurite.new_store("lost")
    for place in (heard, lost):
        replace_window(place, PLAYS, _plays(range(2), 1), _window(range(2)))
    expected = WRITERS[name](heard)
    with proxy.failing(Faults((kind,), aim=COMMITS, at_most=1)):
        receipt = WRITERS[name](through_proxy(proxy, lost))
    assert proxy.done == {kind: 1}
    assert _told(receipt) == _told(expected)
    assert current_version(lost, PLAYS) == current_version(heard, PLAYS)
    assert _rows(lost) == _rows(heard)


@pytest.mark.parametrize("kind", LOST)
def test_a_table_whose_creation_was_not_answered_is_there_and_is_written(
    kind: Fault, azurite: Azurite, proxy: FaultyProxy
) -> None:
    lake = azurite.new_store("lake")
    with proxy.failing(Faults((kind,), aim=COMMITS, at_most=1)):
        create(through_proxy(proxy, lake), PLAYS)
    assert proxy.done == {kind: 1}
    # delta-rs creates it once more then, as its next version, which holds no rows either.
    receipt = replace(lake, PLAYS, _plays(range(2), 1))
    assert receipt.table_version == current_version(lake, PLAYS)
    assert _rows(lake) == [("0", 1), ("1", 1)]


def test_a_commit_that_nobody_can_look_for_is_told_as_unknown_and_done_again(
    azurite: Azurite, proxy: FaultyProxy
) -> None:
    lake = azurite.new_store("lake")
    hasty = through_proxy(proxy, lake)
    create(lake, PLAYS)
    # The answer to the commit is lost, and from then on the log cannot be read.
    aim = rf"({COMMITS})|({BLOB_READS}\S*_delta_log/0+1\.json)"
    with (
        proxy.failing(Faults(("error_after",), aim=aim)),
        pytest.raises(TransientFailure, match="whose outcome is unknown"),
    ):
        replace_window(hasty, PLAYS, _plays(range(2), 1), _window(range(2)))
    replace_window(hasty, PLAYS, _plays(range(2), 1), _window(range(2)))
    assert _rows(lake) == [("0", 1), ("1", 1)]


def test_two_writes_never_have_the_same_mark(azurite: Azurite) -> None:
    lake = azurite.new_store("lake")
    for count in range(3):
        replace(lake, PLAYS, _plays(range(1), count))
    entries = [
        lake.read(*PLAYS.path, "_delta_log", f"{version:020}.json") for version in range(1, 4)
    ]
    marks = {
        json.loads(line)["commitInfo"]["novade.write"]
        for entry in entries
        for line in entry.splitlines()
        if b"commitInfo" in line
    }
    assert len(marks) == 3
