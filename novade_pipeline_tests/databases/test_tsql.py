"""The T-SQL that is sent: parsed by a parser, and answered with recorded rows.

There is no SQL Server here: these are contract tests, see docs/databases.md.
"""

from collections.abc import Mapping
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from novade_pipeline.databases import reflection
from novade_pipeline.databases.change_tracking import ChangeTracking, changes_sql, oldest_sql
from novade_pipeline.databases.database import Database
from novade_pipeline.databases.declaration import DatabaseTable
from novade_pipeline.databases.feeds import Changes
from novade_pipeline.databases.reflection import drift, reflect
from novade_pipeline.databases.sql import (
    about_rows,
    changed_since,
    changed_value,
    select,
    with_keys,
)
from novade_pipeline.errors import PermanentFailure

COLUMNS = [
    {"name": "order_id", "source": "Order ID", "type": "integer"},
    {"name": "region", "type": "text"},
    {"name": "total", "type": "decimal(19,4)"},
    {"name": "ref", "type": "uuid"},
    {"name": "at", "type": "timestamp"},
    {"name": "local", "type": "local_timestamp"},
    {"name": "day", "type": "date"},
    {"name": "version", "source": "RowVersion", "type": "rowversion"},
    {"name": "photo", "type": "bytes"},
    {"name": "ok", "type": "boolean"},
    {"name": "ratio", "type": "float"},
    {"name": "clock", "type": "time"},
]


def _table(**options: Any) -> DatabaseTable:
    return DatabaseTable.model_validate(
        {"table": "Sales]Orders", "key": ["order_id", "region"], "columns": COLUMNS, **options}
    )


def _statements() -> Mapping[str, str]:
    table = _table()
    keys = [(1, "O'Brien"), (2, "名")]
    statements = {
        "all rows": select("mssql", table, table.columns),
        "rows of keys": select("mssql", table, table.columns, with_keys("mssql", table, keys)),
        "changes": changes_sql(table, 17),
        "oldest version": oldest_sql(table),
        "about how many rows": about_rows("mssql", table),
        "columns": reflection._COLUMNS["mssql"].format(full_name="N'[dbo].[t]'"),
        "unique": reflection._UNIQUE["mssql"].format(full_name="N'[dbo].[t]'"),
    }
    for name in ("order_id", "version", "at", "local"):
        rising = _table(mode="changed", changed_by=name)
        condition = changed_since("mssql", rising, 1_700_000_000_123_456)
        statements[f"since {name}"] = select("mssql", rising, rising.columns, condition)
        statements[f"newest {name}"] = changed_value("mssql", rising)
    return statements


@pytest.mark.parametrize("name", list(_statements()))
def test_statements_are_t_sql(name: str) -> None:
    # The parser knows functions in FROM, and not the keyword within this one.
    statement = _statements()[name].replace("CHANGETABLE(CHANGES ", "CHANGETABLE(")
    (parsed,) = sqlglot.parse(statement, read="tsql")
    assert isinstance(parsed, exp.Select)
    assert not list(parsed.find_all(exp.Command))


def test_identifiers_and_values_are_quoted() -> None:
    statement = _statements()["rows of keys"]
    assert "FROM [dbo].[Sales]]Orders] WHERE" in statement
    assert "([Order ID] = 1 AND [region] = N'O''Brien') OR" in statement
    assert "CONVERT(varchar(50), CAST([total] AS decimal(19, 4))) AS [total]" in statement
    assert "LOWER(CONVERT(char(36), [ref])) AS [ref]" in statement


class Recorded:
    """Answers statements with recorded rows, in their order."""

    def __init__(self, *answers: tuple[str, list[tuple[Any, ...]]]) -> None:
        self.answers = list(answers)
        self.database = Database("mssql://reader:secret@erp:1433/sales", "NOVADE_ERP_URL")

    def query(self, sql: str, what: str = "") -> list[tuple[Any, ...]]:
        part, rows = self.answers.pop(0)
        assert part in sql
        return rows


CURRENT, OLDEST, CHANGED = "CURRENT_VERSION()", "MIN_VALID_VERSION", "CHANGETABLE(CHANGES"


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (
            [
                (CURRENT, [(42,)]),
                (OLDEST, [(5,)]),
                (CHANGED, [(1, "EU"), (2, "US"), (1, "EU")]),
                (OLDEST, [(5,)]),
            ],
            Changes(frozenset({(1, "EU"), (2, "US")}), 42),
        ),
        (
            [(CURRENT, [(42,)]), (OLDEST, [(30,)])],
            Changes(
                frozenset(),
                42,
                "change tracking keeps changes from version 30 on, and the table was read up to "
                "17: its history was cleaned; load more often, or raise CHANGE_RETENTION",
            ),
        ),
        (
            [(CURRENT, [(42,)]), (OLDEST, [(5,)]), (CHANGED, []), (OLDEST, [(18,)])],
            Changes(
                frozenset(),
                42,
                "change tracking keeps changes from version 18 on, and the table was read up to "
                "17: its history was cleaned; load more often, or raise CHANGE_RETENTION",
            ),
        ),
        (
            [(CURRENT, [(3,)])],
            Changes(frozenset(), 3, "the database is at version 3, before 17: it was restored"),
        ),
    ],
    ids=["changes", "cleaned", "cleaned meanwhile", "restored"],
)
def test_change_tracking(answers: list[Any], expected: Changes) -> None:
    feed = ChangeTracking(Recorded(*answers).query, "erp:1433/sales")
    assert feed.changes(_table(), 17) == expected


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([(CURRENT, [(None,)])], "expected change tracking, found it switched off; ALTER DATABASE"),
        ([(CURRENT, [(4,)]), (OLDEST, [(None,)])], "GRANT VIEW CHANGE TRACKING"),
    ],
    ids=["of the database", "of the table"],
)
def test_change_tracking_that_is_switched_off(answers: list[Any], message: str) -> None:
    feed = ChangeTracking(Recorded(*answers).query, "erp:1433/sales")
    with pytest.raises(PermanentFailure, match=message):
        feed.start(_table())


def test_recorded_columns_become_kinds() -> None:
    session: Any = Recorded(
        (
            "sys.columns",
            [
                ("Order ID", "int", 10, 0, False),
                ("Price", "money", 19, 4, True),
                ("Huge", "decimal", 38, 10, True),
                ("RowVersion", "timestamp", 0, 0, False),
                ("At", "datetimeoffset", 34, 7, True),
                ("Local", "datetime2", 27, 7, True),
                ("Ref", "uniqueidentifier", 0, 0, True),
                ("Text", "varchar", 0, 0, True),
                ("Any", "sql_variant", 0, 0, True),
                ("Ok", "bit", 1, 0, True),
            ],
        ),
        ("sys.indexes", [("PK", "Order ID")]),
    )
    reflected = reflect(session, _table())
    assert [(c.name, c.column, c.type) for c in reflected.columns] == [
        ("order_id", "Order ID", "integer"),
        ("price", "Price", "decimal(19,4)"),
        ("huge", "Huge", "decimal(38,10)"),
        ("rowversion", "RowVersion", "rowversion"),
        ("at", "At", "timestamp"),
        ("local", "Local", "local_timestamp"),
        ("ref", "Ref", "uuid"),
        ("text", "Text", "text"),
        ("any", "Any", "text"),
        ("ok", "Ok", "boolean"),
    ]
    assert reflected.unique == (frozenset({"Order ID"}),)
    with pytest.raises(PermanentFailure, match="expected its column region"):
        drift(_table(), reflected)
