"""Columns become objects of JSON: which members a row has, in which order, byte for byte."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from novade_pipeline.defs.segment.json_columns import JsonColumns
from novade_pipeline.defs.segment.json_objects import JsonTexts, json_object


@pytest.fixture(scope="module")
def converter() -> Iterator[JsonColumns]:
    with closing(JsonColumns()) as columns:
        yield columns


def member(name: str, *values: str | None) -> tuple[str, JsonTexts]:
    column = pa.chunked_array([pa.array(values, pa.string())])
    return name, JsonTexts((column,), column.null_count > 0)


A, B, C = member("a", "1", "2"), member("b", "3", None), member("c", None, "4")


@pytest.mark.parametrize(
    ("members", "objects"),
    [
        ([A], ['{"a":1}', '{"a":2}']),
        ([B], ['{"b":3}', None]),
        ([A, B, C], ['{"a":1,"b":3}', '{"a":2,"c":4}']),
        ([B, A, C], ['{"b":3,"a":1}', '{"a":2,"c":4}']),
        ([B, C, A], ['{"b":3,"a":1}', '{"c":4,"a":2}']),
        ([C, B], ['{"b":3}', '{"c":4}']),
        ([B, B], ['{"b":3,"b":3}', None]),
        ([B, ("o", json_object([C, A])), A], ['{"b":3,"o":{"a":1},"a":1}']),
        ([B, ("o", json_object([B, C])), A], ['{"b":3,"o":{"b":3},"a":1}']),
        ([B, ("o", json_object([B]))], ['{"b":3,"o":{"b":3}}', None]),
        ([member('q"', "1")], ['{"q\\"":1}']),
        ([member("a", None)], [None]),
    ],
)
def test_an_object_has_the_members_of_its_row_in_order(
    members: Sequence[tuple[str, JsonTexts]], objects: list[str | None]
) -> None:
    assert json_object(members).joined().to_pylist()[: len(objects)] == objects


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (["a", "ü, '}", ""], ['"a"', '"ü, \'}"', '""']),
        (['a"', "b"], ['"a\\""', '"b"']),
        (["a\\", "b\n"], ['"a\\\\"', '"b\\n"']),
        (["\x1f", "\x7f"], ['"\\u001F"', '"\x7f"']),
        (["[1, 2]", "[1,]", "x", "[1, 2]"], ["[1, 2]", '"[1,]"', '"x"', "[1, 2]"]),
        (['{"a":1}', None], ['{"a":1}', None]),
        ([-0.0, 1e15, 0.1, float("nan")], ["0", "1000000000000000.0", "0.1", None]),
        ([Decimal("1.500"), Decimal("20.000")], ["1.5", "20"]),
        ([True, None], ["true", None]),
        ([2**62, -1], ["4611686018427387904", "-1"]),
    ],
)
def test_a_column_becomes_json(
    values: list[Any], texts: list[str | None], converter: JsonColumns
) -> None:
    result = converter.convert(pa.table({"x": values, "empty": pa.nulls(len(values))}))
    assert result["x"].joined().to_pylist() == texts
    assert result["x"].is_optional == (None in texts)
    assert "empty" not in result


def test_columns_of_few_and_of_many_distinct_values_are_converted_together(
    converter: JsonColumns,
) -> None:
    numbers = [number + 0.5 for number in range(1000)]
    marks = ['"', None] * 500
    result = converter.convert(pa.table({"few": marks, "many": numbers}))
    assert result["few"].joined().to_pylist() == ['"\\""', None] * 500
    assert result["many"].joined().to_pylist() == [str(number) for number in numbers]
