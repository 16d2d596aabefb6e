"""Judging events against a tracking plan, many at a time.

Belongs here: the verdict on each event. Nothing here reads a plan or writes a table.

The verdict is that of the reference library `jsonschema` (draft 7, formats unchecked, patterns of
ECMA 262) on what `json.loads` makes of the properties. Where that is proven the same,
`quick_verdict` finds the events that conform; the others go to the reference, which alone explains
a violation.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import jsonschema_rs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from referencing import Registry

from novade_pipeline.defs.tracking_plan.ecma_patterns import Reference
from novade_pipeline.defs.tracking_plan.event_versions import named_version
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
_VERDICTS = ("conforming", "violating", "unplanned", "unjudged")
_CONFORMING, _VIOLATING, _UNPLANNED, _UNJUDGED = range(4)
BATCH_ROWS = 32_768
_MAX_EXPLANATIONS = 4_096
_CACHE_BYTES = 32 * 2**20
_ENTRY_BYTES = 100

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Verdicts:
    """Verdicts, row by row.

    Attributes:
        verdict: strings: `conforming`, `violating`, `unplanned`, or `unjudged` where the plan has
            the event, and its rule is refused.
        violations: lists of `VIOLATION`, ordered; empty where there is none, never null.
    """

    verdict: pa.StringArray
    violations: pa.ListArray


class Judge:
    """Judges events by one plan.

    Attributes:
        has_versions: an event has several versions, so that `other_fields` count.
    """

    def __init__(self, plan: Plan) -> None:
        versions: dict[str, dict[int, _RuleJudge | None]] = {}
        for rule in plan.rules:
            versions.setdefault(rule.event_type, {})[rule.version] = _RuleJudge(rule)
        for refused in plan.refused:
            versions.setdefault(refused.event_type, {})[refused.version] = None
        self._event_types = pa.array(list(versions), pa.string())
        self._versions = list(versions.values())
        self.has_versions = any(len(judges) > 1 for judges in self._versions)

    @cached_property
    def by_reference(self) -> dict[str, str]:
        """Event types that the reference library judges alone, and the unproven keyword of each.

        It takes about 50 microseconds an event, against 2 for others.
        """
        judges = [judge for by_version in self._versions for judge in by_version.values() if judge]
        return {judge.event_type: unproven for judge in judges if (unproven := judge.quick[1])}

    def judge(
        self,
        event_type: pa.ChunkedArray | pa.Array,
        event_properties: pa.ChunkedArray | pa.Array,
        other_fields: pa.ChunkedArray | pa.Array | None = None,
    ) -> Verdicts:
        """Judge events, each by the version that it names, else by the newest.

        Args:
            event_type: strings; a null is unplanned.
            event_properties: JSON text, as long as `event_type`; a null is judged as `{}`. Text
                that is not a JSON object violates `type`.
            other_fields: JSON text, as long: the event's unknown fields, which may name its
                version.

        Returns:
            One verdict and one list of violations for each event, in order.

        Raises:
            ValueError: the columns differ in length.
        """
        if len(event_type) != len(event_properties):
            raise ValueError(
                f"expected as many properties as event types, found {len(event_properties)} and "
                f"{len(event_type)}; pass two columns of one batch"
            )
        if other_fields is None:
            other_fields = pa.nulls(len(event_type), pa.string())
        columns = map(_strings, (event_type, event_properties, other_fields))
        batches = [
            self._judge_batch(*batch.columns)
            for batch in pa.table([*columns], ["type", "text", "other_fields"]).to_batches(
                BATCH_ROWS
            )
        ]
        return Verdicts(
            pa.concat_arrays([pa.array([], pa.string()), *(batch.verdict for batch in batches)]),
            pa.concat_arrays([pa.array([], pa.list_(VIOLATION)), *(b.violations for b in batches)]),
        )

    def _judge_batch(
        self, event_type: pa.StringArray, text: pa.StringArray, fields: pa.StringArray
    ) -> Verdicts:
        event = pc.index_in(event_type, self._event_types).fill_null(-1).to_numpy()
        text = text.fill_null("{}")
        verdict = np.full(len(event), _UNPLANNED, np.int8)
        explained: dict[int, tuple[Violation, ...]] = {}
        by_event = np.argsort(event, kind="stable")
        for same in np.split(by_event, np.flatnonzero(np.diff(event[by_event])) + 1):
            if not len(same) or event[same[0]] < 0:
                continue
            for judge, rows in _by_version(self._versions[event[same[0]]], same, text, fields):
                if judge is None:
                    verdict[rows] = _UNJUDGED
                    continue
                verdict[rows] = _CONFORMING
                distinct = text.take(pa.array(rows)).dictionary_encode()
                if violations := judge.violations(distinct.dictionary.to_pylist()):
                    index = distinct.indices.to_numpy()
                    broken = np.flatnonzero(np.isin(index, list(violations)))
                    verdict[rows[broken]] = _VIOLATING
                    explained.update((rows[at], violations[index[at]]) for at in broken)
        self._bound_cache()
        return Verdicts(
            pa.array(_VERDICTS).take(pa.array(verdict)), violation_lists(len(event), explained)
        )

    def _bound_cache(self) -> None:
        """Clear the caches of conforming texts when they are too large."""
        judges = [judge for by_version in self._versions for judge in by_version.values() if judge]
        if sum(judge.cached_bytes for judge in judges) > _CACHE_BYTES:
            for judge in judges:
                judge.clear_cache()


def _by_version(
    judges: Mapping[int, "_RuleJudge | None"],
    rows: Rows,
    text: pa.StringArray,
    other_fields: pa.StringArray,
) -> Iterator[tuple["_RuleJudge | None", Rows]]:
    """The rows of one event type by the version that judges them; None if that is refused."""
    newest = max(judges)
    if len(judges) == 1:
        yield judges[newest], rows
        return
    columns = (column.take(pa.array(rows)).to_pylist() for column in (text, other_fields))
    named = [named_version(*texts) for texts in zip(*columns, strict=True)]
    judged_by = np.array([version if version in judges else newest for version in named])
    for version in np.unique(judged_by).tolist():
        yield judges[version], rows[judged_by == version]


class _RuleJudge:
    """Judges the properties of one version of an event.

    Attributes:
        event_type: of the events.
        cached_bytes: approximate size of the cached conforming texts.
    """

    def __init__(self, rule: EventRule) -> None:
        self.event_type = rule.event_type
        self._schema = rule.schema
        self._explain = lru_cache(maxsize=_MAX_EXPLANATIONS)(self._explain_text)
        self.clear_cache()

    @cached_property
    def quick(self) -> tuple[jsonschema_rs.Draft7Validator | None, str]:
        """The validator that replaces the reference; compiled for the first event."""
        return quick_validator(self._schema)

    @cached_property
    def _reference(self) -> Any:
        # An empty registry, or the reference would fetch what a `$ref` names.
        return Reference(_forbidding(self._schema), registry=Registry())

    def clear_cache(self) -> None:
        """Forget which texts conform."""
        self._conforming: set[str] = set()
        self.cached_bytes = 0

    def violations(self, texts: list[str]) -> dict[int, tuple[Violation, ...]]:
        """The violations of each text that has any, by its index."""
        known = self._conforming
        places = [place for place, text in enumerate(texts) if text not in known]
        new = [texts[place] for place in places]
        broken, (quick, _) = {}, self.quick
        for at in range(len(new)) if quick is None else doubtful(quick, new):
            if violations := self._explain(new[at]):
                broken[places[at]] = violations
        conforming = [texts[place] for place in places if place not in broken]
        known.update(conforming)
        self.cached_bytes += sum(map(len, conforming)) + _ENTRY_BYTES * len(conforming)
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
            return tuple(sorted({v for error in errors for v in violations_of(error)}))
        # The reference fails on some values, such as a multipleOf 0.5 of 1e400.
        except (ArithmeticError, RecursionError, TypeError, ValueError) as error:
            shape = f"{shape_of(instance)} that cannot be judged ({type(error).__name__})"
            return (Violation("", "type", '"object"', shape),)


def _forbidding(schema: Schema) -> Schema:
    """The same schema, with `not: {}` for a property that is `false`, so that errors name it."""
    written = with_subschemas(schema, _forbidding)
    if isinstance(properties := written.get("properties"), dict):
        forbidden: Schema = {name: {"not": {}} for name, sub in properties.items() if sub is False}
        written["properties"] = {**properties, **forbidden}
    return written


def _strings(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray:
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    plain = [chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk for chunk in chunks]
    return pa.chunked_array([chunk.cast(pa.string()) for chunk in plain], pa.string())
