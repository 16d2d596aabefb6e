"""Lines that are rewritten first are the same rows, in quarantine for the same reasons."""

import json
from datetime import datetime
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from novade_pipeline.json_rows.parser import LineParser, ParsedLines
from novade_pipeline.json_rows.plain_lines import text_of
from novade_pipeline.lake.table import Json, columns_of
from novade_pipeline_tests.landing.lines import ODD_LINES


class Fields(BaseModel):
    """Every kind of column."""

    uuid: str
    count: int | None = Field(None, alias="$count")
    share: float | None = None
    paid: bool | None = None
    at: datetime | None = None
    properties: Json | None = None


SPACED = json.dumps({"uuid": "é", "$count": 1, "at": "2026-03-01T22:00:00Z", "x": [1, {"y": 2}]})
LINES = st.lists(
    st.one_of(
        st.sampled_from([SPACED.encode(), b'{"uuid": "\\ud800"}', b'{"uuid":"a"}', b"", b" \r"]),
        st.sampled_from(sorted(ODD_LINES)),
        st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")),
    ),
    min_size=1,
    max_size=12,
)


def parser() -> LineParser:
    return LineParser(columns_of(Fields), "other_fields", None)


def content(parsed: ParsedLines) -> list[Any]:
    return [
        parsed.rows.to_pylist(),
        parsed.numbers.tolist(),
        {**parsed.bad},
        sorted(parsed.blank.tolist()),
        sorted(parsed.repaired.tolist()),
    ]


@given(lines=LINES)
@example(
    lines=[b'{ "uuid" : "a" }', b"{", b"", b'{"uuid": "\\ud800"}', b'{"uuid": 1, "$count": "7"}']
)
@settings(max_examples=150, deadline=None)
def test_what_lines_become_does_not_depend_on_the_lines_before(lines: list[bytes]) -> None:
    plain, rewriting = parser(), parser()
    # Most of these have spaces: what follows is rewritten before it is read.
    rewriting.parse(*text_of([SPACED.encode()] * 3))
    assert content(plain.parse(*text_of(lines))) == content(rewriting.parse(*text_of(lines)))
