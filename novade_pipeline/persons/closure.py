"""All names of a person, followed from row to row until there are no more."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from novade_pipeline.persons.names import Name

Link = frozenset[Name]
"""Names that one row, or many like it, says are of one person."""


@dataclass(frozen=True)
class Kinds:
    """What sorts of names there are beyond those that name exactly one known person.

    Attributes:
        shared: several persons may have such a name.
        anonymous: having such a name makes nobody known.
    """

    shared: frozenset[str] = frozenset()
    anonymous: frozenset[str] = frozenset()


class SeveralPersons(Exception):
    """The name to begin with is shared by several known persons."""


LinksOf = Callable[[Collection[Name]], Iterable[Link]]
"""The links that hold at least one of some names."""


def names_of_person(start: Collection[Name], links_of: LinksOf, kinds: Kinds) -> set[Name]:
    """The names that are of the same person as those to begin with.

    A shared name joins where everybody known who has it is this person; with it join the anonymous
    names that were seen with it. Circles end, since each name is followed once.

    Raises:
        SeveralPersons: one to begin with is shared, and more than one known person has it.
    """
    for name in start:
        if name.kind in kinds.shared and len(_known_persons(name, links_of, kinds)) > 1:
            raise SeveralPersons(name.value)
    found: set[Name] = set()
    shared: set[Name] = set()
    todo = set(start)
    while todo:
        found |= _follow(todo, links_of, kinds, shared)
        todo = set()
        for name in shared - found:
            others = _follow({name}, links_of, kinds)
            if not any(_is_known(other, kinds) for other in others - found):
                todo |= others - found
    return found


def _follow(
    names: Collection[Name], links_of: LinksOf, kinds: Kinds, shared: set[Name] | None = None
) -> set[Name]:
    """What these names, and those of one person alone that they lead to, lead to.

    Args:
        shared: takes the shared names that were met on the way; they are not followed.
    """
    found = set(names)
    begin = set(names)
    while begin:
        met = {name for link in links_of(begin) for name in link} - found
        if shared is not None:
            shared |= {name for name in met if name.kind in kinds.shared}
        begin = {name for name in met if name.kind not in kinds.shared}
        found |= begin
    return found


def _known_persons(name: Name, links_of: LinksOf, kinds: Kinds) -> list[set[Name]]:
    """The known persons who have a shared name, each with all names."""
    persons: list[set[Name]] = []
    for other in {other for link in links_of({name}) for other in link}:
        if other.kind in kinds.shared or any(other in person for person in persons):
            continue
        person = _follow({other}, links_of, kinds)
        if any(_is_known(one, kinds) for one in person):
            persons.append(person)
    return persons


def _is_known(name: Name, kinds: Kinds) -> bool:
    return name.kind not in kinds.shared and name.kind not in kinds.anonymous
