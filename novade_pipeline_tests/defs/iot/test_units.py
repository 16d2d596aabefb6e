"""Values in the units of their metrics, what is impossible, and what is no number."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from novade_pipeline.defs.iot.topic import IOT_READINGS, normalise
from novade_pipeline.defs.iot.units import METRICS, conversion

MEASURED = datetime(2026, 3, 2, 10, tzinfo=UTC)
Row = dict[str, Any]


def _rows(*rows: Row) -> tuple[list[Row], dict[int, str]]:
    usual = {"device_id": "d", "metric": "temperature", "value": "20", "unit": "C"}
    usual |= {"measured_at": MEASURED, "sequence": 1}
    schema = pa.schema(
        [(c.name, c.type) for c in IOT_READINGS.fields] + [("other_fields", "string")]
    )
    values = pa.Table.from_pylist([{**usual, **row} for row in rows], schema=schema)
    normalised = normalise(values)
    return normalised.rows.to_pylist(), dict(normalised.wrong)


@pytest.mark.parametrize(
    ("metric", "unit", "value", "expected", "kind", "is_out_of_range"),
    [
        ("temperature", "°C", "21.5", (21.5, "°C"), "standard", False),
        ("Temp", "fahrenheit", "77", (25.0, "°C"), "converted", False),
        ("temperature", "K", "273.15", (0.0, "°C"), "converted", False),
        ("temperature", "ºC", "-127", (-127.0, "°C"), "standard", True),
        ("humidity", "%", "100", (100.0, "%"), "standard", False),
        ("humidity", "%RH", "100.1", (100.1, "%"), "standard", True),
        ("pressure", "kPa", "101.3", (1013.0, "hPa"), "converted", False),
        ("pressure", "", "1013", (1013.0, "hPa"), "missing", False),
        ("pressure", None, "0", (0.0, "hPa"), "missing", True),
        ("temperature", "hPa", "20", (20.0, "hPa"), "unknown", False),
        ("wind", "furlong", "5", (5.0, "furlong"), "unknown", False),
        ("wind", "km/h", "36", (10.0, "m/s"), "converted", False),
        ("wind", None, "1e16", (1e16, None), "missing", True),
        (None, None, "1", (1.0, None), "missing", False),
    ],
)
def test_a_value_is_stored_in_its_metrics_unit(
    metric: str | None,
    unit: str | None,
    value: str,
    expected: tuple[float, str | None],
    kind: str,
    is_out_of_range: bool,
) -> None:
    (row,), wrong = _rows({"metric": metric, "unit": unit, "value": value})
    assert (row["value"], row["unit"]) == (pytest.approx(expected[0]), expected[1])
    assert (row["unit_kind"], row["is_out_of_range"]) == (kind, is_out_of_range)
    assert (row["value_sent"], row["unit_sent"]) == (float(value), unit)
    assert wrong == {}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(('"12.5"', 12.5), ('" 12,5 "', 12.5), ('"-1e2"', -100.0), ('"٣"', None)),
        *(('"NaN"', None), ('"inf"', None), ('"0x10"', None), ('""', None), ('"12 C"', None)),
        *(("true", None), ("{}", None), ("[1]", None), (None, None), ("1e999", None)),
        ('"1_000"', None),
    ],
)
def test_a_number_as_a_text_is_accepted_and_other_texts_are_not(
    text: str | None, number: float | None
) -> None:
    rows, wrong = _rows({}, {"value": text}, {})
    assert (rows[1]["value_sent"], rows[1]["is_text"]) == (number, (text or "").startswith('"'))
    assert list(wrong) == ([] if number is not None else [1])
    assert all(reason.startswith("value: expected a number, found ") for reason in wrong.values())
    assert [rows[n]["is_text"] for n in (0, 2)] == [False, False]


def test_a_blank_device_or_metric_is_none() -> None:
    assert list(_rows({}, {"device_id": " "})[1]) == [1]
    assert _rows({"metric": " "})[0][0]["metric"] is None


@pytest.mark.parametrize("metric", METRICS)
def test_each_metric_has_its_own_unit_in_the_table(metric: str) -> None:
    known = METRICS[metric]
    assert conversion(metric, known.unit).kind == "standard"
    assert known.low < known.high
