"""From gzipped files to chunks of whole lines, in bounded memory, with an integrity check.

DuckDB reads a truncated gzip without an error, so the check is ours: a file counts as read when
its last member's length and CRC were right. Small files share a chunk; a large one has several.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from isal import isal_zlib

from novade_pipeline.landing.files import DamagedFile, LandedFile, open_landed
from novade_pipeline.storage import Store

CHUNK_BYTES = 16 * 2**20
MAX_LINE_BYTES = 64 * 2**20
_READ_BYTES = 2**16
_TEXT_BYTES = 2**18
_BadGzip: Any = isal_zlib.error
_GZIP = 16 + isal_zlib.MAX_WBITS
_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Piece:
    """The lines of a chunk that came from one file.

    Attributes:
        file: where they came from.
        first_line: the number of the first one in its file, from 1.
        lines: how many.
        start: the byte offset of the first one in the chunk.
        end: the byte offset after the last one's newline.
        is_last: the file ends with this piece.
    """

    file: LandedFile
    first_line: int
    lines: int
    start: int
    end: int
    is_last: bool


@dataclass(frozen=True)
class Chunk:
    """Whole lines, each ended by a newline, in parts that are not yet joined."""

    parts: tuple[bytes | memoryview, ...]
    pieces: tuple[Piece, ...]

    @property
    def lines(self) -> int:
        """How many lines."""
        return sum(piece.lines for piece in self.pieces)


@dataclass
class _Filling:
    parts: list[bytes | memoryview] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    size: int = 0

    def add(
        self, file: LandedFile, parts: list[bytes | memoryview], lines: int, line: int, last: bool
    ) -> None:
        """Take whole lines in; the first of them has the number `line`."""
        end = self.size + sum(map(len, parts))
        self.pieces.append(Piece(file, line, lines, self.size, end, last))
        self.parts += parts
        self.size = end

    def emptied(self) -> Chunk:
        chunk = Chunk(tuple(self.parts), tuple(self.pieces))
        self.parts, self.pieces, self.size = [], [], 0
        return chunk


def read_chunks(landing: Store, files: Iterable[LandedFile]) -> Iterator[Chunk]:
    """The files' lines, in the order of the files.

    Raises:
        DamagedFile: a file is not gzip, ends early, fails its CRC, or has an endless line.
        TransientFailure: a file changed while it was read.
    """
    # As in `json_lines`, a graph that is loaded does without.
    from novade_pipeline.landing.compiled.scan import count_lines

    filling = _Filling()
    for file in files:
        line, begun = 1, False
        carried: list[bytes | memoryview] = []
        for text in gunzipped(landing, file):
            view = memoryview(text)[len(_BOM) if not begun and text.startswith(_BOM) else 0 :]
            begun = True
            lines = count_lines(np.frombuffer(text, np.uint8))
            if not lines:
                carried += [view] if view else []
                if sum(map(len, carried)) > MAX_LINE_BYTES:
                    raise DamagedFile(
                        file,
                        f"expected lines of at most {MAX_LINE_BYTES >> 20} MiB, found that line "
                        f"{line} is longer",
                    )
                continue
            cut = len(view) - (len(text) - text.rfind(b"\n") - 1)
            filling.add(file, [*carried, view[:cut]], lines, line, False)
            line += lines
            carried = [view[cut:]] if cut < len(view) else []
            if filling.size >= CHUNK_BYTES:
                yield filling.emptied()
        filling.add(file, [*carried, b"\n"] if carried else [], int(bool(carried)), line, True)
        if filling.size >= CHUNK_BYTES:
            yield filling.emptied()
    if filling.pieces:
        yield filling.emptied()


def damaged(landing: Store, files: Iterable[LandedFile]) -> dict[str, str]:
    """The files that cannot be trusted as a whole, and why."""
    found = {}
    for file in files:
        try:
            deque(read_chunks(landing, [file]), maxlen=0)
        except DamagedFile as damage:
            found[file.file] = damage.reason
    return found


def gunzipped(landing: Store, file: LandedFile) -> Iterator[bytes]:
    """The decompressed content, piece by piece; several gzip members are one content."""
    unpack = isal_zlib.decompressobj(_GZIP)
    is_gzip = False
    with open_landed(landing, file) as stream:
        while compressed := unpack.unconsumed_tail or stream.read(_READ_BYTES):
            is_gzip = is_gzip or compressed.startswith(_MAGIC)
            if not is_gzip:
                raise DamagedFile(file, "not gzip")
            while compressed:
                if unpack.eof:
                    # Zeros may pad the end; anything else begins the next member.
                    compressed = compressed.lstrip(b"\0")
                    if not compressed:
                        break
                    unpack = isal_zlib.decompressobj(_GZIP)
                try:
                    text = unpack.decompress(compressed, _TEXT_BYTES)
                except _BadGzip as error:
                    raise DamagedFile(file, f"gzip is damaged ({error})") from None
                if text:
                    yield text
                compressed = unpack.unused_data if unpack.eof else unpack.unconsumed_tail
        if not unpack.eof:
            raise DamagedFile(file, "gzip ends early")
