"""Columns of Parquet and records of other formats give the same rows, whatever the values."""

from datetime import UTC
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from novade_pipeline.defs.segment.columnar import Batch, ColumnarRows, Origin
from novade_pipeline.defs.segment.records import row_of
from novade_pipeline.defs.segment.shapes import SHAPES
from novade_pipeline.landing.chunks import FileSlice
from novade_pipeline.landing.files import LandedFile
from novade_pipeline_tests.defs.segment.conftest import AT, parsed
from novade_pipeline_tests.landing.strict_json import is_strict

UTC_US = pa.timestamp("us", tz="UTC")
VALUES = st.one_of(
    st.none(),
    st.text(max_size=6),
    st.sampled_from(['["a",{"b":1}]', '{"a":null}', "[NaN]", "[1,]", "{", '[",]"]', "[1e5]"]),
)
COLUMNS = {
    "text": (pa.string(), VALUES),
    "whole": (pa.int64(), st.none() | st.integers(-(2**60), 2**60)),
    "flag": (pa.bool_(), st.none() | st.booleans()),
    "number": (pa.float64(), st.none() | st.floats()),
    "exact": (
        pa.decimal128(38, 9),
        st.none() | st.decimals(-(10**20), 10**20, allow_nan=False, places=9),
    ),
    "moment": (UTC_US, st.none() | st.datetimes(timezones=st.just(UTC))),
    "plain": (pa.timestamp("us"), st.none() | st.datetimes()),
    "day": (pa.date32(), st.none() | st.dates()),
    "raw": (pa.binary(), st.none() | st.binary(max_size=4)),
    "nested": (pa.list_(pa.int64()), st.none() | st.lists(st.integers(0, 9), max_size=3)),
    "context_page_url": (pa.string(), VALUES),
    "context_os": (pa.string(), VALUES),
    "context_os_name": (pa.string(), VALUES),
}
ROW = st.fixed_dictionaries({name: values for name, (_, values) in COLUMNS.items()})


@given(rows=st.lists(ROW, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_columns_and_records_give_the_same_values(rows: list[dict[str, Any]]) -> None:
    shape = SHAPES["segment/tracks"]
    rows = [{"id": str(n), "timestamp": AT, **row} for n, row in enumerate(rows)]
    types = {"id": pa.string(), "timestamp": UTC_US} | {n: t for n, (t, _) in COLUMNS.items()}
    table = pa.Table.from_pylist(rows, schema=pa.schema(list(types.items())))
    file = LandedFile("segment/lantern/played/0.parquet", "e", 1, AT, AT)
    origin = Origin("lantern", "played", FileSlice(file, 1, len(rows)))
    columnar = ColumnarRows(shape)
    result = columnar.parse(Batch((origin,), table))
    columnar.close()
    assert result.bad == ()
    for row, expected in zip(result.rows.to_pylist(), rows, strict=True):
        record = row_of(shape, "lantern", "played", expected, [])
        for name in ("properties", "context"):
            assert row[name] is None or is_strict(row[name]), row[name]
            assert parsed(row[name]) == parsed(record[name])
        assert {name: row[name] for name in record if name not in ("properties", "context")} == {
            name: value for name, value in record.items() if name not in ("properties", "context")
        }
