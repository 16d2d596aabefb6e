"""Texts as they are compared: without case, accents, and the signs that people see past.

Characters are folded one by one (NFKD, no combining marks, case folded), which gives the same for
composed and decomposed text. What is no letter, digit or ASCII sign becomes a space, so that after
folding every byte above 127 is part of a word.
"""

import unicodedata
from collections.abc import Sequence

import numpy as np

FEW = 256
"""So many different characters are replaced one after the other sooner than each is looked up."""


class _Folds(dict[int, str]):
    """Code point -> what it is folded to; found when first asked for."""

    def __missing__(self, point: int) -> str:
        self[point] = folded = _fold(chr(point))
        return folded


def _fold(character: str) -> str:
    if character.isascii():
        return character.lower() if character.isprintable() else " "
    category = unicodedata.category(character)
    if category == "Cf":
        return ""
    # Signs such as ™ and superscript digits would become letters and digits of the word before.
    if category[0] == "S" or category == "No":
        return " "
    if category == "Pd":
        return "-"
    if character in "\u2018\u2019":
        return "'"
    decomposed = unicodedata.normalize("NFKD", character).casefold()
    kept = "".join(c for c in decomposed if unicodedata.category(c)[0] != "M")
    return "".join(c if c.isascii() or c.isalnum() else " " for c in kept)


_FOLDS = _Folds({ord("\n"): "\n"})


def fold(text: str) -> str:
    """The text as it is compared; one line, single spaces."""
    return fold_all([text])[0]


def fold_all(texts: Sequence[str]) -> list[str]:
    """As `fold`, many at once, which is several times faster."""
    if not texts:
        return []
    joined = "\n".join(texts)
    if joined.count("\n") != len(texts) - 1:
        joined = "\n".join(text.replace("\n", " ") for text in texts)
    folded = _fold_each(joined.lower())
    while "  " in folded:
        folded = folded.replace("  ", " ")
    return folded.replace("\n ", "\n").replace(" \n", "\n").strip(" ").split("\n")


def _fold_each(text: str) -> str:
    """Every character folded; what is folded stays as it is when it is folded again."""
    points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    # Most characters of most texts are printable ASCII, which lower() has folded.
    others = np.unique(points[(points < 0x20) | (points > 0x7E)]).tolist()
    if len(others) > FEW:
        return text.translate(_FOLDS)
    for point in others:
        text = text.replace(chr(point), _FOLDS[point])
    return text
