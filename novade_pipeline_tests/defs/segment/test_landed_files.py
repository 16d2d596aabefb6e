"""Files of BigQuery's `EXPORT DATA` become rows: three formats, one result, every row accounted."""

import gzip
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import fastavro
import pyarrow as pa
import pytest
from pyarrow import parquet

from novade_pipeline.defs.segment.tables import (
    ALIASES,
    FILES,
    GROUPS,
    IDENTIFIES,
    PAGES,
    QUARANTINE,
    TRACKS,
    USERS,
)
from novade_pipeline.privacy.forget import GivenIdentifiers
from novade_pipeline.privacy.identifiers import Identifier
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline_tests.defs.segment.conftest import AT, World, as_parquet, parsed
from novade_pipeline_tests.landing.strict_json import is_strict

UTC_US = pa.timestamp("us", tz="UTC")
ORDERS = "order_completed/000000000000.parquet"


def times(count: int) -> pa.Array:
    return pa.array([AT] * count, UTC_US)


def test_flattened_columns_are_properties_again(world: World) -> None:
    world.land(
        ORDERS,
        as_parquet(
            id=["a"],
            timestamp=times(1),
            event=["order_completed"],
            event_text=["Order Completed"],
            price=pa.array([Decimal("12.50")], pa.decimal128(38, 9)),
            items=['[{"sku": "x", "n": 2}]'],
            draft=["[1,]"],
            score=[3.0],
            share=[0.25],
            nothing=pa.array([None], pa.string()),
            paid_at=times(1),
            due=[date(2024, 6, 1)],
            context_page_url=["https://lantern.example"],
            context_page_title=["Home"],
            context_ip=["192.0.2.1"],
            context_user_agent=["x"],
        ),
    )
    world.load()
    ((event, name, source_table, dataset, properties, context),) = world.rows(
        TRACKS, "event", "event_text", "source_table", "dataset", "properties", "context"
    )
    assert (event, name) == ("order_completed", "Order Completed")
    assert (source_table, dataset) == ("order_completed", "lantern")
    assert parsed(properties) == {
        "price": 12.5,
        "items": [{"sku": "x", "n": 2}],
        "draft": "[1,]",
        "score": 3,
        "share": 0.25,
        "paid_at": "2024-05-01T10:00:00.123Z",
        "due": "2024-06-01",
    }
    assert parsed(context) == {
        "page": {"url": "https://lantern.example", "title": "Home"},
        "ip": "192.0.2.1",
        "user_agent": "x",
    }


def test_an_event_of_two_tables_is_one_row_with_its_properties(world: World) -> None:
    """The path of `zoom_opened` follows that of `tracks`, which has no properties."""
    for folder, more in (("tracks", {}), ("zoom_opened", {"room": ["r"]})):
        columns: dict[str, Any] = {"id": ["a"], "timestamp": times(1), **more}
        world.land(f"{folder}/0.parquet", as_parquet(**columns, event=["zoom_opened"]))
    report = world.load()["tracks"]
    assert (report.lines.rows, report.lines.repeated) == (1, 1)
    assert world.rows(TRACKS, "id", "event_text", "properties") == [
        ("a", "zoom_opened", '{"room":"r"}')
    ]


def test_each_table_of_the_warehouse_has_its_own(world: World) -> None:
    call: dict[str, Any] = {"id": ["a"], "timestamp": times(1), "user_id": ["u"]}
    world.land("pages/0.parquet", as_parquet(**call, name=["Home"], path=["/"]))
    world.land("screens/0.parquet", as_parquet(**call | {"id": ["b"]}, name=["Start"]))
    world.land("identifies/0.parquet", as_parquet(**call, plan=["pro"]))
    world.land("groups/0.parquet", as_parquet(**call, group_id=["g"], seats=[3]))
    world.land("aliases/0.parquet", as_parquet(**call, previous_id=["v"]))
    world.land("users_view/0.parquet", as_parquet(id=["u", "u"], received_at=times(2), age=[1, 2]))
    world.load()
    assert world.rows(PAGES, "id", "name", "properties", "source_table") == [
        ("a", "Home", '{"path":"/"}', "pages"),
        ("b", "Start", None, "screens"),
    ]
    assert world.rows(IDENTIFIES, "user_id", "traits") == [("u", '{"plan":"pro"}')]
    assert world.rows(GROUPS, "group_id", "traits") == [("g", '{"seats":3}')]
    assert world.rows(ALIASES, "previous_id") == [("v",)]
    assert world.rows(USERS, "id", "traits") == [("u", '{"age":1}'), ("u", '{"age":2}')]
    assert world.rows(TRACKS, "id") == []


