"""What a query asks for, and what it finds among the organisation's records."""

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from novade_pipeline.sandbox.salesforce.fields import Field, SObject
from novade_pipeline.sandbox.salesforce.org import Organisation
from novade_pipeline.sandbox.salesforce.rows import Record
from novade_pipeline.sandbox.salesforce.tables import Bounds, Found, FoundRows, is_plainly_found

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
    """One comparison of a field with a literal, or with several."""

    field: Field
    sign: str
    literal: Any

    def holds(self, row: Record) -> bool:
        """Whether it holds for a record."""
        value = row[self.field.name]
        if self.sign in ("IN", "NOT IN"):
            return (self.field.comparable(value) in self.literal) == (self.sign == "IN")
        if self.literal is None or value is None:
            same = value is None and self.literal is None
            return same if self.sign == "=" else not same and self.sign in ("!=", "<>")
        return COMPARISONS[self.sign](self.field.comparable(value), self.literal)


@dataclass(frozen=True)
class Ordering:
    """By which field records are ordered."""

    field: Field
    descending: bool
    nulls_last: bool


@dataclass(frozen=True)
class Query:
    """A query that is understood.

    Attributes:
        fields: what is asked for of each record.
        aggregates: name of the function and field, None for `COUNT()`; instead of fields.
    """

    of: SObject
    fields: tuple[Field, ...]
    aggregates: tuple[tuple[str, Field | None], ...]
    conditions: tuple[Condition, ...] = ()
    order: tuple[Ordering, ...] = ()
    limit: int | None = None

    @property
    def counts_only(self) -> bool:
        """Whether it asks for `COUNT()`, which is told as `totalSize`."""
        return self.aggregates == (("COUNT", None),)


def find(org: Organisation, query: Query, *, bin_too: bool) -> Found:
    """The records that a query asks for; those in the recycle bin too, or without them."""
    bounds, others = _bounds(query.conditions)
    with org.lock:
        table = org.table(query.of.name)
        if not others and not query.order and query.limit is None:
            return table.found_between(bounds, bin_too)
        holding = (
            row
            for row in table.between(bounds)
            if (bin_too or is_plainly_found(row)) and all(c.holds(row) for c in others)
        )
        # What need not be ordered is read no further than it must be.
        rows = list(holding if query.order else islice(holding, query.limit))
    for by in reversed(query.order):
        rows = _ordered(rows, by)
    return FoundRows(rows[: query.limit])


def _ordered(rows: list[Record], by: Ordering) -> list[Record]:
    name = by.field.name
    told = [row for row in rows if row[name] is not None]
    null = [row for row in rows if row[name] is None]
    told.sort(key=lambda row: by.field.comparable(row[name]), reverse=by.descending)
    return told + null if by.nulls_last else null + told


def aggregated(query: Query, found: Found) -> dict[str, Any]:
    """What the functions of a query make of the records that were found, by `expr0`, `expr1`, …."""
    asked = [(place, f, field.name) for place, (f, field) in enumerate(query.aggregates) if field]
    told: dict[str, Any] = {f"expr{place}": 0 if f == "COUNT" else None for place, f, _ in asked}
    for row in found.rows(0, len(found)):
        for place, function, name in asked:
            value, before = row[name], told[f"expr{place}"]
            if value is None:
                continue
            if function == "COUNT":
                told[f"expr{place}"] = before + 1
            elif before is None or (value > before) == (function == "MAX"):
                told[f"expr{place}"] = value
    return told


def _bounds(conditions: tuple[Condition, ...]) -> tuple[Bounds, list[Condition]]:
    """The bounds of SystemModstamp that conditions tell, and the conditions that tell others."""
    bounds, others = Bounds(), []
    for one in conditions:
        stamp = one.field.name == "SystemModstamp" and isinstance(one.literal, datetime)
        if stamp and one.sign == ">=":
            latest = max(filter(None, (bounds.earliest, one.literal)))
            bounds = replace(bounds, earliest=latest)
        elif stamp and one.sign == "<":
            bounds = replace(bounds, before=min(filter(None, (bounds.before, one.literal))))
        else:
            others.append(one)
    return bounds, others
