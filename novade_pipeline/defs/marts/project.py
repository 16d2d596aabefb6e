"""The parsed dbt project.

It is parsed once for each state of its files, into `dbt/target/<hash>`.
"""

import hashlib
import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from novade_pipeline.defs.marts.dbt_docs import write_docs
from novade_pipeline.defs.marts.dbt_runner import DBT_DIR, invoke
from novade_pipeline.defs.marts.model_tables import mart_table
from novade_pipeline.defs.marts.warehouse import Model, read_state
from novade_pipeline.graph.project_files import PACKAGE
from novade_pipeline.lake.query import open_database
from novade_pipeline.lake.table import Table

_PARTS = (
    *("dbt_project.yml", "profiles.yml"),
    *(f"{folder}/**/*" for folder in ("macros", "models", "snapshots", "tests")),
)
REBUILD = "Rebuild the marts with `novade rebuild marts`, and report it if it fails again."
_VARIABLE = re.compile(r"""\bvar\(["'](\w+)["']""")


@dataclass(frozen=True)
class Check:
    """A dbt test.

    Attributes:
        name: of the test and of the asset check.
        model: the model that the check belongs to.
        models: the models that the test reads.
        code: changes when the test does.
        blocking: a failure is an error, not a warning.
        promise: what is true when it passes, a sentence.
        remedy: what to do when it does not, a sentence.
        file: where it is, below the project.
    """

    name: str
    unique_id: str
    model: str
    models: tuple[str, ...]
    code: str
    blocking: bool
    variables: tuple[str, ...] = ()
    promise: str = ""
    remedy: str = ""
    file: str = ""


@dataclass(frozen=True)
class Project:
    """A parsed dbt project."""

    target: Path

    @property
    def manifest_path(self) -> Path:
        """Dbt's `manifest.json`."""
        return self.target / "manifest.json"

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Dbt's manifest."""
        loaded: dict[str, Any] = json.loads(self.manifest_path.read_bytes())
        return loaded

    @cached_property
    def parsed(self) -> Any:
        """The manifest as an object for dbt's invocations."""
        from dbt.contracts.graph.manifest import Manifest

        return Manifest.from_msgpack((self.target / "partial_parse.msgpack").read_bytes())

    @cached_property
    def nodes(self) -> Mapping[str, Mapping[str, Any]]:
        """Model or snapshot -> its node of the manifest, each after those that it reads."""
        nodes_by_name = {
            node["name"]: node
            for node in self.manifest["nodes"].values()
            if node["resource_type"] in ("model", "snapshot")
        }
        ordered: dict[str, Mapping[str, Any]] = {}

        def visit(name: str) -> None:
            for ref in sorted({ref["name"] for ref in nodes_by_name[name]["refs"]}):
                visit(ref)
            ordered[name] = nodes_by_name[name]

        for name in sorted(nodes_by_name):
            visit(name)
        return ordered

    @cached_property
    def tables(self) -> Mapping[str, Table]:
        """The models and snapshots as tables of the lake."""
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
        read_by_macro = _variables_of_macros(self.manifest["macros"])
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
                            *(
                                read_by_macro.get(macro, ())
                                for macro in node["depends_on"]["macros"]
                            )
                        )
                    )
                ),
            )
            for name, node in self.nodes.items()
        )

    def models_under(self, variables: Mapping[str, Any]) -> tuple[Model, ...]:
        """The models with values of the project's variables."""
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
                promise=_promise(node),
                remedy=node["config"]["meta"].get("remedy", REBUILD),
                file=node["original_file_path"],
            )
            for node in self.manifest["nodes"].values()
            if node["resource_type"] == "test"
        )

    def compiled(self, warehouse_path: Path, names: Sequence[str]) -> dict[str, str]:
        """Model -> the SQL of a full build, with the variables of `dbt_project.yml`."""
        with tempfile.TemporaryDirectory(prefix="novade-dbt-") as target:
            with closing(open_database(warehouse_path)) as connection:
                read_state(connection, self.models)
            result = invoke(
                *("compile", "--full-refresh", "--select", *names, "--no-write-json"),
                target=target,
                warehouse_path=warehouse_path.absolute(),
                manifest=self.parsed,
            )
        return {node.node.name: node.node.compiled_code for node in result.results}


