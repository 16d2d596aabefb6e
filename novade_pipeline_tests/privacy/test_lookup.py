"""Rows that name somebody are found by columns just as by looking at each one's names."""

import json
from typing import Annotated, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from novade_pipeline.lake.table import Json, Table
from novade_pipeline.privacy import lookup
from novade_pipeline.privacy.forget import links_in
from novade_pipeline.privacy.identifiers import EMAIL, Identifier
from novade_pipeline.privacy.lookup import links_with
from novade_pipeline.privacy.marks import BelongsTo, Identity


class Account(BaseModel):
    """An account, with each way in which a row can name somebody."""

    id: Annotated[int | None, Identity("account")] = None
    user: Annotated[str | None, Identity("user")] = None
    email: Annotated[str | None, Identity(EMAIL)] = None
    properties: Annotated[Json | None, Identity(EMAIL, ("**.email",))] = None
    profile: Annotated[Json | None, Identity("user", ("ids.*",))] = None
    seen_as: Annotated[list[int] | None, Identity("account")] = None
    owner: Annotated[str | None, BelongsTo("user")] = None


ACCOUNTS = Table("x/accounts", Account, key=("id",), write_mode="replace")
TEXTS = st.one_of(
    st.sampled_from(
        ["ada@x.example", " Ada@X.example", "ada", "b\\d", "é@x.example", "7", "(.*", ""]
    ),
    st.text('aAbé@. \u212a\u0130\\"x', max_size=8),
)
DOCUMENTS = st.one_of(
    st.builds(lambda text: json.dumps({"email": text, "ids": [text]}), TEXTS),
    st.builds(lambda text: json.dumps({"a": {"Email": text}}, ensure_ascii=False), TEXTS),
    st.builds(lambda text: json.dumps({"ids": {"x": text, "y": 7}}), TEXTS),
    st.just('{"email": "\\u0061da@x.example"'),
    st.just('{"email": "\\u0061da@x.example", "ids": ["\\u0061da"]}'),
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.none() | st.integers(0, 9),
            "user": st.none() | TEXTS,
            "email": st.none() | TEXTS,
            "properties": st.none() | DOCUMENTS,
            "profile": st.none() | DOCUMENTS,
            "seen_as": st.none() | st.lists(st.integers(0, 9), max_size=3),
            "owner": st.none() | TEXTS,
        }
    ),
    max_size=8,
)


def _by_hand(rows: pa.Table, names: set[Identifier]) -> set[frozenset[Identifier]]:
    return {link for link in links_in(rows, ACCOUNTS.owners) if not link.isdisjoint(names)}


@given(ROWS, st.data())
def test_what_is_found_is_what_a_look_at_each_row_finds(
    rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    table = pa.Table.from_pylist(rows, ACCOUNTS.schema)
    known = sorted({name for link in links_in(table, ACCOUNTS.owners) for name in link})
    some = st.sampled_from([*known, Identifier("user", "ada"), Identifier(EMAIL, "ada@x.example")])
    names = data.draw(st.sets(some, min_size=1, max_size=4))
    assert set(links_with(table, ACCOUNTS.owners, names)) == _by_hand(table, names)


def test_more_names_than_a_pattern_holds_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"properties": json.dumps({"email": f"{n}@x.example"})} for n in range(40)]
    table = pa.Table.from_pylist(rows, ACCOUNTS.schema)
    names = {Identifier(EMAIL, f"{n}@x.example") for n in range(0, 40, 3)}
    monkeypatch.setattr(lookup, "_MOST_PATTERNS", 5)
    assert set(links_with(table, ACCOUNTS.owners, names)) == _by_hand(table, names)
    assert len(_by_hand(table, names)) == 14


def test_rows_of_others_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []
    real = lookup.links_in
    monkeypatch.setattr(
        lookup, "links_in", lambda rows, owners: looked_at.append(len(rows)) or real(rows, owners)
    )
    rows = [
        {"id": n, "user": f"u{n}", "properties": json.dumps({"email": f"{n}@x.example"})}
        for n in range(1_000)
    ]
    table = pa.Table.from_pylist(rows, ACCOUNTS.schema)
    found = links_with(
        table, ACCOUNTS.owners, {Identifier(EMAIL, "7@x.example"), Identifier("user", "u8")}
    )
    assert len(list(found)) == 2
    assert sum(looked_at) < 150
