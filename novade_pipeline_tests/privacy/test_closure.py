"""All names of a person: merges, chains, circles, and devices that several persons use."""

from collections.abc import Collection, Iterable, Iterator

import pytest

from novade_pipeline.privacy.closure import (
    Kinds,
    Link,
    SeveralPersons,
    TooManyIdentifiers,
    identifiers_of_person,
)
from novade_pipeline.privacy.identifiers import Identifier

KINDS = Kinds(shared=frozenset({"device"}), anonymous=frozenset({"amplitude"}))


def names(*told: str) -> frozenset[Identifier]:
    """`email:ada amplitude:1` as names."""
    return frozenset(Identifier(*one.split(":")) for text in told for one in text.split())


def person(start: str, *links: str) -> set[Identifier]:
    """The person behind a name, where rows say these links."""
    known: list[Link] = [names(link) for link in links]

    def links_of(wanted: Collection[Identifier]) -> Iterable[Link]:
        return [link for link in known if not link.isdisjoint(wanted)]

    return identifiers_of_person(names(start), links_of, KINDS)


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


class Counted:
    """Links as a lake has them: read from the first each time that some are asked for."""

    def __init__(self, links: Iterable[Link]) -> None:
        self.links = list(links)
        self.asked = 0
        self.read = 0

    def __call__(self, wanted: Collection[Identifier]) -> Iterator[Link]:
        self.asked += 1
        for link in self.links:
            if not link.isdisjoint(wanted):
                self.read += 1
                yield link


def test_a_device_that_everybody_uses_is_left_after_the_first_stranger() -> None:
    everybody = [names(f"email:user{n} amplitude:{n} device:kiosk") for n in range(5_000)]
    links = Counted([names("email:ada device:kiosk"), *everybody])
    assert identifiers_of_person(names("email:ada"), links, KINDS) == names("email:ada")
    assert links.read < 10


def test_the_lake_is_read_as_often_as_a_person_is_deep_and_not_once_a_device() -> None:
    devices = [f"device:{n}" for n in range(40)]
    anonymous = [names(f"amplitude:{n} device:{n}") for n in range(40)]
    links = Counted([names(f"email:ada {device}") for device in devices] + anonymous)
    found = identifiers_of_person(names("email:ada"), links, KINDS)
    assert found == names("email:ada", *devices, *(f"amplitude:{n}" for n in range(40)))
    assert links.asked < 10


@pytest.mark.parametrize("start", ["email:ada", "user:undefined"])
def test_a_name_that_leads_to_more_than_a_person_has_is_refused(start: str) -> None:
    placeholder = [names(f"user:undefined amplitude:{n}") for n in range(100)]
    links = Counted([names("email:ada amplitude:7"), *placeholder])
    with pytest.raises(TooManyIdentifiers):
        identifiers_of_person(names(start), links, KINDS, limit=99)
    assert len(identifiers_of_person(names(start), links, KINDS, limit=200)) == 102


def test_a_server_with_more_anonymous_names_than_a_person_has_is_nobodys() -> None:
    server = [names(f"amplitude:{n} device:server") for n in range(100)]
    links = Counted(
        [names("email:ada device:server device:d"), *server, names("amplitude:a device:d")]
    )
    found = identifiers_of_person(names("email:ada"), links, KINDS, limit=50)
    assert found == names("email:ada device:d amplitude:a")
    with pytest.raises(SeveralPersons):
        identifiers_of_person(names("device:server"), links, KINDS, limit=50)


def test_many_anonymous_names_behind_one_device_do_not_cost_the_other_its_own() -> None:
    chain = [names(f"amplitude:{n} amplitude:{n + 1}") for n in range(100)]
    links = Counted(
        [
            names("email:ada device:long device:short"),
            names("amplitude:0 device:long"),
            names("amplitude:a device:short"),
            *chain,
        ]
    )
    found = identifiers_of_person(names("email:ada"), links, KINDS, limit=50)
    assert found == names("email:ada device:short amplitude:a")
