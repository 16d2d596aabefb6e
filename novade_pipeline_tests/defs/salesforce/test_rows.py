"""Records become the same rows from JSON and CSV; bad ones are kept apart."""

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from novade_pipeline.defs.salesforce.fields import Fields, fields_of
from novade_pipeline.defs.salesforce.rows import (
    header_of,
    rows_of_csv,
    rows_of_json,
    value_of,
)
from novade_pipeline.defs.salesforce.tables import ACCOUNT
from novade_pipeline.errors import TransientFailure

TYPES = {
    "Id": "id",
    "IsDeleted": "boolean",
    "SystemModstamp": "datetime",
    "Name": "string",
    "NumberOfEmployees": "int",
    "AnnualRevenue": "currency",
    "LastActivityDate": "date",
}
GOOD = {
    "Id": "001000000000001AAA",
    "IsDeleted": False,
    "SystemModstamp": "2024-05-01T12:30:00.000+0000",
    "Name": 'Söhne, "and"\nmore',
    "NumberOfEmployees": 12,
    "AnnualRevenue": 1.5e7,
    "LastActivityDate": "2024-05-02",
}


def _fields(**types: str) -> Fields:
    described = [{"name": n, "type": t, "label": n} for n, t in {**TYPES, **types}.items()]
    return fields_of("Account", ACCOUNT, described, None)


def _csv(records: list[dict[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(records[0])
    for record in records:
        writer.writerow([_cell(value) for value in record.values()])
    return out.getvalue().encode()


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value).replace("+0000", "Z")


def _both(fields: Fields, records: list[dict[str, Any]]) -> list[Any]:
    text = _csv(records)
    return [rows_of_json(fields, records), rows_of_csv(fields, text, header_of(text))]


def test_a_record_is_the_same_row_by_either_way() -> None:
    for batch, bad in _both(_fields(), [GOOD]):
        assert bad == []
        assert batch.to_pylist() == [
            {
                "id": GOOD["Id"],
                "is_deleted": False,
                "system_modstamp": datetime(2024, 5, 1, 12, 30, tzinfo=UTC),
                "name": GOOD["Name"],
                "number_of_employees": 12,
                "annual_revenue": 1.5e7,
                "last_activity_date": date(2024, 5, 2),
            }
        ]


def test_nothing_and_an_empty_text_are_null() -> None:
    empty = {**GOOD, "Name": "", "NumberOfEmployees": None, "LastActivityDate": None}
    for batch, bad in _both(_fields(), [empty]):
        assert bad == []
        (row,) = batch.to_pylist()
        assert [row[n] for n in ("name", "number_of_employees", "last_activity_date")] == [None] * 3


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("Id", None, "Id: expected a value, found none"),
        ("SystemModstamp", None, "SystemModstamp: expected a value, found none"),
        ("NumberOfEmployees", "twelve", "NumberOfEmployees: expected a whole number"),
        ("NumberOfEmployees", 1.5, "NumberOfEmployees: expected a whole number"),
        ("NumberOfEmployees", 2**63, "NumberOfEmployees: expected a whole number"),
        ("AnnualRevenue", "much", "AnnualRevenue: expected a number"),
        ("LastActivityDate", "2024-13-01", "LastActivityDate: expected a day"),
        ("LastActivityDate", "01/02/2024", "LastActivityDate: expected a day"),
        ("SystemModstamp", "yesterday", "SystemModstamp: expected a time"),
        ("IsDeleted", "perhaps", "IsDeleted: expected true or false"),
    ],
)
def test_a_record_that_breaks_its_types_is_bad_and_its_neighbours_are_rows(
    field: str, value: Any, reason: str
) -> None:
    records = [GOOD, {**GOOD, field: value}, GOOD]
    for batch, bad in _both(_fields(), records):
        assert batch.num_rows == 2
        (record,) = bad
        assert record.reason.startswith(reason)
        assert record.key == (None if field == "Id" else GOOD["Id"])
        assert str(value) not in record.reason or value is None
        assert record.raw_bytes >= len(record.raw) > 0


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        ("text", 12.0, "12.0"),
        ("text", True, "true"),
        ("text", "a\x00b", "ab"),
        ("integer", "12.0", 12),
        ("integer", 12.0, 12),
        ("integer", "-9223372036854775808", -(2**63)),
        ("number", "1.2E7", Decimal("1.2E7")),
        ("number", 3, Decimal(3)),
        ("number", 0.1, Decimal("0.1")),
        ("boolean", "true", True),
        ("time", "2024-05-01T14:30:00.000+02:00", datetime(2024, 5, 1, 12, 30, tzinfo=UTC)),
    ],
)
def test_a_value_is_parsed_into_the_type_of_its_column(kind: Any, raw: Any, value: Any) -> None:
    parsed = value_of(kind, raw)
    assert (parsed, type(parsed)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "raw"),
    [
        *[("text", value) for value in ({"a": 1}, ["b"], "\ud800")],
        *[("number", value) for value in ("nan", "inf", "1e999", "1_000", "٣", True, [])],
        *[("integer", value) for value in (True, "1" * 5_000, "٣x")],
        *[("boolean", value) for value in (1, "yes", [])],
        *[("date", value) for value in (20240501, "2024-05-01T00:00:00Z")],
        *[("time", value) for value in ("2024-05-01", 5, "0001-01-01T00:00:00+14:00")],
    ],
)
def test_nothing_is_bent_to_fit(kind: Any, raw: Any) -> None:
    with pytest.raises(ValueError, match=r"expected|Exceeds"):
        value_of(kind, raw)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("123456789012345678", "123456789012345678"),
        ("1.23456789012345678E17", "123456789012345678"),
        ("1234567890123456.78", "1234567890123456.78"),
        ("-0.01", "-0.01"),
        ("1.0E7", "10000000"),
        ("1E-18", "0.000000000000000001"),
        # Formulas calculate with doubles.
        ("0.3333333333333333", "0.3333333333333333"),
        ("2.5E-19", "0"),
        ("5E-19", "0.000000000000000001"),
    ],
)
def test_a_number_comes_back_to_the_digit_by_either_way(written: str, number: str) -> None:
    number_read = json.loads(written, parse_float=Decimal)
    text = _csv([{**GOOD, "AnnualRevenue": written}])
    for batch, bad in (
        rows_of_json(_fields(), [{**GOOD, "AnnualRevenue": number_read}]),
        rows_of_csv(_fields(), text, header_of(text)),
    ):
        assert bad == []
        assert batch.column("annual_revenue").to_pylist() == [Decimal(number)]


