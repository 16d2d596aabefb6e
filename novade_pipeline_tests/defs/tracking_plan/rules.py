"""Rules for the tests of verdicts, and what the product and the reference library make of them."""

import json

import pyarrow as pa
from jsonschema import Draft7Validator
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


def violations(schema: Schema, text: str | None) -> list[tuple[str, ...]]:
    (found,) = judged(schema, text).violations.to_pylist()
    return [tuple(violation.values()) for violation in found]


def reference(schema: Schema, text: str) -> str:
    valid = Draft7Validator(schema, registry=Registry()).is_valid(json.loads(text))
    return "conforming" if valid else "violating"
