"""The marts in the graph: one step for each group of related models, which are selectable.

If a source fails, only the marts of its step wait, and those that join several steps.

`@dbt_assets` would import dbt in every process that loads the graph; `graph.dbt_specs` makes the
same specs with the same translator.
"""

from collections.abc import Collection, Iterator
from typing import Any

import dagster as dg

from novade_pipeline.defs.marts.project import Project, prepared_project
from novade_pipeline.defs.marts.refresh import CheckReport, Mart, refresh
from novade_pipeline.graph.access import lake_probes, require
from novade_pipeline.graph.dbt_specs import dbt_specs, domain_of
from novade_pipeline.graph.domains import modules
from novade_pipeline.graph.job_runs import steps_held_up
from novade_pipeline.graph.table_assets import (
    dagster_failures,
    follows_its_sources,
    materialized,
    previous_picture,
)
from novade_pipeline.lake.duckdb_file import NO_WAIT
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store

SCHEMA = "marts"
MARTS = dg.AssetSelection.key_prefixes([SCHEMA])
POOL = "warehouse"


class MartsConfig(dg.Config):
    """How the marts are built."""

    full_refresh: bool = False
    """Rebuild the selected marts, from all rows of their sources."""
    check_all: bool = False
    """Run all tests on all rows, including those that passed before."""


def definitions(settings: Settings) -> dg.Definitions:
    """The marts and their checks."""
    project = prepared_project(settings.warehouse_path)
    return dg.Definitions(
        assets=[_step(settings, project, domain, names) for domain, names in parts(project).items()]
    )


def parts(project: Project) -> dict[str, list[str]]:
    """Domain that names the step -> its models, each after those that it reads.

    A domain whose models read those of one other domain shares its step. One that joins several
    has a step of its own, so that these do not wait for each other.
    """
    domains = {name: domain_of(node) for name, node in project.nodes.items()}
    reads: dict[str, set[str]] = {}
    for name, node in project.nodes.items():
        upstream = {domains[ref["name"]] for ref in node["refs"]} - {domains[name]}
        reads.setdefault(domains[name], set()).update(upstream)
    step = {domain: domain for domain in reads}
    for domain, upstream in reads.items():
        if len(upstream) == 1:
            old, new = step[domain], step[next(iter(upstream))]
            step = {name: new if of == old else of for name, of in step.items()}
    models_of_step: dict[str, list[str]] = {}
    for name, domain in domains.items():
        models_of_step.setdefault(step[domain], []).append(name)
    return models_of_step


def step_name(domain: str) -> str:
    """The name of the step of a domain."""
    return f"marts_{domain}"


def _step(
    settings: Settings, project: Project, domain: str, names: Collection[str]
) -> dg.AssetsDefinition:
    specs, check_specs = _specs(project, names)

    @dg.multi_asset(
        name=step_name(domain),
        specs=specs,
        check_specs=check_specs,
        can_subset=True,
        pool=POOL,
    )
    def marts(
        context: dg.AssetExecutionContext, config: MartsConfig, lake: dg.ResourceParam[Store]
    ) -> Iterator[dg.MaterializeResult[Any] | dg.AssetCheckResult]:
        # A run waits once, not with each of its steps.
        waited_in_vain = any(steps_held_up(context.instance, context.run_id))
        with dagster_failures():
            require(*lake_probes(lake))
            report = refresh(
                project,
                lake,
                settings.warehouse_path,
                models={key.path[-1] for key in context.selected_asset_keys},
                checks={key.name for key in context.selected_asset_check_keys},
                rebuild=config.full_refresh,
                check_all=config.check_all,
                variables=_variables(settings),
                patience=NO_WAIT if waited_in_vain else settings.warehouse_patience,
                on_progress=context.log.info,
                picture_of=lambda name, generation: previous_picture(
                    context,
                    dg.AssetKey([SCHEMA, name]),
                    "picture",
                    {"unchanged": True, "generation": generation},
                    by="generation",
                ),
            )
        for name, mart in report.marts.items():
            yield materialized(context, dg.AssetKey([SCHEMA, name]), _metadata(mart))
        # A failed blocking check ends the step, so it is yielded last.
        for check in sorted(report.checks, key=lambda check: not check.passed):
            yield _check_result(check)
        if report.failures:
            reasons = "; ".join(f"marts/{name}: {why}" for name, why in report.failures.items())
            raise dg.Failure(f"Not built: {reasons}", allow_retries=False)

    return marts


def _variables(settings: Settings) -> dict[str, Any]:
    """Variables of the dbt project: those that domains set, and the reporting zone."""
    variables = {"reporting_time_zone": settings.reporting_time_zone or ""}
    for module in modules("settings"):
        variables |= settings.of(module.SETTINGS).mart_variables
    return variables


def _specs(
    project: Project, names: Collection[str]
) -> tuple[list[dg.AssetSpec], list[dg.AssetCheckSpec]]:
    tests = {
        name: [check.unique_id for check in project.checks if check.model == name]
        for name in project.nodes
    }
    specs = dbt_specs(project.target, SCHEMA, lambda: project.manifest, project.nodes, tests)
    automation = _follows_its_sources()
    return (
        [specs.assets[name].replace_attributes(automation_condition=automation) for name in names],
        [specs.checks[test] for name in names for test in tests[name]],
    )


def _follows_its_sources() -> dg.AutomationCondition[Any]:
    """As for tables, but only after each mart that it reads has been built."""
    missing = dg.AutomationCondition.any_deps_missing()
    return follows_its_sources() & ~missing.allow(MARTS)


def _metadata(mart: Mart) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "unchanged": mart.is_unchanged,
        "dagster/row_count": mart.rows,
        "generation": mart.generation,
        "taken_in": dict(mart.taken_in),
        "seconds": round(mart.seconds, 3),
    }
    if mart.reason is not None:
        metadata["reason"] = mart.reason
    if mart.published is not None:
        metadata["bytes"] = mart.published.bytes
        metadata["table_version"] = mart.published.table_version
        receipt = mart.published.receipt
        metadata["rows_published"] = receipt.rows if receipt is not None else 0
    if mart.preview is not None:
        metadata["preview"] = dg.MetadataValue.md(mart.preview)
    if mart.picture is not None:
        metadata["picture"] = dg.MetadataValue.md(mart.picture)
    return metadata


def _reason(report: CheckReport) -> str:
    check = report.check
    return f"{check.promise} But {report.message} (dbt/{check.file}). {check.remedy}"


def _check_result(report: CheckReport) -> dg.AssetCheckResult:
    blocking = report.check.blocking
    return dg.AssetCheckResult(
        asset_key=[SCHEMA, report.check.model],
        check_name=report.check.name,
        passed=report.passed,
        severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
        description=None if report.passed else _reason(report),
        metadata={"unchanged": not report.fresh},
    )
