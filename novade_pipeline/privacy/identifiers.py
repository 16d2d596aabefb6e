"""Identifiers of persons, of a kind and in canonical form."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

EMAIL = "email"
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+", re.ASCII)
_IN_TEXT = re.compile(r"""[^\s@"<>(),;:\\\[\]{}=&?|/#]+@[\w-]+(?:\.[\w-]+)+""")
# JSON's escapes of one character: their letter is not the first of an address.
_ESCAPED = {"n": 1, "r": 1, "t": 1, "b": 1, "f": 1, "u": 5}


class Identifier(NamedTuple):
    """A person's identifier in some system."""

    kind: str
    value: str


def identifier_of(kind: str, value: Any) -> Identifier | None:
    """A value as an identifier; None where it is none. An e-mail address is of kind `email`."""
    if value is None or isinstance(value, bool | float | dict | list):
        return None
    text = str(value)
    bare = text.strip()
    if not bare:
        return None
    return Identifier(EMAIL, bare.lower()) if is_address(bare) else Identifier(kind, text)


def is_address(text: str) -> bool:
    """Whether a text is an e-mail address, or what stands for one under `hash`."""
    return _ADDRESS.fullmatch(text.strip()) is not None


def addresses_in(text: str) -> Iterator[tuple[int, int, str]]:
    """The e-mail addresses in a text, JSON and HTML too: (start, end, in small letters)."""
    for match in _IN_TEXT.finditer(text):
        start, end = match.span()
        if start and text[start - 1] == "\\":
            start += _ESCAPED.get(text[start], 0)
        while start < end and text[start] in "'.*`":
            start += 1
        address = text[start:end].lower()
        if not address.startswith("@"):
            yield start, end, address


ANY_DEPTH = "**"


class Paths:
    """Dotted paths in JSON documents, followed together from the root down.

    Keys are compared without case, lists are entered; `*` stands for any key, `**` for every value,
    `**.email` for whatever stands under such a key, however deep.

    Attributes:
        is_match: a path ends at this value.
        matches_scalar: a path ends at this value, if it is neither an object nor a list.
        is_dead_end: no path ends at this value or below it.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._set({tuple(path.lower().split(".")) for path in paths})

    def _set(self, tails: set[tuple[str, ...]]) -> None:
        pending = list(tails)
        while pending:
            tail = pending.pop()
            if tail[:1] == (ANY_DEPTH,) and len(tail) > 1 and tail[1:] not in tails:
                tails.add(tail[1:])
                pending.append(tail[1:])
        self._tails = frozenset(tails)
        self._keys = {tail[0] for tail in tails if tail}
        self._below: dict[str | None, Paths] = {}
        self.is_match = () in tails
        self.matches_scalar = (ANY_DEPTH,) in tails
        self.is_dead_end = not tails

    def below(self, key: str) -> "Paths":
        """The paths from the value of a key on."""
        name = key.lower()
        known = name if name in self._keys else None
        paths = self._below.get(known)
        if paths is None:
            tails = {tail for tail in self._tails if tail[:1] == (ANY_DEPTH,)}
            tails |= {tail[1:] for tail in self._tails if tail and tail[0] in (known, "*")}
            paths = Paths(())
            paths._set(tails)
            self._below[known] = self if paths._tails == self._tails else paths
        return self._below[known]


def values_at(document: Any, paths: Paths) -> Iterator[Any]:
    """The values at the paths of a JSON document, however deep it is."""
    pending = [(document, paths)]
    while pending:
        value, remaining = pending.pop()
        if remaining.is_dead_end:
            continue
        if isinstance(value, list):
            pending += [(item, remaining) for item in reversed(value)]
            continue
        if remaining.is_match or (remaining.matches_scalar and not isinstance(value, dict)):
            yield value
        if isinstance(value, dict):
            pending += [(item, remaining.below(key)) for key, item in reversed(value.items())]
