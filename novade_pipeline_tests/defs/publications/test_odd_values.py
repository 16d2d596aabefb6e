"""Publications with values that are odd but legal: loaded whole, strictly JSON, and counted."""

import gzip
import io
import json
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from novade_pipeline.defs.publications.landed_files import PUBMED_ARTICLES as SOURCE
from novade_pipeline.defs.publications.tables import FILES, PUBMED_ARTICLES, QUARANTINE
from novade_pipeline.landing.files import LandedFile
from novade_pipeline.storage.locations import store
from novade_pipeline_tests.defs.publications.conftest import World
from novade_pipeline_tests.landing.strict_json import is_strict

DAY = '"date": "2026-03-01"'


def test_half_a_surrogate_pair_is_repaired_and_counted(world: World) -> None:
    world.land(
        "pubmed_2026-03-01.json",
        f'[{{"id": 1, "title": "cut \\ud83d", {DAY}, "note\\ude00": ["\\ud83d"]}},'
        f'{{"id": 2, "title": "whole", {DAY}}}]',
    )
    world.load()
    assert world.rows(PUBMED_ARTICLES, "id", "title", "other_fields") == [
        ("1", "cut \ufffd", '{"note\ufffd": ["\ufffd"]}'),
        ("2", "whole", None),
    ]
    assert world.rows(FILES, "rows", "mended") == [(2, '{"lone_surrogate": 1}')]


def test_what_is_no_json_is_in_quarantine_with_its_place(world: World) -> None:
    lines = [f'{{"title": "a", {DAY}, "score": NaN}}', f'{{"title": "b", {DAY}}}']
    world.land("pubmed_2026-03-01.jsonl", "\n".join(lines))
    world.load()
    assert world.rows(PUBMED_ARTICLES, "title") == [("b",)]
    reason = "expected JSON, found at character 47 of the record: NaN is not a JSON value"
    assert world.rows(QUARANTINE, "line", "reason") == [(1, reason)]


def test_numbers_keep_their_digits(world: World) -> None:
    more = '"score": [1.10, 1e22], "weight": 12345678901234567890.5, "huge": 1e999'
    world.land("pubmed_2026-03-01.json", f'[{{"id": 1.10, "title": 7, {DAY}, {more}}}]')
    world.load()
    assert world.rows(PUBMED_ARTICLES, "id", "title", "other_fields") == [
        ("1.10", "7", "{" + more + "}")
    ]


def test_bytes_behind_a_gzip_stream_are_counted(world: World) -> None:
    text = "title,date\na,2026-03-01\n"
    world.land("pubmed_2026-03-01.csv.gz", gzip.compress(text.encode()) + b"--boundary--")
    world.load()
    assert world.rows(PUBMED_ARTICLES, "title") == [("a",)]
    assert world.rows(FILES, "rows", "trailing_bytes") == [(1, 12)]


PARTS = ("1.10", "NaN", "-Infinity", "1e999", r'"\ud83d"', r'"\x41"', '{"a": [1, ], }', "[]", "07")


@given(
    fields=st.dictionaries(
        st.sampled_from(["a", "b", r"\ude00", "NaN"]), st.sampled_from(PARTS), min_size=1
    ),
    name=st.sampled_from(["a.json", "a.jsonl"]),
)
@settings(max_examples=60)
def test_fields_without_a_column_are_strictly_json_from_json(
    fields: dict[str, str], name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    landing = store(str(tmp_path_factory.mktemp("landing")))
    told = ", ".join(f'"{field}": {value}' for field, value in fields.items())
    landing.write(f'{{"title": "a", {DAY}, {told}}}'.encode(), name)
    (entry,) = landing.entries()
    hour = datetime(2026, 3, 1, tzinfo=UTC)
    file = LandedFile(name, entry.etag, entry.size, hour, hour)
    (parsed,) = SOURCE.reader.read(landing, [file])
    texts = parsed.rows["other_fields"].to_pylist()
    assert len(texts) + len(parsed.bad) == 1
    assert all(is_strict(text) for text in texts), texts


@pytest.mark.parametrize(
    "value",
    [
        *([float("nan")], [{"a": float("inf")}], {"b": float("-inf")}, float("inf"), float("nan")),
        *(1.5, b"\xff", Decimal("1.10"), datetime(2026, 3, 1, tzinfo=UTC), "\x00\x1f", [None]),
    ],
    ids=repr,
)
def test_fields_without_a_column_are_strictly_json_from_parquet(
    value: object, world: World
) -> None:
    content = io.BytesIO()
    rows = {"title": ["a"], "date": ["2026-03-01"], "more": [value], "other": ["x"]}
    parquet.write_table(pa.table(rows), content)
    world.land("pubmed_2026-03-01.parquet", content.getvalue())
    world.load()
    ((text,),) = world.rows(PUBMED_ARTICLES, "other_fields")
    assert is_strict(text)
    assert json.loads(text)["other"] == "x"
