"""All names of a person: merges, chains, circles, and devices that several persons use."""

from collections.abc import Collection, Iterable

import pytest

from novade_pipeline.persons.closure import Kinds, Link, SeveralPersons, names_of_person
from novade_pipeline.persons.names import Name

KINDS = Kinds(shared=frozenset({"device"}), anonymous=frozenset({"amplitude"}))


def names(*told: str) -> frozenset[Name]:
    """`email:ada amplitude:1` as names."""
    return frozenset(Name(*one.split(":")) for text in told for one in text.split())


def person(start: str, *links: str) -> set[Name]:
    """The person behind a name, where rows say these links."""
    known: list[Link] = [names(link) for link in links]

    def links_of(wanted: Collection[Name]) -> Iterable[Link]:
        return [link for link in known if not link.isdisjoint(wanted)]

    return names_of_person(names(start), links_of, KINDS)


def test_a_person_nobody_speaks_of_has_the_one_name() -> None:
    assert person("email:ada", "email:bob amplitude:2") == names("email:ada")


def test_names_are_followed_from_row_to_row() -> None:
    links = ("email:ada amplitude:1", "email:ada contact:003A", "contact:003A lead:00Q")
    assert person("lead:00Q", *links) == names(*links)


def test_a_chain_of_merges_is_one_person_and_a_circle_ends() -> None:
    links = ("amplitude:1 amplitude:2", "amplitude:2 amplitude:3", "amplitude:3 amplitude:1")
    assert person("amplitude:2", *links) == names(*links)


def test_a_device_of_one_person_is_the_persons_with_what_was_anonymous_on_it() -> None:
    links = ("email:ada amplitude:1 device:d", "amplitude:9 device:d")
    assert person("email:ada", *links) == names(*links)


def test_a_device_that_others_who_are_known_use_is_nobodys() -> None:
    links = ("email:ada amplitude:1 device:d", "email:bob amplitude:2 device:d")
    assert person("email:ada", *links) == names("email:ada amplitude:1")
    assert person("email:bob", *links) == names("email:bob amplitude:2")


def test_a_device_is_shared_though_the_other_is_known_only_elsewhere() -> None:
    links = ("email:ada amplitude:1 device:d", "amplitude:2 device:d", "email:bob amplitude:2")
    assert person("email:ada", *links) == names("email:ada amplitude:1")


def test_what_was_anonymous_on_a_persons_device_leads_to_the_next_device() -> None:
    links = ("email:ada device:d", "amplitude:9 device:d", "amplitude:9 device:e")
    assert person("email:ada", *links) == names(*links)


def test_a_device_of_two_names_of_one_person_is_the_persons() -> None:
    links = (
        *("email:ada amplitude:1 device:d", "email:ada.home amplitude:2 device:d"),
        "amplitude:1 amplitude:2",
    )
    assert person("email:ada", *links) == names(*links)


def test_a_device_leads_to_its_only_user_and_is_refused_where_it_has_several() -> None:
    links = ("email:ada amplitude:1 device:d", "email:bob amplitude:2 device:e")
    assert person("device:d", *links) == names(links[0])
    with pytest.raises(SeveralPersons):
        person("device:d", *links, "email:bob device:d")
