"""Records of CSV, JSON and Parquet: what is one, what is told of one that is none, and how much."""

import errno
import gzip
import io
import json
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from novade_pipeline.landing import csv_records, parquet_records, record_formats
from novade_pipeline.landing.files import DamagedFile, LandedFile
from novade_pipeline.landing.record_formats import read_records
from novade_pipeline.landing.records import MAX_RECORD_BYTES, Columns, Record
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store

COLUMNS = Columns({"id": ("id",), "title": ("title", "scientific_title")}, required=("title",))


class Landing:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.store: Store = store(str(root))

    def read(self, name: str, content: bytes) -> list[Record]:
        (self.root / name).write_bytes(content)
        (entry,) = [e for e in self.store.entries() if e.file == name]
        file = LandedFile(name, entry.etag, entry.size, datetime(2026, 1, 1, tzinfo=UTC), None)
        return list(read_records(self.store, file, COLUMNS))

    def outcomes(self, name: str, content: bytes) -> list[tuple[int, object]]:
        """(line, the values, or why there are none)."""
        return [(r.line, r.values or r.reason or "blank") for r in self.read(name, content)]


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path)


def test_a_csv_has_a_record_a_row_and_the_header_is_none(landing: Landing) -> None:
    content = b'\xef\xbb\xbfid, Scientific_Title \r\n1,"a, b"\r\n\r\n2,"two\nlines"\n\t\n3,c'
    assert landing.outcomes("a.csv", content) == [
        (2, {"id": "1", "title": "a, b"}),
        (3, "blank"),
        (4, {"id": "2", "title": "two\nlines"}),
        (6, "blank"),
        (7, {"id": "3", "title": "c"}),
    ]


