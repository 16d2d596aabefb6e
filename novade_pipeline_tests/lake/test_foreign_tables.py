"""Tables that another engine has written to, or that the code declared otherwise before."""

import io
import json
from dataclasses import replace as but
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.delta import create, current_version, replace, replace_window
from novade_pipeline.lake.maintenance import compact
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.query import connect, scan
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.lake.delta_tables import (
    HOUR,
    PLAYS,
    START,
    USERS,
    log_of,
    plays,
    songs_in,
    users,
    window_of,
)
from novade_pipeline_tests.places import on_disk

TURNED_ON: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "a feature that readers need": (
        {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]},
        {},
        "deletionVectors",
    ),
    "a feature that writers need": ({"writerFeatures": ["rowTracking"]}, {}, "rowTracking"),
    "a constraint": ({}, {"delta.constraints.c": "id <> 'a'"}, "checkConstraints"),
    "no deletions": ({}, {"delta.appendOnly": "true"}, "appendOnly"),
}


def _turn_on(lake: Store, features: dict[str, Any], properties: dict[str, str]) -> None:
    """What another engine would commit to the users."""
    version = current_version(lake, USERS)
    assert version is not None
    # Before there were lists, the fifth version of writers and the second of readers had it all.
    protocol = {"minReaderVersion": 2, "minWriterVersion": 5}
    if features:
        readers = 3 if "readerFeatures" in features else 1
        protocol = {"minReaderVersion": readers, "minWriterVersion": 7} | features
    metadata = _metadata(lake)
    metadata["configuration"] |= properties
    _commit(lake, USERS, version + 1, {"protocol": protocol}, {"metaData": metadata})


def _metadata(lake: Store) -> dict[str, Any]:
    (told,) = (action for action in log_of(lake, USERS, 0) if "metaData" in action)
    metadata: dict[str, Any] = told["metaData"]
    return metadata


def _commit(lake: Store, table: Table, version: int, *actions: dict[str, Any]) -> None:
    text = "\n".join(map(json.dumps, actions)).encode()
    lake.write(text, *table.path, "_delta_log", f"{version:020}.json")


def _add(lake: Store, table: Table, path: str, rows: pa.Table, day: str, **how: Any) -> None:
    """Add a file of a day as another engine writes it, without statistics."""
    create(lake, table)
    content = io.BytesIO()
    pq.write_table(rows, content, **how)
    lake.write(content.getvalue(), *table.path, *path.split("/"))
    action = {
        "path": path,
        "partitionValues": {"day": day},
        "size": len(content.getvalue()),
        "modificationTime": 1,
        "dataChange": True,
    }
    _commit(lake, table, 1, {"add": action})


@on_disk
@pytest.mark.parametrize(("features", "properties", "name"), TURNED_ON.values(), ids=TURNED_ON)
def test_what_a_writer_would_have_to_know_of_is_refused(
    features: dict[str, Any], properties: dict[str, str], name: str, lake: Store
) -> None:
    merge(lake, USERS, users(("a", 1, "Ann", False)))
    _turn_on(lake, features, properties)
    version = current_version(lake, USERS)
    told = rf"^shop/users: expected .* features of other engines, found {name}.*nothing is written"
    with pytest.raises(PermanentFailure, match=told):
        merge(lake, USERS, users(("b", 1, "Bob", False)))
    with pytest.raises(PermanentFailure, match=told):
        replace(lake, USERS, users(("b", 1, "Bob", False)))
    assert current_version(lake, USERS) == version


@on_disk
@pytest.mark.parametrize("name", ["delta.generationExpression", "delta.identity.start", "renamed"])
def test_columns_that_another_engine_computes_or_renames_are_refused(
    name: str, lake: Store
) -> None:
    merge(lake, USERS, users(("a", 1, "Ann", False)))
    metadata = _metadata(lake)
    schema = json.loads(metadata["schemaString"])
    schema["fields"][1]["metadata"][name] = "1"
    if name == "renamed":
        metadata["configuration"]["delta.columnMapping.mode"] = "name"
        for number, field in enumerate(schema["fields"]):
            field["metadata"] = {
                "delta.columnMapping.id": number,
                "delta.columnMapping.physicalName": field["name"],
            }
    metadata["schemaString"] = json.dumps(schema)
    protocol = {"minReaderVersion": 2, "minWriterVersion": 6}
    _commit(lake, USERS, 2, {"protocol": protocol}, {"metaData": metadata})
    told = "columnMapping" if name == "renamed" else name
    with pytest.raises(PermanentFailure, match=f"features of other engines, found {told}"):
        merge(lake, USERS, users(("b", 1, "Bob", False)))


