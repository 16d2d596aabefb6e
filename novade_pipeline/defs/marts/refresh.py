"""A refresh of the marts: pins the sources, builds pending marts, tests and publishes them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import duckdb

from novade_pipeline.defs.marts import dbt_runner, histories, previews, warehouse
from novade_pipeline.defs.marts.check_results import (
    current_results,
    due_checks,
    record_results,
    write_scopes,
)
from novade_pipeline.defs.marts.dbt_runner import Outcome
from novade_pipeline.defs.marts.dbt_sources import SOURCES, source_name
from novade_pipeline.defs.marts.pinning import pin, prepare
from novade_pipeline.defs.marts.project import Check, Project
from novade_pipeline.defs.marts.publish import Published, publish
from novade_pipeline.defs.marts.reader_copy import update_reader_copy
from novade_pipeline.defs.marts.warehouse import WarehouseState
from novade_pipeline.errors import UserError
from novade_pipeline.lake import query
from novade_pipeline.lake.duckdb_file import NO_WAIT, open_when_free
from novade_pipeline.lake.query import sql_identifier
from novade_pipeline.plurals import counted
from novade_pipeline.storage.store import Store

PictureOf = Callable[[str, int], str | None]


@dataclass(frozen=True)
class Mart:
    """A mart after a refresh.

    Attributes:
        reason: why it was built; None if it was not pending.
        generation: how often it has been built.
        taken_in: the version of each source, or generation of each model, that it is built from.
        published: its table in the lake; None if a failed check withholds it.
        preview: the newest rows, Markdown.
    """

    reason: str | None
    rows: int
    generation: int
    taken_in: Mapping[str, int]
    published: Published | None
    seconds: float
    preview: str | None = None
    picture: str | None = None

    @property
    def is_unchanged(self) -> bool:
        """Whether it was neither built nor published."""
        return self.reason is None and (self.published is None or self.published.receipt is None)


@dataclass(frozen=True)
class CheckReport:
    """A check after a refresh; not `fresh` if the result is of an earlier run."""

    check: Check
    passed: bool
    message: str
    fresh: bool


@dataclass(frozen=True)
class RefreshReport:
    """The marts and checks after a refresh; `failures` is model -> why it was not built."""

    marts: Mapping[str, Mart]
    checks: Sequence[CheckReport]
    failures: Mapping[str, str]


@dataclass(frozen=True)
class _Build:
    """Model -> why it was pending; the tests that were due; the outcomes of both."""

    reasons: Mapping[str, str]
    due: Collection[str]
    outcomes: Mapping[str, Outcome]


def refresh(
    project: Project,
    store: Store,
    warehouse_path: Path,
    *,
    models: Collection[str],
    checks: Collection[str],
    rebuild: bool = False,
    check_all: bool = False,
    variables: Mapping[str, Any] = MappingProxyType({}),
    patience: timedelta = NO_WAIT,
    on_progress: Callable[[str], None] = lambda message: None,
    picture_of: PictureOf = lambda model, generation: None,
) -> RefreshReport:
    """Updates the selected marts to the current state of the lake; runs dbt only if needed.

    Args:
        models: names of the models to bring up to date. Those that they read and that have never
            been built are built too, but not published.
        checks: names of the tests to report.
        rebuild: build all rows; histories only add rows.
        check_all: run all tests on all rows; otherwise only tests without a current result run, if
            possible on the rows touched since they passed.
        variables: override those of the dbt project.
        patience: how long to wait for the warehouse while another process holds it.
        picture_of: returns the chart of a mart's generation, if it was drawn before.

    Raises:
        DatabaseHeldError: another process has held the warehouse for all of that time.
        UserError: its disk is full.
    """
    all_models = project.models_under(variables)
    with (
        query.reports_full_disk(warehouse_path),
        closing(open_when_free(warehouse_path, patience, on_progress)) as connection,
    ):
        query.limit(connection)
        state = warehouse.read_state(connection, all_models)
        needed = warehouse.with_unbuilt(state, all_models, models)
        # A step reads only the sources of its own models.
        read = {name for model in all_models if model.name in needed for name in model.sources}
        sources = [table for table in SOURCES if source_name(table) in read]
        versions = warehouse.source_versions(store, sources)
        if restored := histories.restore(connection, store, project, needed):
            state = warehouse.read_state(connection, all_models)
        for name, rows in restored.items():
            if rows:
                on_progress(f"marts/{name}: {counted(rows, 'row')} restored from the lake")
        reasons = warehouse.pending(state, all_models, versions, needed, rebuild=rebuild)
        for name, reason in reasons.items():
            on_progress(f"marts/{name} is pending: {reason}")
        results = {} if check_all else current_results(connection, project, state, variables)
        due = due_checks(project, state, checks, reasons, results)
        write_scopes(connection, project, state, due, None if check_all else variables)
        outcomes = {}
        if reasons or due:
            query.prepare(connection, store)
        if reasons:
            pin(connection, store, sources, versions)
            prepare(connection, store, state, all_models, reasons, versions, rebuild=rebuild)
        names = [*reasons, *(check.name for check in due)]
        if names:
            # dbt shares the open database; opening another one takes half a second.
            outcomes_of_build = dbt_runner.build(
                project.parsed, warehouse_path, store, names, on_progress, variables
            )
            outcomes = {outcome.name: outcome for outcome in outcomes_of_build}
            messages = " ".join(outcome.message or "" for outcome in outcomes_of_build)
            if disk_full := query.full_disk_message(warehouse_path, messages):
                raise UserError(disk_full)
        build = _Build(reasons, {check.name for check in due}, outcomes)
        report = _report(connection, project, store, models, checks, build, variables, picture_of)
        update_reader_copy(connection, store, list(project.tables.values()), warehouse_path)
        return report


def _report(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    store: Store,
    models: Collection[str],
    checks: Collection[str],
    build: _Build,
    variables: Mapping[str, Any],
    picture_of: PictureOf,
) -> RefreshReport:
    state = warehouse.read_state(connection, project.models)
    record_results(connection, project, state, build.outcomes, variables)
    results = current_results(connection, project, state, variables)
    failures = {
        name: build.outcomes[name].message or "something that it depends on failed"
        for name in build.reasons
        if name not in build.outcomes or build.outcomes[name].status != "success"
    }
    withheld = {
        check.model
        for check in project.checks
        if check.blocking and check.name in results and not results[check.name].passed
    }
    # Publishing needs the second half.
    query.limit(connection, share=0.5)
    marts = {}
    for model in project.models:
        if model.name not in models or model.name in failures:
            continue
        marts[model.name] = _finish_mart(
            connection, project, store, state, model.name, build, withheld, picture_of
        )
    warehouse.prune(connection, project.models)
    reports = [
        CheckReport(check, bool(result.passed), result.message, check.name in build.due)
        for check in project.checks
        if check.name in checks and (result := results.get(check.name)) is not None
    ]
    return RefreshReport(marts, reports, failures)


def _finish_mart(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    store: Store,
    state: WarehouseState,
    name: str,
    build: _Build,
    withheld: Collection[str],
    picture_of: PictureOf,
) -> Mart:
    table = project.tables[name]
    row_count = connection.execute(f"select count(*) from marts.{sql_identifier(name)}").fetchone()
    assert row_count is not None
    draw, generation = previews.PICTURES.get(name), state.generations[name]
    # A recreated warehouse counts its generations from 1 again, so a built mart is drawn.
    previous_picture = picture_of(name, generation) if draw and name not in build.reasons else None
    return Mart(
        reason=build.reasons.get(name),
        rows=row_count[0],
        generation=generation,
        taken_in={
            source: version.number
            for (model, source), version in state.taken_in.items()
            if model == name
        },
        published=None if name in withheld else publish(connection, store, table),
        seconds=build.outcomes[name].seconds if name in build.outcomes else 0.0,
        preview=previews.preview(connection, table),
        picture=draw and (previous_picture or draw(connection)),
    )
