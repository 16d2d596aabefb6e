"""Salesforce's ids: 15 case-sensitive characters, and 3 that make them unique in any case.

Source: https://help.salesforce.com/s/articleView?id=000385585: each of the last three characters
encodes, as five bits, which of five characters are capitals.
"""

from itertools import product

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_POD = "5g0"

BLOCK = len(_DIGITS) ** 2
"""Number of consecutive ids that differ only in two characters and the checksum."""

_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_ENDINGS = [
    (first + second, (first.isupper() << 3) | (second.isupper() << 4))
    for first, second in product(_DIGITS, repeat=2)
]


def record_id(prefix: str, number: int) -> str:
    """The id of the n-th record, from 0, of the object with a key prefix."""
    digits = ""
    for _ in range(9):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return case_safe(f"{prefix}{_POD}{digits}")


def case_safe(short: str) -> str:
    """The 18 characters of an id of 15.

    Raises:
        ValueError: the id has another length.
    """
    if len(short) != 15:
        raise ValueError(f"a Salesforce id has 15 characters before its checksum, not {len(short)}")
    return short + "".join(_CHECKS[_capitals(short[at : at + 5])] for at in (0, 5, 10))


def number_of(record: str) -> int:
    """The number of an id from `record_id`."""
    number = 0
    for digit in record[6:15]:
        number = number * len(_DIGITS) + _VALUES[digit]
    return number


def block_of_ids(prefix: str, block: int) -> list[str]:
    """The `BLOCK` ids from number `block * BLOCK` on."""
    first = record_id(prefix, block * BLOCK)
    head, checks = first[:13], first[15:17]
    bits = _capitals(first[10:13])
    return [f"{head}{ending}{checks}{_CHECKS[bits | more]}" for ending, more in _ENDINGS]


def _capitals(characters: str) -> int:
    return sum(character.isupper() << place for place, character in enumerate(characters))