def test_avro_and_json_give_the_rows_of_parquet(world: World) -> None:
    row = {"timestamp": AT, "event_text": "Played", "n": 2, "tags": '["x"]', "context_ip": "1"}
    world.land("played/0.parquet", as_parquet(id=["p"], **{name: [v] for name, v in row.items()}))
    fields: list[Any] = [
        {"name": name, "type": ["null", "string"]} for name in ("id", "event_text", "tags")
    ]
    fields += [{"name": "context_ip", "type": ["null", "string"]}, {"name": "n", "type": "long"}]
    fields.append(
        {"name": "timestamp", "type": {"type": "long", "logicalType": "timestamp-micros"}}
    )
    content = io.BytesIO()
    schema = {"type": "record", "name": "Root", "fields": fields}
    fastavro.writer(content, fastavro.parse_schema(schema), [{"id": "a", **row}], codec="deflate")
    world.land("played/0.avro", content.getvalue())
    text = json.dumps({"id": "j", **row, "timestamp": "2024-05-01 10:00:00.123 UTC"})
    world.land("played/0.json.gz", gzip.compress(text.encode()))
    world.load()
    columns = ("timestamp", "event_text", "properties", "context")
    values = [
        (moment, name, parsed(properties), parsed(context))
        for moment, name, properties, context in world.rows(TRACKS, *columns)
    ]
    assert values == [(AT, "Played", {"n": 2, "tags": ["x"]}, {"ip": "1"})] * 3
    assert {id_ for (id_,) in world.rows(TRACKS, "id")} == {"p", "a", "j"}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (ORDERS, as_parquet(total=[1]), "expected the columns id, timestamp, found none"),
        (ORDERS, as_parquet(id=["a"], timestamp=[1.5]), "column timestamp: expected a TIMESTAMP"),
        (
            ORDERS,
            as_parquet(id=[1.5], timestamp=[AT]),
            "column id: expected a STRING, found double",
        ),
        (ORDERS, as_parquet(id=["a"], timestamp=[AT], n=[1], N=[2]), "found n repeatedly"),
        (ORDERS, as_parquet(id=["a"], timestamp=[AT])[:-9], "Parquet is damaged"),
        (ORDERS, b"", "found an empty file"),
        ("orders/0.avro", b"Obj\x01cut", "Avro is damaged"),
        ("orders/0.json.gz", gzip.compress(b'{"id": "a"}')[:-9], "gzip"),
        ("notes.txt", b"hello", "expected a name like segment/"),
        ("0.parquet", as_parquet(id=["a"], timestamp=[AT]), "expected a path like segment/"),
    ],
)
def test_a_file_that_is_no_table_is_in_quarantine(
    name: str, content: bytes, reason: str, world: World
) -> None:
    world.land("played/0.parquet", as_parquet(id=["b"], timestamp=times(1)))
    world.land(name, content)
    world.load()
    assert world.rows(TRACKS, "id") == [("b",)]
    ((line, actual),) = world.rows(QUARANTINE, "line", "reason")
    assert line == 0
    assert reason in actual
    again = world.load()
    assert not any(report.changed for report in again.values())


def test_rows_without_id_or_time_are_in_quarantine_with_their_reason(world: World) -> None:
    far = datetime(1800, 1, 1, tzinfo=UTC)
    columns = {"id": [None, "a", "b", " ", "c", None], "timestamp": [AT, None, far, AT, AT, None]}
    world.land(ORDERS, as_parquet(**columns, n=[1, 2, 3, 4, 5, None]))
    lines = ['{"id": "j", "timestamp": 7}', '{"id": {}, "timestamp": "2024-05-01"}', "[1]", "{}"]
    world.land("orders/0.json.gz", gzip.compress("\n".join(lines).encode()))
    world.load()
    assert world.rows(TRACKS, "id", "line") == [("c", 5)]
    assert world.rows(QUARANTINE, "line", "reason") == [
        (1, "id: expected a text, found none"),
        (1, "timestamp: expected a time, found int"),
        (2, "id: expected a text, found dict"),
        (2, "timestamp: expected a time, found none"),
        (3, "expected an object, found an array"),
        (3, "timestamp: expected a time from 1900 to 9999, found another"),
        (4, "id: expected a text, found none"),
    ]
    assert world.rows(FILES, "lines", "rows", "quarantined", "blank") == [
        (4, 0, 3, 1),
        (6, 1, 4, 1),
    ]


def test_texts_of_spaces_alone_are_none(world: World) -> None:
    columns = {
        "id": ["a", "b", "c"],
        "event": ["\u3000\xa0", "", " x "],
        "user_id": [" \t\r\n\x1f", "u", None],
    }
    world.land(ORDERS, as_parquet(**columns, timestamp=times(3)))
    world.load()
    assert world.rows(TRACKS, "id", "event", "event_text", "user_id") == [
        ("a", "order_completed", "order_completed", None),
        ("b", "order_completed", "order_completed", "u"),
        ("c", " x ", " x ", None),
    ]