@on_disk
def test_a_table_that_is_refused_gets_no_new_column_either(lake: Store) -> None:
    replace(lake, BEFORE, _rows(BEFORE, song=["a"]))
    (told,) = (action for action in log_of(lake, BEFORE, 0) if "metaData" in action)
    told["metaData"]["configuration"]["delta.appendOnly"] = "true"
    _commit(lake, BEFORE, 2, told)
    with pytest.raises(PermanentFailure, match="found appendOnly; nothing is written"):
        replace(lake, AFTER, _rows(AFTER, song=["a"], kind=["k"]))
    assert current_version(lake, BEFORE) == 2


@on_disk
def test_what_is_left_of_a_mapping_that_is_over_asks_for_nothing(lake: Store) -> None:
    merge(lake, USERS, users(("a", 1, "Ann", False)))
    metadata = _metadata(lake)
    schema = json.loads(metadata["schemaString"])
    schema["fields"][1]["metadata"]["delta.columnMapping.id"] = 1
    metadata["schemaString"] = json.dumps(schema)
    _commit(lake, USERS, 2, {"metaData": metadata})
    merge(lake, USERS, users(("a", 2, "Anna", False)))
    assert read(lake, USERS)["name"].to_pylist() == ["Anna"]


@on_disk
def test_features_that_are_not_made_use_of_ask_for_nothing(lake: Store) -> None:
    merge(lake, USERS, users(("a", 1, "Ann", False)))
    unused = ["appendOnly", "checkConstraints", "changeDataFeed", "invariants"]
    _turn_on(lake, {"writerFeatures": unused}, {"delta.appendOnly": "false"})
    merge(lake, USERS, users(("a", 2, "Anna", False)))
    _turn_on(lake, {}, {"delta.columnMapping.mode": "none", "delta.appendOnly": "false"})
    merge(lake, USERS, users(("a", 3, "Anne", False)))
    assert read(lake, USERS)["name"].to_pylist() == ["Anne"]


@pytest.mark.parametrize("cut", [True, False], ids=["cut first", "cut later"])
def test_the_lakes_partitions_count_where_the_code_declares_others(cut: bool, lake: Store) -> None:
    as_cut, whole = PLAYS, but(PLAYS, partition_by=())
    before, after = (as_cut, whole) if cut else (whole, as_cut)
    replace_window(lake, before, plays((0, "a"), (1, "b"), (30, "c")), [window_of(0, 48)])
    replace_window(lake, after, plays((1, "new")), [window_of(1, 2)])
    assert songs_in(lake, after) == ["a", "c", "new"]
    assert {row["day"] for row in read(lake, after).to_pylist()} == {
        *(date(2026, 3, 1), date(2026, 3, 2)),
    }
    assert compact(lake, after) is not None
    replace(lake, after, plays((30, "last")))
    assert read(lake, before).to_pylist() == plays((30, "last")).to_pylist()


def test_a_table_that_is_cut_by_key_has_no_partitions(lake: Store) -> None:
    replace(
        lake, but(USERS, write_mode="replace", partition_by=("name",)), users(("a", 1, "A", False))
    )
    with pytest.raises(PermanentFailure, match=r"expected no partitions.*found name"):
        merge(lake, USERS, users(("a", 2, "Ann", False)))


class Before(BaseModel):
    """A play, as it was declared first."""

    hour: datetime
    song: str | None = None


class After(BaseModel):
    """A play, with more that it must have."""

    hour: datetime
    song: str
    kind: str


class AfterAll(BaseModel):
    """A play that need not have anything."""

    hour: datetime
    song: str | None = None
    kind: str | None = None


BEFORE = Table(
    name="shop/plays", row=Before, key=("hour",), write_mode="replace_window", window="hour"
)
AFTER = but(BEFORE, row=After)


