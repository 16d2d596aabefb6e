"""Erases a person, step by step; an erasure that is killed and repeated has the same result.

1. Follow the person's identifiers through all tables.
2. Write tombstones: from then on no load brings the person back.
3. Correct the ledgers, then delete the rows, table by table.
4. Rebuild derived tables and marts whose sources changed.
5. Delete older versions and their log entries; rewrite the warehouse, delete dbt's working copy.
6. Scan landing, which is never changed.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from novade_pipeline.defs.erasure.landing_scan import LandedTraces, count_files, traces_in_landing
from novade_pipeline.defs.erasure.ledgers import account
from novade_pipeline.defs.erasure.people import find_person, people_of
from novade_pipeline.defs.erasure.removal import remove
from novade_pipeline.defs.erasure.traces import Traces, traces_in
from novade_pipeline.errors import UserError
from novade_pipeline.lake.database_copies import reader_copy, working_copy
from novade_pipeline.lake.deletion import (
    PurgeReceipt,
    has_erasures,
    purge_history,
    storage_clock,
)
from novade_pipeline.lake.duckdb_file import delete_database, rewrite_database
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.tombstones import TOMBSTONES, TombstoneRegistry
from novade_pipeline.landing.source import Source
from novade_pipeline.privacy.forget import EitherErased, ErasedIdentifiers, GivenIdentifiers
from novade_pipeline.privacy.identifiers import Identifier
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.settings import Settings
from novade_pipeline.storage.local import LocalStore
from novade_pipeline.storage.store import Store

Log = Callable[[str], None]
OnFiles = Callable[[int, int], None]
"""Receives how many landing files have been scanned, and how many there are."""


@dataclass(frozen=True)
class ErasureScope:
    """What an erasure needs of the graph; passed in, since domains do not import each other.

    Attributes:
        tables: every declared table, by name.
        marts: the published marts.
        sources: of each domain that loads files, its sources, each with its placement rules.
        require_no_run_in_progress: raises while a run is in progress.
        rebuild: updates derived tables whose sources changed, or rebuilds all marts if true;
            returns what failed.
        copies: delete erased persons from the copies that domains have beside their tables; each
            returns the places that it rewrote.
    """

    tables: Mapping[str, Table]
    marts: Sequence[Table]
    sources: Sequence[tuple[Source, Any]]
    require_no_run_in_progress: Callable[[], None]
    rebuild: Callable[[bool], Sequence[str]]
    copies: Sequence[Callable[[Store, ErasedIdentifiers], Sequence[str]]] = ()


@dataclass(frozen=True)
class TableErasure:
    """What an erasure deleted, or would delete, from a table.

    Attributes:
        rows: rows of the person.
        amended: other rows in which an address was replaced.
        past: files of older versions; None if they were not examined.
    """

    table: str
    rows: int
    amended: int
    past: PurgeReceipt | None = None


@dataclass(frozen=True)
class Erasure:
    """What an erasure did, or would do."""

    names: Mapping[str, int]
    tables: Sequence[TableErasure]
    landed: LandedTraces
    failures: Sequence[str] = ()


def erase(
    settings: Settings,
    scope: ErasureScope,
    identifier: str,
    *,
    dry_run: bool = False,
    log: Log = lambda _: None,
    on_files: OnFiles = lambda _done, _of: None,
) -> Erasure:
    """Erase the person with an identifier.

    Args:
        identifier: an e-mail address, an id, or `kind:id`.
        dry_run: only report what would be deleted; only reads, so beside any run.
        log: receives one sentence a step.
        on_files: receives the progress of scanning landing.

    Raises:
        UserError: a run is in progress, or no person or several have the identifier.
        TransientFailure: the storage failed, or another writer was faster: erase again.
    """
    lake, policy = settings.lake, settings.personal_data_policy
    if not dry_run:
        scope.require_no_run_in_progress()
    book = TombstoneRegistry(lake, policy.key)
    log("Following the person's identifiers through the lake.")
    people = people_of(lake, scope.tables.values())
    names = find_person(people, identifier, policy)
    if not people.knows(names) and not any(map(book.current().contains, names)):
        raise UserError(
            "novade erase: expected an identifier of a person in the lake, found no such person"
            f"{_drop_hint(policy)}; nothing is written."
        )
    if dry_run:
        return _preview(settings, scope, names, book, log, on_files)
    return _delete(settings, scope, names, book, log, on_files)


def _preview(
    settings: Settings,
    scope: ErasureScope,
    names: set[Identifier],
    book: TombstoneRegistry,
    log: Log,
    on_files: OnFiles,
) -> Erasure:
    # Earlier tombstones too: what a killed erasure left would go with this one.
    erased = EitherErased(GivenIdentifiers(frozenset(names)), book.current())
    log("Counting rows.")
    by_table = _traces(settings.lake, scope.tables, erased)
    by_table |= {mart.name: traces_in(settings.lake, mart, erased) for mart in scope.marts}
    results = [_result(traces) for traces in by_table.values()]
    log("Scanning landing.")
    as_landed = settings.personal_data_policy.as_landed(erased)
    landed = _scan_landing(settings, scope, as_landed, on_files)
    return Erasure(_count_kinds(names), results, landed)


def _delete(
    settings: Settings,
    scope: ErasureScope,
    names: set[Identifier],
    book: TombstoneRegistry,
    log: Log,
    on_files: OnFiles,
) -> Erasure:
    lake = settings.lake
    log("Writing tombstones.")
    book.add(names, datetime.now(UTC))
    started_at = storage_clock(lake, TOMBSTONES)
    # A run that began before the tombstones may be loading the person again.
    scope.require_no_run_in_progress()
    log("Deleting rows.")
    by_table = _traces(lake, scope.tables, book.current())
    marts = {mart.name: traces_in(lake, mart, book.current()) for mart in scope.marts}
    for source, _ in scope.sources:
        account(lake, source, by_table)
    for name in _followers_first(scope.tables):
        if by_table[name].rows or by_table[name].amended:
            remove(lake, by_table[name], by_table.get(scope.tables[name].follows or ""))
    for forget in scope.copies:
        for place in forget(lake, book.current()):
            log(f"{place} was rewritten.")
    log("Rebuilding derived tables and marts.")
    failures = list(scope.rebuild(False))
    if any(traces_in(lake, mart, book.current()).rows for mart in scope.marts):
        failures = list(scope.rebuild(True))
    log("Deleting older versions.")
    past = {}
    for table in (*scope.tables.values(), *scope.marts):
        if table in scope.marts or _is_about_persons(table) or has_erasures(lake, table):
            past[table.name] = purge_history(lake, table, started_at)
    rewrite_database(settings.warehouse_path, lake, settings.warehouse_patience, log)
    delete_database(working_copy(settings.warehouse_path))
    if not isinstance(lake, LocalStore):
        # The copy has rows there, and what was deleted from them; a run makes it anew.
        delete_database(reader_copy(settings.warehouse_path))
        failures += scope.rebuild(False)
    results = [_result(traces, past.get(name)) for name, traces in by_table.items()]
    results += [_result(traces, past[name]) for name, traces in marts.items()]
    log("Scanning landing.")
    erased = settings.personal_data_policy.as_landed(book.current())
    landed = _scan_landing(settings, scope, erased, on_files)
    return Erasure(_count_kinds(names), results, landed, failures)


def _traces(
    lake: Store, tables: Mapping[str, Table], erased: ErasedIdentifiers
) -> dict[str, Traces]:
    """The traces in each table; a table that follows another has that one's rows."""
    traces = {name: traces_in(lake, table, erased) for name, table in tables.items()}
    for name, table in tables.items():
        if table.follows is not None:
            traces[name].rows = traces[table.follows].rows
    return traces


