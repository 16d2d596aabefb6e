"""The rules of the house that no linter knows: who may import what."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "novade_pipeline"
DEFS = PACKAGE / "defs"
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


def test_nothing_reaches_into_dagsters_insides() -> None:
    files = [*PACKAGE.rglob("*.py"), *Path(__file__).parent.rglob("*.py")]
    reached = [(f.name, i) for f in files for i in _imports(f) if i.startswith("dagster._")]
    # What `dagster.yaml` may name has no other address.
    allowed = "dagster._core.storage.event_log.SqliteEventLogStorage"
    assert reached == [("event_log.py", allowed)]


def test_only_the_settings_and_the_command_line_read_the_environment() -> None:
    reading = {
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        if "os.environ" in file.read_text() or "os.getenv" in file.read_text()
    }
    # Commands hand the environment on to the processes that they start; delta-rs and DuckDB can
    # be told of the emulator's address in no other way.
    assert reading == {"settings.py", "cli.py", "sandbox/commands.py", "azure_storage.py"}


@pytest.mark.parametrize("folder", ["novade_pipeline", "dbt", "benchmarks"])
def test_no_file_is_more_than_one_thing(folder: str) -> None:
    long = {
        file.name: lines
        for file in (PACKAGE.parent / folder).rglob("*.py")
        if (lines := len(file.read_text().splitlines())) > 390
    }
    assert long == {}
