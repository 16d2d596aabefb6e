"""A `defs.yaml` that declares a database's tables, and how reflected columns get into it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from novade_pipeline.databases.declaration import DatabaseColumn, DatabaseTable, DatabaseTables
from novade_pipeline.databases.tables import lake_table
from novade_pipeline.errors import UserError
from novade_pipeline.lake.table import Table


def read_declaration(path: Path) -> DatabaseTables:
    """The tables that a file declares.

    Raises:
        UserError: the file is no valid declaration; the message says where.
    """
    return _declared(path, path.read_text(encoding="utf-8"))


@cache
def _declared(path: Path, text: str) -> DatabaseTables:
    """Cached: loading the graph reads the same file in several modules of a domain."""
    return _validated(path, _attributes(path, text))


def lake_tables(path: Path) -> tuple[Table, ...]:
    """The lake's tables of the domain whose folder has this file."""
    return tuple(lake_table(path.parent.name, table) for table in read_declaration(path).tables)


def tables_to_reflect(path: Path) -> tuple[DatabaseTable, ...]:
    """The tables of a file, those without columns as well: they have their keys alone."""
    attributes = _attributes(path, path.read_text(encoding="utf-8"))
    for table in attributes.get("tables") or ():
        if isinstance(table, dict) and not table.get("columns"):
            keys = table.get("key") or ()
            table["columns"] = [{"name": key, "type": "text"} for key in keys]
            if changed_by := table.get("changed_by"):
                table["columns"].append({"name": changed_by, "type": "timestamp"})
    return _validated(path, attributes).tables


def with_columns(text: str, table: str, columns: tuple[DatabaseColumn, ...]) -> str:
    """The text of a file with other columns of one of its tables; all else stays as it is.

    Args:
        table: its name in the database.
    """
    root = yaml.compose(text, yaml.SafeLoader)
    tables = _entry(_entry(root, "attributes"), "tables")
    node = next(n for n in tables.value if _entry(n, "table").value == table)
    lines = text.splitlines(keepends=True)
    indent = " " * node.start_mark.column
    block = [f"{indent}columns:\n", *(f"{indent}  - {_line(column)}\n" for column in columns)]
    keys = {key.value: (key, value) for key, value in node.value}
    if "columns" in keys:
        key, value = keys["columns"]
        first, last = key.start_mark.line, _last_line(value)
    else:
        first = _last_line(node)
        last = first
        lines[first - 1] = lines[first - 1].rstrip("\n") + "\n"
    return "".join([*lines[:first], *block, *lines[last:]])


def _attributes(path: Path, text: str) -> dict[str, Any]:
    try:
        # Ten times as fast as the loader in Python.
        content = yaml.load(text, yaml.CSafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise UserError(f"{path}: expected YAML, found an error{where}; correct it.") from None
    attributes = content.get("attributes") if isinstance(content, dict) else None
    if not isinstance(attributes, dict):
        raise UserError(f"{path}: expected `attributes` with `tables`, found none.")
    return attributes


def _validated(path: Path, attributes: dict[str, Any]) -> DatabaseTables:
    try:
        return DatabaseTables.model_validate(attributes)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_input=False, include_url=False)
        ]
        raise UserError(f"{path}: {'; '.join(problems)}.") from None


def _entry(node: Any, name: str) -> Any:
    return next(value for key, value in node.value if key.value == name)


def _last_line(node: Any) -> int:
    """The line after a node's last value, which excludes comments behind it."""
    children = node.value if isinstance(node.value, list) else []
    if not children or getattr(node, "flow_style", False):
        return int(node.end_mark.line) + (1 if node.end_mark.column else 0)
    last = children[-1]
    return _last_line(last[1] if isinstance(last, tuple) else last)


def _line(column: DatabaseColumn) -> str:
    """A column in one line of YAML."""
    values = column.model_dump(exclude_defaults=True)
    return "{" + ", ".join(f"{name}: {_scalar(value)}" for name, value in values.items()) + "}"


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    is_plain = text.replace("_", "").isalnum() and yaml.safe_load(text) == text
    return text if is_plain else json.dumps(text, ensure_ascii=False)