def _followers_first(tables: Mapping[str, Table]) -> list[str]:
    """Table names; a follower comes first, since the followed rows say which of its rows go."""
    return sorted(tables, key=lambda name: (tables[name].follows is None, name))


def _is_about_persons(table: Table) -> bool:
    return bool(table.personal or table.owners or table.follows)


def _scan_landing(
    settings: Settings, scope: ErasureScope, erased: ErasedIdentifiers, on_files: OnFiles
) -> LandedTraces:
    landed = LandedTraces()
    total = sum(count_files(settings.landing, source) for source, _ in scope.sources)
    for source, rules in scope.sources:
        traces_in_landing(
            settings.landing,
            source,
            rules,
            erased,
            landed,
            # Files may land meanwhile.
            on_files=lambda done: on_files(done, max(done, total)),
        )
    return landed


def _result(traces: Traces, past: PurgeReceipt | None = None) -> TableErasure:
    amended = max(traces.amended.values(), default=0)
    return TableErasure(traces.table.name, traces.rows, amended, past)


def _count_kinds(names: Iterable[Identifier]) -> Mapping[str, int]:
    return Counter(name.kind for name in sorted(names))


def _drop_hint(policy: PersonalDataPolicy) -> str:
    if policy.mode == "drop":
        return ", since NOVADE_PERSONAL_DATA is drop and no address is stored: pass an id"
    return ""
