"""Kinds of columns: what a value is, whatever the database calls its type."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from novade_pipeline.lake.decimals import MOST_DIGITS
from novade_pipeline.lake.table import Digits, Distinct, JsonText

_DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)")
_PYTHON: dict[str, Any] = {
    "integer": int,
    "rowversion": int,
    "float": float,
    "boolean": bool,
    "text": str,
    "uuid": Annotated[str, Distinct()],
    "json": Annotated[str, JsonText()],
    "bytes": bytes,
    "date": date,
    "time": str,
    "timestamp": datetime,
    "local_timestamp": datetime,
}


@dataclass(frozen=True)
class Kind:
    """What the values of a column are.

    Attributes:
        name: `integer`, `decimal`, …
        precision: of decimals, digits.
        scale: of decimals, digits after the point.
    """

    name: str
    precision: int = 0
    scale: int = 0

    def __str__(self) -> str:
        return f"decimal({self.precision},{self.scale})" if self.name == "decimal" else self.name

    @property
    def annotation(self) -> Any:
        """The type in a row model."""
        if self.name == "decimal":
            return Annotated[Decimal, Digits(self.precision, self.scale)]
        return _PYTHON[self.name]


def parse_kind(text: str) -> Kind:
    """The kind that a declaration names.

    Raises:
        ValueError: there is no such kind.
    """
    if match := _DECIMAL.fullmatch(text):
        kind = Kind("decimal", int(match[1]), int(match[2]))
        if not 0 < kind.precision <= MOST_DIGITS or kind.scale > kind.precision:
            raise ValueError(f"expected a decimal of at most {MOST_DIGITS} digits, found {text}")
        return kind
    if text not in _PYTHON:
        raise ValueError(f"expected one of {', '.join(_PYTHON)} or decimal(p,s), found {text}")
    return Kind(text)
