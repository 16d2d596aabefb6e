"""Markdown tables for metadata."""

from collections.abc import Iterable, Sequence
from typing import Any

CHARACTERS = 60
_ESCAPED = str.maketrans({"\\": "\\\\", "|": "\\|", "`": "\\`", "<": "&lt;", "\n": " "})


def markdown_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], characters: int = CHARACTERS
) -> str:
    """Returns a Markdown table, with values shortened to a number of characters."""
    lines = [columns, ["---"] * len(columns)]
    lines += [[_cell(value, characters) for value in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any, characters: int) -> str:
    text = "" if value is None else str(value)
    cut = text if len(text) <= characters else text[: characters - 1] + "…"
    return cut.translate(_ESCAPED)
