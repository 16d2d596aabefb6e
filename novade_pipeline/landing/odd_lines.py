"""Lines of JSON that are not plain: written anew, most of them are.

What is no JSON is refused here, and fields that have no column are learned, so that the lines to
come are plain from the beginning.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from novade_pipeline.lake.table import Column
from novade_pipeline.landing.field_by_field import FieldByField, fields_of
from novade_pipeline.landing.plain_lines import Plain, PlainLines
from novade_pipeline.landing.strict_lines import StrictLines, is_blank, strict_lines

Positions = np.ndarray[Any, np.dtype[np.int64]]

_MOST_EXTRA_FIELDS = 200


@dataclass(frozen=True)
class Odd:
    """What became of lines.

    Attributes:
        rows: the fields' columns and the one for others; one that is `wrong` may be among them.
        numbers: for each row the number of its line.
        wrong: number -> why the line is no row.
        blank: the numbers of lines without content.
        repaired: the numbers of lines in which lone surrogates were replaced.
    """

    rows: pa.Table
    numbers: Positions
    wrong: dict[int, str]
    blank: Positions
    repaired: Positions


class OddLines:
    """Reads lines that are not plain; one object serves one thread."""

    def __init__(
        self,
        plain: PlainLines,
        connection: duckdb.DuckDBPyConnection,
        fields: Sequence[Column],
        others: str | None,
    ) -> None:
        """Make room for the lines.

        Args:
            plain: what reads plain ones; learns fields from the odd ones.
            connection: with UTC as its time zone.
            fields: the columns that a line has values for.
            others: the column for the fields that are not among `fields`; None where none keeps
                them.
        """
        self._plain = plain
        self._by_field = FieldByField(connection, fields, others)
        self._known = {column.source for column in fields}
        self._extra: list[str] = []

    def read(self, lines: Mapping[int, bytes]) -> Odd:
        """Read lines, each under its number."""
        blank = [number for number, line in lines.items() if is_blank(line)]
        at = np.setdiff1d(np.array(list(lines), np.int64), blank)
        strict = strict_lines([lines[number] for number in at.tolist()])
        plain = self._read_plain(strict)
        # Those that are no JSON are empty now.
        rest = {number: line for number, line in plain.rest.items() if line}
        rest_at = at[np.array(list(rest), np.int64)]
        cut = self._by_field.read(list(rest.values()))
        self._learn(cut.names)
        return Odd(
            rows=pa.concat_tables([plain.rows, cut.rows]),
            numbers=np.concatenate([at[plain.numbers], rest_at[cut.numbers]]),
            wrong={
                int(number): reason
                for numbers, wrong in ((at, strict.wrong), (rest_at, cut.wrong))
                for number, reason in zip(numbers[list(wrong)], wrong.values(), strict=True)
            },
            blank=np.array(blank, np.int64),
            repaired=at[strict.repaired],
        )

    def _read_plain(self, strict: StrictLines) -> Plain:
        """The lines that are plain, once the fields of the first that is not are known."""
        plain = self._plain.read(strict.text, strict.size)
        first = next((line for line in plain.rest.values() if line), b"")
        if self._learn(name for name, _ in fields_of(first.decode())):
            return self._plain.read(strict.text, strict.size)
        return plain

    def _learn(self, names: Iterable[str]) -> bool:
        """Know fields from now on, as long as there is room; whether there are more than before."""
        new = sorted({*names} - self._known)[: _MOST_EXTRA_FIELDS - len(self._extra)]
        if new:
            self._known.update(new)
            self._extra = sorted([*self._extra, *new])
            self._plain.know(self._extra)
            self._by_field.know(self._extra)
        return bool(new)
