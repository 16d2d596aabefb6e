"""One refresh of the marts: pin the sources, build what is pending, test it, publish it."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import duckdb

from novade_pipeline.defs.marts import histories, previews, warehouse
from novade_pipeline.defs.marts.dbt_sources import SOURCES, source_name
from novade_pipeline.defs.marts.pinning import pin, prepare
from novade_pipeline.defs.marts.project import Check, Outcome, Project
from novade_pipeline.defs.marts.publish import Published, publish
from novade_pipeline.defs.marts.warehouse import Books
from novade_pipeline.errors import UserError
from novade_pipeline.lake import query
from novade_pipeline.lake.query import sql_identifier
from novade_pipeline.storage.store import Store

PictureOf = Callable[[str, int], str | None]
_PASSED = {"pass": True, "warn": False, "fail": False}
"""dbt's status of a test -> whether it passed; under any other it could not be run."""


@dataclass(frozen=True)
class Mart:
    """A mart after a refresh.

    Attributes:
        reason: why it was built; None where nothing was to be done.
        rows: how many rows it has.
        generation: how often it has been built.
        taken_in: the version of each source, or generation of each model, that it is made of.
        published: what the lake holds of it; None where a failed check keeps it back.
        seconds: how long dbt took to build it.
        preview: the newest rows, Markdown.
        picture: a picture, Markdown, where it has one.
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
        """Nothing was to be done: neither built nor published."""
        return self.reason is None and (self.published is None or self.published.receipt is None)


@dataclass(frozen=True)
class CheckReport:
    """A check after a refresh; `fresh` where it ran now, else it is what it found last."""

    check: Check
    passed: bool
    told: str
    fresh: bool


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did; `failures` says model -> why it could not be built."""

    marts: Mapping[str, Mart]
    checks: Sequence[CheckReport]
    failures: Mapping[str, str]


@dataclass(frozen=True)
class _Done:
    """Model -> why it was pending, the tests that were due, and what became of either."""

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
    on_progress: Callable[[str], None] = lambda told: None,
    picture_of: PictureOf = lambda model, generation: None,
) -> Refreshed:
    """Bring the selected marts to what the lake holds now. Where nothing is pending, dbt rests.

    Args:
        project: the dbt project.
        store: the lake.
        warehouse_path: the DuckDB file.
        models: names of the models that may be built.
        checks: names of the tests that are to be reported.
        rebuild: build them whole; histories only add to what they have.
        check_all: run all the tests, and on all rows; otherwise those whose outcome is not known
            run, on what was touched since they passed, as far as that can be told.
        variables: of the dbt project, in the place of its own.
        on_progress: called with one line whenever something is done.
        picture_of: a picture of a generation of a mart, if one was drawn before.

    Raises:
        UserError: another process holds the warehouse, its disk is full, or a model that is needed
            was never built.
    """
    # A step asks the lake only for what its own models read.
    all_models = project.models_under(variables)
    read = {name for model in all_models if model.name in models for name in model.sources}
    sources = [table for table in SOURCES if source_name(table) in read]
    versions = warehouse.source_versions(store, sources)
    with (
        query.reports_full_disk(warehouse_path),
        closing(query.open_database(warehouse_path)) as connection,
    ):
        query.limit(connection)
        books = warehouse.read_books(connection, all_models)
        if restored := histories.restore(connection, store, project, models):
            books = warehouse.read_books(connection, all_models)
        for name, rows in restored.items():
            if rows:
                on_progress(f"marts/{name}: {rows} rows that only the lake had are back")
        reasons = warehouse.pending(books, all_models, versions, models, rebuild=rebuild)
        for name, reason in reasons.items():
            on_progress(f"marts/{name} is pending: {reason}")
        known = {} if check_all else _known(connection, project, books, variables)
        due = _due(project, books, checks, reasons, known)
        _scope(connection, project, books, due, None if check_all else variables)
        outcomes = {}
        if reasons or due:
            query.prepare(connection, store)
        if reasons:
            pin(connection, store, sources, versions)
            prepare(connection, store, books, all_models, reasons, versions, rebuild=rebuild)
        names = [*reasons, *(check.name for check in due)]
        if names:
            # dbt shares the database that is open: to open another, with the extension that reads
            # the lake, would take it half a second.
            built = project.build(warehouse_path, store, names, on_progress, variables)
            outcomes = {outcome.name: outcome for outcome in built}
            messages = " ".join(outcome.message or "" for outcome in built)
            if why := query.full_disk_message(warehouse_path, messages):
                raise UserError(why)
        done = _Done(reasons, {check.name for check in due}, outcomes)
        return _report(connection, project, store, models, checks, done, variables, picture_of)


