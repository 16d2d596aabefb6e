"""Names of persons: of a kind, in the form in which equal ones are equal."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

EMAIL = "email"
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+", re.ASCII)
_IN_TEXT = re.compile(r"""[^\s@"<>(),;:\\\[\]{}=&?|/#]+@[\w-]+(?:\.[\w-]+)+""")
# JSON's escapes of one character: their letter is not the first of an address.
_ESCAPED = {"n": 1, "r": 1, "t": 1, "b": 1, "f": 1, "u": 5}


class Identifier(NamedTuple):
    """What a person is called somewhere."""

    kind: str
    value: str


def identifier_of(kind: str, value: Any) -> Identifier | None:
    """A value as a name; None where it is none. An e-mail address is one of any kind."""
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
    for found in _IN_TEXT.finditer(text):
        start, end = found.span()
        if start and text[start - 1] == "\\":
            start += _ESCAPED.get(text[start], 0)
        while start < end and text[start] in "'.*`":
            start += 1
        address = text[start:end].lower()
        if not address.startswith("@"):
            yield start, end, address


ANY_DEPTH = "**"


class Paths:
    """Places in JSON documents: paths, dotted from the root, followed together from there down.

    Keys are compared without case, lists are entered; `*` stands for any key, `**` for every value,
    `**.email` for whatever stands under such a key, however deep.

    Attributes:
        is_here: a path ends here.
        is_value: here is what is meant, if it is neither an object nor a list.
        is_nowhere: no path leads here, or on from here.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._set({tuple(path.lower().split(".")) for path in paths})

    def _set(self, tails: set[tuple[str, ...]]) -> None:
        todo = list(tails)
        while todo:
            tail = todo.pop()
            if tail[:1] == (ANY_DEPTH,) and len(tail) > 1 and tail[1:] not in tails:
                tails.add(tail[1:])
                todo.append(tail[1:])
        self._tails = frozenset(tails)
        self._keys = {tail[0] for tail in tails if tail}
        self._below: dict[str | None, Paths] = {}
        self.is_match = () in tails
        self.matches_scalar = (ANY_DEPTH,) in tails
        self.is_dead_end = not tails

    def below(self, key: str) -> "Paths":
        """The same, from the value of a key on."""
        name = key.lower()
        known = name if name in self._keys else None
        found = self._below.get(known)
        if found is None:
            tails = {tail for tail in self._tails if tail[:1] == (ANY_DEPTH,)}
            tails |= {tail[1:] for tail in self._tails if tail and tail[0] in (known, "*")}
            found = Paths(())
            found._set(tails)
            self._below[known] = self if found._tails == self._tails else found
        return self._below[known]


def values_at(document: Any, paths: Paths) -> Iterator[Any]:
    """What stands at the paths of a JSON document, however deep it is."""
    todo = [(document, paths)]
    while todo:
        value, at = todo.pop()
        if at.is_dead_end:
            continue
        if isinstance(value, list):
            todo += [(item, at) for item in reversed(value)]
            continue
        if at.is_match or (at.matches_scalar and not isinstance(value, dict)):
            yield value
        if isinstance(value, dict):
            todo += [(item, at.below(key)) for key, item in reversed(value.items())]
