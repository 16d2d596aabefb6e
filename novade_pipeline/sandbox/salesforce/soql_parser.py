"""The supported part of SOQL.

    SELECT f, g | COUNT() | COUNT(f), MAX(f), MIN(f) FROM X
    [WHERE a op literal AND …] [ORDER BY f [ASC|DESC] [NULLS FIRST|LAST], …] [LIMIT n]

Operators are `=`, `!=`, `<`, `<=`, `>`, `>=` and `[NOT] IN (…)`; literals are text in single
quotes, numbers, dates, times with a zone, `true`, `false` and `null`.
Source: https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/. Refused as
documented: duplicate fields (sforce_api_calls_soql_select_fields.htm), ORDER BY an unsortable field
(…_orderby.htm), LIMIT with functions without GROUP BY (…_limit.htm), COUNT() with ORDER BY
(…_count.htm). Except for COUNT(), the messages are those that people report from the real service.
"""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from novade_pipeline.sandbox.salesforce.fields import NUMBERS, Field, SObject
from novade_pipeline.sandbox.salesforce.schema import Schema
from novade_pipeline.sandbox.salesforce.soql import COMPARISONS, Condition, Ordering, Query

_TOKEN = re.compile(
    r"""\s*(?:(?P<time>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d))|(?P<date>\d{4}-\d\d-\d\d)
    |(?P<number>[+-]?\d+(?:\.\d+)?)|(?P<text>'(?:[^'\\]|\\.)*')|(?P<name>[A-Za-z_][\w.]*)
    |(?P<sign><=|>=|!=|<>|[=<>(),]))""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_AGGREGATES = ("COUNT", "MAX", "MIN")
_MOST_INT = 2**31 - 1


class SoqlError(Exception):
    """A query that cannot be answered.

    Attributes:
        code: Salesforce's code of the error.
    """

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def parse(schema: Schema, soql: str) -> Query:
    """Parse a query.

    Raises:
        SoqlError: the query is malformed, or selects what is not visible to the user.
    """
    return _Parser(schema, soql).query()


class _Parser:
    def __init__(self, schema: Schema, soql: str) -> None:
        self._schema = schema
        self._soql = soql
        self._tokens: list[tuple[str, str, int]] = []
        at, end = 0, len(soql.rstrip())
        while at < end:
            match = _TOKEN.match(soql, at)
            if match is None or match.lastgroup is None:
                raise self._malformed(f"unexpected token: '{soql[at:].strip()[:1]}'", at)
            kind = match.lastgroup
            self._tokens.append((kind, match[kind], match.start(kind)))
            at = match.end()
        self._next = 0

    def query(self) -> Query:
        self._expect_word("SELECT")
        selected = self._select_list()
        self._expect_word("FROM")
        sobject = self._object()
        fields = tuple(self._field(sobject, name, at) for f, name, at in selected if not f)
        aggregates = tuple(
            (f, self._aggregate_field(sobject, f, name, at) if name else None)
            for f, name, at in selected
            if f
        )
        if fields and aggregates:
            raise self._malformed(
                f"Field must be grouped or aggregated: {fields[0].name}", selected[0][2]
            )
        self._refuse_duplicates(selected, fields)
        query = Query(sobject, fields, aggregates)
        if self._accept("WHERE"):
            conditions = [self._condition(sobject)]
            while self._accept("AND"):
                conditions.append(self._condition(sobject))
            query = replace(query, conditions=tuple(conditions))
        if self._accept("ORDER"):
            self._expect_word("BY")
            order = [self._ordering(sobject)]
            while self._accept(","):
                order.append(self._ordering(sobject))
            query = replace(query, order=tuple(order))
        if self._accept("LIMIT"):
            at, limit = self._at(), self._expect("number")
            if not limit.isdecimal():
                raise self._malformed(f"unexpected token: '{limit}'", at)
            if int(limit) > _MOST_INT:
                raise self._malformed(f"numeric value out of range: {limit}", at)
            query = replace(query, limit=int(limit))
        if self._next < len(self._tokens):
            _, text, at = self._tokens[self._next]
            raise self._malformed(f"unexpected token: '{text}'", at)
        _refuse_around_aggregates(query)
        return query

    def _select_list(self) -> list[tuple[str, str, int]]:
        """Function, field and position of each item between SELECT and FROM."""
        selected = [self._select_item()]
        while self._accept(","):
            selected.append(self._select_item())
        return selected

    def _select_item(self) -> tuple[str, str, int]:
        at = self._at()
        name = self._expect("name")
        if not self._accept("("):
            return "", name, at
        if name.upper() not in _AGGREGATES:
            raise self._malformed(f"unexpected token: '{name}'", at)
        if name.upper() == "COUNT" and self._accept(")"):
            return "COUNT", "", at
        at = self._at()
        field = self._expect("name")
        self._expect_word(")")
        return name.upper(), field, at

    def _object(self) -> SObject:
        at, name = self._at(), self._expect("name")
        sobject = self._schema.visible_object(name)
        if sobject is None:
            raise SoqlError(
                "INVALID_TYPE",
                f"{self._excerpt(at)}\nsObject type '{name}' is not supported. If you are "
                "attempting to use a custom object, be sure to append the '__c' after the entity "
                "name. Please reference your WSDL or the describe call for the appropriate names.",
            )
        return sobject

    def _field(self, sobject: SObject, name: str, at: int) -> Field:
        field = self._schema.visible_field(sobject.name, name)
        if field is None:
            raise SoqlError(
                "INVALID_FIELD",
                f"{self._excerpt(at)}\nNo such column '{name}' on entity '{sobject.name}'. If you "
                "are attempting to use a custom field, be sure to append the '__c' after the "
                "custom field name. Please reference your WSDL or the describe call for the "
                "appropriate names.",
            )
        return field

    def _aggregate_field(self, sobject: SObject, function: str, name: str, at: int) -> Field:
        field = self._field(sobject, name, at)
        if not field.is_aggregatable:
            message = f"field {field.name} does not support aggregate operator {function}"
            raise self._malformed(message, at)
        return field

    def _refuse_duplicates(
        self, selected: list[tuple[str, str, int]], fields: tuple[Field, ...]
    ) -> None:
        if len(set(fields)) == len(fields):
            return
        names = [field.name for field in fields]
        place = next(n for n, name in enumerate(names) if name in names[:n])
        message = f"{self._excerpt(selected[place][2])}\nduplicate field selected: {names[place]}"
        raise SoqlError("INVALID_FIELD", message)

    def _condition(self, sobject: SObject) -> Condition:
        at = self._at()
        name = self._expect("name")
        field = self._field(sobject, name, at)
        if not field.is_filterable:
            message = f"field '{field.name}' can not be filtered in a query call"
            if field.type == "address":
                message = "Address fields can only be filtered using Distance expressions"
            raise SoqlError("INVALID_FIELD", f"{self._excerpt(at)}\n{message}")
        negated = self._accept("NOT")
        if negated or self._peek() == "IN":
            self._expect_word("IN")
            self._expect_word("(")
            several = {self._literal(field)}
            while self._accept(","):
                several.add(self._literal(field))
            self._expect_word(")")
            return Condition(field, "NOT IN" if negated else "IN", frozenset(several))
        at, sign = self._at(), self._expect("sign")
        if sign not in COMPARISONS:
            raise self._malformed(f"unexpected token: '{sign}'", at)
        return Condition(field, sign, self._literal(field))

    def _literal(self, field: Field) -> Any:
        """A literal of the field's type, normalized for comparison."""
        kind, text, at = self._token()
        if kind == "name" and text.lower() == "null":
            return None
        expected = {"datetime": "time", "date": "date", "boolean": "name", "int": "number"}.get(
            field.type, "number" if field.type in NUMBERS else "text"
        )
        if kind != expected or (kind == "name" and text.lower() not in ("true", "false")):
            raise SoqlError(
                "INVALID_FIELD",
                f"{self._excerpt(at)}\nvalue of filter criterion for field '{field.name}' must be "
                f"of type {field.type} and should "
                f"{'' if expected == 'text' else 'not '}be enclosed in quotes",
            )
        if kind == "text":
            plain = re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), text[1:-1])
            return field.comparable(plain)
        if kind == "number":
            return float(text)
        try:
            if kind == "time":
                return datetime.fromisoformat(text).astimezone(UTC)
            return date.fromisoformat(text) if kind == "date" else text.lower() == "true"
        except (ValueError, OverflowError):
            raise self._malformed(f"Invalid {field.type}: {text}", at) from None

    def _ordering(self, sobject: SObject) -> Ordering:
        at = self._at()
        field = self._field(sobject, self._expect("name"), at)
        if not field.is_sortable:
            message = f"field '{field.name}' can not be sorted in a query call"
            raise self._malformed(message, at)
        descending = not self._accept("ASC") and self._accept("DESC")
        last = descending
        if self._accept("NULLS"):
            last = not self._accept("FIRST")
            if last:
                self._expect_word("LAST")
        return Ordering(field, descending, last)

    def _token(self) -> tuple[str, str, int]:
        if self._next == len(self._tokens):
            raise self._malformed("unexpected token: '<EOF>'", len(self._soql))
        self._next += 1
        return self._tokens[self._next - 1]

    def _expect(self, expected: str) -> str:
        kind, text, at = self._token()
        if kind != expected:
            raise self._malformed(f"unexpected token: '{text}'", at)
        return text

    def _expect_word(self, word: str) -> None:
        if not self._accept(word):
            _, text, at = self._token()
            raise self._malformed(f"unexpected token: '{text}'", at)

    def _accept(self, word: str) -> bool:
        is_next = self._peek() == word
        self._next += is_next
        return is_next

    def _peek(self) -> str:
        return self._tokens[self._next][1].upper() if self._next < len(self._tokens) else ""

    def _at(self) -> int:
        return self._tokens[self._next][2] if self._next < len(self._tokens) else len(self._soql)

    def _malformed(self, message: str, at: int) -> SoqlError:
        return SoqlError("MALFORMED_QUERY", f"{self._excerpt(at)}\n{message}")

    def _excerpt(self, at: int) -> str:
        """The query with a mark at a position, as Salesforce shows it."""
        shown = self._soql[max(0, at - 40) : at + 40].replace("\n", " ")
        return f"\n{shown}\n{' ' * min(at, 40)}^\nERROR at Row:1:Column:{at + 1}"


def _refuse_around_aggregates(query: Query) -> None:
    """Refuse clauses that cannot be combined with aggregate functions."""
    message = ""
    if query.counts_only and query.order:
        message = "ORDER BY is not allowed in a query with COUNT()"
    elif query.aggregates and query.order:
        message = f"Ordered field must be grouped or aggregated: {query.order[0].field.name}"
    elif query.aggregates and not query.counts_only and query.limit is not None:
        message = "Non-grouped query that uses overall aggregate functions cannot also use LIMIT"
    if message:
        raise SoqlError("MALFORMED_QUERY", message)
