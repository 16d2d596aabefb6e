"""Dagster's specs of dbt's models and tests, as dagster_dbt translates them.

dagster_dbt and dbt take two seconds to import, which every process that loads the graph would pay.
So the translation is kept beside the parsed project, and made again when either library or this
module changes.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from dagster_dbt import DagsterDbtTranslator

_OWNERS = ("team:data-platform",)


@dataclass(frozen=True)
class DbtSpecs:
    """The specs of a dbt project.

    Attributes:
        assets: model or snapshot -> its spec.
        checks: the unique id of a test -> its spec.
    """

    assets: Mapping[str, dg.AssetSpec]
    checks: Mapping[str, dg.AssetCheckSpec]


def dbt_specs(
    target: Path,
    schema: str,
    manifest: Callable[[], Mapping[str, Any]],
    nodes: Mapping[str, Mapping[str, Any]],
    tests_of: Mapping[str, Sequence[str]],
) -> DbtSpecs:
    """Returns the specs of a parsed project, translated once.

    Args:
        target: the folder of the parsed project, where the translation is kept.
        schema: the first part of the models' asset keys.
        manifest: reads dbt's manifest.
        nodes: model or snapshot -> its node of the manifest.
        tests_of: model or snapshot -> the unique ids of its tests.
    """
    kept = target / f"specs-{_translation()}.json"
    if not kept.is_file():
        text = dg.serialize_value(_translated(_translator(schema), manifest(), nodes, tests_of))
        unfinished = kept.with_suffix(f".{os.getpid()}")
        unfinished.write_text(text, "utf-8")
        unfinished.rename(kept)
    return _kept_specs(kept)


@cache
def _kept_specs(path: Path) -> DbtSpecs:
    """Cached, since each step of the marts takes its own from those of the project."""
    plain: Any = dg.deserialize_value(path.read_text("utf-8"))
    return DbtSpecs(
        {name: dg.AssetSpec(**arguments) for name, arguments in plain["assets"].items()},
        {test: dg.AssetCheckSpec(**arguments) for test, arguments in plain["checks"].items()},
    )


def domain_of(node: Mapping[str, Any]) -> str:
    """The folder that a model or snapshot is in."""
    return PurePosixPath(node["original_file_path"]).parent.name


@cache
def _translation() -> str:
    """Identifies what translates: this module and the libraries."""
    libraries = (f"{name} {version(name)}" for name in ("dagster", "dagster-dbt"))
    text = "\0".join((Path(__file__).read_text("utf-8"), *libraries))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _translator(schema: str) -> "DagsterDbtTranslator":
    from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings

    class MartsTranslator(DagsterDbtTranslator):
        def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
            folder = dbt_resource_props.get("source_name", schema)
            return dg.AssetKey([folder, dbt_resource_props["name"]])

        def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
            return f"{schema}_{domain_of(dbt_resource_props)}"

        def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
            return list(_OWNERS)

        def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
            return {"layer": "mart", "domain": domain_of(dbt_resource_props)}

        def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
            return str(dbt_resource_props["description"])

    return MartsTranslator(DagsterDbtTranslatorSettings(enable_source_metadata=False))


def _translated(
    translator: "DagsterDbtTranslator",
    manifest: Mapping[str, Any],
    nodes: Mapping[str, Mapping[str, Any]],
    tests_of: Mapping[str, Sequence[str]],
) -> dict[str, dict[str, dict[str, Any]]]:
    """The arguments of the specs, without the objects that only dagster_dbt's own assets use."""
    assets: dict[str, dict[str, Any]] = {}
    checks: dict[str, dict[str, Any]] = {}
    for name, node in nodes.items():
        spec = translator.get_asset_spec(manifest, node["unique_id"], None)
        assets[name] = {
            "key": spec.key,
            "deps": sorted(dep.asset_key for dep in spec.deps),
            "description": spec.description,
            "skippable": spec.skippable,
            "metadata": {
                key: value
                for key, value in spec.metadata.items()
                if not type(value).__module__.startswith("dagster_dbt") and value is not translator
            },
            "group_name": spec.group_name,
            "owners": [*spec.owners],
            "tags": {**spec.tags},
            "code_version": spec.code_version,
        }
        for test in tests_of[name]:
            check = translator.get_asset_check_spec(spec, manifest, test, None)
            assert check is not None, f"dagster_dbt has no check for {test}"
            checks[test] = {
                "name": check.name,
                "asset": check.asset_key,
                "description": check.description,
                "additional_deps": sorted(dep.asset_key for dep in check.additional_deps),
                "blocking": check.blocking,
                "metadata": {**check.metadata},
            }
    return {"assets": assets, "checks": checks}
