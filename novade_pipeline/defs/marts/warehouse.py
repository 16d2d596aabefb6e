"""The state of the warehouse: what each mart is built from, and which marts are pending.

The state is in schema `novade` of the DuckDB file of the marts. The macros in
`dbt/macros/books.sql` write it in the transaction of the model's rows, so that both agree even
after a crash.

| table           | one row is                                                                  |
|-----------------|-----------------------------------------------------------------------------|
| `warehouse`     | the id of this warehouse                                                    |
| `pinned`        | the version of a source that a dbt invocation reads                         |
| `model`         | a model's generation (how often it was built), and since when its log goes  |
| `taken_in`      | which version of a source, or generation of a model, a model has taken in   |
| `changed_windows` | hours of its sources that changed since a model took them in              |
| `changes`       | a touched person, session or day, by generation of the model that logs it   |
| `touched`       | a day or hour that a generation of a model touched: published, tested again |
| `identity`      | the merges that event_enhanced has taken in                                 |
| `account_key`   | the keys of accounts that customer_matches has taken in                     |
| `checked`       | a dbt test's last outcome, and which generations it looked at               |
| `check_scope`   | since which generation a test that is due looks at touched windows alone    |
| `published`     | which generation of a mart the lake holds, at which Delta version           |
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb

from novade_pipeline.defs.marts.dbt_sources import source_name
from novade_pipeline.lake.changes import unchanged_since
from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.table import Table
from novade_pipeline.storage.store import Store

LOG_GENERATIONS = 500
"""The maximum number of generations in the log for a model that is not built."""

_SCHEMA = """
create schema if not exists novade;
create table if not exists novade.warehouse as select uuid() as id;
create table if not exists novade.pinned (source text, version bigint, table_id text);
create table if not exists novade.model (
    model text, generation bigint, since bigint, code text, wanted_code text, rebuild text,
    whole boolean
);
create table if not exists novade.taken_in (model text, source text, version bigint, table_id text);
create table if not exists novade.changed_windows (
    model text, window_start timestamptz, window_end timestamptz
);
create table if not exists novade.changes (
    model text, generation bigint, event_date date, person_id bigint, session_id bigint,
    kind text, subject_id text
);
create table if not exists novade.touched (
    model text, generation bigint, window_start timestamptz
);
create table if not exists novade.identity (amplitude_id bigint, survivor_id bigint);
create table if not exists novade.cut_over (day date);
create table if not exists novade.reconciled_days (first_day date, last_day date);
create table if not exists novade.account_key (
    step integer, way text, key_kind text, key text, account_id text
);
create table if not exists novade.ticket (
    ticket_id text, request_date date, team text, priority text, is_deleted boolean,
    client_id text, requested_at timestamptz, changed_in bigint
);
create table if not exists novade.checked (check_name text, inputs text, passed boolean, told text);
create table if not exists novade.check_scope (
    check_name text, model text, window_column text, window_type text, since bigint
);
create table if not exists novade.published (model text, generation bigint, table_version bigint);
drop table if exists novade.changed_days;
drop table if exists novade.event_changes;
drop table if exists novade.touched_days;
"""


@dataclass(frozen=True)
class Version:
    """A version of a source.

    Attributes:
        number: -1 if the table does not exist yet.
        table_id: of the Delta table; a recreated table counts its versions from 0 again.
        unchanged_since: the oldest version with the same rows, if it is older: maintenance commits
            versions without changes.
    """

    number: int
    table_id: str = ""
    unchanged_since: int | None = None

    def has_rows_of(self, older: "Version | None") -> bool:
        """Whether it has the same rows as an older version."""
        if older is None or older.table_id != self.table_id:
            return False
        first = self.number if self.unchanged_since is None else self.unchanged_since
        return first <= older.number <= self.number


@dataclass(frozen=True)
class Model:
    """A dbt model or snapshot.

    Attributes:
        sources: the sources that it reads, `amplitude.events`.
        refs: the models that it reads.
        code: changes when the model's SQL, or a macro, does.
        incremental: only touched rows are computed, where that is possible.
        whole_when_changed: sources whose change causes a full build.
        is_history: a dbt snapshot, which is never rebuilt.
        variables: the project's variables that it or its macros read.
    """

    name: str
    sources: tuple[str, ...]
    refs: tuple[str, ...]
    code: str
    incremental: bool
    whole_when_changed: tuple[str, ...] = ()
    is_history: bool = False
    variables: tuple[str, ...] = ()

    def with_values(self, variables: Mapping[str, Any]) -> "Model":
        """The model with values of its variables; a changed value counts as changed code."""
        values = {n: variables[n] for n in self.variables if variables.get(n) not in (None, "")}
        return replace(self, code=f"{self.code} {json.dumps(values)}") if values else self


@dataclass(frozen=True)
class WarehouseState:
    """The state of the warehouse."""

    warehouse_id: str = ""
    generations: Mapping[str, int] = field(default_factory=dict)
    codes: Mapping[str, str | None] = field(default_factory=dict)
    since: Mapping[str, int] = field(default_factory=dict)
    rebuild: Mapping[str, str] = field(default_factory=dict)
    taken_in: Mapping[tuple[str, str], Version] = field(default_factory=dict)
    tables: frozenset[str] = frozenset()

    def is_built(self, model: str) -> bool:
        """Whether the mart exists and has been built."""
        return model in self.tables and self.generations.get(model, 0) > 0


def source_versions(store: Store, tables: Sequence[Table]) -> dict[str, Version]:
    """The newest version of each source."""
    return {source_name(table): _version(store, table) for table in tables}


def _version(store: Store, table: Table) -> Version:
    delta_table = open_table(store, table)
    if delta_table is None:
        return Version(-1)
    number = delta_table.version()
    return Version(number, str(delta_table.metadata().id), unchanged_since(store, table, number))


def read_state(connection: duckdb.DuckDBPyConnection, models: Sequence[Model]) -> WarehouseState:
    """Reads the state; creates its tables where they are missing."""
    connection.execute(f"begin; {_SCHEMA}")
    connection.execute(
        "insert into novade.model select name, 0, 0, null, null, null, true "
        "from unnest($1) as names(name) where name not in (select model from novade.model)",
        [[model.name for model in models]],
    )
    connection.execute("commit")
    rows = connection.execute(
        "select model, generation, code, since, rebuild from novade.model"
    ).fetchall()
    taken_in = connection.execute(
        "select model, source, version, table_id from novade.taken_in"
    ).fetchall()
    warehouse = connection.execute("select id::text from novade.warehouse").fetchone()
    assert warehouse is not None
    return WarehouseState(
        warehouse_id=warehouse[0],
        generations={row[0]: row[1] for row in rows},
        codes={row[0]: row[2] for row in rows},
        since={row[0]: row[3] for row in rows},
        rebuild={row[0]: row[4] for row in rows if row[4] is not None},
        taken_in={(row[0], row[1]): Version(row[2], row[3] or "") for row in taken_in},
        tables=frozenset(
            row[0]
            for row in connection.execute(
                "select table_name from information_schema.tables where table_schema = 'marts'"
            ).fetchall()
        ),
    )


def with_unbuilt(
    state: WarehouseState, models: Sequence[Model], selected: Collection[str]
) -> set[str]:
    """The selected models, and those that they read and that have never been built.

    Args:
        models: all models, each after those that it reads.
    """
    needed = set(selected)
    for model in reversed(models):
        if model.name in needed:
            needed.update(ref for ref in model.refs if not state.is_built(ref))
    return needed


def pending(
    state: WarehouseState,
    models: Sequence[Model],
    versions: Mapping[str, Version],
    selected: Collection[str],
    *,
    rebuild: bool = False,
) -> dict[str, str]:
    """Returns the selected models to build, each with the reason.

    Args:
        state: of the warehouse before the invocation.
        models: all models, each after those that it reads.
        versions: the newest version of each source.
        selected: names of the models that may be built, with those that they need.
        rebuild: build all rows of all selected models.
    """
    reasons: dict[str, str] = {}
    for model in models:
        if model.name not in selected:
            continue
        if reason := _reason(state, model, versions, reasons, rebuild):
            reasons[model.name] = reason
    return reasons


def _reason(
    state: WarehouseState,
    model: Model,
    versions: Mapping[str, Version],
    building: Mapping[str, str],
    rebuild: bool,
) -> str | None:
    if rebuild:
        return "a rebuild was requested"
    if not state.is_built(model.name):
        return "it has never been built"
    if model.name in state.rebuild:
        return state.rebuild[model.name]
    if state.codes.get(model.name) != model.code:
        return "its code has changed"
    for source in model.sources:
        if not versions[source].has_rows_of(state.taken_in.get((model.name, source))):
            return f"{source} has changed"
    for ref in model.refs:
        taken_in = state.taken_in.get((model.name, f"marts.{ref}"), Version(-1))
        if ref in building or taken_in.number != state.generations[ref]:
            return f"{ref} has changed"
    return None


def prune(connection: duckdb.DuckDBPyConnection, models: Sequence[Model]) -> None:
    """Deletes the part of each model's log that the lake and all models that read it have."""
    reads = [(ref, model.name) for model in models if model.incremental for ref in model.refs]
    connection.execute(
        """
        with reads as (select unnest($2) as model, unnest($3) as follower),
        taken as (
            select reads.model, version as generation from novade.taken_in join reads
            on taken_in.model = follower and source = 'marts.' || reads.model
            union all
            select model, generation from novade.published
        ),
        oldest as (select model, min(generation) as generation from taken group by model)
        update novade.model set since = greatest(since, model.generation - $4, (
            select oldest.generation from oldest where oldest.model = model.model
        )) where model in (select unnest($1)) and model.generation > since
        """,
        [
            [model.name for model in models],
            [ref for ref, _ in reads],
            [follower for _, follower in reads],
            LOG_GENERATIONS,
        ],
    )
    for log in ("changes", "touched"):
        connection.execute(
            f"delete from novade.{log} as log using novade.model as model"
            " where log.model = model.model and log.generation <= model.since"
        )
