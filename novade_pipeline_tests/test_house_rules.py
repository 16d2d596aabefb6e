"""The rules of the house that no linter knows: who may import what."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path

import grimp
import pytest

from novade_pipeline.execution import event_log

PACKAGE = Path(__file__).parents[1] / "novade_pipeline"
TESTS = Path(__file__).parent
DEFS = PACKAGE / "defs"
MOST_LINES = 350
UNCLEAR = {
    *("told", "tell", "found", "there", "here", "asked", "wanted", "todo", "ours", "theirs"),
    *("look", "looking", "seen", "piece", "pieces", "settled", "held", "holds", "mends", "halves"),
}
"""Words that name no value; the field's own words do."""
CLEAR = {
    ("storage/store.py", "tell"): "a method of Python's files",
    ("storage/azure_objects.py", "tell"): "the same",
    ("lake/data_files.py", "tell"): "the same",
    ("defs/publications/tables.py", "found"): "a column of the lake",
    ("defs/tracking_plan/tables.py", "found"): "the same",
    ("defs/tracking_plan/violations.py", "found"): "the same",
}
MEASURED_WITH = "1.13.27"
"""The version of Dagster whose own log `execution/event_log.py` was measured against."""
DOMAINS = sorted(folder.name for folder in DEFS.iterdir() if (folder / "__init__.py").exists())


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("domain", DOMAINS)
def test_domains_meet_through_tables_only(domain: str) -> None:
    others = tuple(f"novade_pipeline.defs.{other}." for other in DOMAINS if other != domain)
    reached = {
        name
        for file in (DEFS / domain).glob("*.py")
        for name in _imports(file)
        if name.startswith(others) and name.split(".")[3] != "tables"
    }
    assert reached == set()


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports within functions count; those for type checkers alone do not."""
    graph = grimp.build_graph(PACKAGE.name, exclude_type_checking_imports=True, cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    # A circle is a CycleError, whose text is its modules.
    TopologicalSorter(imports).prepare()


def test_nothing_reaches_into_dagsters_insides() -> None:
    files = [*PACKAGE.rglob("*.py"), *TESTS.rglob("*.py")]
    reached = [(f.name, i) for f in files for i in _imports(f) if i.startswith("dagster._")]
    # What `dagster.yaml` may name has no other address.
    allowed = "dagster._core.storage.event_log.SqliteEventLogStorage"
    assert reached == [("event_log.py", allowed)]


def test_the_exception_was_measured_with_this_dagster() -> None:
    """With another version: run `benchmarks/event_log.py`, and put version and gain down anew."""
    assert version("dagster") == MEASURED_WITH
    assert f"Dagster {MEASURED_WITH}" in (event_log.__doc__ or "")


def test_only_the_settings_and_the_command_line_read_the_environment() -> None:
    reading = {
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        if "os.environ" in file.read_text() or "os.getenv" in file.read_text()
    }
    # Commands hand the environment on to the processes that they start; delta-rs and DuckDB can
    # be told of the emulator's address in no other way.
    assert reading == {
        *("settings.py", "execution/web_page.py", "sandbox/commands.py", "storage/azure.py")
    }


@pytest.mark.parametrize("folder", [PACKAGE.name, TESTS.name, "dbt", "benchmarks"])
def test_no_file_is_more_than_one_thing(folder: str) -> None:
    long = {
        file.name: lines
        for file in (PACKAGE.parent / folder).rglob("*.py")
        if (lines := len(file.read_text().splitlines())) > MOST_LINES
    }
    assert long == {}


def _identifiers(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name


def test_identifiers_say_what_they_hold() -> None:
    unclear = {
        (file.relative_to(PACKAGE).as_posix(), name)
        for file in PACKAGE.rglob("*.py")
        for name in _identifiers(file)
        if name.strip("_").lower() in UNCLEAR
    }
    assert unclear == CLEAR.keys()


def test_at_the_top_is_the_code_location_and_the_command_line_only() -> None:
    assert {file.name for file in PACKAGE.glob("*.*")} == {
        *(
            "__init__.py",
            "__main__.py",
            "cli.py",
            "definitions.py",
            "errors.py",
            "plurals.py",
            "settings.py",
        )
    }


def test_in_defs_are_domains_only() -> None:
    assert [file.name for file in DEFS.glob("*.*")] == ["__init__.py"]


def test_each_package_says_what_belongs_there() -> None:
    silent = [
        folder.relative_to(PACKAGE).as_posix()
        for folder in {file.parent for file in PACKAGE.rglob("*.py")}
        if not (folder / "__init__.py").exists()
        or not ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    ]
    assert silent == []
