"""The topic `iot_readings`: how a record's value becomes a row of `iot/reading_events`."""

import json
import math
import re
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, Field

from novade_pipeline.defs.iot.tables import QUARANTINE, READING_EVENTS, ReadingEvent
from novade_pipeline.defs.iot.units import conversion, metric_of
from novade_pipeline.lake.table import Json
from novade_pipeline.streams.topic import STREAM_COLUMNS, Normalised, Topic

# As a number is written in JSON or in a country where the comma is the decimal point.
_NUMBER = re.compile(r"\s*[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?\s*", re.ASCII)


class ReadingValue(BaseModel):
    """The fields of a value."""

    device_id: str = Field(description="The device.")
    metric: str | None = None
    value: Json | None = None
    unit: str | None = None
    measured_at: datetime = Field(description="By the device's clock.")
    sequence: int = Field(description="Counts the device's readings.")
    other_fields: Json | None = None


def normalise(values: pa.Table) -> Normalised:
    """The rows of parsed values, in the units of their metrics."""
    sent, is_text, wrong = numbers(values["value"])
    metrics = _looked_up(values["metric"], {m: metric_of(m) for m in _different(values["metric"])})
    pairs = list(zip(metrics.to_pylist(), values["unit"].to_pylist(), strict=True))
    different = {pair: place for place, pair in enumerate(dict.fromkeys(pairs))}
    conversions = [conversion(*pair) for pair in different]
    places = pa.array([different[pair] for pair in pairs], pa.int32())

    def of_pair(name: str, kind: pa.DataType) -> pa.Array:
        return pa.array([getattr(c, name) for c in conversions], kind).take(places)

    number = pa.float64()
    value = pc.add(pc.multiply(sent, of_pair("factor", number)), of_pair("shift", number))
    is_possible = pc.and_(
        pc.greater_equal(value, of_pair("low", number)),
        pc.less_equal(value, of_pair("high", number)),
    )
    for place in pc.indices_nonzero(
        pc.equal(pc.utf8_trim_whitespace(values["device_id"]), "")
    ).to_pylist():
        wrong[place] = "device_id: expected a text, found a blank one"
    columns = {
        **{name: values[name] for name in values.schema.names},
        "metric": metrics,
        "value": value,
        "unit": of_pair("unit", pa.string()),
        "value_sent": sent,
        "unit_sent": values["unit"],
        "unit_kind": of_pair("kind", pa.string()),
        "is_text": is_text,
        "is_out_of_range": pc.invert(is_possible),
    }
    names = [name for name in ReadingEvent.model_fields if name not in STREAM_COLUMNS]
    return Normalised(pa.table({name: columns[name] for name in names}), wrong)


def numbers(sent: pa.ChunkedArray) -> tuple[pa.Array, pa.Array, dict[int, str]]:
    """Values that were sent as JSON, as numbers.

    Returns:
        (the numbers, null where there is none; which were sent as texts; position -> why it is no
        number).
    """
    texts = sent.combine_chunks()
    is_text = pc.fill_null(pc.starts_with(texts, '"'), False)
    wrong: dict[int, str] = {}
    if texts.null_count == 0 and not is_text.true_count:
        try:
            plain = texts.cast(pa.float64())
            if pc.all(pc.is_finite(plain)).as_py() is not False:
                return plain, is_text, wrong
        except pa.ArrowInvalid:
            pass
    parsed: list[float | None] = []
    for place, text in enumerate(texts.to_pylist()):
        number = None if text is None else _number(text)
        if number is None:
            wrong[place] = f"value: expected a number, found {_kind(text)}"
        parsed.append(number)
    return pa.array(parsed, pa.float64()), is_text, wrong


def _number(text: str) -> float | None:
    if text.startswith('"'):
        text = json.loads(text)
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text.replace(",", "."))
    return number if math.isfinite(number) else None


def _kind(text: str | None) -> str:
    if text is None:
        return "none"
    kinds = {'"': "another text", "{": "an object", "[": "an array", "t": "true", "f": "false"}
    return kinds.get(text[0], "one beyond all sensors")


def _different(texts: pa.ChunkedArray) -> list[str | None]:
    different: list[str | None] = pc.unique(texts).to_pylist()
    return different


def _looked_up(texts: pa.ChunkedArray, known: dict[str | None, str | None]) -> pa.Array:
    encoded = texts.combine_chunks().dictionary_encode()
    names = pa.array([known[text] for text in encoded.dictionary.to_pylist()], pa.string())
    return names.take(encoded.indices)


IOT_READINGS = Topic(
    name="iot_readings",
    table=READING_EVENTS,
    quarantine=QUARANTINE,
    value=ReadingValue,
    normalise=normalise,
)
TOPICS = (IOT_READINGS,)
