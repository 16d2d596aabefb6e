"""All names of a person, followed from row to row until there are no more.

What is held is names of this person, and names that were seen with one of them, never those of all
persons: links come as a stream, and what leads to too many names is followed no further.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from novade_pipeline.privacy.identifiers import Identifier

MAX_IDENTIFIERS = 100_000
"""A name that leads to more names than this is no person's: a placeholder, a server, a kiosk."""

Link = frozenset[Identifier]
"""Names that one row, or many like it, says are of one person."""

LinksOf = Callable[[Collection[Identifier]], Iterable[Link]]
"""The links that hold at least one of some names; each call reads them all, so calls are few."""


@dataclass(frozen=True)
class Kinds:
    """What sorts of names there are beyond those that name exactly one known person.

    Attributes:
        shared: several persons may have such a name.
        anonymous: having such a name makes nobody known.
    """

    shared: frozenset[str] = frozenset()
    anonymous: frozenset[str] = frozenset()

    def own(self, names: Iterable[Identifier]) -> set[Identifier]:
        """Those that only one person can have."""
        return {name for name in names if name.kind not in self.shared}

    def has_known(self, names: Iterable[Identifier]) -> bool:
        """Whether any of these makes somebody known."""
        return any(name.kind not in self.shared | self.anonymous for name in names)


class SeveralPersons(Exception):
    """The name to begin with is shared by several known persons."""


class TooManyIdentifiers(Exception):
    """A name leads to more names than one person can have."""


def identifiers_of_person(
    start: Collection[Identifier], links_of: LinksOf, kinds: Kinds, limit: int = MAX_IDENTIFIERS
) -> set[Identifier]:
    """The names that are of the same person as those to begin with.

    A shared name joins where everybody known who has it is this person; with it join the anonymous
    names that were seen with it. Circles end, since each name is followed once.

    Args:
        limit: how many identifiers a person can have.

    Raises:
        SeveralPersons: one to begin with is shared, and more than one known person has it.
        TooManyNames: they lead to more names than `limit`.
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
    """The links of names, and those of the names of one person alone that they lead to."""
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
    """Raise where more than one known person has a shared name, or too many names stand with it."""
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
    """The shared names that nobody known has but the person, with all that was seen with them."""
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
    """Shared names, each with the names of one person alone that rows have beside it.

    Those with more than `limit` are left out, and where a person is given, those with a name that
    makes somebody else known: most that many people have are left out early.
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
    """The persons, known or not, whom names are of, each with all names of one person alone."""
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