@pytest.mark.parametrize("column", ["note", "list", "struct", "timestamp"])
def test_texts_that_are_not_utf_8_are_in_quarantine(world: World, column: str) -> None:
    texts = pa.array([b"2026-01-02 03:04:05", b"\xff\xfe"], pa.binary())
    texts = pa.Array.from_buffers(pa.string(), 2, texts.buffers())
    if column == "list":
        texts = pa.ListArray.from_arrays([0, 1, 2], texts)
    elif column == "struct":
        texts = pa.StructArray.from_arrays([texts], ["name"])
    world.land(ORDERS, as_parquet(**{"id": ["a", "b"], "timestamp": times(2), column: texts}))
    world.load()
    assert world.rows(TRACKS, "id") == [("a",)]
    assert world.rows(QUARANTINE, "line", "reason") == [
        (2, "expected UTF-8 text, found other bytes")
    ]


def test_columns_of_any_name_and_type_are_read(world: World) -> None:
    columns: dict[str, Any] = {
        "source": ["s"],
        "select": ["k"],
        'a"b c': ["q"],
        "novade_batch": ["b"],
        "context": ["c"],
        "context_": ["d"],
        "short": pa.array([1.5], pa.float16()),
        "big": pa.array([2**63], pa.uint64()),
        "pause": pa.array([7], pa.duration("ms")),
        "struct": [{"a": [1, None], "at": AT}],
        "kind": pa.array(["x"]).dictionary_encode(),
        "clock": pa.array([1], pa.time64("us")),
        "far": pa.array([2**62], pa.timestamp("us", tz="UTC")),
    }
    world.land(ORDERS, as_parquet(ID=["a"], timestamp=times(1), **columns))
    world.load()
    ((properties,),) = world.rows(TRACKS, "properties")
    values = parsed(properties)
    assert is_strict(properties)
    assert values.keys() >= {"source", "select", 'a"b c', "novade_batch", "big", "kind", "pause"}
    assert (values["big"], values["short"], values["kind"]) == (2**63, 1.5, "x")
    assert values["struct"] == {"a": [1, None], "at": "2024-05-01T10:00:00.123Z"}


def test_a_time_that_no_calendar_has_is_in_quarantine(world: World) -> None:
    stamps = pa.array([2**62, None], UTC_US)
    world.land(ORDERS, as_parquet(id=["a", "b"], timestamp=stamps, day=[None, date(2024, 1, 1)]))
    world.load()
    assert [line for (line,) in world.rows(QUARANTINE, "line")] == [1, 2]


def test_times_as_texts_and_numbers_as_ids_are_read(world: World) -> None:
    stamps = ["2024-05-01T10:00:00.123Z", "2024-05-01 10:00:00.123 UTC", "soon"]
    world.land(ORDERS, as_parquet(id=["a", "b", "c"], timestamp=stamps, user_id=[7, 8, 9]))
    world.load()
    assert world.rows(TRACKS, "id", "timestamp", "user_id") == [("a", AT, "7"), ("b", AT, "8")]
    assert [line for (line,) in world.rows(QUARANTINE, "line")] == [3]


def test_personal_data_is_hashed_and_an_erased_person_does_not_load(world: World) -> None:
    columns: dict[str, Any] = {"id": ["a", "b"], "timestamp": times(2), "user_id": ["u1", "u2"]}
    columns |= {"email": ["a@lantern.example"] * 2, "genre": ["jazz"] * 2, "context_ip": ["1"] * 2}
    world.land(ORDERS, as_parquet(**columns, context_library_name=["web"] * 2))

    class Tombstones:
        def current(self) -> GivenIdentifiers:
            return GivenIdentifiers(frozenset({Identifier("user_id", "u2")}))

    report = world.load(PersonalDataPolicy("hash", b"key", Tombstones()))["tracks"]
    assert (report.lines.rows, report.lines.erased) == (1, 1)
    ((user, properties, context),) = world.rows(TRACKS, "user_id", "properties", "context")
    policy = PersonalDataPolicy("hash", b"key")
    assert user == policy.hash("u1")
    assert parsed(properties) == {"email": policy.hash("a@lantern.example"), "genre": "jazz"}
    assert parsed(context) == {"ip": policy.hash("1"), "library": {"name": "web"}}


def test_many_small_files_of_many_tables_are_one_load(world: World) -> None:
    for number in range(60):
        content = as_parquet(id=[f"{number}"], timestamp=times(1), n=[number])
        world.land(f"event_{number % 20}/{number:012}.parquet", content)
    report = world.load()["tracks"]
    assert (report.lines.files, report.lines.rows, len(report.receipts)) == (60, 60, 1)
    rows = world.rows(TRACKS, "id", "event", "file", "properties")
    assert all(event == f"event_{int(id_) % 20}" in file for id_, event, file, _ in rows)
    assert {json.loads(properties)["n"] for *_, properties in rows} == set(range(60))


def test_row_groups_and_batches_keep_the_rows_numbers(world: World) -> None:
    count = 70_000
    content = io.BytesIO()
    ids = [str(number) for number in range(count)]
    table = pa.table({"id": [*ids[:-1], None], "timestamp": times(count)})
    parquet.write_table(table, content, row_group_size=10_000)
    world.land(ORDERS, content.getvalue())
    world.load()
    assert [line for (line,) in world.rows(QUARANTINE, "line")] == [count]
    assert max(line for (line,) in world.rows(TRACKS, "line")) == count - 1
