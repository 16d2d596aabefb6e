"""The statements that are sent, for each dialect; identifiers and values are quoted here."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from novade_pipeline.databases.database import Dialect
from novade_pipeline.databases.declaration import DatabaseColumn, DatabaseTable
from novade_pipeline.databases.kinds import Kind, parse_kind

SCHEMAS: dict[Dialect, str] = {"postgresql": "public", "mssql": "dbo"}
"""Where a table is whose declaration names no schema; MySQL's is the database."""

# What a column becomes on the way, so that no reader rounds: decimals travel as text.
_AS_READ: dict[Dialect, dict[str, str]] = {
    "postgresql": {
        "integer": "{}::bigint",
        "decimal": "{}::numeric::text",
        "float": "{}::float8",
        "text": "{}::text",
        "uuid": "{}::text",
        "json": "{}::text",
        "time": "{}::text",
    },
    "mysql": {
        "integer": "cast({} as signed)",
        "decimal": "cast({} as char)",
        "float": "cast({} as double)",
        "boolean": "cast({} as signed)",
        "text": "convert({} using utf8mb4)",
        "uuid": "lower(cast({} as char))",
        "json": "convert({} using utf8mb4)",
        "date": "cast({} as char)",
        "time": "cast({} as char)",
        "timestamp": "cast(convert_tz({}, @@session.time_zone, '+00:00') as char)",
        "local_timestamp": "cast({} as char)",
    },
    "mssql": {
        "integer": "CAST({} AS bigint)",
        "rowversion": "CAST({} AS bigint)",
        "float": "CAST({} AS float)",
        "text": "CAST({} AS nvarchar(max))",
        "uuid": "LOWER(CONVERT(char(36), {}))",
        "json": "CAST({} AS nvarchar(max))",
        "bytes": "CAST({} AS varbinary(max))",
        "date": "CONVERT(char(10), {}, 23)",
        "time": "CONVERT(varchar(16), {})",
        # Styles 126: ISO 8601. Of 100 nanoseconds the lake has the microseconds.
        "timestamp": "CONVERT(varchar(27), CAST(SWITCHOFFSET({}, '+00:00') AS datetime2(6)), 126)",
        "local_timestamp": "CONVERT(varchar(27), CAST({} AS datetime2(6)), 126)",
    },
}


def quoted(dialect: Dialect, name: str) -> str:
    """An identifier."""
    if dialect == "mysql":
        return "`" + name.replace("`", "``") + "`"
    if dialect == "mssql":
        return "[" + name.replace("]", "]]") + "]"
    return '"' + name.replace('"', '""') + '"'


def literal(dialect: Dialect, value: Any) -> str:
    """A value of a key."""
    if isinstance(value, int):
        return str(value)
    text = (value.isoformat() if isinstance(value, date) else str(value)).replace("'", "''")
    if dialect == "mysql":
        text = text.replace("\\", "\\\\")
    return f"N'{text}'" if dialect == "mssql" else f"'{text}'"


def schema_of(dialect: Dialect, table: DatabaseTable, database: str) -> str:
    """The schema that a table is in."""
    return table.schema_name or SCHEMAS.get(dialect, database)


def table_name(dialect: Dialect, table: DatabaseTable) -> str:
    """A table as SQL names it."""
    schema = table.schema_name or SCHEMAS.get(dialect)
    name = quoted(dialect, table.table)
    return f"{quoted(dialect, schema)}.{name}" if schema else name


def as_read(dialect: Dialect, column: DatabaseColumn) -> str:
    """The expression that a column is read by."""
    return _expression(dialect, parse_kind(column.type), quoted(dialect, column.column))


def select(
    dialect: Dialect,
    table: DatabaseTable,
    columns: Iterable[DatabaseColumn],
    where: str | None = None,
) -> str:
    """The rows of a table, or those that a condition is true of, in the order of the columns."""
    fields = ", ".join(
        f"{as_read(dialect, column)} AS {quoted(dialect, column.name)}" for column in columns
    )
    condition = "" if where is None else f" WHERE {where}"
    return f"SELECT {fields} FROM {table_name(dialect, table)}{condition}"


