"""Lines that are JSON, written anew in one form, and in words why the others are none."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from novade_pipeline.json_text import read_json
from novade_pipeline.landing.chunks import Text
from novade_pipeline.landing.compiled.rewrite import MOST_LEVELS, rewrite
from novade_pipeline.landing.compiled.values import MOST_CHARACTERS
from novade_pipeline.landing.gunzip import BOM
from novade_pipeline.landing.plain_lines import text_of

_SPACE = b" \t\r\v\f"


@dataclass(frozen=True)
class StrictLines:
    """What became of lines.

    Attributes:
        text: the lines as `PlainLines` takes them; those that are no JSON are empty.
        size: of the lines.
        repaired: for each line whether lone surrogates were replaced in it.
        wrong: number, from 0 -> why the line is no JSON.
    """

    text: Text
    size: int
    repaired: np.ndarray[Any, np.dtype[np.bool_]]
    wrong: dict[int, str]


def is_blank(line: bytes) -> bool:
    """Whether a line has no content; byte order marks, which some tools begin files with, are none.

    RFC 8259, section 8.1, lets a reader ignore them.
    """
    # The first test alone would take other bytes of marks for nothing, the second takes long.
    return not line.lstrip(BOM + _SPACE) and not line.replace(BOM, b"").strip(_SPACE)


def strict_lines(lines: Sequence[bytes]) -> StrictLines:
    """Read lines as RFC 8259 has them, and write them anew."""
    text, size = text_of(lines)
    written = np.empty_like(text)
    ends = np.empty((len(lines), 2), np.int64)
    written_size = rewrite(text, size, written, ends)
    failed = np.flatnonzero(ends[:, 0] >= 0).tolist()
    wrong = {number: _why_none(lines[number], int(ends[number, 0])) for number in failed}
    return StrictLines(written, written_size, ends[:, 1] > 0, wrong)


def _why_none(line: bytes, place: int) -> str:
    """Why a line is no JSON.

    Args:
        place: the byte that no JSON has there.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        return f"expected UTF-8, found another byte at position {error.start + 1}"
    # Byte order marks are passed over; Python's reader would not.
    begin = len(text) - len(text.lstrip(BOM.decode()))
    try:
        read_json(text[begin:].rstrip())
    except json.JSONDecodeError as error:
        return f"expected JSON, found at character {begin + error.pos + 1}: {error.msg}"
    except (ValueError, RecursionError):
        # Beyond the limits, which are lower than Python's.
        pass
    at = len(line[:place].decode())
    is_number = text[at].isdigit() or text[at] == "-"
    found = f"a number of more than {MOST_CHARACTERS:,} characters"
    found = found if is_number else f"more than {MOST_LEVELS} levels"
    return f"expected JSON, found at character {at + 1}: {found}"
