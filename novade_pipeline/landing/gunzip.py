"""Decompressing gzip files with an integrity check: all of a file, or nothing of it.

As `zcat` does: the contents of several members are joined, zeros after a member are padding, and
other bytes after the last member are ignored, but counted. Unlike with `zcat`, members may follow
padding, and a byte order mark at the start of any member is removed.

Source: RFC 1952, section 2.2, and https://www.gnu.org/software/gzip/manual/gzip.html ("trailing
garbage ignored").
"""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import IO, Any

from isal import igzip_lib

from novade_pipeline.json_rows.text import BOM
from novade_pipeline.landing.files import DamagedFile, LandedFile, open_landed
from novade_pipeline.storage.store import Store

"""The byte order mark of UTF-8, which some programs write at the start of a text."""

_READ_BYTES = 2**17
_FIRST_BYTES = 2**12
_MAGIC = b"\x1f\x8b"
_FLAGS_AT = 3
_IsalError: Any = igzip_lib.error


def gunzipped(
    landing: Store,
    file: LandedFile,
    max_bytes: int,
    on_trailing_bytes: Callable[[int], None] = lambda _: None,
) -> Iterator[bytes]:
    """Decompress a file, piece by piece, without byte order marks.

    Args:
        max_bytes: about how large a piece may be.
        on_trailing_bytes: called with the number of bytes after the last member, if there are any.

    Raises:
        DamagedFile: the file is not gzip, ends early, or fails its CRC.
        TransientFailure: the file changed while it was read.
    """
    last_byte = b"\n"
    with open_landed(landing, file) as stream:
        members = _Members(file, stream, max_bytes)
        while members.has_next():
            content = members.next_content()
            head = b""
            while len(head) < len(BOM) and (text := next(content, b"")):
                head += text
            if head.startswith(BOM):
                # A text starts here, and so does a line.
                head = (b"" if last_byte == b"\n" else b"\n") + head.removeprefix(BOM)
            for text in chain([head] if head else [], content):
                last_byte = text[-1:]
                yield text
        if members.trailing_bytes:
            on_trailing_bytes(members.trailing_bytes)


class _Members:
    """The members of a gzip file, one after the other.

    Attributes:
        trailing_bytes: bytes after the last member that are neither a member nor padding.
    """

    def __init__(self, file: LandedFile, stream: IO[bytes], max_bytes: int) -> None:
        self._file = file
        self._stream = stream
        self._max_bytes = max_bytes
        self._buffer = b""
        self._at = 0
        self._count = 0
        self.trailing_bytes = 0

    def has_next(self) -> bool:
        """Whether another member starts here, after padding.

        Raises:
            DamagedFile: the file is not gzip, or ends within a member's first two bytes.
        """
        if self._count and not self._skip_padding():
            return False
        # ISA-L misreads a header with optional fields that it gets in two parts.
        self._fill(_READ_BYTES)
        magic = self._buffer[self._at : self._at + len(_MAGIC)]
        if magic == _MAGIC:
            return True
        if _MAGIC.startswith(magic):
            raise self._ends_early()
        if not self._count:
            raise DamagedFile(self._file, "not gzip")
        rest = iter(lambda: self._stream.read(_READ_BYTES), b"")
        self.trailing_bytes = len(self._buffer) - self._at + sum(map(len, rest))
        return False

    def next_content(self) -> Iterator[bytes]:
        """Decompress the member that starts here; to be read to its end.

        Raises:
            DamagedFile: the member ends early, or fails its CRC.
        """
        self._count += 1
        decompressor = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
        has_optional_fields = self._buffer[self._at + _FLAGS_AT : self._at + _FLAGS_AT + 1] != b"\0"
        # Unused input is copied: little input keeps a file of many small members fast.
        compressed = self._next_bytes(_READ_BYTES if has_optional_fields else _FIRST_BYTES)
        while True:
            try:
                text = decompressor.decompress(compressed, self._max_bytes)
            except _IsalError as error:
                raise DamagedFile(self._file, f"gzip is damaged ({error})") from None
            if text:
                yield text
            if decompressor.eof:
                self._at -= len(decompressor.unused_data)
                return
            compressed = self._next_bytes(_READ_BYTES) if decompressor.needs_input else b""
            if decompressor.needs_input and not compressed:
                raise self._ends_early()

    def _skip_padding(self) -> bool:
        """Skip zeros; whether anything follows them."""
        while self._fill(1):
            if self._buffer[self._at]:
                return True
            self._buffer, self._at = self._buffer[self._at :].lstrip(b"\0"), 0
        return False

    def _next_bytes(self, max_bytes: int) -> bytes:
        self._fill(1)
        taken = self._buffer[self._at : self._at + max_bytes]
        self._at += len(taken)
        return taken

    def _fill(self, min_bytes: int) -> bool:
        """Read until the buffer has so many bytes, or the stream ends; whether it has any."""
        while len(self._buffer) - self._at < min_bytes:
            more = self._stream.read(_READ_BYTES)
            if not more:
                break
            self._buffer, self._at = self._buffer[self._at :] + more, 0
        return len(self._buffer) > self._at

    def _ends_early(self) -> DamagedFile:
        return DamagedFile(self._file, "gzip ends early")
