"""Rules for the tests of verdicts, and what the product and the reference library make of them."""

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import regress
from jsonschema import Draft7Validator, ValidationError
from jsonschema.validators import extend
from referencing import Registry

from novade_pipeline.defs.tracking_plan.json_schema import Schema
from novade_pipeline.defs.tracking_plan.judge import Judge, Verdicts
from novade_pipeline.defs.tracking_plan.plan_formats import EventRule, Plan


def judge_of(**schemas: Schema) -> Judge:
    rules = tuple(EventRule(name, "", schema) for name, schema in sorted(schemas.items()))
    return Judge(Plan("p", "p", "segment", "v", rules))


def judged(schema: Schema, *texts: str | None) -> Verdicts:
    return judge_of(A=schema).judge(pa.array(["A"] * len(texts)), pa.array(texts, pa.string()))


def verdicts(schema: Schema, *texts: str | None) -> list[str]:
    return list(judged(schema, *texts).verdict.to_pylist())


def verdicts_of(plan: Plan, *texts: str | None) -> list[str]:
    """The verdicts on events `E` with these properties."""
    types = pa.array(["E"] * len(texts))
    return list(Judge(plan).judge(types, pa.array(texts, pa.string())).verdict.to_pylist())


def violations(schema: Schema, text: str | None) -> list[tuple[str, ...]]:
    (found,) = judged(schema, text).violations.to_pylist()
    return [tuple(violation.values()) for violation in found]


def reference(schema: Schema, text: str) -> str:
    valid = ECMA(schema, registry=Registry()).is_valid(json.loads(text))
    return "conforming" if valid else "violating"


def finds(pattern: str, text: str) -> bool:
    """Whether a pattern of ECMA 262 matches, by another engine than the product's."""
    try:
        regex = regress.Regex(pattern, "u")
    except regress.RegressError:
        regex = regress.Regex(pattern)
    # Half a character, which Rust's texts cannot hold.
    return (
        regex.find(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")) is not None
    )


def _pattern(_: Any, pattern: str, value: Any, __: Schema) -> Iterator[ValidationError]:
    if isinstance(value, str) and not finds(pattern, value):
        yield ValidationError(pattern)


def _named(validator: Any, named: Schema, value: Any, _: Schema) -> Iterator[ValidationError]:
    for name in value if isinstance(value, dict) else ():
        for pattern in named:
            if finds(pattern, name):
                yield from validator.descend(value[name], named[pattern])


def _others(validator: Any, schema: Any, value: Any, rule: Schema) -> Iterator[ValidationError]:
    for name in value if isinstance(value, dict) else ():
        planned = any(finds(pattern, name) for pattern in rule.get("patternProperties", {}))
        if name not in rule.get("properties", {}) and not planned:
            yield from validator.descend(value[name], schema)


ECMA = extend(
    Draft7Validator,
    {"pattern": _pattern, "patternProperties": _named, "additionalProperties": _others},
)
