"""All identifiers of a person, followed from row to row.

Memory holds this person's identifiers and those linked to them, never everybody's: links are a
stream, and an identifier that leads to too many others is not followed.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from novade_pipeline.privacy.identifiers import Identifier

MAX_IDENTIFIERS = 100_000
"""An identifier with more links than this is a placeholder, a server or a kiosk."""

Link = frozenset[Identifier]
"""Identifiers that a row gives to one person."""

LinksOf = Callable[[Collection[Identifier]], Iterable[Link]]
"""The links with at least one of the identifiers; each call reads all links, so calls are few."""


@dataclass(frozen=True)
class Kinds:
    """The kinds of identifiers that do not identify exactly one known person.

    Attributes:
        shared: several persons may have such an identifier.
        anonymous: a person who has only such identifiers has no account.
    """

    shared: frozenset[str] = frozenset()
    anonymous: frozenset[str] = frozenset()

    def own(self, names: Iterable[Identifier]) -> set[Identifier]:
        """The identifiers that only one person can have."""
        return {name for name in names if name.kind not in self.shared}

    def has_known(self, names: Iterable[Identifier]) -> bool:
        """Whether any of these identifies a known person."""
        return any(name.kind not in self.shared | self.anonymous for name in names)


class SeveralPersons(Exception):
    """The first identifier is shared by several known persons."""


class TooManyIdentifiers(Exception):
    """An identifier leads to more identifiers than one person can have."""


def identifiers_of_person(
    start: Collection[Identifier], links_of: LinksOf, kinds: Kinds, limit: int = MAX_IDENTIFIERS
) -> set[Identifier]:
    """The identifiers of the person who has the first ones.

    A shared identifier belongs to this person where no other known person has it; the anonymous
    identifiers linked to it belong too. Circles end, since each identifier is followed once.

    Args:
        limit: how many identifiers a person can have.

    Raises:
        SeveralPersons: a first identifier is shared by more than one known person.
        TooManyIdentifiers: they lead to more than `limit`.
    """
    for name in start:
        if name.kind in kinds.shared:
            _refuse_several(name, links_of, kinds, limit)
    person: set[Identifier] = set()
    shared: set[Identifier] = set()
    pending = set(start)
    while pending:
        person |= pending
        for link in _walk(pending, links_of, kinds, limit):
            own = kinds.own(link)
            person |= own
            shared |= link - own
        pending = _joining(shared - person, person, links_of, kinds, limit)
    return person


def _walk(
    begin: Collection[Identifier], links_of: LinksOf, kinds: Kinds, limit: int
) -> Iterator[Link]:
    """The links of identifiers, and of the unshared identifiers that these lead to."""
    reached = set(begin)
    level = set(begin)
    while level:
        following: set[Identifier] = set()
        for link in links_of(level):
            following |= kinds.own(link) - reached
            if len(reached) + len(following) > limit:
                raise TooManyIdentifiers
            yield link
        reached |= following
        level = following


def _refuse_several(name: Identifier, links_of: LinksOf, kinds: Kinds, limit: int) -> None:
    """Raise where several known persons, or too many identifiers, have a shared one."""
    others = _seen_with([name], links_of, kinds, limit).get(name)
    try:
        if others is not None:
            groups = _groups(others, links_of, kinds, limit)
            if sum(kinds.has_known(group) for group in groups) <= 1:
                return
    except TooManyIdentifiers:
        pass
    raise SeveralPersons(name.value)


def _joining(
    shared: Collection[Identifier],
    person: set[Identifier],
    links_of: LinksOf,
    kinds: Kinds,
    limit: int,
) -> set[Identifier]:
    """The shared identifiers that no other known person has, with those linked to them."""
    if not shared:
        return set()
    seen_with = _seen_with(shared, links_of, kinds, limit, person)
    try:
        groups = _groups(set().union(*seen_with.values()) - person, links_of, kinds, limit)
    except TooManyIdentifiers:
        if len(seen_with) == 1:
            return set()
        alone = (_joining([name], person, links_of, kinds, limit) for name in seen_with)
        return set().union(*alone)
    joining: set[Identifier] = set()
    for name, others in seen_with.items():
        reached = set().union(*(group for group in groups if not group.isdisjoint(others)))
        if not kinds.has_known(reached):
            joining |= {name, *reached}
    return joining


def _seen_with(
    shared: Collection[Identifier],
    links_of: LinksOf,
    kinds: Kinds,
    limit: int,
    person: Collection[Identifier] | None = None,
) -> dict[Identifier, set[Identifier]]:
    """Shared identifiers, each with the unshared ones that rows link to it.

    Those with more than `limit` are left out, and those of a known person other than `person`.
    """
    seen_with: dict[Identifier, set[Identifier]] = {name: set() for name in shared}
    for link in links_of(shared):
        own = kinds.own(link)
        is_foreign = person is not None and kinds.has_known(own.difference(person))
        for name in link & seen_with.keys():
            seen_with[name] |= own
            if is_foreign or len(seen_with[name]) > limit:
                del seen_with[name]
        if not seen_with:
            break
    return seen_with


def _groups(
    names: Collection[Identifier], links_of: LinksOf, kinds: Kinds, limit: int
) -> list[set[Identifier]]:
    """The unshared identifiers of each person, known or not, who has any of `names`."""
    group_of = {name: {name} for name in names}
    for link in _walk(names, links_of, kinds, limit):
        own = kinds.own(link)
        parts = {id(part): part for name in own if (part := group_of.get(name)) is not None}
        joined = max(parts.values(), key=len, default=set())
        for part in [*parts.values(), own]:
            if part is not joined:
                joined |= part
                group_of |= dict.fromkeys(part, joined)
    return list({id(group): group for group in group_of.values()}.values())
