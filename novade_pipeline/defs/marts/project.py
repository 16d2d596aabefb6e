"""The dbt project as data, and how dbt is run: inside this process.

A dbt of its own would start an interpreter and import dbt again, 4 s here, for each run; what
dagster_dbt imports anyway is most of dbt already. The project is parsed once for each state of its
files, into `dbt/target/<hash>`, and read from there afterwards.
"""

import hashlib
import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from novade_pipeline.defs.marts.model_tables import mart_table
from novade_pipeline.defs.marts.warehouse import Model, read_books
from novade_pipeline.errors import PermanentFailure
from novade_pipeline.lake.memory import duckdb_bytes
from novade_pipeline.lake.query import open_database
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store

DBT_DIR = Path(__file__).parents[3] / "dbt"
_PARTS = (
    *("dbt_project.yml", "profiles.yml"),
    *(f"{folder}/**/*" for folder in ("macros", "models", "snapshots", "tests")),
)
SLICE_ROWS = "slice_rows"
_ROW_BYTES = 600
"""About what DuckDB holds of a row while a slice is computed; with half of that it spills."""
_VARIABLE = re.compile(r"""\bvar\(["'](\w+)["']""")
# dbt speaks through its events; its own log, telemetry and version check stay off.
_QUIET = (
    *("--log-level", "none", "--log-level-file", "none", "--no-print"),
    *("--no-send-anonymous-usage-stats", "--no-version-check", "--no-use-colors"),
)


@dataclass(frozen=True)
class Check:
    """One dbt test.

    Attributes:
        name: the test's name, and the asset check's.
        unique_id: as dbt names it.
        model: the model that it is a check of.
        models: the models that it looks at.
        code: changes when the test does.
        variables: the project's variables that it reads.
        blocking: it failing is an error, not a warning.
    """

    name: str
    unique_id: str
    model: str
    models: tuple[str, ...]
    code: str
    blocking: bool
    variables: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of one node of a dbt invocation.

    Attributes:
        name: of the model or test.
        status: `success`, `error`, `skipped`; of tests `pass`, `warn`, `fail`, `error`, `skipped`.
        seconds: how long it took.
        message: what dbt says of it, if anything.
        failures: of a test, how many rows fail it.
    """

    name: str
    status: str
    seconds: float
    message: str
    failures: int | None


@dataclass(frozen=True)
class Project:
    """A parsed dbt project."""

    target: Path

    @property
    def manifest_path(self) -> Path:
        """The file `manifest.json` of dbt."""
        return self.target / "manifest.json"

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The manifest of dbt."""
        loaded: dict[str, Any] = json.loads(self.manifest_path.read_bytes())
        return loaded

    @cached_property
    def parsed(self) -> Any:
        """The manifest as dbt itself takes it, for one invocation after the other."""
        from dbt.contracts.graph.manifest import Manifest

        return Manifest.from_msgpack((self.target / "partial_parse.msgpack").read_bytes())

    @cached_property
    def nodes(self) -> Mapping[str, Mapping[str, Any]]:
        """Model or snapshot -> its node of the manifest, each after those that it reads."""
        found = {
            node["name"]: node
            for node in self.manifest["nodes"].values()
            if node["resource_type"] in ("model", "snapshot")
        }
        ordered: dict[str, Mapping[str, Any]] = {}

        def visit(name: str) -> None:
            for ref in sorted({ref["name"] for ref in found[name]["refs"]}):
                visit(ref)
            ordered[name] = found[name]

        for name in sorted(found):
            visit(name)
        return ordered

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        """The same models and snapshots as tables of the lake."""
        return {name: mart_table(node) for name, node in self.nodes.items()}

    @cached_property
    def models(self) -> tuple[Model, ...]:
        """The models and snapshots, each after those that it reads."""
        macros = sorted(
            (macro["unique_id"], macro["macro_sql"])
            for macro in self.manifest["macros"].values()
            if macro["package_name"] == "novade"
        )
        shared = _digest(json.dumps(macros))
        read = _variables_of_macros(self.manifest["macros"])
        return tuple(
            Model(
                name=name,
                sources=tuple(sorted({".".join(source) for source in node["sources"]})),
                refs=tuple(sorted({ref["name"] for ref in node["refs"]})),
                code=_digest(shared, node["raw_code"]),
                incremental=node["config"]["materialized"] == "touched",
                whole_when_changed=tuple(node["config"]["meta"].get("whole_when_changed", ())),
                is_history=node["resource_type"] == "snapshot",
                variables=tuple(
                    sorted(
                        set(_VARIABLE.findall(node["raw_code"])).union(
                            *(read.get(macro, ()) for macro in node["depends_on"]["macros"])
                        )
                    )
                ),
            )
            for name, node in self.nodes.items()
        )

    def models_under(self, variables: Mapping[str, Any]) -> tuple[Model, ...]:
        """The models with the project's variables as the settings say them."""
        return tuple(model.with_values(variables) for model in self.models)

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """The tests."""
        return tuple(
            Check(
                name=node["name"],
                unique_id=node["unique_id"],
                model=_checked_model(node),
                models=tuple(sorted({ref["name"] for ref in node["refs"]})),
                code=_digest(node["raw_code"], json.dumps(node.get("test_metadata"))),
                blocking=node["config"]["severity"].lower() == "error",
                variables=tuple(sorted(set(_VARIABLE.findall(node["raw_code"])))),
            )
            for node in self.manifest["nodes"].values()
            if node["resource_type"] == "test"
        )

    def build(
        self,
        warehouse_path: Path,
        lake: Store,
        names: Sequence[str],
        on_progress: Callable[[str], None] = lambda told: None,
        variables: Mapping[str, Any] = MappingProxyType({}),
    ) -> list[Outcome]:
        """Build models and run tests, in the order of the graph, in one dbt invocation.

        Args:
            warehouse_path: the DuckDB file; nobody else may hold it.
            lake: what the sources are views of.
            names: of the models to build, the snapshots to take and the tests to run.
            on_progress: called with one line whenever a node is done.
            variables: in the place of those that `dbt_project.yml` names.

        Raises:
            PermanentFailure: dbt itself failed, not one of its models or tests.
        """
        from novade_pipeline.defs.marts import dbt_plugin

        with (
            tempfile.TemporaryDirectory(prefix="novade-dbt-") as target,
            dbt_plugin.reading(lake),
        ):
            result = _invoke(
                *("build", "--select", *names, "--indirect-selection", "empty"),
                "--no-write-json",
                target=target,
                warehouse_path=warehouse_path.absolute(),
                manifest=self.parsed,
                on_progress=on_progress,
                variables=variables,
            )
        return [
            Outcome(
                name=node.node.name,
                status=str(node.status),
                seconds=node.execution_time,
                message=node.message or "",
                failures=node.failures,
            )
            for node in result.results
        ]

    def compiled(self, warehouse_path: Path, names: Sequence[str]) -> dict[str, str]:
        """Model -> the SQL of a whole build, with the variables of `dbt_project.yml`.

        Args:
            warehouse_path: the DuckDB file; made where there is none.
            names: of the models.
        """
        with tempfile.TemporaryDirectory(prefix="novade-dbt-") as target:
            with closing(open_database(warehouse_path)) as connection:
                read_books(connection, self.models)
            result = _invoke(
                *("compile", "--full-refresh", "--select", *names, "--no-write-json"),
                target=target,
                warehouse_path=warehouse_path.absolute(),
                manifest=self.parsed,
            )
        return {node.node.name: node.node.compiled_code for node in result.results}


