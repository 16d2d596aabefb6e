"""Lines that are JSON, rewritten in one form, and in words why the others are not JSON."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from novade_pipeline.json_rows.compiled.rewrite import MAX_LEVELS, rewrite
from novade_pipeline.json_rows.compiled.values import MAX_NUMBER_CHARACTERS
from novade_pipeline.json_rows.plain_lines import text_of
from novade_pipeline.json_rows.text import BOM, Text
from novade_pipeline.privacy.json_text import read_json

_SPACE = b" \t\r\v\f"


@dataclass(frozen=True)
class StrictLines:
    """The rewritten lines.

    Attributes:
        text: the lines as `PlainLines` takes them; a line that is not JSON is empty.
        size: of the lines, in bytes.
        repaired: for each line whether lone surrogates were replaced in it.
        wrong: line number, from 0 -> why the line is not JSON.
    """

    text: Text
    size: int
    repaired: np.ndarray[Any, np.dtype[np.bool_]]
    wrong: dict[int, str]


@dataclass(frozen=True)
class RewrittenLines:
    """As `StrictLines`, but with the places of what is not JSON.

    Attributes:
        places: line number -> the position of the byte that is not allowed there.
    """

    text: Text
    size: int
    repaired: np.ndarray[Any, np.dtype[np.bool_]]
    places: dict[int, int]


def is_blank(line: bytes) -> bool:
    """Whether a line has no content; byte order marks are ignored (RFC 8259, section 8.1)."""
    # The first test is fast and also true for single bytes of a mark.
    return not line.lstrip(BOM + _SPACE) and not line.replace(BOM, b"").strip(_SPACE)


def strict_lines(lines: Sequence[bytes]) -> StrictLines:
    """Parse lines by RFC 8259, and rewrite them in one form."""
    strict = rewritten(*text_of(lines), len(lines))
    wrong = {number: _why_not_json(lines[number], place) for number, place in strict.places.items()}
    return StrictLines(strict.text, strict.size, strict.repaired, wrong)


def rewritten(text: Text, size: int, count: int) -> RewrittenLines:
    """Rewrite lines in one form.

    Args:
        text: whole lines, each ended by a newline, and `PADDING`.
        size: of the lines.
        count: how many there are.
    """
    written = np.empty_like(text)
    results = np.empty((count, 2), np.int64)
    written_size = rewrite(text, size, written, results)
    wrong = np.flatnonzero(results[:, 0] >= 0)
    places = dict(zip(wrong.tolist(), results[wrong, 0].tolist(), strict=True))
    return RewrittenLines(written, written_size, results[:, 1] > 0, places)


def _why_not_json(line: bytes, place: int) -> str:
    """Say why a line is not JSON.

    Args:
        place: position of the byte that is not allowed there.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        return f"expected UTF-8, found another byte at position {error.start + 1}"
    # Unlike `rewrite`, Python's parser does not ignore byte order marks.
    begin = len(text) - len(text.lstrip(BOM.decode()))
    try:
        read_json(text[begin:].rstrip())
    except json.JSONDecodeError as error:
        return f"expected JSON, found at character {begin + error.pos + 1}: {error.msg}"
    except (ValueError, RecursionError):
        # Over the limits of `rewrite`, which are lower than Python's.
        pass
    at = len(line[:place].decode())
    is_number = text[at].isdigit() or text[at] == "-"
    number = f"a number of more than {MAX_NUMBER_CHARACTERS:,} characters"
    over_limit = number if is_number else f"more than {MAX_LEVELS} levels"
    return f"expected JSON, found at character {at + 1}: {over_limit}"