def prepared_project(warehouse_path: Path) -> Project:
    """Returns the project, parsed again only if its files have changed.

    Args:
        warehouse_path: the DuckDB file, after which dbt's SQL names the database.
    """
    target = _targets(warehouse_path) / _digest(warehouse_path.stem, *_file_states())
    if not (target / "manifest.json").is_file():
        _parse(target, warehouse_path)
    return _project(target)


def _targets(warehouse_path: Path) -> Path:
    """In a checkout, as dbt itself does; an installed package writes beside the warehouse."""
    if DBT_DIR.is_relative_to(PACKAGE):
        return warehouse_path.absolute().parent / "dbt"
    return DBT_DIR / "target"


@cache
def _project(target: Path) -> Project:
    """Cached: one project for each state of the files."""
    return Project(target)


def _parse(target: Path, warehouse_path: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".parse-", dir=target.parent) as fresh:
        # Parsing must not create the warehouse file.
        invoke(
            *("parse", "--no-partial-parse"),
            target=fresh,
            warehouse_path=Path(fresh, warehouse_path.name),
            manifest=None,
        )
        try:
            Path(fresh).rename(target)
        except OSError:
            # Another process has parsed the same state meanwhile.
            if not (target / "manifest.json").is_file():
                raise
        else:
            Path(fresh).mkdir()
            if target.parent == DBT_DIR / "target":
                write_docs(_project(target).manifest, target.parent)
    outdated = time.time() - 24 * 3600
    for folder in target.parent.iterdir():
        if folder.stat().st_mtime < outdated:
            shutil.rmtree(folder, ignore_errors=True)


def _variables_of_macros(macros: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    """Macro of the project -> the variables that it or the macros it calls read."""
    own = {name: macro for name, macro in macros.items() if macro["package_name"] == "novade"}
    variables = {name: set(_VARIABLE.findall(macro["macro_sql"])) for name, macro in own.items()}
    # The longest chain of calls has at most as many macros as there are.
    for _round in own:
        for name, macro in own.items():
            called = macro["depends_on"]["macros"]
            variables[name].update(*(variables.get(callee, ()) for callee in called))
    return variables


def _checked_model(node: Mapping[str, Any]) -> str:
    """As in dagster_dbt: the model of a column test, or the one in its `meta`."""
    if attached := node.get("attached_node"):
        return str(attached.rsplit(".", 1)[-1])
    named = node["config"]["meta"].get("dagster", {}).get("ref", {}).get("name")
    return str(named or node["refs"][0]["name"])


def _promise(node: Mapping[str, Any]) -> str:
    """The description of a test; for a generic one, what it says of its column."""
    if description := node["config"]["meta"].get("description"):
        return str(description)
    test, column = (node.get("test_metadata") or {}).get("name"), node.get("column_name")
    promise = {
        "unique": f"Each {column} is in one row.",
        "not_null": f"Each row has a value in {column}.",
        "accepted_values": f"The column {column} has expected values only.",
        "relationships": f"Each {column} is in the table that it refers to.",
    }
    return promise.get(str(test), f"The test {node['name']} passes.")


def _file_states() -> Iterator[str]:
    files: Iterable[Path] = sorted(
        path for part in _PARTS for path in DBT_DIR.glob(part) if path.is_file()
    )
    yield from (f"{path.relative_to(DBT_DIR)}\0{path.read_text('utf-8')}" for path in files)
    yield from (version(name) for name in ("dbt-core", "dbt-duckdb"))


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
