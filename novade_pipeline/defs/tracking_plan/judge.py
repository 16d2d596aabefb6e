"""Judging events against a tracking plan, many at a time.

Belongs here: the verdict on each event. Nothing here reads a plan or writes a table.

The verdict is that of the reference library `jsonschema` (draft 7, formats unchecked) on what
`json.loads` makes of the properties. Where that is proven the same, `quick_verdict` finds the
events that conform; the others go to the reference, which alone explains a violation.
"""

import json
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jsonschema import Draft7Validator
from referencing import Registry

from novade_pipeline.defs.tracking_plan.json_schema import Schema, with_subschemas
from novade_pipeline.defs.tracking_plan.plan import EventRule, Plan
from novade_pipeline.defs.tracking_plan.quick_verdict import doubtful, quick_validator
from novade_pipeline.defs.tracking_plan.violations import (
    VIOLATION,
    Violation,
    shape_of,
    violation_lists,
    violations_of,
)

__all__ = ["VIOLATION", "Judge", "Verdicts", "Violation"]

# No Arrow array: the first one that a process makes imports pandas.
_VERDICTS = ("conforming", "violating", "unplanned")
_CONFORMING, _VIOLATING, _UNPLANNED = range(3)
_BATCH_ROWS = 16_384
_EXPLAINED = 4_096


@dataclass(frozen=True)
class Verdicts:
    """What was judged, row by row.

    Attributes:
        verdict: strings, `conforming`, `violating` or `unplanned`.
        violations: lists of `VIOLATION`, ordered; empty where there is none, never null.
    """

    verdict: pa.StringArray
    violations: pa.ListArray


class Judge:
    """Judges events by one plan.

    Attributes:
        by_reference: event types that the reference library judges alone, and why: the keyword
            that is not proven. It takes about 50 microseconds an event, against 2 for others.
    """

    def __init__(self, plan: Plan) -> None:
        self._event_types = pa.array([rule.event_type for rule in plan.rules], pa.string())
        self._rules = [_RuleJudge(rule) for rule in plan.rules]
        self.by_reference = {
            rule.event_type: judge.unproven
            for rule, judge in zip(plan.rules, self._rules, strict=True)
            if judge.unproven
        }

    def judge(
        self,
        event_type: pa.ChunkedArray | pa.Array,
        event_properties: pa.ChunkedArray | pa.Array,
    ) -> Verdicts:
        """Judge events.

        Args:
            event_type: strings; a null is unplanned.
            event_properties: JSON text, as long as `event_type`; a null is judged as `{}`. Text
                that is not a JSON object violates `type`.

        Returns:
            One verdict and one list of violations for each event, in order.

        Raises:
            ValueError: the two differ in length.
        """
        if len(event_type) != len(event_properties):
            raise ValueError(
                f"expected as many properties as event types, found {len(event_properties)} and "
                f"{len(event_type)}; pass two columns of one batch"
            )
        columns = pa.table([_strings(event_type), _strings(event_properties)], ["type", "text"])
        batches = [
            self._judge_batch(batch["type"], batch["text"])
            for batch in columns.to_batches(max_chunksize=_BATCH_ROWS)
        ]
        return Verdicts(
            pa.concat_arrays([pa.array([], pa.string()), *(one.verdict for one in batches)]),
            pa.concat_arrays([pa.array([], pa.list_(VIOLATION)), *(b.violations for b in batches)]),
        )

    def _judge_batch(self, event_type: pa.StringArray, text: pa.StringArray) -> Verdicts:
        rule = pc.index_in(event_type, self._event_types).fill_null(-1).to_numpy()
        verdict = np.full(len(rule), _CONFORMING, np.int8)
        explained: dict[int, tuple[Violation, ...]] = {}
        by_rule = np.argsort(rule, kind="stable")
        for rows in np.split(by_rule, np.flatnonzero(np.diff(rule[by_rule])) + 1):
            if not len(rows) or rule[rows[0]] < 0:
                verdict[rows] = _UNPLANNED
                continue
            distinct = text.take(pa.array(rows)).fill_null("{}").dictionary_encode()
            violations = self._rules[rule[rows[0]]].violations(distinct.dictionary)
            if violations:
                index = distinct.indices.to_numpy()
                broken = np.flatnonzero(np.isin(index, list(violations)))
                verdict[rows[broken]] = _VIOLATING
                explained.update((rows[at], violations[index[at]]) for at in broken)
        return Verdicts(
            pa.array(_VERDICTS).take(pa.array(verdict)), violation_lists(len(rule), explained)
        )


class _RuleJudge:
    """Judges the properties of one event type."""

    def __init__(self, rule: EventRule) -> None:
        # An empty registry, or the reference would fetch what a `$ref` names.
        self._reference = Draft7Validator(_forbidding(rule.schema), registry=Registry())
        self._quick, self.unproven = quick_validator(rule.schema)
        self._explain = lru_cache(maxsize=_EXPLAINED)(self._explain_text)

    def violations(self, texts: pa.StringArray) -> dict[int, tuple[Violation, ...]]:
        """The violations of each text that has any, by its place."""
        places = range(len(texts)) if self._quick is None else doubtful(self._quick, texts)
        broken = {}
        for place in places:
            if violations := self._explain(texts[place].as_py()):
                broken[place] = violations
        return broken

    def _explain_text(self, text: str) -> tuple[Violation, ...]:
        try:
            instance = json.loads(text)
        except (ValueError, RecursionError):
            return (Violation("", "type", '"object"', "text that is not JSON"),)
        if not isinstance(instance, dict):
            return (Violation("", "type", '"object"', shape_of(instance)),)
        try:
            errors = list(self._reference.iter_errors(instance))
            return tuple(sorted({found for error in errors for found in violations_of(error)}))
        # The reference fails on some values, such as a multipleOf 0.5 of 1e400.
        except (ArithmeticError, RecursionError, TypeError, ValueError) as error:
            found = f"{shape_of(instance)} that cannot be judged ({type(error).__name__})"
            return (Violation("", "type", '"object"', found),)


def _forbidding(schema: Schema) -> Schema:
    """The same schema, forbidding a property by `not: {}`.

    Where one that is `false` stood, the reference does not say.
    """
    written = with_subschemas(schema, _forbidding)
    if isinstance(properties := written.get("properties"), dict):
        forbidden: Schema = {name: {"not": {}} for name, sub in properties.items() if sub is False}
        written["properties"] = {**properties, **forbidden}
    return written


def _strings(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray:
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    plain = [chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk for chunk in chunks]
    return pa.chunked_array([chunk.cast(pa.string()) for chunk in plain], pa.string())
