"""Finds conforming events quickly, where the verdict provably equals the reference's.

`pydantic_core.from_json` as the parser and `jsonschema_rs` for the verdict `conforming` replace
the reference library where fuzzing finds them equal, with these exceptions.

| left to the reference                      | why                                               |
|--------------------------------------------|---------------------------------------------------|
| `multipleOf`, `uniqueItems`, and `pattern` | exact decimals, other ideas of `[1]` and `[true]`, |
| where it is not plain (its function runs   | other regular expressions                         |
| inside `jsonschema_rs`)                    |                                                   |
| events with `patternProperties`,           | other regular expressions; the reference fails on |
| `additionalItems` or an `$id` in the rule  | `items: true`; an `$id` moves references          |
| events with a number of 2^53 or more in    | 2^62 and the float equal to it are told apart     |
| the rule                                   |                                                   |
| an event with 19 digits or an exponent of  | beyond 64 bits; `1e400` is read as infinity       |
| three in a number                          |                                                   |
| an event with NaN, a lone surrogate or 200 | the quick parser refuses what `json.loads` reads  |
| levels                                     |                                                   |
"""

from collections.abc import Iterator, Sequence
from typing import Any

import jsonschema_rs
import pyarrow as pa
import pyarrow.compute as pc
from pydantic_core import from_json

from novade_pipeline.defs.tracking_plan.ecma_patterns import Reference, plain_pattern
from novade_pipeline.defs.tracking_plan.json_schema import Schema, subschemas, with_subschemas

# The keyword under which a pattern that is not plain is passed to `jsonschema_rs`.
_ECMA_PATTERN = "ecma-262-pattern"
_BORROWED = {keyword: keyword for keyword in ("multipleOf", "uniqueItems")}
_BORROWED[_ECMA_PATTERN] = "pattern"
_PROVEN = {
    *("$ref", "allOf", "anyOf", "oneOf", "not", "if", "then", "else"),
    *("type", "enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("minLength", "maxLength", "items", "minItems", "maxItems", "contains"),
    *("properties", "required", "additionalProperties", "propertyNames", "dependencies"),
    *("minProperties", "maxProperties", "definitions", *_BORROWED.values()),
}
# Keywords that the reference ignores are not passed to `jsonschema_rs`, which checks some of them
# (`contentMediaType`).
_CHECKED = {*Reference.VALIDATORS, "then", "else", "definitions", "$id"} - {"format"}
_EXACT = 2**53
_LIMITS = ("min", "max", "exc", "mul")
_WIDE_NUMBER = r"[:,\[\s]-?([0-9]{19}|[0-9][0-9.]*[eE]\+?[0-9]{3})"


def quick_validator(schema: Schema) -> tuple[jsonschema_rs.Draft7Validator | None, str]:
    """The validator that replaces the reference; or None, and the keyword that prevents it."""
    if unproven := _unproven(schema):
        return None, unproven
    borrowed = {name: _borrowed(keyword) for name, keyword in _BORROWED.items()}
    try:
        quick = jsonschema_rs.Draft7Validator(
            _checked_only(schema),
            validate_formats=False,
            offline=True,
            keywords=borrowed,
            pattern_options=jsonschema_rs.RegexOptions(),
        )
    except ValueError:
        return None, "a rule that jsonschema_rs refuses"
    return quick, ""


def doubtful(quick: jsonschema_rs.Draft7Validator, texts: Sequence[str]) -> Iterator[int]:
    """The indices of the texts that the reference has to judge."""
    is_valid = quick.is_valid
    wide = pc.match_substring_regex(pa.array(texts, pa.string()), _WIDE_NUMBER)
    for index, (text, is_wide) in enumerate(zip(texts, wide.to_pylist(), strict=True)):
        try:
            instance = from_json(text, allow_inf_nan=False, cache_strings="keys")
        except ValueError:
            yield index
            continue
        if is_wide or type(instance) is not dict or not is_valid(instance):
            yield index


def _unproven(schema: Schema) -> str:
    """A keyword of a rule for which `jsonschema_rs` is not proven equal; empty if none."""
    for sub in subschemas(schema):
        for keyword in sorted(sub.keys() & _CHECKED):
            if keyword not in _PROVEN or _is_wide(sub, keyword):
                return keyword
    return ""


def _is_wide(schema: Schema, keyword: str) -> bool:
    values = [schema[keyword]] if keyword in ("enum", "const") or keyword[:3] in _LIMITS else []
    while values:
        value = values.pop()
        if isinstance(value, int | float) and not abs(value) < _EXACT:
            return True
        if isinstance(value, list | dict):
            values += value.values() if isinstance(value, dict) else value
    return False


def _checked_only(schema: Schema) -> Schema:
    checked = {key: value for key, value in schema.items() if key in _CHECKED}
    if "pattern" in checked:
        pattern = checked.pop("pattern")
        plain = plain_pattern(pattern)
        checked |= {_ECMA_PATTERN: pattern} if plain is None else {"pattern": plain}
    return with_subschemas(checked, _checked_only)


def _borrowed(keyword: str) -> type[Any]:
    """The reference's function for a keyword, as a keyword of `jsonschema_rs`."""
    check = Reference.VALIDATORS[keyword]
    reference = Reference({})

    class Borrowed:
        def __init__(self, parent_schema: Schema, value: Any, schema_path: list[str | int]):
            self._value, self._schema = value, parent_schema

        def validate(self, instance: Any) -> None:
            for error in check(reference, self._value, instance, self._schema) or ():
                raise error

    return Borrowed