def test_a_quote_that_is_never_closed_costs_its_line_only(landing: Landing) -> None:
    outcomes = landing.outcomes("a.csv", b'id,title\n1,"open\n2,b\n3,"c"\n4,"also open')
    assert outcomes == [
        (2, "expected each quote closed, found one that is not"),
        (3, {"id": "2", "title": "b"}),
        (4, {"id": "3", "title": "c"}),
        (5, "expected each quote closed, found one that is not"),
    ]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"1", "expected 2 fields, found 1"),
        (b"1,2,3", "expected 2 fields, found 3"),
        (b'1,"a"b"', "expected quotes doubled within quotes, found one that is not"),
        (b"1,\xe9t\xe9", "expected UTF-8 text, found other bytes"),
        (b'1,"' + b"x" * 200_000 + b'"', "expected fields of at most 131,072 characters"),
    ],
)
def test_a_csv_line_that_is_no_record_says_why(landing: Landing, line: bytes, reason: str) -> None:
    outcomes = landing.outcomes("a.csv", b"id,title\n" + line + b"\n2,b\n")
    assert outcomes == [(2, reason), (3, {"id": "2", "title": "b"})]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"", "found an empty file"),
        ("a.csv.gz", gzip.compress(b"", mtime=0), "found an empty file"),
        ("a.csv", b"\n\n", "found only blank lines"),
        ("a.csv", b"id;title\n1;b\n", "expected commas between the columns, found semicolons"),
        ("a.csv", b"id\ttitle\n1\tb\n", "expected commas between the columns, found tabs"),
        ("a.csv", b"id,name\n1,b\n", "expected the columns title"),
        ("a.csv", b"title,Title\n1,b\n", "expected each column once"),
        ("a.csv", "id,title\n".encode("utf-16"), "found UTF-16"),
        ("a.csv.gz", gzip.compress(b"id,title\n1,b\n", mtime=0)[:-6], "gzip ends early"),
        ("a.csv.gz", b"id,title\n1,b\n", "not gzip"),
        ("a.json", b"<html><body>Sign in</body></html>", "found HTML or XML"),
        ("a.json", b"  \n", "found nothing"),
        ("a.json", b'[{"title": "a"}, {"title": "b"', "its array is not closed by line 1"),
        ("a.json", b'[{"title": "a"}', "its array is not closed"),
        ("a.json", b'[{"title": "a"}] x', "expected nothing after the array"),
        ("a.parquet", b"PAR1 no", "Parquet is damaged"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_in_one_sentence(
    landing: Landing, name: str, content: bytes, reason: str
) -> None:
    with pytest.raises(DamagedFile, match=reason):
        landing.read(name, content)


def test_parquet_without_a_required_column_is_refused(landing: Landing) -> None:
    with pytest.raises(DamagedFile, match="expected the columns title"):
        landing.read("a.parquet", _parquet(pa.table({"id": [1]})))


def _parquet(table: pa.Table) -> bytes:
    content = io.BytesIO()
    parquet.write_table(table, content)
    return content.getvalue()


def test_all_formats_give_the_same_records(landing: Landing) -> None:
    rows = [{"id": str(i), "title": f"title {i}"} for i in range(20_000)]
    as_csv = ("id,title\n" + "".join(f"{r['id']},{r['title']}\n" for r in rows)).encode()
    files = {
        "a.csv": as_csv,
        "a.csv.gz": gzip.compress(as_csv),
        "a.json": json.dumps(rows).encode(),
        "a.json.gz": gzip.compress(json.dumps(rows, indent=2).encode()),
        "a.jsonl": "\n".join(map(json.dumps, rows)).encode(),
        "a.parquet": _parquet(pa.Table.from_pylist(rows)),
    }
    for name, content in files.items():
        assert [r.values for r in landing.read(name, content)] == rows, name


def test_json_is_read_as_it_was_meant_and_says_so(landing: Landing) -> None:
    content = rb"""[
  {"id": 1, "title": "a"},
  {"id": 2, "title": "b \xc3\x28",},
  {"id": 3, "title": "c \" d", "note": "x"},
]"""
    records = landing.read("a.json", content)
    assert [(r.line, r.mended) for r in records] == [
        (2, ()),
        (3, ("broken_escape", "trailing_comma")),
        (4, ("trailing_comma",)),
    ]
    assert [r.values for r in records] == [
        {"id": 1, "title": "a"},
        {"id": 2, "title": r"b \xc3\x28"},
        {"id": 3, "title": 'c " d', "note": "x"},
    ]


def test_a_broken_object_costs_itself_only(landing: Landing) -> None:
    outcomes = landing.outcomes(
        "a.json", b'[{"title": "a"},\n{"title": oops},\n7,\n{"title": "c"},{}]'
    )
    assert outcomes == [
        (1, {"title": "a"}),
        (2, "expected a JSON object, found it broken"),
        (3, "expected an object, found a number"),
        (4, {"title": "c"}),
        (4, "blank"),
    ]


def test_half_a_surrogate_pair_is_repaired_and_says_so(landing: Landing) -> None:
    content = rb"""[{"id": 1, "title": "cut \ud83d"}, {"\ude00": ["\ud83d\ude00"], "title": "b"},
{"title": "both \ud83d\x41",}]"""
    records = landing.read("a.json", content)
    assert [r.values for r in records] == [
        {"id": 1, "title": "cut \ufffd"},
        {"\ufffd": ["😀"], "title": "b"},
        {"title": "both \ufffd\\x41"},
    ]
    assert [r.mended for r in records] == [
        ("lone_surrogate",),
        ("lone_surrogate",),
        ("broken_escape", "trailing_comma", "lone_surrogate"),
    ]


def test_what_json_does_not_have_costs_its_record_and_has_its_place(landing: Landing) -> None:
    content = b'{"title": "a", "x": NaN}\n{"title": "b"}\n{"title": "NaN", "x": [-Infinity],}\n'
    records = landing.outcomes("a.jsonl", content)
    place = "expected JSON, found at character {} of the record: {} is not a JSON value"
    assert records == [
        (1, place.format(21, "NaN")),
        (2, {"title": "b"}),
        (3, place.format(24, "-Infinity")),
    ]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_numbers_keep_their_digits_where_texts_are_meant(name: str, landing: Landing) -> None:
    content = b'{"id": 1.10, "title": 12345678901234567890.5}\n{"id": 1e22, "title": 1}'
    records = [r.values or {} for r in landing.read(name, content)]
    assert [(str(v["id"]), str(v["title"])) for v in records] == [
        ("1.10", "12345678901234567890.5"),
        ("1e22", "1"),
    ]


def test_a_float_of_parquet_that_is_no_number_is_no_value(landing: Landing) -> None:
    table = pa.table({"title": ["a", "b"], "id": [float("nan"), 1.5]})
    records = [r.values for r in landing.read("a.parquet", _parquet(table))]
    assert records == [{"title": "a", "id": None}, {"title": "b", "id": 1.5}]


def test_a_text_of_parquet_that_is_not_utf_8_costs_its_record_only(landing: Landing) -> None:
    texts = [b"a", b"\xed\xa0\xbd", b"c", b"\xff", b"\xc3\xa9"]
    table = pa.table({"title": pa.array(texts, pa.binary()).view(pa.string())})
    assert landing.outcomes("a.parquet", _parquet(table)) == [
        (1, {"title": "a"}),
        (2, "expected UTF-8 text, found other bytes"),
        (3, {"title": "c"}),
        (4, "expected UTF-8 text, found other bytes"),
        (5, {"title": "é"}),
    ]


@pytest.mark.parametrize("name", ["a.csv.gz", "a.json.gz"])
def test_bytes_behind_the_gzip_stream_of_records_are_counted(name: str, landing: Landing) -> None:
    text = b"title\na\n" if "csv" in name else b'[{"title": "a"}]'
    (landing.root / name).write_bytes(gzip.compress(text) + b"--boundary--")
    (entry,) = landing.store.entries()
    file = LandedFile(name, entry.etag, entry.size, datetime(2026, 1, 1, tzinfo=UTC), None)
    counted: list[int] = []
    records = list(read_records(landing.store, file, COLUMNS, counted.append))
    assert ([r.values for r in records], counted) == ([{"title": "a"}], [12])


def test_a_mark_at_the_second_member_is_none_of_a_record(landing: Landing) -> None:
    mark = b"\xef\xbb\xbf"
    members = [gzip.compress(mark + text) for text in (b"title\na\n", b"b\n")]
    assert landing.outcomes("a.csv.gz", b"".join(members)) == [
        (2, {"title": "a"}),
        (3, {"title": "b"}),
    ]


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("a.csv", "id,title\n1,a\n2,", "\n3,c\n"),
        ("a.csv", 'id,title\n1,a\n2,"', '"\n3,c\n'),
        (
            "a.json",
            '[{"id": "1", "title": "a"}, {"id": "2", "title": "',
            '"}, {"id": "3", "title": "c"}]',
        ),
    ],
)
def test_an_endless_title_costs_itself_only_and_no_memory(
    landing: Landing, monkeypatch: pytest.MonkeyPatch, name: str, before: str, after: str
) -> None:
    """A title of 256 MiB stands for one of 2 GB: what is held is bounded, whatever its size."""
    slices, file_slice = 1024, "x" * 2**18

    def texts(*_: object) -> Iterator[str]:
        yield before
        for _ in range(slices):
            yield file_slice
        yield after

    monkeypatch.setattr(record_formats, "texts", texts)
    tracemalloc.start()
    try:
        records = landing.read(name, b"stands for it")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [r.values and r.values["id"] for r in records] == ["1", None, "3"]
    assert "at most 1 MiB" in (records[1].reason or "")
    assert records[1].size > slices * len(file_slice)
    assert peak < 12 * MAX_RECORD_BYTES