@pytest.mark.parametrize("written", ["1E20", "123456789012345678901", "-999999999999999999999.5"])
def test_a_number_of_more_digits_than_any_field_has_is_bad(written: str) -> None:
    number_read = json.loads(written, parse_float=Decimal)
    for batch, bad in _both(_fields(), [GOOD, {**GOOD, "AnnualRevenue": number_read}]):
        assert batch.num_rows == 1
        (record,) = bad
        assert "expected a number of at most 20 digits before the point" in record.reason


def test_a_number_without_digits_in_its_describe_is_a_double() -> None:
    for batch, _ in _both(_fields(Odd__c="double"), [{**GOOD, "Odd__c": 1e300}]):
        assert batch.column("odd__c").to_pylist() == [1e300]


def test_a_page_without_its_header_is_read_by_the_first_ones() -> None:
    first = _csv([GOOD])
    rest = first[len(header_of(first)) :]
    for text in (first, rest):
        batch, bad = rows_of_csv(_fields(), text, header_of(first))
        assert (batch.num_rows, bad) == (1, [])


def test_a_page_of_something_else_passes() -> None:
    with pytest.raises(TransientFailure, match="expected CSV with the 7 fields of the query"):
        rows_of_csv(_fields(), b"<html>busy</html>\n", b"<html>busy</html>\n")


def test_a_text_that_fills_a_page_is_one_value() -> None:
    long = "line\n" * 500_000
    for batch, bad in _both(_fields(), [{**GOOD, "Name": long}]):
        assert bad == []
        assert batch.column("name").to_pylist() == [long]


def test_an_object_without_recycle_bin_has_nothing_that_is_deleted() -> None:
    described = [{"name": n, "type": t} for n, t in TYPES.items() if n != "IsDeleted"]
    fields = fields_of("User", ACCOUNT, described, None)
    records = [{name: value for name, value in GOOD.items() if name != "IsDeleted"}]
    for batch, _ in _both(fields, records):
        assert batch.column("is_deleted").to_pylist() == [False]


@settings(max_examples=40)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "Name": st.none()
                | st.text(st.characters(codec="utf-8", exclude_characters="\x00")),
                "NumberOfEmployees": st.none() | st.integers(-(2**31), 2**31 - 1),
                "AnnualRevenue": st.none()
                | st.builds(
                    lambda digits, places: Decimal(digits).scaleb(-places),
                    st.integers(1 - 10**18, 10**18 - 1),
                    st.integers(0, 18),
                ),
                "LastActivityDate": st.none() | st.dates(date(1700, 1, 1)).map(str),
            }
        ),
        min_size=1,
        max_size=5,
    )
)
def test_json_and_csv_tell_the_same_rows(values: list[dict[str, Any]]) -> None:
    (from_json, bad), (from_csv, also_bad) = _both(
        _fields(), [{**GOOD, **value} for value in values]
    )
    assert bad == also_bad == []
    assert pa.Table.from_batches([from_json]) == pa.Table.from_batches([from_csv]).select(
        from_json.schema.names
    )
