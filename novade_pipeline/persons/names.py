"""Names of persons: of a kind, in the form in which equal ones are equal."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

EMAIL = "email"
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+", re.ASCII)
_IN_TEXT = re.compile(r"""[^\s@"<>(),;:\\\[\]{}=&?|/#]+@[\w-]+(?:\.[\w-]+)+""")
# JSON's escapes of one character: their letter is not the first of an address.
_ESCAPED = {"n": 1, "r": 1, "t": 1, "b": 1, "f": 1, "u": 5}


class Name(NamedTuple):
    """What a person is called somewhere."""

    kind: str
    value: str


def name_of(kind: str, value: Any) -> Name | None:
    """A value as a name; None where it is none. An e-mail address is one of any kind."""
    if value is None or isinstance(value, bool | float | dict | list):
        return None
    text = str(value)
    bare = text.strip()
    if not bare:
        return None
    return Name(EMAIL, bare.lower()) if is_address(bare) else Name(kind, text)


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


def values_at(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """What stands at a path of a JSON document; keys are compared without case, lists are entered.

    `*` stands for any key, `**` for every value, `**.email` for every value under such a key.
    """
    if isinstance(value, list):
        for item in value:
            yield from values_at(item, path)
    elif not path or (path == ("**",) and not isinstance(value, dict)):
        yield value
    elif isinstance(value, dict):
        if path[0] == "**" and len(path) > 1:
            yield from values_at(value, path[1:])
        for key, item in value.items():
            if path[0] == "**":
                yield from values_at(item, path)
            elif path[0] in (key.lower(), "*"):
                yield from values_at(item, path[1:])
