"""What the readers of all formats share: a record, the columns of a file, its content as text."""

import codecs
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from novade_pipeline.landing.files import DamagedFile, LandedFile, open_landed
from novade_pipeline.landing.gunzip import gunzipped
from novade_pipeline.storage.store import Store

MAX_RECORD_BYTES = 2**20
HEAD_CHARACTERS = 64 * 2**10
_READ_BYTES = 2**18
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Columns:
    """What a file's records must have.

    Attributes:
        names: the house's column -> the names that files call it by, in small letters.
        required: columns without which a whole CSV or Parquet file is refused.
    """

    names: Mapping[str, tuple[str, ...]]
    required: tuple[str, ...]

    def of(self, found: str) -> str:
        """The column that a file's name stands for; the name itself where it is unknown."""
        told = found.strip().casefold()
        return next((column for column, names in self.names.items() if told in names), told)

    def missing(self, found: list[str]) -> list[str]:
        """The required columns that are not among these names of a file, as files call them."""
        there = {self.of(name) for name in found}
        return [self.names[column][0] for column in self.required if column not in there]


@dataclass(frozen=True)
class Record:
    """One record of a file.

    Attributes:
        line: the line that it begins in, from 1; in Parquet its row.
        values: column -> value; None where it is no record, or blank.
        text: as it stands in the file; no more than its head where it is too long.
        size: how many characters it has.
        reason: why it is no record: what was expected and what was found, without the values.
        mended: the kinds of what had to be put right before it could be read.
    """

    line: int
    values: Mapping[str, Any] | None
    text: str
    size: int
    reason: str | None = None
    mended: tuple[str, ...] = ()

    @property
    def is_blank(self) -> bool:
        """It has no content."""
        return self.values is None and self.reason is None


def texts(
    landing: Store, file: LandedFile, on_trailing_bytes: Callable[[int], None]
) -> Iterator[str]:
    """The content as text, piece by piece; bytes that are not UTF-8 become lone surrogates.

    Args:
        on_trailing_bytes: as for `record_formats.read_records`.

    Raises:
        DamagedFile: it is UTF-16, or its gzip is damaged or holds nothing.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    begun = False
    for content in _contents(landing, file, on_trailing_bytes):
        if not begun and content.startswith(_UTF16):
            raise DamagedFile(file, "expected UTF-8 text, found UTF-16; export it as UTF-8")
        text = decoder.decode(content)
        if text:
            yield text if begun else text.removeprefix("\ufeff")
            begun = True
    if rest := decoder.decode(b"", final=True):
        yield rest
    elif not begun:
        raise DamagedFile(file, "expected records, found an empty file")


def is_utf8(text: str) -> bool:
    """Whether the text was UTF-8 in its file."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _contents(
    landing: Store, file: LandedFile, on_trailing_bytes: Callable[[int], None]
) -> Iterator[bytes]:
    if file.name.lower().endswith(".gz"):
        yield from gunzipped(landing, file, _READ_BYTES, on_trailing_bytes)
        return
    with open_landed(landing, file) as stream:
        while content := stream.read(_READ_BYTES):
            yield content
