"""Names in titles: whole words, whatever their case, accents and signs."""

import re
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novade_pipeline.defs.publications.folding import fold, fold_all
from novade_pipeline.defs.publications.matcher import DrugMatcher, DrugNames


def _found(title: str, *names: str) -> list[str]:
    matcher = DrugMatcher([DrugNames(name, None, (name,)) for name in names])
    return [names[found.drug] for found in matcher.find(["another title", title])]


@pytest.mark.parametrize(
    ("name", "title", "is_there"),
    [
        ("EPINEPHRINE", "The cost of Epinephrine autoinjectors", True),
        ("EPINEPHRINE", "Norepinephrine and others", False),
        ("EPINEPHRINE", "epinephrines", False),
        ("EPINEPHRINE", "epinephrine", True),
        ("ETHANOL", "ethanol-induced, (ethanol), “ethanol”", True),
        ("ETHANOL", "ethanol_x and xethanol and ethanol2", False),
        ("ETHANOL", "ethanol² and more", True),
        ("QUZYTTIR", "Phase 2 Study IV QUZYTTIR™ (Cetirizine)", True),
        ("Ibuprofène", "IBUPROFENE for pain", True),
        ("IBUPROFENE", "ibuprofe\u0300ne for pain", True),
        ("Straßine", "STRASSINE", True),
        ("diphenhydramine", "Diphen\u00adhydramine", True),
        ("\u03b1-tocopherol", "\u0391-TOCOPHEROL", True),
        ("tocopherol", "\u03b1tocopherol", False),
        ("folic acid", "Folic\u00a0acid", True),
        ("folic acid", "folic, acid", False),
        ("5-fluorouracil", "with 5\u2010fluorouracil", True),
        ("C++", "C++ers", True),
        ("ﬁnasteride", "Finasteride", True),
        ("阿司匹林", "阿司匹林 and more", True),
    ],
)
def test_a_name_is_found_as_a_whole_word(name: str, title: str, is_there: bool) -> None:
    assert _found(title, name) == [name] * is_there


def test_names_within_names_are_found_too() -> None:
    assert _found("folic acid", "acid", "folic acid", "lic") == ["acid", "folic acid"]


def test_a_drug_stands_once_a_title_by_its_longest_name() -> None:
    matcher = DrugMatcher([DrugNames("ASA", None, ("ASA", "aspirin", "aspirin plus"))])
    (found,) = matcher.find(["ASA, aspirin, Aspirin Plus, aspirin"])
    assert found.name == "aspirin plus"


def test_one_name_may_stand_for_two_drugs() -> None:
    matcher = DrugMatcher(
        [DrugNames("A", None, ("A", "shared")), DrugNames("B", None, ("B", "shared"))]
    )
    assert [found.drug for found in matcher.find(["shared"])] == [0, 1]


def test_without_drugs_or_titles_nothing_is_found() -> None:
    assert DrugMatcher([]).find(["anything"]) == []
    assert DrugMatcher([DrugNames("A", None, ("A", " "))]).find([]) == []
    assert DrugMatcher([DrugNames("A", None, ("™",))]).find(["™", ""]) == []


_WORDS = st.sampled_from(["aspirin", "acid", "Folic", "é", "É", "-", "ß", "SS", "a", "™", "_", " "])
_TEXT = st.lists(_WORDS, max_size=12).map("".join)


@given(st.lists(_TEXT, max_size=5), st.lists(_TEXT.filter(lambda t: fold(t) != ""), max_size=6))
def test_all_names_at_once_give_what_one_regular_expression_a_name_gives(
    titles: list[str], names: list[str]
) -> None:
    matcher = DrugMatcher([DrugNames(name, None, (name,)) for name in names])
    expected = set()
    for i, title in enumerate(titles):
        for j, name in enumerate(names):
            folded = fold(name)
            before = r"(?<!\w)" if re.match(r"\w", folded[0]) else ""
            after = r"(?!\w)" if re.match(r"\w", folded[-1]) else ""
            if re.search(before + re.escape(folded) + after, fold(title)):
                expected.add((i, j))
    assert {(found.title, found.drug) for found in matcher.find(titles)} == expected


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_texts_of_many_different_characters_are_folded_as_those_of_few() -> None:
    every = [chr(point) for point in range(0x3000)]
    assert fold_all(every) == [fold(character) for character in every]


def test_memory_is_bounded_by_the_batch() -> None:
    matcher = DrugMatcher([DrugNames(f"drug{i}", None, (f"drug{i}",)) for i in range(1000)])

    def peak(batches: int) -> int:
        tracemalloc.start()
        for number in range(batches):
            matcher.find([f"on drug{(number * 7 + i) % 2000} in mice" for i in range(2000)])
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return held

    assert peak(20) < 1.5 * peak(2)


@given(st.lists(st.one_of(st.text(), _TEXT)))
def test_many_texts_at_once_are_folded_as_one_by_one(texts: list[str]) -> None:
    assert fold_all(texts) == [fold(text) for text in texts]
    assert all("\n" not in text and "  " not in text for text in fold_all(texts))
