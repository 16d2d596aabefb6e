"""Gzipped files decompressed, with an integrity check: all of a file, or none of it.

As `zcat` does it: members are joined, zeros behind one are padding, and other bytes behind the last
are passed over, which is not an error but worth a word. Unlike `zcat`, members may follow padding,
and a byte order mark begins a text, wherever a member begins.

Source: https://www.gnu.org/software/gzip/manual/gzip.html, "Advanced usage"; RFC 1952.
"""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import IO, Any

from isal import igzip_lib

from novade_pipeline.landing.files import DamagedFile, LandedFile, open_landed
from novade_pipeline.storage import Store

BOM = b"\xef\xbb\xbf"
"""The byte order mark, which some tools begin files with."""
_READ_BYTES = 2**17
_FEW_BYTES = 2**12
_MAGIC = b"\x1f\x8b"
_FLAGS_AT = 3
_IsalError: Any = igzip_lib.error


def gunzipped(
    landing: Store,
    file: LandedFile,
    most: int,
    on_trailing_bytes: Callable[[int], None] = lambda _: None,
) -> Iterator[bytes]:
    """The decompressed content, piece by piece, without byte order marks.

    Args:
        most: how many bytes about a piece has at most.
        on_trailing_bytes: called with how many bytes follow the last member, if any do.

    Raises:
        DamagedFile: it is not gzip, ends early, or fails its CRC.
        TransientFailure: it changed while it was read.
    """
    last = b"\n"
    with open_landed(landing, file) as stream:
        gzip = _Gzip(file, stream, most)
        while gzip.has_member():
            member = gzip.member()
            first = b""
            while len(first) < len(BOM) and (text := next(member, b"")):
                first += text
            if first.startswith(BOM):
                # A text begins here, and so does a line.
                first = (b"" if last == b"\n" else b"\n") + first.removeprefix(BOM)
            for text in chain([first] if first else [], member):
                last = text[-1:]
                yield text
        if gzip.trailing_bytes:
            on_trailing_bytes(gzip.trailing_bytes)


class _Gzip:
    """The members of a file.

    Attributes:
        trailing_bytes: how many bytes follow them that are neither a member nor padding.
    """

    def __init__(self, file: LandedFile, stream: IO[bytes], most: int) -> None:
        self._file = file
        self._stream = stream
        self._most = most
        self._read = b""
        self._at = 0
        self._members = 0
        self.trailing_bytes = 0

    def has_member(self) -> bool:
        """Whether a member begins here, behind padding.

        Raises:
            DamagedFile: it is not gzip, or ends within the first two bytes.
        """
        if self._members and not self._skip_padding():
            return False
        # ISA-L fails where a header comes in two parts.
        self._read_on(_READ_BYTES)
        head = self._read[self._at : self._at + len(_MAGIC)]
        if len(head) < len(_MAGIC) and _MAGIC.startswith(head):
            raise self._ends_early()
        if head != _MAGIC and not self._members:
            raise DamagedFile(self._file, "not gzip")
        if head != _MAGIC:
            rest = iter(lambda: self._stream.read(_READ_BYTES), b"")
            self.trailing_bytes = len(self._read) - self._at + sum(map(len, rest))
        return head == _MAGIC

    def member(self) -> Iterator[bytes]:
        """The content of the member that begins here.

        Raises:
            DamagedFile: it ends early, or fails its CRC.
        """
        self._members += 1
        gunzip = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
        is_bare = self._read[self._at + _FLAGS_AT : self._at + _FLAGS_AT + 1] == b"\0"
        # What it does not use is copied, which many small members would have to wait for.
        compressed = self._take(_FEW_BYTES if is_bare else _READ_BYTES)
        while True:
            try:
                text = gunzip.decompress(compressed, self._most)
            except _IsalError as error:
                raise DamagedFile(self._file, f"gzip is damaged ({error})") from None
            if text:
                yield text
            if gunzip.eof:
                self._at -= len(gunzip.unused_data)
                return
            compressed = self._take(_READ_BYTES) if gunzip.needs_input else b""
            if gunzip.needs_input and not compressed:
                raise self._ends_early()

    def _skip_padding(self) -> bool:
        """Go to the next byte that is no zero; whether there is one."""
        while self._read_on(1):
            if self._read[self._at]:
                return True
            self._read, self._at = self._read[self._at :].lstrip(b"\0"), 0
        return False

    def _take(self, most: int) -> bytes:
        self._read_on(1)
        taken = self._read[self._at : self._at + most]
        self._at += len(taken)
        return taken

    def _read_on(self, least: int) -> bool:
        """Have so many bytes from here on, or all there are; whether there is any."""
        while len(self._read) - self._at < least:
            more = self._stream.read(_READ_BYTES)
            if not more:
                break
            self._read, self._at = self._read[self._at :] + more, 0
        return len(self._read) > self._at

    def _ends_early(self) -> DamagedFile:
        return DamagedFile(self._file, "gzip ends early")
