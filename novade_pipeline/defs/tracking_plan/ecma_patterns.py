r"""Patterns as JSON Schema means them: regular expressions of ECMA 262, the language of JavaScript.

Belongs here: reading a pattern, matching it, and the reference library with these patterns in the
place of Python's. In Python `$` is true before a last line feed, `\d` and `\w` know all scripts,
and `\p{L}`, `(?<year>…)` and `[^]` do not exist.

A pattern is read with the flag `u`, by whole characters, and where that grammar refuses it (an
escape that is not needed, as in `\-`) by the older one without, as browsers read it.
Source: https://json-schema.org/draft-07/json-schema-validation#rfc.section.4.3 and ECMA 262,
sections 22.2.1 and B.1.2.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import corvus_regex_ecma262 as ecma
from jsonschema import Draft7Validator, ValidationError
from jsonschema.validators import extend

from novade_pipeline.defs.tracking_plan.json_schema import Schema

# Time is linear in the text, but for a pattern with a reference to one of its groups.
MATCH_SECONDS = 1.0

# A part of a pattern that Rust's regular expressions read in the same way, once `\d` and `\w` are
# written out: no `.`, no `\s`, no `\b`, nothing that looks around or back, ASCII only.
_ESCAPED = r"\\[\^$\\.*+?()\[\]{}|/]"
_IN_CLASS = rf"(?:\\[dw]|{_ESCAPED}|[\w !\"#$%'()*+,./:;<=>?@`{{|}}])"
_PLAIN = re.compile(
    rf"(?:\[\^?-?(?:{_IN_CLASS}(?:-[A-Za-z0-9])?)+-?\]|\\[dw]|{_ESCAPED}"
    r"|[\w !\"#%&',\-/:;<=>@`~^$|]|\(\?:|\((?!\?)|\)|[*+?]|\{\d{1,3}(?:,\d{0,3})?\})*",
    re.ASCII,
)
_SHORTHANDS = {r"\d": "0-9", r"\w": "0-9A-Za-z_"}


class PatternTimeout(ValueError):
    """A pattern takes too long on a text."""


@lru_cache(maxsize=4_096)
def read_pattern(pattern: str) -> ecma.Regex:
    """Compile a pattern.

    Raises:
        ValueError: it is no regular expression of ECMA 262; the message says why.
    """
    try:
        return ecma.compile(pattern, "u", timeout=MATCH_SECONDS)
    except ecma.error as strict:
        try:
            return ecma.compile(pattern, "", timeout=MATCH_SECONDS)
        except ecma.error:
            raise ValueError(str(strict).removeprefix("ecmaregex: ")) from None


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern matches somewhere in a text.

    Raises:
        PatternTimeout: it is not known after a second.
    """
    try:
        return read_pattern(pattern).test(text)
    except ecma.MatchLimitError:
        raise PatternTimeout(f"expected a match within {MATCH_SECONDS:.0f} s") from None


def plain_pattern(pattern: str) -> str | None:
    """The pattern as a Rust regular expression if it certainly means the same, else None."""
    try:
        ecma.compile(pattern, "u")
    except ecma.error:
        return None
    if not _PLAIN.fullmatch(pattern):
        return None
    rust, in_class = "", False
    for part in re.findall(r"\\.|.", pattern):
        known = _SHORTHANDS.get(part)
        rust += part if known is None else known if in_class else f"[{known}]"
        in_class = (in_class or part == "[") and part != "]"
    return rust


def surplus(instance: Schema, schema: Schema) -> Iterator[str]:
    """The names of an object that neither `properties` nor `patternProperties` plans."""
    planned, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name in instance:
        if name not in planned and not any(matches(pattern, name) for pattern in patterns):
            yield name


def _pattern(
    validator: Any, pattern: str, instance: Any, schema: Schema
) -> Iterator[ValidationError]:
    if validator.is_type(instance, "string") and not matches(pattern, instance):
        yield ValidationError("does not match")


def _pattern_properties(
    validator: Any, patterns: Schema, instance: Any, schema: Schema
) -> Iterator[ValidationError]:
    if validator.is_type(instance, "object"):
        for pattern, subschema in patterns.items():
            for name, value in instance.items():
                if matches(pattern, name):
                    yield from validator.descend(value, subschema, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, allowed: Any, instance: Any, schema: Schema
) -> Iterator[ValidationError]:
    if not validator.is_type(instance, "object"):
        return
    names = list(surplus(instance, schema))
    if isinstance(allowed, dict):
        for name in names:
            yield from validator.descend(instance[name], allowed, path=name)
    elif not allowed and names:
        yield ValidationError("has additional properties")


Reference: Any = extend(  # type: ignore[no-untyped-call]
    Draft7Validator,
    {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
    },
)
"""The reference library's validator of draft 7, with the patterns of ECMA 262."""