def with_keys(dialect: Dialect, table: DatabaseTable, keys: Sequence[tuple[Any, ...]]) -> str:
    """The condition that rows have one of some keys."""
    names = [quoted(dialect, table.of_name(name).column) for name in table.key]
    if len(names) == 1:
        return f"{names[0]} IN ({', '.join(literal(dialect, key[0]) for key in keys)})"
    return " OR ".join(
        "("
        + " AND ".join(
            f"{name} = {literal(dialect, value)}" for name, value in zip(names, key, strict=True)
        )
        + ")"
        for key in keys
    )


def about_rows(dialect: Dialect, table: DatabaseTable) -> str:
    """How many rows a table has, as the database estimates it; perhaps none or null."""
    name = literal(dialect, table_name(dialect, table))
    if dialect == "postgresql":
        return f"SELECT reltuples::bigint FROM pg_class WHERE oid = {name}::regclass"
    if dialect == "mssql":
        return (
            f"SELECT SUM(rows) FROM sys.partitions WHERE object_id = OBJECT_ID({name}) "
            "AND index_id IN (0, 1)"
        )
    schema = "database()" if table.schema_name is None else literal(dialect, table.schema_name)
    return (
        f"SELECT table_rows FROM information_schema.tables WHERE table_schema = {schema} "
        f"AND table_name = {literal(dialect, table.table)}"
    )


def changed_value(dialect: Dialect, table: DatabaseTable) -> str:
    """The greatest value of the rising column, as a number: microseconds of a time."""
    assert table.changed_by is not None
    column = table.of_name(table.changed_by)
    name, kind = quoted(dialect, column.column), parse_kind(column.type).name
    if kind == "rowversion":
        # All below it is committed, or never will be.
        return "SELECT CAST(MIN_ACTIVE_ROWVERSION() AS bigint) - 1"
    if kind == "integer":
        number = {"mysql": f"cast({name} as signed)", "mssql": f"CAST({name} AS bigint)"}
        value = f"MAX({number.get(dialect, name)})"
    elif dialect == "postgresql":
        value = f"(extract(epoch from MAX({name})) * 1000000)::bigint"
    elif dialect == "mysql":
        value = f"timestampdiff(microsecond, '1970-01-01', MAX({name}))"
    else:
        greatest = f"CAST(MAX({name}) AS datetime2(6))"
        if kind == "timestamp":
            greatest = f"CAST(SWITCHOFFSET(MAX({name}), '+00:00') AS datetime2(6))"
        value = (
            f"DATEDIFF_BIG(second, '1970-01-01', {greatest}) * 1000000"
            f" + DATEPART(microsecond, {greatest})"
        )
    return f"SELECT {value} FROM {table_name(dialect, table)}"


def changed_since(dialect: Dialect, table: DatabaseTable, value: int) -> str:
    """The condition that the rising column has at least a value, as `changed_value` gives it."""
    assert table.changed_by is not None
    column = table.of_name(table.changed_by)
    name, kind = quoted(dialect, column.column), parse_kind(column.type).name
    if kind == "rowversion":
        # Compared as the eight bytes that it is, so that an index helps.
        return f"{name} >= CAST(CAST({value} AS bigint) AS binary(8))"
    if kind == "integer":
        return f"{name} >= {value}"
    if dialect == "postgresql":
        zone = "" if kind == "timestamp" else " at time zone 'UTC'"
        return f"{name} >= (timestamptz 'epoch' + {value} * interval '1 microsecond'){zone}"
    if dialect == "mysql":
        return f"{name} >= timestampadd(microsecond, {value}, '1970-01-01')"
    moment = (
        f"DATEADD(microsecond, {value % 1_000_000}, DATEADD(second, {value // 1_000_000 % 86400}, "
        f"DATEADD(day, {value // 86_400_000_000}, CAST('1970-01-01' AS datetime2(6)))))"
    )
    return f"{name} >= {moment}" + (" AT TIME ZONE 'UTC'" if kind == "timestamp" else "")


def _expression(dialect: Dialect, kind: Kind, name: str) -> str:
    if dialect == "mssql" and kind.name == "decimal":
        # By way of a decimal, since money as text has two digits after the point.
        number = f"CAST({name} AS decimal({kind.precision}, {kind.scale}))"
        return f"CONVERT(varchar(50), {number})"
    return _AS_READ[dialect].get(kind.name, "{}").format(name)
