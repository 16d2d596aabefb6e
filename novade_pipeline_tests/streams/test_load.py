"""Loading a topic of the real broker: each record is a row or in quarantine, once."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake import draft
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.streams import load as loading
from novade_pipeline.streams.rows import Parsed, RowParser
from novade_pipeline_tests.streams.world import PlayValue, World, in_capitals

NewWorld = Callable[..., World]


def test_records_become_rows_with_their_place_key_headers_and_time(new: NewWorld) -> None:
    world = new(2)
    world.produce({"song": "a", "count": 1, "at": "2026-11-28T10:00:00Z"}, key="k")
    world.produce(
        {"song": "b", "more": [1]},
        partition=1,
        key=b"\xff",
        headers=[("h", b"1"), ("h", b"\xfe"), ("n", None)],
        timestamp=1_764_324_000_000,
    )

    report = world.load()

    assert (report.work.records, report.work.rows, report.remaining) == (2, 2, 0)
    assert world.rows("partition", "offset", "key", "song", "count", "other_fields") == [
        (0, 0, "k", "a", 1, None),
        (1, 0, "base64:/w==", "b", None, '{"more":[1]}'),
    ]
    assert json.loads(world.rows("headers")[1]) == [["h", "1"], ["h", "base64:/g=="], ["n", None]]
    assert world.rows("broker_time")[1] == datetime(2025, 11, 28, 10, tzinfo=UTC)
    assert world.rows("topic", "generation", "is_deleted")[0] == (world.topic.name, 1, False)
    assert world.rows("at")[0] == datetime(2026, 11, 28, 10, tzinfo=UTC)


def test_a_load_takes_in_what_is_new_and_writes_nothing_where_nothing_is(new: NewWorld) -> None:
    world = new(2)
    world.load()
    world.produce({"song": "a"}, {"song": "b"})
    world.load()
    before = world.version()
    assert world.load().receipt is None
    assert world.version() == before
    world.produce({"song": "c"}, partition=1)
    world.load()
    assert world.rows("song") == ["a", "b", "c"]


def test_a_load_reads_no_more_than_it_may_of_all_partitions(new: NewWorld) -> None:
    world = new(3)
    for partition, count in enumerate((1, 10, 10)):
        world.produce(*({"song": "a"} for _ in range(count)), partition=partition)
    report = world.load(most_records=9)
    assert (report.work.records, report.remaining) == (9, 12)
    assert sorted(world.rows("partition")) == [0] + [1] * 4 + [2] * 4
    while world.load(most_records=9).remaining:
        pass
    assert len(set(world.rows("partition", "offset"))) == len(world.rows("offset")) == 21


def test_a_record_that_nothing_accounts_for_stops_the_load(
    new: NewWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = new()
    world.load()
    before = world.version()
    world.produce({"song": "a"}, {"song": "b"})
    parse = RowParser.parse

    def losing(parser: RowParser, records: Any) -> Parsed:
        parsed = parse(parser, records)
        return Parsed(parsed.rows[1:], parsed.bad)

    monkeypatch.setattr(RowParser, "parse", losing)
    with pytest.raises(PermanentFailure, match="found 2 records and 1 rows, 0 in quarantine"):
        world.load()
    assert world.version() == before


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_records_are_read(new: NewWorld, compression: str) -> None:
    world = new()
    with world.producing(compression_type=compression, linger_ms=100) as producer:
        for number in range(100):
            producer.produce(world.topic.name, json.dumps({"count": number}))
    world.load()
    assert world.rows("count") == [*range(100)]


def test_aborted_records_do_not_appear_and_open_transactions_wait(new: NewWorld) -> None:
    world = new()
    name = world.topic.name
    world.produce({"song": "before"})
    with world.transaction("aborted", commits=False) as producer:
        producer.produce(name, b'{"song": "aborted"}')
    with world.transaction("committed", commits=True) as producer:
        producer.produce(name, b'{"song": "committed"}')
    world.load()
    assert world.rows("song") == ["before", "committed"]
    with world.transaction("open", commits=True) as producer:
        producer.produce(name, b'{"song": "open"}')
        producer.flush()
        world.produce({"song": "behind it"})
        assert world.load().work.records == 0
    world.load()
    assert world.rows("song") == ["before", "committed", "open", "behind it"]
    with world.transaction("last", commits=False) as producer:
        producer.produce(name, b'{"song": "aborted"}')
    world.load()
    before = world.version()
    world.load()
    assert (len(world.rows("song")), world.version()) == (4, before)


BAD_VALUES = [
    (b"{", "expected JSON, found"),
    (b"", "expected JSON, found nothing"),
    (b" \n", "expected JSON, found nothing"),
    (b'{"song": NaN}', "expected JSON"),
    (b'{"song": "a\nb"}', "expected JSON"),
    (b'{"song": "a"}\n{"song": "b"}', "expected JSON"),
    (b'"text"', "expected a JSON object, found a text"),
    (b"\xff\xfe", "expected UTF-8"),
    (b'{"count": "many"}', "count: expected an integer, found a text"),
    (b'{"count": 1, "count": 2}', "expected each field once, found one twice"),
    (b'{"at": "99999-01-01T00:00:00Z"}', "at: expected a time"),
    (None, "expected a value, found a tombstone"),
]


def test_a_value_that_cannot_become_a_row_is_in_quarantine_and_its_neighbours_are_rows(
    new: NewWorld,
) -> None:
    world = new()
    for value, _ in BAD_VALUES:
        world.produce({"song": "good"}, value)
    world.produce(b'{"song":\n"in lines"}', {"song": 7, "count": "7"})

    report = world.load()

    assert (report.work.rows, report.work.quarantined) == (len(BAD_VALUES) + 2, len(BAD_VALUES))
    assert world.rows("song")[-2:] == ["in lines", "7"]
    assert world.rows("count")[-1] == 7
    kept = world.quarantined("offset", "raw", "reason", "lost", "source")
    assert [(offset, raw) for offset, raw, *_ in kept] == [
        (2 * number + 1, value) for number, (value, _) in enumerate(BAD_VALUES)
    ]
    for (_, _, reason, lost, source), (_, expected) in zip(kept, BAD_VALUES, strict=True):
        assert reason.startswith(expected), reason
        assert (lost, source) == (0, "plays")
    assert world.load().receipt is None


def test_a_record_of_20_megabytes_is_in_quarantine_with_its_beginning(new: NewWorld) -> None:
    world = new(config_max_message_bytes="30000000")
    big = b'{"song": "' + b"x" * 20_000_000 + b'"}'
    with world.producing(message_max_bytes=40_000_000) as producer:
        for value in (b'{"song": "a"}', big, b'{"song": "b"}'):
            producer.produce(world.topic.name, value)
    world.load()
    assert world.rows("song") == ["a", "b"]
    [(offset, raw, size, reason)] = world.quarantined("offset", "raw", "raw_bytes", "reason")
    assert (offset, len(raw), size) == (1, 65536, len(big))
    assert reason == "expected a value of 16,777,216 bytes at most, found 20,000,012"


def test_a_timestamp_of_the_year_9999_is_in_quarantine(new: NewWorld) -> None:
    world = new(config_message_timestamp_after_max_ms=str(2**62), config_retention_ms="-1")
    for year in (1970, 9999):
        moment = int(datetime(year, 6, 1, tzinfo=UTC).timestamp() * 1000)
        world.produce({"song": "a"}, timestamp=moment)
    world.produce({"song": "a"}, timestamp=2**62)
    world.load()
    assert world.rows("broker_time") == [datetime(1970, 6, 1, tzinfo=UTC)]
    reason = "broker_time: expected a time, found none near ours"
    assert world.quarantined("offset", "broker_time", "reason") == [
        (1, None, reason),
        (2, None, reason),
    ]


def test_a_tombstone_is_a_deleted_row_where_the_topic_says_so(new: NewWorld) -> None:
    world = new(tombstones="rows")
    world.produce({"song": "a"}, key="k")
    world.produce(None, key="k")
    world.produce({"song": "b"}, key="k")
    assert world.load().work.tombstones == 1
    assert world.rows("key", "song", "is_deleted") == [
        ("k", "a", False),
        ("k", None, True),
        ("k", "b", False),
    ]


def test_values_are_normalised_and_what_that_refuses_is_in_quarantine(new: NewWorld) -> None:
    world = new(value=PlayValue, normalise=in_capitals, tombstones="rows")
    world.produce({"song": "a"}, {"song": "b", "count": -1}, {"count": 1}, None, {"song": "c"})
    world.load()
    assert world.rows("offset", "song") == [(0, "A"), (3, None), (4, "C")]
    assert world.quarantined("offset", "reason") == [
        (1, "count: expected none below 0, found one"),
        (2, "song: expected a value, found none"),
    ]


def test_personal_data_is_protected_in_rows_and_in_quarantine(new: NewWorld) -> None:
    world = new()
    world.policy = PersonalDataPolicy("drop")
    world.produce({"user_id": "u", "mail": "a@b.example"}, b'{"user_id": "u"', key="u")
    world.load()
    assert world.rows("user_id", "other_fields") == [(None, "{}")]
    assert world.quarantined("raw", "key") == [(None, None)]


def test_a_load_that_dies_between_its_commits_leaves_nothing_twice(
    new: NewWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = new()
    world.produce(b"bad", {"song": "a"}, b"bad", {"song": "b"})
    world.drop_before(0)
    commit = draft.Draft.commit

    def dying(self: draft.Draft, *args: Any, **options: Any) -> int:
        if self.table is world.topic.table:
            raise KeyboardInterrupt
        return commit(self, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(draft.Draft, "commit", dying)
        with pytest.raises(KeyboardInterrupt):
            world.load()
    assert (world.rows("song"), len(world.quarantined("offset"))) == ([], 2)
    world.produce(b"worse")
    report = world.load(most_records=3)
    assert (report.work.quarantined, report.work.repeated) == (2, 2)
    world.load()
    assert world.rows("offset") == [1, 3]
    assert world.quarantined("offset") == [0, 2, 4]


def test_of_two_loads_at_once_one_takes_in_what_the_other_left(
    new: NewWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = new()
    world.produce({"song": "a"}, b"bad")
    run, others = loading.run, [1]

    def racing(*args: Any) -> Any:
        result = run(*args)
        if others.pop() if others else False:
            world.produce({"song": "b"})
            world.load()
        return result

    monkeypatch.setattr(loading, "run", racing)
    world.load()
    assert world.rows("offset", "song") == [(0, "a"), (2, "b")]
    assert world.quarantined("offset") == [1]


def test_what_another_writer_does_to_the_table_meanwhile_is_no_conflict(
    new: NewWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    from novade_pipeline.lake.maintenance import compact

    world = new()
    for _ in range(3):
        world.produce({"song": "a"})
        world.load()
    world.produce({"song": "b"})
    run = loading.run

    def compacting(*args: Any) -> Any:
        result = run(*args)
        compact(world.lake, world.topic.table)
        return result

    monkeypatch.setattr(loading, "run", compacting)
    world.load()
    assert world.rows("offset", "song") == [(0, "a"), (1, "a"), (2, "a"), (3, "b")]


def test_work_is_cut_into_items_whose_rows_are_the_same(
    new: NewWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "ITEM_LEAST", 7)
    monkeypatch.setattr(loading, "ITEM_MOST", 10)
    world = new(2)
    with world.producing() as producer:
        for number in range(100):
            producer.produce(
                world.topic.name, json.dumps({"count": number}), partition=number % 7 % 2
            )
    report = world.load(executors_for=lambda _: loading.InProcess(4))
    assert len(report.work.files) == 10
    assert sorted(world.rows("count")) == [*range(100)]
