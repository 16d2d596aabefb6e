"""Lines of JSON one by one: what each holds, and in words why one is no row.

The slow way of `json_lines`: it accepts whatever the fast way accepts and gives the same values,
and where a line is wrong it says what was expected and what was found, without the values.
"""

import json
from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.lake.query import identifier, literal
from novade_pipeline.lake.table import Column

_DUCKDB_TYPES = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    # Without a zone a text is UTC; with one, TIMESTAMP would drop it in silence.
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
}


def read_line_by_line(
    connection: duckdb.DuckDBPyConnection,
    fields: Sequence[Column],
    texts: Sequence[str],
    others: str | None,
) -> tuple[pa.Table, dict[int, str]]:
    """Read each text by itself.

    Args:
        connection: with UTC as its time zone.
        fields: the columns that a line has values for.
        texts: the lines, without space around them.
        others: the column for the fields that are not among `fields`; None where none keeps them.

    Returns:
        (a row a text, in DuckDB's types; row -> why it is none).
    """
    source = pa.table(
        {"i": pa.array(range(len(texts)), pa.int64()), "text": pa.array(texts, pa.string())}
    )
    structure = {c.source: "JSON" if c.json else _DUCKDB_TYPES[c.type] for c in fields}
    checked = [c for c in fields if not c.json and c.type != pa.string()]
    columns = [f"r[{literal(c.source)}] AS {identifier(c.name)}" for c in fields]
    columns += [
        f"json_type(object, {literal(_pointer(c.source))}) AS {identifier('kind ' + c.name)}"
        for c in checked
    ]
    joined = ""
    if others is not None:
        columns.append(f"others AS {others}")
        joined = f"LEFT JOIN ({_others_of(fields)}) USING (i)"
    connection.register("source", source)
    found = connection.execute(
        "WITH lines AS MATERIALIZED (SELECT i, json_valid(text) AS valid, "
        "CASE WHEN json_valid(text) THEN json_type(text) END AS kind, "
        "CASE WHEN json_valid(text) AND json_type(text) = 'OBJECT' THEN text END AS object "
        "FROM source), objects AS MATERIALIZED (SELECT *, json_keys(object) AS keys, "
        f"from_json(object, {literal(json.dumps(structure))}) AS r FROM lines) "
        "SELECT valid, kind, coalesce(len(list_distinct(keys)) < len(keys), false) AS twice, "
        f"{', '.join(columns)} FROM objects {joined} ORDER BY i"
    ).to_arrow_table()
    connection.unregister("source")
    wrong: dict[int, str] = {}
    for i, (valid, kind, twice) in enumerate(
        zip(*(found[name].to_pylist() for name in ("valid", "kind", "twice")), strict=True)
    ):
        if not valid:
            wrong[i] = _why_not_json(texts[i])
        elif kind != "OBJECT":
            wrong[i] = f"expected a JSON object, found {_kind(kind)}"
        elif twice:
            wrong[i] = "expected each field once, found one twice"
    for column in checked:
        kinds = found[f"kind {column.name}"]
        lost = pc.and_(pc.is_null(found[column.name]), pc.not_equal(kinds, "NULL"))
        for i in np.flatnonzero(pc.fill_null(lost, False).to_numpy()).tolist():
            told = f"{column.name}: expected {_word(column)}, found {_kind(kinds[i].as_py())}"
            wrong.setdefault(i, told)
    return found, wrong


def _others_of(fields: Sequence[Column]) -> str:
    """SQL: for each object with unknown fields, i and those fields as one JSON object."""
    known = ", ".join(literal(key) for key in sorted({c.source for c in fields}))
    return (
        "SELECT i, '{' || string_agg(to_json(key)::VARCHAR || ':' || value, ',' ORDER BY key) "
        "|| '}' AS others FROM (SELECT i, key, json_extract(object, '/' || "
        "replace(replace(key, '~', '~0'), '/', '~1'))::VARCHAR AS value "
        f"FROM (SELECT i, object, unnest(keys) AS key FROM objects) WHERE key NOT IN ({known}))"
        " WHERE value <> 'null' GROUP BY i"
    )


def _why_not_json(text: str) -> str:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"expected JSON, found at character {error.pos + 1}: {error.msg}"
    except RecursionError:
        return "expected JSON, found it nested too deep"
    return "expected JSON, found something else"


def _word(column: Column) -> str:
    return {"VARCHAR": "a text", "BIGINT": "an integer", "DOUBLE": "a number"}.get(
        _DUCKDB_TYPES[column.type], "true or false" if column.type == pa.bool_() else "a time"
    )


def _kind(json_type: str) -> str:
    return {
        "VARCHAR": "a text",
        "OBJECT": "an object",
        "ARRAY": "an array",
        "BOOLEAN": "true or false",
        "NULL": "null",
    }.get(json_type, "a number")


def _pointer(key: str) -> str:
    return "/" + key.replace("~", "~0").replace("/", "~1")
