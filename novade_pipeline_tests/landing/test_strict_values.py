"""What lines that are odd but legal become in the lake: whole, strictly JSON, and counted."""

import gzip
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import create_model

from novade_pipeline.lake.delta import replace_window
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.windows import Window
from novade_pipeline.landing.json_lines import JsonLines
from novade_pipeline.landing.line_counts import LineTotals
from novade_pipeline.landing.tables import LedgerRow
from novade_pipeline.privacy.policy import PersonalDataPolicy, protect
from novade_pipeline_tests.landing.lines import DOCUMENTS, NAMES, VALUES, WAYS, MakeChunk, an_object
from novade_pipeline_tests.landing.plays import play
from novade_pipeline_tests.landing.strict_json import is_strict
from novade_pipeline_tests.places import clear

Shop = Any
POLICIES = (
    PersonalDataPolicy(),
    PersonalDataPolicy("hash", b"a key"),
    PersonalDataPolicy("drop"),
)


def test_half_a_surrogate_pair_is_repaired_and_the_ledger_counts_the_rows(shop: Shop) -> None:
    shop.land(
        shop.name(0),
        rb'{"uuid":"a","properties":{"title":"cut here \ud83d","\udc00":["\ud800"]}}',
        rb'{"uuid":"\ud83d","other":"\ude00"}',
        play("b"),
    )
    shop.land(shop.name(1), play("c"))
    report = shop.load()
    assert report.lines == LineTotals(files=2, lines=4, rows=4)
    rows = shop.rows()
    assert rows[0]["properties"] == '{"title":"cut here \ufffd","\ufffd":["\ufffd"]}'
    assert (rows[1]["uuid"], rows[1]["other_fields"]) == ("\ufffd", '{"other":"\ufffd"}')
    mended = {name: row["mended"] for name, row in shop.ledger().items()}
    assert mended == {shop.name(0): '{"lone_surrogate": 2}', shop.name(1): None}
    assert shop.state() == shop.state_from_nothing()


def test_what_is_no_json_is_in_quarantine_with_its_place(shop: Shop) -> None:
    bad = (
        b'{"uuid":"a","properties":{"price":NaN,"ratio":-Infinity}}',
        b'{"uuid":"b","share":NaN}',
        b'{"uuid":"c","properties":[[nan]]}',
        b'{"uuid":"d","other":Infinity}',
        b'{"uuid":"e","properties":{"a":1,}}',
    )
    shop.land(shop.name(0), play("first"), *bad, play("last"))
    report = shop.load()
    assert report.lines == LineTotals(files=1, lines=7, rows=2, quarantined=5)
    quarantined = shop.quarantine()
    assert [(row["line"], row["raw"]) for row in quarantined] == list(enumerate(bad, 2))
    assert [row["reason"] for row in quarantined[:4]] == [
        "expected JSON, found at character 35: NaN is not a JSON value",
        "expected JSON, found at character 21: NaN is not a JSON value",
        "expected JSON, found at character 28: Expecting value",
        "expected JSON, found at character 21: Infinity is not a JSON value",
    ]
    # Python's words for it differ from version to version.
    assert quarantined[4]["reason"].startswith("expected JSON, found at character 3")


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.mode)
def test_documents_keep_the_digits_of_their_numbers_whatever_becomes_of_people(
    policy: PersonalDataPolicy, shop: Shop
) -> None:
    numbers = "[1.10,1e22,12345678901234567890.5,1e999,-0.0,98765432109876543210]"
    shop.land(shop.name(0), b'{"uuid":1.10,"properties":{"email":"e","a":%b}}' % numbers.encode())
    shop.load(policy=policy)
    (row,) = shop.rows()
    assert row["uuid"] == "1.10"
    assert row["properties"].endswith(f'"a":{numbers}}}')
    assert is_strict(row["properties"])


