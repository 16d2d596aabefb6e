"""Finds all identifiers of a person through the rows that connect them.

Each step from identifiers to those in the same rows reads the tables batch by batch and retains
only the person's identifiers, so memory does not grow with the lake.
"""

from collections.abc import Collection, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

import pyarrow as pa

from novade_pipeline.errors import UserError
from novade_pipeline.lake.read import stream
from novade_pipeline.lake.table import Table
from novade_pipeline.privacy.closure import (
    MAX_IDENTIFIERS,
    Kinds,
    Link,
    SeveralPersons,
    TooManyIdentifiers,
    identifiers_of_person,
)
from novade_pipeline.privacy.identifiers import EMAIL, Identifier, is_address
from novade_pipeline.privacy.lookup import links_with
from novade_pipeline.privacy.marks import Identity
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.storage.store import Store


@dataclass(frozen=True)
class People:
    """The names in tables of a lake and how rows connect them.

    Attributes:
        tables: tables whose rows belong to persons.
        kinds: which kinds of names may be shared, and which are anonymous.
    """

    lake: Store
    tables: Sequence[Table]
    kinds: Kinds

    def links_of(self, names: Collection[Identifier]) -> Generator[Link]:
        """The links with at least one of the names, some more than once; reads the tables."""
        for table in self.tables:
            with closing(stream(self.lake, table, columns=list(table.owners.columns))) as batches:
                for batch in batches:
                    yield from links_with(pa.Table.from_batches([batch]), table.owners, names)

    def knows(self, names: Collection[Identifier]) -> bool:
        """Whether a row has any of the names."""
        with closing(self.links_of(names)) as links:
            return next(links, None) is not None

    def kinds_of(self, values: Collection[str]) -> list[Identifier]:
        """The names with one of these values, of any kind."""
        marks = (
            mark
            for table in self.tables
            for marks in table.owners.columns.values()
            for mark in marks
        )
        names = {
            Identifier(kind, value) for kind in {mark.kind for mark in marks} for value in values
        }
        return sorted({name for link in self.links_of(names) for name in link & names})


def people_of(lake: Store, tables: Collection[Table]) -> People:
    """The people of those tables whose rows belong to persons."""
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
    return People(lake, [table for table in tables if table.owners.columns], kinds)


def find_person(people: People, identifier: str, policy: PersonalDataPolicy) -> set[Identifier]:
    """All names of the person with an identifier, in plain and in hashed form.

    Args:
        identifier: an e-mail address, an id, or `kind:id`.

    Raises:
        UserError: several persons have it, or it leads to more names than a person has.
    """
    kind, _, value = identifier.partition(":")
    if is_address(identifier):
        start = {Identifier(EMAIL, form.strip().lower()) for form in _forms(identifier, policy)}
    else:
        forms = {*_forms(identifier, policy), *_forms(value, policy)}
        start = {
            name
            for name in people.kinds_of(forms)
            if name.value in _forms(identifier, policy) or name.kind == kind
        }
    try:
        persons = [
            identifiers_of_person({name}, people.links_of, people.kinds) for name in sorted(start)
        ]
    except SeveralPersons:
        raise UserError(
            "--user: expected an identifier of one person, found one that several known persons "
            "share; pass an e-mail address or an account's id."
        ) from None
    except TooManyIdentifiers:
        raise UserError(
            "--user: expected an identifier of one person, found one that leads to more than "
            f"{MAX_IDENTIFIERS:,} others, as a placeholder does; nothing is written. Pass another."
        ) from None
    ids = sorted(name for name in start if name.kind != EMAIL)
    if len(ids) > 1 and not set(ids) <= persons[0]:
        choices = " or ".join(f"{name.kind}:…" for name in ids)
        raise UserError(
            f"--user: expected an id of one system, found it in several: pass {choices}."
        )
    return start.union(*persons)


def _forms(identifier: str, policy: PersonalDataPolicy) -> list[str]:
    """An identifier in plain form, and hashed as in a lake of hashes."""
    return [identifier, policy.hash(identifier)] if policy.key else [identifier]
