"""What a derived table has taken in of its sources."""

import pyarrow as pa
from pydantic import BaseModel

from novade_pipeline.lake.delta import replace
from novade_pipeline.lake.derived import is_current, taken_in, version_of
from novade_pipeline.lake.table import Table
from novade_pipeline.storage import Store


class Row(BaseModel):
    """A row."""

    n: int


SOURCE = Table(name="some/source", row=Row, key=("n",), written="replace")
DERIVED = Table(name="some/derived", row=Row, key=("n",), written="replace")
ROWS = pa.table({"n": [1]})


def test_a_table_that_was_never_written_has_taken_in_nothing(lake: Store) -> None:
    assert taken_in(lake, DERIVED, {"a": 1, "b": 2}) == {"a": None, "b": None}
    assert not is_current(lake, DERIVED, {"a": 1})


def test_a_table_is_current_when_it_has_taken_in_exactly_these_versions(lake: Store) -> None:
    replace(lake, DERIVED, ROWS, transactions={"a": 1, "b": 2})
    assert is_current(lake, DERIVED, {"a": 1, "b": 2})
    assert is_current(lake, DERIVED, {"a": 1})
    assert not is_current(lake, DERIVED, {"a": 2, "b": 2})
    assert not is_current(lake, DERIVED, {"a": 1, "b": 2, "c": 0})


def test_an_older_version_than_was_taken_in_is_not_current(lake: Store) -> None:
    replace(lake, DERIVED, ROWS, transactions={"a": 5})
    assert not is_current(lake, DERIVED, {"a": 4})


def test_what_was_taken_in_stays_known_after_other_commits(lake: Store) -> None:
    replace(lake, DERIVED, ROWS, transactions={"a": 5})
    replace(lake, DERIVED, ROWS, transactions={"b": 1})
    assert taken_in(lake, DERIVED, {"a": 0, "b": 0}) == {"a": 5, "b": 1}


def test_a_source_that_is_not_there_has_the_version_before_the_first(lake: Store) -> None:
    assert version_of(lake, SOURCE) == -1
    receipt = replace(lake, SOURCE, ROWS)
    assert version_of(lake, SOURCE) == receipt.table_version
