"""A parsed query, and its execution on the organisation's records."""

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from novade_pipeline.sandbox.salesforce.fields import Field, SObject
from novade_pipeline.sandbox.salesforce.org import Organisation
from novade_pipeline.sandbox.salesforce.rows import Record
from novade_pipeline.sandbox.salesforce.tables import (
    Bounds,
    MaterializedResult,
    QueryResult,
    in_plain_queries,
)

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Condition:
    """A comparison of a field with a literal, or with several."""

    field: Field
    sign: str
    literal: Any

    def matches(self, row: Record) -> bool:
        """Whether a record satisfies the condition."""
        value = row[self.field.name]
        if self.sign in ("IN", "NOT IN"):
            return (self.field.comparable(value) in self.literal) == (self.sign == "IN")
        if self.literal is None or value is None:
            same = value is None and self.literal is None
            return same if self.sign == "=" else not same and self.sign in ("!=", "<>")
        return COMPARISONS[self.sign](self.field.comparable(value), self.literal)


@dataclass(frozen=True)
class Ordering:
    """An item of ORDER BY."""

    field: Field
    descending: bool
    nulls_last: bool


@dataclass(frozen=True)
class Query:
    """A parsed query.

    Attributes:
        fields: the selected fields.
        aggregates: instead of fields, functions and their fields, None for `COUNT()`.
    """

    sobject: SObject
    fields: tuple[Field, ...]
    aggregates: tuple[tuple[str, Field | None], ...]
    conditions: tuple[Condition, ...] = ()
    order: tuple[Ordering, ...] = ()
    limit: int | None = None

    @property
    def counts_only(self) -> bool:
        """Whether it is `COUNT()`, whose value is `totalSize`."""
        return self.aggregates == (("COUNT", None),)


def execute(org: Organisation, query: Query, *, include_deleted: bool) -> QueryResult:
    """The result of a query, with or without the recycle bin."""
    bounds, remaining = _bounds(query.conditions)
    with org.lock:
        table = org.table(query.sobject.name)
        if not remaining and not query.order and query.limit is None:
            return table.select(bounds, include_deleted)
        holding = (
            row
            for row in table.between(bounds)
            if (include_deleted or in_plain_queries(row)) and all(c.matches(row) for c in remaining)
        )
        rows = list(holding if query.order else islice(holding, query.limit))
    for by in reversed(query.order):
        rows = _ordered(rows, by)
    return MaterializedResult(rows[: query.limit])


def _ordered(rows: list[Record], by: Ordering) -> list[Record]:
    name = by.field.name
    with_value = [row for row in rows if row[name] is not None]
    null = [row for row in rows if row[name] is None]
    with_value.sort(key=lambda row: by.field.comparable(row[name]), reverse=by.descending)
    return with_value + null if by.nulls_last else null + with_value


def aggregate(query: Query, result: QueryResult) -> dict[str, Any]:
    """The values of a query's functions over its result, by `expr0`, `expr1`, …."""
    functions = [
        (f"expr{n}", f, field.name) for n, (f, field) in enumerate(query.aggregates) if field
    ]
    values: dict[str, Any] = {key: 0 if f == "COUNT" else None for key, f, _ in functions}
    for row in result.rows(0, len(result)):
        for key, function, name in functions:
            value, before = row[name], values[key]
            if value is None:
                continue
            if function == "COUNT":
                values[key] = before + 1
            elif before is None or (value > before) == (function == "MAX"):
                values[key] = value
    return values


def _bounds(conditions: tuple[Condition, ...]) -> tuple[Bounds, list[Condition]]:
    """The bounds of SystemModstamp among conditions, and the remaining conditions."""
    bounds, remaining = Bounds(), []
    for condition in conditions:
        stamp = condition.field.name == "SystemModstamp" and isinstance(condition.literal, datetime)
        if stamp and condition.sign == ">=":
            latest = max(filter(None, (bounds.earliest, condition.literal)))
            bounds = replace(bounds, earliest=latest)
        elif stamp and condition.sign == "<":
            bounds = replace(bounds, before=min(filter(None, (bounds.before, condition.literal))))
        else:
            remaining.append(condition)
    return bounds, remaining
