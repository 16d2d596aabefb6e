"""Finds drug names in titles, all names in one pass (Aho-Corasick)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from novade_pipeline.defs.publications.folding import fold, fold_all

Positions = np.ndarray[Any, np.dtype[np.int64]]

_WORD = np.zeros(256, bool)
_WORD[[*b"abcdefghijklmnopqrstuvwxyz0123456789_", *range(128, 256)]] = True


@dataclass(frozen=True)
class DrugNames:
    """A drug and all its names."""

    drug: str
    atccode: str | None
    names: tuple[str, ...]


class Match(NamedTuple):
    """One name in one title; `title` and `drug` are positions in the given sequences."""

    title: int
    drug: int
    name: str


class DrugMatcher:
    """Finds the names of drugs as whole words; a name of several words, with single spaces."""

    def __init__(self, drugs: Sequence[DrugNames]) -> None:
        from ahocorasick_rs import BytesAhoCorasick

        drugs_of: dict[bytes, list[int]] = {}
        for number, drug in enumerate(drugs):
            for name in drug.names:
                folded = fold(name).encode()
                if folded and number not in drugs_of.setdefault(folded, []):
                    drugs_of[folded].append(number)
        self._names = list(drugs_of)
        self._drugs = list(drugs_of.values())
        self._automaton = BytesAhoCorasick(self._names) if self._names else None
        # A name that begins or ends with a sign needs no word boundary on that side.
        self._begins = np.array([_WORD[name[0]] for name in self._names], bool)
        self._ends = np.array([_WORD[name[-1]] for name in self._names], bool)

    def find(self, titles: Iterable[str]) -> list[Match]:
        """Each drug of each title once with its longest name, ordered by title, then drug."""
        return self.find_in_folded(fold_all(list(titles)))

    def find_in_folded(self, titles: Sequence[str]) -> list[Match]:
        """As `find`, in folded titles."""
        if self._automaton is None:
            return []
        text = "\n".join(["", *titles, ""]).encode()
        matches = self._automaton.find_matches_as_indexes(text, overlapping=True)
        if not matches:
            return []
        names, starts, ends = np.array(matches, np.int64).T
        content = np.frombuffer(text, np.uint8)
        is_whole = ~(self._begins[names] & _WORD[content[starts - 1]])
        is_whole &= ~(self._ends[names] & _WORD[content[ends]])
        names, starts = names[is_whole], starts[is_whole]
        at = np.searchsorted(np.flatnonzero(content == ord("\n")), starts) - 1
        return self._longest_names(at, names)

    def _longest_names(self, titles: Positions, names: Positions) -> list[Match]:
        longest: dict[tuple[int, int], bytes] = {}
        for title, number in zip(titles.tolist(), names.tolist(), strict=True):
            name = self._names[number]
            for drug in self._drugs[number]:
                previous = longest.get((title, drug), b"")
                if (len(name), name) > (len(previous), previous):
                    longest[title, drug] = name
        return [
            Match(title, drug, name.decode()) for (title, drug), name in sorted(longest.items())
        ]
