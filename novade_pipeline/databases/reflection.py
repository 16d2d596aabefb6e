"""The columns that a database has, and how they differ from those that are declared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from novade_pipeline.databases.database import Dialect, Session
from novade_pipeline.databases.declaration import DatabaseColumn, DatabaseTable
from novade_pipeline.databases.kinds import Kind, parse_kind
from novade_pipeline.databases.sql import literal, quoted, schema_of, table_name
from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.decimals import MOST_DIGITS
from novade_pipeline.plurals import counted

_COLUMNS: dict[Dialect, str] = {
    "postgresql": """
        select a.attname, t.typname, coalesce(information_schema._pg_numeric_precision(a.atttypid,
            a.atttypmod), 0), coalesce(information_schema._pg_numeric_scale(a.atttypid,
            a.atttypmod), 0), not a.attnotnull
        from pg_attribute a join pg_class c on c.oid = a.attrelid
            join pg_namespace n on n.oid = c.relnamespace join pg_type t on t.oid = a.atttypid
        where n.nspname = {schema} and c.relname = {table} and a.attnum > 0 and not a.attisdropped
        order by a.attnum""",
    "mysql": """
        select column_name, column_type, coalesce(numeric_precision, 0),
            coalesce(numeric_scale, 0), is_nullable = 'YES'
        from information_schema.columns where table_schema = {schema} and table_name = {table}
        order by ordinal_position""",
    "mssql": """
        SELECT c.name, TYPE_NAME(c.system_type_id), c.precision, c.scale, c.is_nullable
        FROM sys.columns AS c WHERE c.object_id = OBJECT_ID({full_name}) ORDER BY c.column_id""",
}
_UNIQUE: dict[Dialect, str] = {
    "postgresql": """
        select i.indexrelid::text, a.attname from pg_index i join pg_class c on c.oid = i.indrelid
            join pg_namespace n on n.oid = c.relnamespace
            join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey)
        where n.nspname = {schema} and c.relname = {table} and i.indisunique and i.indisvalid
            and i.indpred is null and i.indexprs is null""",
    "mysql": """
        select index_name, column_name from information_schema.statistics
        where table_schema = {schema} and table_name = {table} and non_unique = 0""",
    "mssql": """
        SELECT i.name, c.name FROM sys.indexes AS i
            JOIN sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id
            JOIN sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id
        WHERE i.object_id = OBJECT_ID({full_name}) AND i.is_unique = 1 AND i.has_filter = 0
            AND k.is_included_column = 0""",
}
_KINDS: dict[Dialect, dict[str, str]] = {
    "postgresql": {
        **dict.fromkeys(("int2", "int4", "int8", "oid"), "integer"),
        **dict.fromkeys(("float4", "float8"), "float"),
        **{"bool": "boolean", "uuid": "uuid", "json": "json", "jsonb": "json", "bytea": "bytes"},
        **{"date": "date", "time": "time", "timestamptz": "timestamp"},
        **{"timestamp": "local_timestamp", "numeric": "decimal"},
    },
    "mysql": {
        **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint", "year"), "integer"),
        **dict.fromkeys(("float", "double"), "float"),
        **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob"), "bytes"),
        **{"tinyint(1)": "boolean", "longblob": "bytes", "json": "json", "uuid": "uuid"},
        **{"date": "date", "time": "time", "timestamp": "timestamp"},
        **{"datetime": "local_timestamp", "decimal": "decimal"},
    },
    "mssql": {
        **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), "integer"),
        **dict.fromkeys(("real", "float"), "float"),
        **dict.fromkeys(("decimal", "numeric", "money", "smallmoney"), "decimal"),
        **dict.fromkeys(("binary", "varbinary", "image"), "bytes"),
        **dict.fromkeys(("datetime", "datetime2", "smalldatetime"), "local_timestamp"),
        **{"timestamp": "rowversion", "datetimeoffset": "timestamp", "bit": "boolean"},
        **{"uniqueidentifier": "uuid", "date": "date", "time": "time"},
    },
}
"""Types of the database by name; all others are read as text."""


@dataclass(frozen=True)
class Reflected:
    """A table as the database has it.

    Attributes:
        columns: with their names in the database as `source`.
        unique: sets of columns that are unique.
    """

    columns: tuple[DatabaseColumn, ...]
    unique: tuple[frozenset[str], ...]


@dataclass(frozen=True)
class Drift:
    """How the database's columns differ from the declared ones, by their names in the lake.

    Attributes:
        absent: declared, and gone in the database.
        undeclared: columns of the database that are not declared, by its names.
        retyped: name -> the kind that the database has.
    """

    absent: tuple[str, ...] = ()
    undeclared: tuple[str, ...] = ()
    retyped: Mapping[str, str] | None = None

    @property
    def problem(self) -> str | None:
        """One sentence; None where nothing differs."""
        parts = [f"{name} is gone" for name in self.absent]
        parts += [f"{name} is new" for name in self.undeclared]
        parts += [f"{name} is {kind} now" for name, kind in (self.retyped or {}).items()]
        return ", ".join(parts) or None


def reflect(session: Session, table: DatabaseTable) -> Reflected:
    """The columns of a table.

    Raises:
        PermanentFailure: there is no such table, or this user may not see it.
    """
    database = session.database
    dialect = database.dialect
    schema = schema_of(dialect, table, database.name)
    values = {
        "schema": literal(dialect, schema),
        "table": literal(dialect, table.table),
        "full_name": literal(dialect, table_name(dialect, table)),
    }
    rows = session.query(_COLUMNS[dialect].format(**values), f"the columns of {table.table}")
    if not rows:
        raise PermanentFailure(
            f"database {database.location}: expected a table {schema}.{table.table}, found none "
            f"that {database.user} may see; correct defs.yaml, or grant SELECT on it."
        )
    unique: dict[str, set[str]] = {}
    for index, name in session.query(_UNIQUE[dialect].format(**values)):
        unique.setdefault(str(index), set()).add(str(name))
    return Reflected(
        tuple(_column(dialect, *row) for row in rows), tuple(map(frozenset, unique.values()))
    )


def drift(table: DatabaseTable, reflected: Reflected) -> Drift:
    """How a table differs from its declaration.

    Raises:
        PermanentFailure: a column of the key, or the rising one, is gone.
    """
    existing = {column.column: column for column in reflected.columns}
    absent = tuple(c.name for c in table.columns if c.column not in existing)
    if lost := [name for name in (*table.key, table.changed_by) if name in absent]:
        raise PermanentFailure(
            f"table {table.table}: expected its column {lost[0]}, by which rows are read, found "
            f"none; it has {', '.join(existing)}. Correct defs.yaml."
        )
    declared = {column.column for column in table.columns}
    return Drift(
        absent,
        tuple(name for name in existing if name not in declared),
        {
            column.name: existing[column.column].type
            for column in table.columns
            if column.column in existing
            and not _has_room_for(parse_kind(column.type), parse_kind(existing[column.column].type))
        },
    )


def refuse_repeated_keys(session: Session, table: DatabaseTable, reflected: Reflected) -> None:
    """Refuse a key that does not identify rows; asked only where no index says that it does.

    Raises:
        PermanentFailure: two rows have the same key, or one has none.
    """
    columns = {table.of_name(name).column for name in table.key}
    if any(index <= columns for index in reflected.unique):
        return
    dialect = session.database.dialect
    names = ", ".join(quoted(dialect, name) for name in sorted(columns))
    ((repeated,),) = session.query(
        f"SELECT COUNT(*) FROM (SELECT {names} FROM {table_name(dialect, table)} "
        f"GROUP BY {names} HAVING COUNT(*) > 1) AS repeated"
    )
    if repeated:
        raise PermanentFailure(
            f"table {table.table}: expected each key ({', '.join(table.key)}) once, found "
            f"{counted(int(repeated), 'key')} several times; declare the columns that identify a "
            "row in defs.yaml."
        )


def merged_columns(
    declared: Sequence[DatabaseColumn], reflected: Sequence[DatabaseColumn]
) -> tuple[DatabaseColumn, ...]:
    """The database's columns, with the names, marks and descriptions that are declared.

    A declared type stays where it has room for all values: text for a number without bounds.
    """
    known = {column.column: column for column in declared}
    merged = []
    for column in reflected:
        before = known.get(column.column)
        if before is None:
            merged.append(column)
            continue
        kept = _has_room_for(parse_kind(before.type), parse_kind(column.type))
        type_ = before.type if kept else column.type
        merged.append(before.model_copy(update={"type": type_, "nullable": column.nullable}))
    return tuple(merged)


def _column(
    dialect: Dialect, name: str, type_: str, precision: int, scale: int, nullable: bool
) -> DatabaseColumn:
    lake_name = "".join(c if c.isalnum() and c.isascii() else "_" for c in name.lower())
    lake_name = lake_name if lake_name[:1].isalpha() else f"_{lake_name}"
    kinds, full = _KINDS[dialect], str(type_).lower()
    kind = kinds.get(full) or kinds.get(full.partition("(")[0].split(" ")[0], "text")
    if kind == "decimal":
        fits = 0 < int(precision) <= MOST_DIGITS and 0 <= int(scale) <= int(precision)
        # A number without bounds has no decimal type that holds all its values.
        kind = f"decimal({int(precision)},{int(scale)})" if fits else "text"
    return DatabaseColumn(
        name=lake_name,
        source=None if lake_name == name else name,
        type=kind,
        nullable=bool(nullable),
    )


def _has_room_for(declared: Kind, existing: Kind) -> bool:
    """Whether a declared kind holds all values of the database's."""
    if declared.name == "decimal" and existing.name == "decimal":
        whole = declared.precision - declared.scale >= existing.precision - existing.scale
        return whole and declared.scale >= existing.scale
    if declared.name == "decimal" and existing.name in ("text", "integer"):
        # Numbers without bounds are reflected as text; a value that does not fit fails the load.
        return True
    if declared.name == "text":
        return existing.name != "bytes"
    return declared == existing