def _report(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    store: Store,
    models: Collection[str],
    checks: Collection[str],
    done: _Done,
    variables: Mapping[str, Any],
    picture_of: PictureOf,
) -> Refreshed:
    books = warehouse.read_books(connection, project.models)
    _note_checks(connection, project, books, done.outcomes, variables)
    known = _known(connection, project, books, variables)
    failures = {
        name: done.outcomes[name].message or "something that it depends on failed"
        for name in done.reasons
        if name not in done.outcomes or done.outcomes[name].status != "success"
    }
    kept_back = {
        check.model
        for check in project.checks
        if check.blocking and check.name in known and not known[check.name].passed
    }
    # The other half is for what is being published.
    query.limit(connection, share=0.5)
    marts = {}
    for model in project.models:
        if model.name not in models or model.name in failures:
            continue
        marts[model.name] = _mart(
            connection, project, store, books, model.name, done, kept_back, picture_of
        )
    warehouse.prune(connection, project.models)
    reports = [
        CheckReport(check, bool(found.passed), found.told, check.name in done.due)
        for check in project.checks
        if check.name in checks and (found := known.get(check.name)) is not None
    ]
    return Refreshed(marts, reports, failures)


def _mart(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    store: Store,
    books: Books,
    name: str,
    done: _Done,
    kept_back: Collection[str],
    picture_of: PictureOf,
) -> Mart:
    table = project.tables[name]
    counted = connection.execute(f"select count(*) from marts.{sql_identifier(name)}").fetchone()
    assert counted is not None
    draw, generation = previews.PICTURES.get(name), books.generations[name]
    # A warehouse that was made anew counts its generations from 1 again.
    before = picture_of(name, generation) if draw and name not in done.reasons else None
    return Mart(
        reason=done.reasons.get(name),
        rows=counted[0],
        generation=generation,
        taken_in={
            source: version.number
            for (model, source), version in books.taken_in.items()
            if model == name
        },
        published=None if name in kept_back else publish(connection, store, table),
        seconds=done.outcomes[name].seconds if name in done.outcomes else 0.0,
        preview=previews.preview(connection, table),
        picture=draw and (before or draw(connection)),
    )


def _inputs(check: Check, books: Books, variables: Mapping[str, Any]) -> str:
    """What a check's outcome holds for: its code, and the generations that it looked at."""
    told = {name: variables[name] for name in check.variables if name in variables}
    generations = {name: books.generations.get(name) for name in check.models}
    return json.dumps([check.code, generations, *([told] if told else [])])


class _Known(NamedTuple):
    """What a check found; `passed` is None where it could not be run."""

    passed: bool | None
    told: str


def _known(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    books: Books,
    variables: Mapping[str, Any],
) -> dict[str, _Known]:
    """What the checks found last, of those that looked at the marts as they are now."""
    rows = connection.execute("select check_name, inputs, passed, told from novade.checked")
    noted = {name: (inputs, _Known(*found)) for name, inputs, *found in rows.fetchall()}
    return {
        check.name: noted[check.name][1]
        for check in project.checks
        if check.name in noted and noted[check.name][0] == _inputs(check, books, variables)
    }


def _due(
    project: Project,
    books: Books,
    checks: Collection[str],
    reasons: Mapping[str, str],
    known: Mapping[str, _Known],
) -> list[Check]:
    """The selected tests whose outcome on what the marts will be is not known.

    One that keeps marts waiting is run again with them, so that dbt passes them over.
    """

    def is_settled(check: Check) -> bool:
        passed = known[check.name].passed if check.name in known else None
        return passed is True or (passed is False and not check.blocking)

    return [
        check
        for check in project.checks
        if check.name in checks
        and all(name in reasons or books.is_built(name) for name in check.models)
        and (not reasons.keys().isdisjoint(check.models) or not is_settled(check))
    ]


def _scope(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    books: Books,
    due: Sequence[Check],
    variables: Mapping[str, Any] | None,
) -> None:
    """Write down, for each test that passed before, since which generation it has to look.

    Args:
        variables: of the dbt project; None where all tests look at all rows.
    """
    rows = connection.execute("select check_name, inputs from novade.checked where passed")
    passed = dict(rows.fetchall()) if variables is not None else {}
    scopes = []
    for check in due:
        table = project.tables[check.model]
        inputs = json.loads(passed.get(check.name, "[null, {}]"))
        since = inputs[1].get(check.model)
        if table.window is None or since is None or inputs[0] != check.code:
            continue
        kind = query.sql_type(table.schema.field(table.window).type)
        scopes.append([check.name, check.model, table.window, kind, since])
    connection.execute("delete from novade.check_scope")
    if scopes:
        connection.executemany("insert into novade.check_scope values ($1, $2, $3, $4, $5)", scopes)


def _note_checks(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    books: Books,
    outcomes: Mapping[str, Outcome],
    variables: Mapping[str, Any],
) -> None:
    rows = []
    for check in project.checks:
        outcome = outcomes.get(check.name)
        if outcome is None or outcome.status == "skipped":
            continue
        passed = _PASSED.get(outcome.status)
        told = "" if passed else outcome.message or f"{outcome.failures} rows fail"
        rows.append([check.name, _inputs(check, books, variables), passed, told])
    if not rows:
        return
    columns = [list(column) for column in zip(*rows, strict=True)]
    connection.execute("begin")
    connection.execute(
        "delete from novade.checked where check_name in (from unnest($1))", columns[:1]
    )
    connection.execute(
        "insert into novade.checked select unnest($1), unnest($2), unnest($3), unnest($4)", columns
    )
    connection.execute("commit")
