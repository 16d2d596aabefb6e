"""Answers of an API as items: JSON as RFC 8259 has it, whole texts, digits as they are told."""

from datetime import datetime
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.responses import Response

from novade_pipeline.api.items import Text, bad_item, row_of, why_not_json
from novade_pipeline.errors import PermanentFailure
from novade_pipeline.privacy.json_text import write_json

World = Any


class Row(BaseModel):
    """A row."""

    name: Text
    read_at: datetime | None = None


def _received(world: World, body: bytes) -> tuple[Any, int]:
    """(what the client reads of a body, how many texts it repaired)."""
    client, _ = world.asking(lambda request, number: Response(body))
    return client.json(client.get("it")), client.receipt.texts_repaired


@pytest.mark.parametrize(
    ("body", "value", "repaired"),
    [
        (rb'{"name":"cut \ud83d"}', {"name": "cut \ufffd"}, 1),
        (rb'{"\ude00":["\ud83d\ude00","\ud800"]}', {"\ufffd": ["😀", "\ufffd"]}, 2),
        (b'{"name":"\xed\xa0\xbd\xed\xb8\x80"}', {"name": "😀"}, 0),
        (b'\xef\xbb\xbf{"name":"\xc3\xa9"}', {"name": "é"}, 0),
        ('{"name":"é"}'.encode("utf-16"), {"name": "é"}, 0),
    ],
)
def test_texts_of_answers_are_whole_and_repairs_are_counted(
    body: bytes, value: Any, repaired: int, world: World
) -> None:
    assert _received(world, body) == (value, repaired)


def test_a_repaired_item_is_a_row(world: World) -> None:
    item, _ = _received(world, rb'{"name":"cut \ud83d"}')
    assert row_of(Row, item, {}) == {"name": "cut \ufffd", "read_at": None}


def test_numbers_of_answers_keep_their_digits(world: World) -> None:
    text = '{"a":[1.10,1e22,12345678901234567890.5,98765432109876543210,1e999]}'
    item, _ = _received(world, text.encode())
    assert write_json(item) == text
    assert why_not_json(item) is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"name":"a","price":NaN}', "price: expected a JSON value, found NaN"),
        (b'{"name":NaN}', "name: expected a JSON value, found NaN"),
        (
            b'{"name":"a","b":[1,{"c":-Infinity}]}',
            "b.1.c: expected a JSON value, found -Infinity",
        ),
    ],
)
def test_an_item_with_what_is_no_json_is_none_and_says_where(
    body: bytes, reason: str, world: World
) -> None:
    item, _ = _received(world, body)
    assert row_of(Row, item, {}) == reason
    assert bad_item(item, "it", 1, 1, reason).raw.replace(b" ", b"") == body


def test_other_bytes_than_text_are_no_answer(world: World) -> None:
    with pytest.raises(PermanentFailure, match=r"expected JSON from .*, found 12 bytes of"):
        _received(world, b'{"name":"\xff"}')
