"""Routes are a CSV file that a user can change, checked as a whole."""

import re

import pytest

from novade_pipeline.defs.tickets.teams import DEFAULT, Route, of_rows, parse_teams
from novade_pipeline.errors import UserError

LINES = (
    "request_type,team,variants",
    "Refund,Billing Team,remboursement|Geld_zurück",
    "other,Desk,",
)
FILE = "".join(f"{line}\n" for line in LINES).encode()


@pytest.mark.parametrize(
    "content", [FILE, b"\xef\xbb\xbf" + FILE.replace(b",", b";").replace(b"\n", b"\r\n")]
)
def test_a_file_is_read_with_either_separator(content: bytes) -> None:
    teams = parse_teams(content, "teams.csv")
    refund = Route("refund", "Billing Team", ("remboursement", "geld zuruck"))
    assert teams.routes == (refund, Route("other", "Desk"))
    assert of_rows(teams.rows()).by_type == {"refund": "Billing Team", "other": "Desk"}


def test_the_default_is_a_file_that_would_be_accepted() -> None:
    lines = [f"{r.request_type},{r.team},{'|'.join(r.variants)}" for r in DEFAULT.routes]
    content = "\n".join(["request_type,team,variants", *lines]).encode()
    assert parse_teams(content, "teams.csv") == DEFAULT


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "teams.csv: expected the column request_type, found no columns"),
        (b"type,team\n", "expected the column request_type, found type, team"),
        (b"request_type,team\nbilling,\n", "teams.csv line 2: expected a team, found none"),
        (b"request_type,team\n ,x\n", "teams.csv line 2: expected a request_type, found none"),
        (b"request_type,team\na,b,c,d\n", "line 2: expected as many values as columns, found more"),
        (b"request_type,team\na,b\nA,c\nother,d\n", "each request type and variant once"),
        (b"request_type,team,variants\na,b,other\nother,d,\n", "found 'other' twice"),
        (b"request_type,team\nbilling,b\n", "expected a team for 'other'"),
        (b"request_type,team\n\xff,b\n", "expected UTF-8, found another byte at 18"),
        (b'request_type,team\n"a"b,c\n', "expected CSV, found"),
        (b"x" * (2**20 + 1), "expected at most 1024 KiB"),
    ],
)
def test_a_file_that_routes_nothing_is_refused_in_one_sentence(
    content: bytes, message: str
) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        parse_teams(content, "teams.csv")
