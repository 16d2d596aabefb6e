"""Results of dbt tests: which still hold, which tests are due, and on which rows they run."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import duckdb

from novade_pipeline.defs.marts.dbt_runner import Outcome
from novade_pipeline.defs.marts.project import Check, Project
from novade_pipeline.defs.marts.warehouse import WarehouseState
from novade_pipeline.lake import query
from novade_pipeline.plurals import counted

_PASSED = {"pass": True, "warn": False, "fail": False}
"""dbt's status of a test -> whether it passed; with any other status it could not run."""


class CheckResult(NamedTuple):
    """The result of a check; `passed` is None if it could not run."""

    passed: bool | None
    message: str


def current_results(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    state: WarehouseState,
    variables: Mapping[str, Any],
) -> dict[str, CheckResult]:
    """The last results of the checks that read the current generations of the marts."""
    rows = connection.execute("select check_name, inputs, passed, told from novade.checked")
    recorded = {name: (inputs, CheckResult(*result)) for name, inputs, *result in rows.fetchall()}
    return {
        check.name: recorded[check.name][1]
        for check in project.checks
        if check.name in recorded and recorded[check.name][0] == _inputs(check, state, variables)
    }


def due_checks(
    project: Project,
    state: WarehouseState,
    checks: Collection[str],
    reasons: Mapping[str, str],
    results: Mapping[str, CheckResult],
) -> list[Check]:
    """The selected tests without a result for the marts after the build.

    A failed blocking test is due again, so that dbt skips the marts that depend on it.
    """

    def has_result(check: Check) -> bool:
        passed = results[check.name].passed if check.name in results else None
        return passed is True or (passed is False and not check.blocking)

    return [
        check
        for check in project.checks
        if check.name in checks
        and all(name in reasons or state.is_built(name) for name in check.models)
        and (not reasons.keys().isdisjoint(check.models) or not has_result(check))
    ]


def write_scopes(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    state: WarehouseState,
    due: Sequence[Check],
    variables: Mapping[str, Any] | None,
) -> None:
    """Records, for each test that passed before, the generation after which it reads rows.

    Args:
        variables: of the dbt project; None if all tests read all rows.
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


def record_results(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    state: WarehouseState,
    outcomes: Mapping[str, Outcome],
    variables: Mapping[str, Any],
) -> None:
    """Records the results of the tests that ran."""
    rows = []
    for check in project.checks:
        outcome = outcomes.get(check.name)
        if outcome is None or outcome.status == "skipped":
            continue
        passed = _PASSED.get(outcome.status)
        message = "" if passed else outcome.message
        if passed is False and outcome.failures:
            message = counted(outcome.failures, "row fails", "rows fail")
        rows.append([check.name, _inputs(check, state, variables), passed, message])
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


def _inputs(check: Check, state: WarehouseState, variables: Mapping[str, Any]) -> str:
    """The inputs of a result: the code of the check and the generations of its models."""
    message = {name: variables[name] for name in check.variables if name in variables}
    generations = {name: state.generations.get(name) for name in check.models}
    return json.dumps([check.code, generations, *([message] if message else [])])
