"""Erasing a person, step by step; killed anywhere and repeated, it comes to the same end.

1. The names of the person are followed through all tables.
2. Tombstones: from now on no load brings the person back.
3. The ledgers are told, and the rows go, table by table.
4. What is derived, the marts among it, is made again where its sources changed.
5. Older versions go, and the log with what it says of them; the warehouse is written anew.
6. Landing is only looked at.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from novade_pipeline.defs.erasure.landing_scan import LandedTraces, traces_in_landing
from novade_pipeline.defs.erasure.ledgers import account
from novade_pipeline.defs.erasure.people import find_person, people_of
from novade_pipeline.defs.erasure.removal import remove
from novade_pipeline.defs.erasure.traces import Traces, traces_in
from novade_pipeline.errors import UserError
from novade_pipeline.lake.deletion import (
    PurgeReceipt,
    has_erasures,
    purge_history,
    storage_clock,
)
from novade_pipeline.lake.duckdb_file import rewrite_database
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.tombstones import TOMBSTONES, TombstoneRegistry
from novade_pipeline.landing.source import Source
from novade_pipeline.privacy.forget import EitherErased, ErasedIdentifiers, GivenIdentifiers
from novade_pipeline.privacy.identifiers import Identifier
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store

Log = Callable[[str], None]


@dataclass(frozen=True)
class ErasureScope:
    """What an erasure needs of the graph, and does not import: a domain knows no other's code.

    Attributes:
        tables: every declared table, by its name.
        marts: the marts as they are published.
        sources: of each domain that loads files, its sources with what makes a file have a place.
        require_no_run_in_progress: raises where a run is at work.
        derive: makes what is derived again where its sources changed, or all marts anew; tells
            what failed.
        copies: take erased persons out of what domains keep beside their tables; each gives the
            places in which there were some.
    """

    tables: Mapping[str, Table]
    marts: Sequence[Table]
    sources: Sequence[tuple[Source, Any]]
    require_no_run_in_progress: Callable[[], None]
    rebuild: Callable[[bool], Sequence[str]]
    copies: Sequence[Callable[[Store, ErasedIdentifiers], Sequence[str]]] = ()


@dataclass(frozen=True)
class TableErasure:
    """What went, or would go, of a table.

    Attributes:
        rows: of the person.
        amended: rows of others in which an address was replaced.
        past: files of older versions; None where they were not looked at.
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
) -> Erasure:
    """Erase the person that is called so.

    Args:
        told: an e-mail address, an id, or `kind:id`.
        dry_run: only say what would go.
        tell: told one sentence a step.

    Raises:
        UserError: a run is at work, nobody is called so, or several are.
        TransientFailure: the storage failed, or another writer was faster: erase again.
    """
    lake, policy = settings.lake, settings.personal_data_policy
    scope.require_no_run_in_progress()
    book = TombstoneRegistry(lake, policy.key)
    log("The person's names are followed through the lake.")
    people = people_of(lake, scope.tables.values())
    names = find_person(people, identifier, policy)
    if not people.knows(names) and not any(map(book.current().contains, names)):
        raise UserError(
            f"novade erase: expected a person that the lake knows, found nobody called so"
            f"{_why_nobody(policy)}; nothing is written."
        )
    if dry_run:
        return _dry(settings, scope, names, book, log)
    return _erase(settings, scope, names, book, log)


def _dry(
    settings: Settings,
    scope: ErasureScope,
    names: set[Identifier],
    book: TombstoneRegistry,
    log: Log,
) -> Erasure:
    # Those of before too: what a killed erasure left would go with this one.
    erased = EitherErased(GivenIdentifiers(frozenset(names)), book.current())
    found = _traces(settings.lake, scope.tables, erased)
    found |= {mart.name: traces_in(settings.lake, mart, erased) for mart in scope.marts}
    counted = [_counted(traces) for traces in found.values()]
    landed = _landed(settings, scope, settings.personal_data_policy.as_landed(erased), log)
    return Erasure(_kinds(names), counted, landed)


def _erase(
    settings: Settings,
    scope: ErasureScope,
    names: set[Identifier],
    book: TombstoneRegistry,
    log: Log,
) -> Erasure:
    lake = settings.lake
    log("Tombstones are written.")
    book.add(names, datetime.now(UTC))
    begun = storage_clock(lake, TOMBSTONES)
    # A run that began before the tombstones stood may be loading the person again.
    scope.require_no_run_in_progress()
    log("Rows are taken away.")
    found = _traces(lake, scope.tables, book.current())
    marts = {mart.name: traces_in(lake, mart, book.current()) for mart in scope.marts}
    for source, _ in scope.sources:
        account(lake, source, found)
    for name in _followers_first(scope.tables):
        if found[name].rows or found[name].amended:
            remove(lake, found[name], found.get(scope.tables[name].follows or ""))
    for forget in scope.copies:
        for place in forget(lake, book.current()):
            log(f"{place} is written anew.")
    log("What is derived is made again.")
    failures = list(scope.rebuild(False))
    if any(traces_in(lake, mart, book.current()).rows for mart in scope.marts):
        failures = list(scope.rebuild(True))
    log("Older versions are deleted.")
    past = {}
    for table in (*scope.tables.values(), *scope.marts):
        if table in scope.marts or _is_about_persons(table) or has_erasures(lake, table):
            past[table.name] = purge_history(lake, table, begun)
    rewrite_database(settings.warehouse_path, lake)
    counted = [_counted(traces, past.get(name)) for name, traces in found.items()]
    counted += [_counted(traces, past[name]) for name, traces in marts.items()]
    erased = settings.personal_data_policy.as_landed(book.current())
    return Erasure(_kinds(names), counted, _landed(settings, scope, erased, log), failures)


def _traces(
    lake: Store, tables: Mapping[str, Table], erased: ErasedIdentifiers
) -> dict[str, Traces]:
    """What each table holds; what follows another has what that has."""
    found = {name: traces_in(lake, table, erased) for name, table in tables.items()}
    for name, table in tables.items():
        if table.follows is not None:
            found[name].rows = found[table.follows].rows
    return found


def _followers_first(tables: Mapping[str, Table]) -> list[str]:
    """What follows a table goes before it: by the table's rows it is known which."""
    return sorted(tables, key=lambda name: (tables[name].follows is None, name))


def _is_about_persons(table: Table) -> bool:
    return bool(table.personal or table.owners or table.follows)


def _landed(
    settings: Settings, scope: ErasureScope, erased: ErasedIdentifiers, log: Log
) -> LandedTraces:
    log("Landing is looked at.")
    found = LandedTraces()
    for source, rules in scope.sources:
        traces_in_landing(settings.landing, source, rules, erased, found)
    return found


def _counted(traces: Traces, past: PurgeReceipt | None = None) -> TableErasure:
    amended = max(traces.amended.values(), default=0)
    return TableErasure(traces.table.name, traces.rows, amended, past)


def _kinds(names: Iterable[Identifier]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for name in sorted(names):
        counted[name.kind] = counted.get(name.kind, 0) + 1
    return counted


def _why_nobody(policy: PersonalDataPolicy) -> str:
    if policy.mode == "drop":
        return ", since NOVADE_PERSONAL_DATA is drop and no address is kept: say an id"
    return ""