def test_bytes_behind_a_gzip_stream_are_counted_in_the_ledger(shop: Shop) -> None:
    whole = gzip.compress(play("a") + b"\n", mtime=0)
    shop.upload(shop.name(0), whole + b"\r\n--boundary--\r\n")
    shop.upload(shop.name(0, 1), gzip.compress(play("b"), mtime=0))
    shop.upload(shop.name(1), whole + whole[:-1])
    report = shop.load()
    assert report.lines == LineTotals(files=3, lines=2, rows=2, refused_files=1)
    assert [shop.ledger()[name]["trailing_bytes"] for name in sorted(shop.ledger())] == [16, 0, 0]
    shop.upload(shop.name(0), whole)
    shop.load()
    assert shop.ledger()[shop.name(0)]["trailing_bytes"] == 0
    assert shop.state() == shop.state_from_nothing()


def test_files_joined_by_cat_are_read_whole_marks_and_all(shop: Shop) -> None:
    mark = b"\xef\xbb\xbf"
    parts = [gzip.compress(mark + play(uuid) + end) for uuid, end in (("a", b""), ("b", b"\n"))]
    shop.upload(shop.name(0), b"".join(parts))
    shop.upload(shop.name(1), gzip.compress(mark + play("c") + b"\n" + mark + play("d") + b"\n"))
    report = shop.load()
    assert shop.uuids() == ["a", "b", "c", "d"]
    assert report.lines == LineTotals(files=2, lines=4, rows=4)


def test_a_ledger_without_a_column_for_them_gets_one(shop: Shop) -> None:
    fields = {
        name: (field.annotation, field)
        for name, field in LedgerRow.model_fields.items()
        if name != "trailing_bytes"
    }
    before = create_model("Before", __doc__="A row of before.", **fields)
    older = replace(shop.source, ledger=replace(shop.source.ledger, row=before))
    shop.land(shop.name(0), play("a"))
    shop.load()
    row = {k: v for k, v in shop.ledger()[shop.name(0)].items() if k != "trailing_bytes"}
    clear(shop.lake, "shop", "files")
    rows = pa.Table.from_pylist([row], schema=older.ledger.schema)
    hour = row["upload_hour"]
    replace_window(shop.lake, older.ledger, rows, [Window(hour, hour + timedelta(hours=1))])
    assert shop.plan().is_empty
    shop.upload(shop.name(1), gzip.compress(play("b")) + b"text")
    shop.load()
    counted = {name: row["trailing_bytes"] for name, row in shop.ledger().items()}
    assert counted == {shop.name(0): None, shop.name(1): 4}


PARTS = st.one_of(
    st.sampled_from(VALUES),
    st.sampled_from(DOCUMENTS),
    st.recursive(
        st.sampled_from(
            ("1.10", "NaN", "1e999", r'"\ud83d"', "null", '"a@b.c"', "-0.00", "[", "7,")
        ),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
            inner.map(lambda item: f'{{"email": {item}, "b":{item} }}'),
        ),
        max_leaves=6,
    ),
)


@given(
    fields=st.lists(
        st.tuples(st.sampled_from([*NAMES, "properties", "extra"]), PARTS), min_size=1, max_size=4
    ),
    gap=st.sampled_from([",", " , "]),
)
@example(fields=[("properties", '{"email":{"a":1e999}}')], gap=",")
@example(fields=[("extra", r'{"\ud800":NaN}')], gap=",")
@settings(max_examples=150)
def test_what_stands_in_a_json_column_parses_with_a_strict_parser(
    fields: list[tuple[str, str]], gap: str, table: Table, chunk_of: MakeChunk
) -> None:
    chunk = chunk_of([an_object(fields, gap)])
    columns = [column.name for column in table.columns if column.json]
    assert columns == ["properties", "other_fields"]
    for way in WAYS:
        with way(), closing(JsonLines(table)) as parser:
            rows = parser.parse(chunk).rows
        for policy in POLICIES:
            kept = protect(rows, table.personal, policy)
            texts = [row[name] for row in kept.to_pylist() for name in columns]
            assert all(text is None or is_strict(text) for text in texts), texts