def prepared_project(warehouse_path: Path) -> Project:
    """The project as its files are now; parsed only if nobody has parsed this state before.

    Args:
        warehouse_path: the DuckDB file; its name is the database's name in all SQL.
    """
    target = DBT_DIR / "target" / _digest(warehouse_path.stem, *_states())
    if not (target / "manifest.json").is_file():
        _parse(target, warehouse_path)
    return _project(target)


@cache
def _project(target: Path) -> Project:
    """One for each state of the files: a process that loads the graph again reads nothing anew."""
    return Project(target)


def _parse(target: Path, warehouse_path: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".parse-", dir=target.parent) as fresh:
        # A parse looks at no database, and must not make the file.
        _invoke(
            *("parse", "--no-partial-parse"),
            target=fresh,
            warehouse_path=Path(fresh, warehouse_path.name),
            manifest=None,
        )
        try:
            Path(fresh).rename(target)
        except OSError:
            # Somebody else parsed the same state meanwhile: the same result.
            if not (target / "manifest.json").is_file():
                raise
        else:
            Path(fresh).mkdir()
    outdated = time.time() - 24 * 3600
    for other in target.parent.iterdir():
        if other.stat().st_mtime < outdated:
            shutil.rmtree(other, ignore_errors=True)


def _invoke(
    *args: str,
    target: str,
    warehouse_path: Path,
    manifest: Any,
    on_progress: Callable[[str], None] = lambda told: None,
    variables: Mapping[str, Any] = MappingProxyType({}),
) -> Any:
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    from novade_pipeline.defs.marts.dbt_events import heard

    rows = max(100_000, int(duckdb_bytes() // _ROW_BYTES))
    fixed = {"warehouse_path": str(warehouse_path), SLICE_ROWS: rows}
    place = (
        *("--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR)),
        *("--target-path", target, "--log-path", target),
        *("--vars", json.dumps(fixed | dict(variables))),
    )
    try:
        with heard(on_progress) as callback:
            runner = dbtRunner(manifest=manifest, callbacks=[callback])
            result = runner.invoke([*args, *place, *_QUIET])
    finally:
        # dbt-duckdb keeps the file, and so its lock, until the process ends.
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
    if result.exception is not None:
        raise PermanentFailure(f"dbt {args[0]} failed: {result.exception}") from result.exception
    return result.result


def _variables_of_macros(macros: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    """Macro of the project -> the variables that it reads, itself or by macros that it calls."""
    own = {name: macro for name, macro in macros.items() if macro["package_name"] == "novade"}
    variables = {name: set(_VARIABLE.findall(macro["macro_sql"])) for name, macro in own.items()}
    # As many rounds as the longest chain of calls can have.
    for _round in own:
        for name, macro in own.items():
            called = macro["depends_on"]["macros"]
            variables[name].update(*(variables.get(callee, ()) for callee in called))
    return variables


def _checked_model(node: Mapping[str, Any]) -> str:
    """As dagster_dbt decides it: the model of a column test, or the one that `meta` names."""
    if attached := node.get("attached_node"):
        return str(attached.rsplit(".", 1)[-1])
    named = node["config"]["meta"].get("dagster", {}).get("ref", {}).get("name")
    return str(named or node["refs"][0]["name"])


def _states() -> Iterator[str]:
    files: Iterable[Path] = sorted(
        path for part in _PARTS for path in DBT_DIR.glob(part) if path.is_file()
    )
    yield from (f"{path.relative_to(DBT_DIR)}\0{path.read_text('utf-8')}" for path in files)
    yield from (version(name) for name in ("dbt-core", "dbt-duckdb"))


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
