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
    """The columns of a file's records.

    Attributes:
        names: the table's column -> its names in files, in small letters.
        required: columns without which a whole CSV or Parquet file is refused.
    """

    names: Mapping[str, tuple[str, ...]]
    required: tuple[str, ...]

    def column_of(self, header: str) -> str:
        """The column of a name in a file; the name itself where it is unknown."""
        name = header.strip().casefold()
        return next((column for column, names in self.names.items() if name in names), name)

    def missing(self, header: list[str]) -> list[str]:
        """The required columns that a file's header does not have, as files name them."""
        present = {self.column_of(name) for name in header}
        return [self.names[column][0] for column in self.required if column not in present]


@dataclass(frozen=True)
class Record:
    """One record of a file.

    Attributes:
        line: the line that it begins in, from 1; in Parquet its row.
        values: column -> value; None where it is not valid, or blank.
        text: as in the file; truncated where it is too long.
        size: characters.
        reason: what was expected and what was found, without the values; None for a valid record.
        mended: the kinds of repairs that were needed to parse it.
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
