"""Who is who in the lake: what rows say of each other's names, and a person found among them."""

import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b

import duckdb
import pyarrow as pa

from novade_pipeline.errors import UserError
from novade_pipeline.lake.query import literal
from novade_pipeline.lake.read import stream
from novade_pipeline.lake.table import Table
from novade_pipeline.personal_data import PersonalDataPolicy
from novade_pipeline.persons.closure import Kinds, Link, SeveralPersons, names_of_person
from novade_pipeline.persons.forget import links_in
from novade_pipeline.persons.marks import Identity
from novade_pipeline.persons.names import EMAIL, Name, is_address
from novade_pipeline.storage import Store


@dataclass(frozen=True)
class People:
    """The names in the lake and how rows connect them.

    Attributes:
        kinds: which sorts of names may be shared, and which make nobody known.
    """

    connection: duckdb.DuckDBPyConnection
    kinds: Kinds

    def links_of(self, names: Collection[Name]) -> Iterable[Link]:
        """The links that hold at least one of some names."""
        wanted = pa.table(
            [[name.kind for name in names], [name.value for name in names]], ["kind", "value"]
        )
        self.connection.register("wanted", wanted)
        rows = self.connection.execute(
            "select link, list(kind), list(value) from link where link in"
            " (select link from link semi join wanted using (kind, value)) group by link"
        ).fetchall()
        self.connection.unregister("wanted")
        return [frozenset(map(Name, kinds, values)) for _, kinds, values in rows]

    def kinds_of(self, values: Collection[str]) -> list[Name]:
        """The names that have one of these values, of whatever kind."""
        rows = self.connection.execute(
            "select distinct kind, value from link where list_contains($1, value)", [list(values)]
        )
        return sorted(Name(*row) for row in rows.fetchall())


@contextmanager
def people_of(lake: Store, tables: Iterable[Table]) -> Iterator[People]:
    """What the tables say of who is who, read once; it spills where it is much."""
    marks = [
        mark
        for table in tables
        for of_column in table.owners.columns.values()
        for mark in of_column
        if isinstance(mark, Identity)
    ]
    kinds = Kinds(
        frozenset(mark.kind for mark in marks if mark.shared),
        frozenset(mark.kind for mark in marks if mark.anonymous),
    )
    with (
        tempfile.TemporaryDirectory(prefix="novade-people-") as folder,
        duckdb.connect() as connection,
    ):
        connection.execute(f"set temp_directory = {literal(folder)}; set memory_limit = '1GB'")
        connection.execute("create table told (link text, kind text, value text)")
        for table in tables:
            if table.owners.columns:
                _read(connection, lake, table)
        connection.execute("create table link as select distinct * from told; drop table told")
        yield People(connection, kinds)


def find_person(people: People, told: str, policy: PersonalDataPolicy) -> set[Name]:
    """All names of the person that is called so, as the lake and as the world writes them.

    Args:
        told: an e-mail address, an id, or `kind:id`.

    Raises:
        UserError: several persons are called so.
    """
    kind, _, value = told.partition(":")
    begin = {name for name in people.kinds_of(_forms(value, policy)) if name.kind == kind}
    begin |= set(people.kinds_of(_forms(told, policy)))
    if is_address(told):
        begin = {Name(EMAIL, form.strip().lower()) for form in _forms(told, policy)}
    try:
        persons = [names_of_person({name}, people.links_of, people.kinds) for name in sorted(begin)]
    except SeveralPersons:
        raise UserError(
            "--user: expected a name of one person, found that several known persons share it; "
            "say an e-mail address or an account's id."
        ) from None
    others = sorted(name for name in begin if name.kind != EMAIL)
    if len(others) > 1 and not set(others) <= persons[0]:
        choices = " or ".join(f"{name.kind}:…" for name in others)
        raise UserError(
            f"--user: expected a name of one person, found it in several systems: say {choices}."
        )
    return begin.union(*persons)


def _forms(told: str, policy: PersonalDataPolicy) -> list[str]:
    """A name as the world writes it, and as a lake of hashes does."""
    return [told, policy.hash(told)] if policy.key else [told]


def _read(connection: duckdb.DuckDBPyConnection, lake: Store, table: Table) -> None:
    for batch in stream(lake, table, columns=list(table.owners.columns)):
        rows: list[tuple[str, str, str]] = []
        for link in links_in(pa.Table.from_batches([batch]), table.owners):
            number = blake2b(repr(sorted(link)).encode(), digest_size=16).hexdigest()
            rows += [(number, name.kind, name.value) for name in link]
        if rows:
            links, kinds, values = zip(*rows, strict=True)
            batch_told = pa.table([links, kinds, values], ["link", "kind", "value"])
            connection.register("batch_told", batch_told)
            connection.execute("insert into told from batch_told")
            connection.unregister("batch_told")
