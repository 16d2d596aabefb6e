"""Lines that are not plain; most of them are, once they are rewritten in one form.

A line that is not JSON is refused. Fields without a column are learned, so that later lines with
them are plain.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from novade_pipeline.json_rows.field_by_field import FieldByField, fields_of
from novade_pipeline.json_rows.plain_lines import Plain, PlainLines
from novade_pipeline.json_rows.strict_lines import StrictLines, is_blank, strict_lines
from novade_pipeline.lake.table import Column

Positions = np.ndarray[Any, np.dtype[np.int64]]

_MAX_EXTRA_FIELDS = 200


@dataclass(frozen=True)
class IrregularRows:
    """The rows of irregular lines.

    Attributes:
        rows: the fields' columns and the one for other fields; a row may be `wrong`.
        numbers: for each row the number of its line.
        wrong: line number -> why the line is not a row.
        blank: numbers of the lines without content.
        repaired: numbers of the lines in which lone surrogates were replaced.
    """

    rows: pa.Table
    numbers: Positions
    wrong: dict[int, str]
    blank: Positions
    repaired: Positions


class IrregularLines:
    """Parses irregular lines; each thread needs its own."""

    def __init__(
        self,
        plain: PlainLines,
        connection: duckdb.DuckDBPyConnection,
        fields: Sequence[Column],
        other_fields: str | None,
    ) -> None:
        """Create a parser.

        Args:
            plain: the parser of plain lines, which gets the extra fields.
            connection: with UTC as its time zone.
            fields: the columns of known fields.
            other_fields: the column of all other fields; None to drop them.
        """
        self._plain = plain
        self._by_field = FieldByField(connection, fields, other_fields)
        self._known = {column.source for column in fields}
        self._extra: list[str] = []

    def read(self, lines: Mapping[int, bytes]) -> IrregularRows:
        """Parse lines by their numbers."""
        blank = [number for number, line in lines.items() if is_blank(line)]
        at = np.setdiff1d(np.array(list(lines), np.int64), blank)
        strict = strict_lines([lines[number] for number in at.tolist()])
        plain = self._read_plain(strict)
        # Lines that are not JSON are empty now.
        rest = {number: line for number, line in plain.rest.items() if line}
        rest_at = at[np.array(list(rest), np.int64)]
        by_field = self._by_field.read(list(rest.values()))
        self._learn(by_field.names)
        return IrregularRows(
            rows=pa.concat_tables([plain.rows, by_field.rows]),
            numbers=np.concatenate([at[plain.numbers], rest_at[by_field.numbers]]),
            wrong={
                int(number): reason
                for numbers, wrong in ((at, strict.wrong), (rest_at, by_field.wrong))
                for number, reason in zip(numbers[list(wrong)], wrong.values(), strict=True)
            },
            blank=np.array(blank, np.int64),
            repaired=at[strict.repaired],
        )

    def _read_plain(self, strict: StrictLines) -> Plain:
        """Read plain lines; learn the fields of the first other line, and then read again."""
        plain = self._plain.read(strict.text, strict.size)
        first = next((line for line in plain.rest.values() if line), b"")
        if self._learn(name for name, _ in fields_of(first.decode())):
            return self._plain.read(strict.text, strict.size)
        return plain

    def _learn(self, names: Iterable[str]) -> bool:
        """Add extra fields, up to a limit; whether any is new."""
        new = sorted({*names} - self._known)[: _MAX_EXTRA_FIELDS - len(self._extra)]
        if new:
            self._known.update(new)
            self._extra = sorted([*self._extra, *new])
            self._plain.set_extra_fields(self._extra)
            self._by_field.set_extra_fields(self._extra)
        return bool(new)
