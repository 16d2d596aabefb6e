"""Violations, made of the reference library's errors, and their Arrow type.

A violation never repeats text of an event.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from jsonschema import ValidationError

from novade_pipeline.defs.tracking_plan.ecma_patterns import surplus
from novade_pipeline.defs.tracking_plan.json_schema import json_type

VIOLATION = pa.struct([(name, pa.string()) for name in ("path", "keyword", "expected", "found")])

_EXPECTED_LENGTH = 200


class Violation(NamedTuple):
    """One way in which an event breaks the plan.

    Attributes:
        path: the property, dotted from the event's properties (`items.0.price`); of a property
            that is missing or not allowed, its own; empty for the properties as a whole.
        keyword: the JSON Schema keyword; `false` if the plan allows nothing at all.
        expected: the keyword's value as JSON text, cut at 200 characters.
        found: the value's JSON type and size; numbers are shown, text never, since events hold
            personal data.
    """

    path: str
    keyword: str
    expected: str
    found: str


def violations_of(error: ValidationError) -> Iterator[Violation]:
    """The violations of an error of the reference, one for each missing or surplus property."""
    path = [_arrow_text(str(step)) for step in error.absolute_path]
    # A schema that is `false` has no keyword and no value.
    keyword = error.validator if isinstance(error.validator, str) else "false"
    value: Any = error.validator_value if keyword != "false" else False
    instance: Any = error.instance
    expected = json.dumps(value, ensure_ascii=False)[:_EXPECTED_LENGTH]
    if keyword == "required":
        for name in value:
            if name not in instance:
                yield Violation(".".join([*path, _arrow_text(name)]), keyword, expected, "nothing")
    elif keyword == "additionalProperties":
        schema: Any = error.schema
        for name in surplus(instance, schema):
            yield Violation(
                ".".join([*path, _arrow_text(name)]), keyword, expected, shape_of(instance[name])
            )
    else:
        yield Violation(".".join(path), keyword, expected, shape_of(instance))


def shape_of(value: Any) -> str:
    """The JSON type and size of a value; numbers are shown."""
    kind = json_type(value)
    match value:
        case bool() | None:
            return kind
        case str():
            return f"{kind} of {len(value)} characters"
        case list():
            return f"{kind} of {len(value)} items"
        case dict():
            return f"{kind} of {len(value)} keys"
        case int() if abs(value) >= 10**30:
            return f"{kind} of {value.bit_length()} bits"
    return f"{kind} {value}"


def violation_lists(rows: int, explained: dict[int, tuple[Violation, ...]]) -> pa.ListArray:
    """The violations as a column of so many rows, from those of the rows that have any."""
    counts = np.zeros(rows + 1, np.int32)
    ordered: list[Violation] = []
    for row in sorted(explained):
        counts[row + 1] = len(explained[row])
        ordered += explained[row]
    columns: list[list[str]] = [list(column) for column in zip(*ordered, strict=True)]
    flat = [pa.array(column, pa.string()) for column in columns or [[]] * VIOLATION.num_fields]
    offsets: npt.NDArray[np.int32] = np.cumsum(counts, dtype=np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets), pa.StructArray.from_arrays(flat, fields=list(VIOLATION))
    )


def _arrow_text(name: str) -> str:
    # JSON may have a lone surrogate in a property's name, which Arrow refuses.
    return name.encode(errors="replace").decode()
