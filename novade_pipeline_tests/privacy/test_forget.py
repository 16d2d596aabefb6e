"""Which rows are whose, by the marks of a row model, and what becomes of an address in a text."""

import gzip
import json
from typing import Annotated, Any

import pyarrow as pa
import pytest
from pydantic import BaseModel

from novade_pipeline.lake.table import Json, Table
from novade_pipeline.privacy.forget import (
    GivenIdentifiers,
    line_identifies_erased,
    links_in,
    without_erased,
)
from novade_pipeline.privacy.identifiers import EMAIL, Identifier, addresses_in, identifier_of
from novade_pipeline.privacy.marks import BelongsTo, Identity, MayContain

ADA = "ada.lovelace@example.com"


class Account(BaseModel):
    """An account."""

    id: Annotated[int, Identity("account")]
    user: Annotated[str | None, Identity("user")] = None
    properties: Annotated[Json | None, Identity(EMAIL, ("**.email", "all.**"))] = None
    seen_as: Annotated[list[int], Identity("account")] = []
    note: str | None = None


class Message(BaseModel):
    """A message."""

    id: int
    author_kind: str
    author: Annotated[int, BelongsTo("account", when=("author_kind", "account"))]


class Refused(BaseModel):
    """A line that was no row."""

    source: str
    line: int
    raw: Annotated[bytes | None, MayContain(whole=("line", 0))] = None


ACCOUNTS = Table("x/accounts", Account, key=("id",), write_mode="replace")
MESSAGES = Table("x/messages", Message, key=("id",), write_mode="replace")
REFUSED = Table("x/refused", Refused, ("source", "line"), "replace", lines_of=(ACCOUNTS,))


def left(table: Table, rows: list[dict[str, Any]], *names: Identifier) -> list[dict[str, Any]]:
    """What is left of rows after persons of these names were erased."""
    made = pa.Table.from_pylist(rows, schema=table.schema)
    kept = without_erased(made, table.owners, GivenIdentifiers(frozenset(names)))
    assert kept.schema == made.schema
    return [{k: v for k, v in row.items() if v not in (None, [])} for row in kept.to_pylist()]


def accounts(**second: Any) -> list[dict[str, Any]]:
    return [{"id": 1, "seen_as": []}, {"id": 2, "seen_as": [], **second}]


@pytest.mark.parametrize(
    ("second", "name"),
    [
        ({}, Identifier("account", "2")),
        ({"user": "U-7"}, Identifier("user", "U-7")),
        ({"user": ADA.upper()}, Identifier(EMAIL, ADA)),
        ({"properties": json.dumps({"Email": ADA})}, Identifier(EMAIL, ADA)),
        ({"properties": json.dumps({"home": [{"email": f" {ADA}"}]})}, Identifier(EMAIL, ADA)),
        ({"properties": json.dumps({"all": {"deep": {"er": [ADA]}}})}, Identifier(EMAIL, ADA)),
        (
            {"properties": '{"x":' * 3_000 + f'{{"email":"{ADA}"}}' + "}" * 3_000},
            Identifier(EMAIL, ADA),
        ),
        ({"seen_as": [5, 6]}, Identifier("account", "6")),
    ],
    ids=range(8),
)
def test_a_row_goes_by_any_name_that_a_mark_finds(second: dict[str, Any], name: Identifier) -> None:
    assert left(ACCOUNTS, accounts(**second), name) == [{"id": 1}]


@pytest.mark.parametrize(
    "name", [Identifier("user", "2"), Identifier("account", "22"), Identifier(EMAIL, "a@b.c")]
)
def test_a_row_stays_where_the_name_is_of_another_kind_or_another_ones(name: Identifier) -> None:
    rows = accounts(user="U-7")
    assert left(ACCOUNTS, rows, name) == [{"id": 1}, {"id": 2, "user": "U-7"}]


def test_what_belongs_to_a_person_goes_under_its_condition_only() -> None:
    rows = [
        {"id": n, "author_kind": kind, "author": 5} for n, kind in enumerate(("account", "bot"))
    ]
    assert [row["id"] for row in left(MESSAGES, rows, Identifier("account", "5"))] == [1]


@pytest.mark.parametrize(
    ("text", "after"),
    [
        (f"see {ADA}, please", "see erased, please"),
        (f'<a href="mailto:{ADA.upper()}">write</a>', '<a href="mailto:erased">write</a>'),
        (json.dumps({"invited": [ADA, "b@c.de"]}), json.dumps({"invited": ["erased", "b@c.de"]})),
        (json.dumps({"text": f"hello\n{ADA}."}), json.dumps({"text": "hello\nerased."})),
        (f"x{ADA} and {ADA}.org", f"x{ADA} and {ADA}.org"),
    ],
)
def test_an_address_in_a_row_of_another_is_replaced(text: str, after: str) -> None:
    rows = [{"id": 1, "seen_as": [], "note": text}]
    assert left(ACCOUNTS, rows, Identifier(EMAIL, ADA)) == [{"id": 1, "note": after}]


def test_addresses_are_found_with_their_places() -> None:
    text = "'o'brien@x.example', ü@y.example"
    assert [text[a:b] for a, b, _ in addresses_in(text)] == ["o'brien@x.example", "ü@y.example"]


@pytest.mark.parametrize("value", [None, "", "  ", 1.5, True, [], {}])
def test_what_is_no_name_is_none(value: Any) -> None:
    assert identifier_of("user", value) is None


@pytest.mark.parametrize(
    "raw",
    [
        f'{{"id": 3, "user": "{ADA}"'.encode(),
        f'{{"unheard of": "{ADA.upper()}"}}'.encode(),
        gzip.compress(f"a line\n{ADA}\n".encode() * 50)[:-9],
        f"{ADA}\n".encode("utf-16"),
        b'{"broken": "U-1234567',
        b'{"user": "x7", "id": "three"}',
    ],
)
def test_bytes_that_are_no_row_are_searched_for_names(raw: bytes) -> None:
    erased = GivenIdentifiers(
        frozenset(
            {Identifier(EMAIL, ADA), Identifier("user", "U-1234567"), Identifier("user", "x7")}
        )
    )
    assert line_identifies_erased(raw, "accounts", REFUSED.owners, erased)
    assert not line_identifies_erased(
        raw, "accounts", REFUSED.owners, GivenIdentifiers(frozenset({Identifier("user", "U")}))
    )


def test_a_refused_line_goes_and_a_refused_file_stays_without_its_bytes() -> None:
    rows = [{"source": "accounts", "line": line, "raw": ADA.encode()} for line in (0, 1)]
    assert left(REFUSED, rows, Identifier(EMAIL, ADA)) == [{"source": "accounts", "line": 0}]


def test_links_are_told_once_and_owners_join_nobody() -> None:
    rows = pa.Table.from_pylist(
        [{"id": 1, "user": ADA, "seen_as": []}, {"id": 1, "user": ADA, "seen_as": []}],
        schema=ACCOUNTS.schema,
    )
    assert links_in(rows, ACCOUNTS.owners) == {
        frozenset({Identifier("account", "1"), Identifier(EMAIL, ADA)})
    }
    told = [{"id": 1, "author_kind": "account", "author": 5}]
    messages = pa.Table.from_pylist(told, schema=MESSAGES.schema)
    assert links_in(messages, MESSAGES.owners) == {frozenset({Identifier("account", "5")})}