def _rows(table: Table, **columns: list[Any]) -> pa.Table:
    hours = [START + n * HOUR for n in range(len(columns["song"]))]
    return pa.table({"hour": hours, **columns}, schema=table.schema)


def test_older_rows_may_be_without_what_newer_ones_must_have(lake: Store) -> None:
    replace_window(lake, BEFORE, _rows(BEFORE, song=["a", None]), [window_of(0, 2)])
    replace_window(lake, AFTER, _rows(AFTER, song=["new"], kind=["k"]), [window_of(0, 1)])
    found = _rows_in(lake, AFTER)
    assert found == [(START, "new", "k"), (START + HOUR, None, None)]


def test_a_merge_touches_older_rows_that_are_without_what_newer_ones_must_have(
    lake: Store,
) -> None:
    before, after = (but(table, write_mode="merge", version="hour") for table in (BEFORE, AFTER))
    before, after = but(before, key=("song",)), but(after, key=("song",))
    merge(lake, before, _rows(BEFORE, song=["a", "b"]))
    rows = pa.table({"hour": [START + 9 * HOUR], "song": ["a"], "kind": ["k"]}, AFTER.schema)
    merge(lake, after, rows)
    assert _rows_in(lake, AFTER) == [
        *((START + HOUR, "b", None), (START + 9 * HOUR, "a", "k")),
    ]


def test_a_row_without_what_the_lake_asks_for_is_refused_by_name(lake: Store) -> None:
    replace_window(lake, AFTER, _rows(AFTER, song=["a"], kind=["k"]), [window_of(0, 1)])
    without = _rows(BEFORE, song=[None])
    with pytest.raises(PermanentFailure, match="expected a value in every song, as the table in"):
        replace(lake, but(BEFORE, row=AfterAll), without)
    assert current_version(lake, AFTER) == 1


def _rows_in(lake: Store, table: Table) -> list[tuple[Any, ...]]:
    """By an engine that does not know what the code declares."""
    query = f"SELECT hour, song, kind FROM {scan(lake, table)} ORDER BY hour"
    return connect(lake=lake).execute(query).fetchall()


@on_disk
@pytest.mark.parametrize(
    "how", [{}, {"use_deprecated_int96_timestamps": True}], ids=["plain", "Spark"]
)
def test_a_file_of_another_engine_is_rewritten_with_the_same_rows(
    how: dict[str, Any], lake: Store
) -> None:
    rows = plays((0, "a"), (1, "b"))
    # Some engines put the partition's columns in the file as well; what counts is the log.
    wrong = rows.set_column(0, "day", pa.array([date(1999, 1, 1)] * 2))
    _add(lake, PLAYS, "day=2026-03-01/part-1.parquet", wrong, "2026-03-01", **how)
    replace_window(lake, PLAYS, plays((0, "new")), [window_of(0, 1)])
    found = sorted(read(lake, PLAYS).to_pylist(), key=str)
    assert found == sorted(plays((0, "new"), (1, "b")).to_pylist(), key=str)


@pytest.mark.parametrize("microseconds", [999_000, 999_999])
def test_the_last_of_all_times_stops_no_later_write(microseconds: int, lake: Store) -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, microseconds, UTC)
    table = but(BEFORE, window=None, write_mode="merge", version="hour", key=("song",))
    for hour in (last, START):
        rows = {"hour": [hour, START], "song": [str(hour), "b"]}
        merge(lake, table, pa.table(rows, schema=table.schema))
    assert compact(lake, table) is not None
    merge(lake, table, pa.table({"hour": [START], "song": ["c"]}, schema=table.schema))
    assert sorted(read(lake, table)["hour"].to_pylist()) == [START] * 3 + [last]


def test_keys_beyond_the_first_plane_are_found(lake: Store) -> None:
    keys = ["\U0010ffff", "\U00010000", "\ud7ff", "a\0b", '"\\\n\u2028']
    for version in (1, 2):
        merge(lake, USERS, users(*((key, version, None, False) for key in keys)))
    assert sorted(read(lake, USERS)["id"].to_pylist()) == sorted(keys)
    query = f"SELECT count(*) FROM {scan(lake, USERS)} WHERE id = $1"
    assert {connect(lake=lake).execute(query, [key]).fetchall()[0] for key in keys} == {(1,)}