def test_lines_are_numbered_alike_however_the_text_is_cut() -> None:
    text = 'id,title\n1,"a\nb"\n\n2,"open\n3,c\n'
    file = LandedFile("a.csv", "", 1, datetime(2026, 1, 1, tzinfo=UTC), None)
    whole = list(csv_records.csv_records(iter([text]), file, COLUMNS))
    for size in range(1, len(text)):
        slices = iter([text[at : at + size] for at in range(0, len(text), size)])
        assert list(csv_records.csv_records(slices, file, COLUMNS)) == whole, size


def test_a_disk_that_fails_is_not_the_files_fault(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(parquet, "ParquetFile", fail)
    with pytest.raises(OSError, match="Input/output error"):
        landing.read("a.parquet", _parquet(pa.table({"id": ["a"]})))


@pytest.mark.parametrize("whole_bytes", [0, 2**20])
def test_parquet_is_read_at_once_or_by_ranges(
    whole_bytes: int, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_records, "_WHOLE_BYTES", whole_bytes)
    records = landing.read("a.parquet", _parquet(pa.table({"title": ["a", "b"]})))
    assert [record.line for record in records] == [1, 2]


def test_parquet_with_too_large_row_groups_is_refused_unread(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_records, "_MAX_GROUP_BYTES", 2**20)
    table = pa.table({"title": [f"{i:01000}" for i in range(3000)]})
    with pytest.raises(DamagedFile, match="row groups of at most 1 MiB, found one of 2 MiB"):
        landing.read("a.parquet", _parquet(table))
