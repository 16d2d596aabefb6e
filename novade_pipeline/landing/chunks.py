"""From gzipped files to chunks of whole lines, in bounded memory.

Small files share a chunk; a large one has several.
"""

import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from novade_pipeline.landing.compiled.padding import PADDING
from novade_pipeline.landing.files import DamagedFile, LandedFile
from novade_pipeline.landing.gunzip import gunzipped
from novade_pipeline.storage.store import Store

Text = np.ndarray[Any, np.dtype[np.uint8]]

CHUNK_BYTES = 16 * 2**20
MAX_LINE_BYTES = 64 * 2**20
_TEXT_BYTES = 2**18


@dataclass(frozen=True)
class Piece:
    """The lines of a chunk that came from one file.

    Attributes:
        file: where they came from.
        first_line: the number of the first one in its file, from 1.
        lines: how many.
        trailing_bytes: how many bytes follow the file's gzip stream; 0 but in its last piece.
    """

    file: LandedFile
    first_line: int
    lines: int
    trailing_bytes: int = 0


@dataclass(frozen=True)
class Chunk:
    """Whole lines, each ended by a newline.

    Attributes:
        text: the lines, and `PADDING` bytes at least that belong to none.
        size: of the lines.
        pieces: in the order of the lines.
    """

    text: Text
    size: int
    pieces: tuple[Piece, ...]

    @property
    def lines(self) -> int:
        """How many lines."""
        return sum(piece.lines for piece in self.pieces)


class _Memory:
    """Memory for chunks, which is given out again once nobody holds a chunk's text any more.

    New memory for each would have to be cleared, which takes as long as half of the decompression.
    """

    def __init__(self) -> None:
        self._free: list[Text] = []

    def take(self) -> Text:
        """Memory for a chunk."""
        # Lines may end a little before the whole of a chunk, and one more piece has to fit then.
        size = CHUNK_BYTES + 2 * _TEXT_BYTES + PADDING
        memory = self._free.pop() if self._free else np.empty(size, np.uint8)
        text = memory[:]
        weakref.finalize(text, self._free.append, memory)
        return text


class _Filling:
    """A chunk in the making.

    Attributes:
        whole: the bytes of whole lines.
        size: with those of the line that has begun behind them.
        pieces: of the whole lines.
    """

    def __init__(self, memory: _Memory) -> None:
        self.whole = self.size = 0
        self.pieces: list[Piece] = []
        self._memory = memory
        self._text = memory.take()

    def add(self, text: bytes) -> None:
        """Take text in; whole lines end with its last newline."""
        last = text.rfind(b"\n")
        if last >= 0:
            self.whole = self.size + last + 1
        self._put(np.frombuffer(text, np.uint8))

    def _put(self, text: Text) -> None:
        end = self.size + len(text)
        if end + PADDING > len(self._text):
            self._text = np.concatenate([self._text, np.empty(end, np.uint8)])
        self._text[self.size : end] = text
        self.size = end

    def chunk(self) -> Chunk:
        """The whole lines."""
        return Chunk(self._text, self.whole, tuple(self.pieces))

    def next(self) -> "_Filling":
        """What comes behind the whole lines."""
        following = _Filling(self._memory)
        following._put(self._text[self.whole : self.size])
        return following


def read_chunks(landing: Store, files: Iterable[LandedFile]) -> Iterator[Chunk]:
    """The files' lines, in the order of the files.

    Raises:
        DamagedFile: a file is not gzip, ends early, fails its CRC, or has an endless line.
        TransientFailure: a file changed while it was read.
    """
    # As in `json_lines`, a graph that is loaded does without.
    from novade_pipeline.landing.compiled.scan import count_lines

    filling = _Filling(_Memory())
    for file in files:
        first_line, lines = 1, 0
        trailing: list[int] = []
        for text in gunzipped(landing, file, _TEXT_BYTES, trailing.append):
            filling.add(text)
            lines += count_lines(np.frombuffer(text, np.uint8))
            if filling.size - filling.whole > MAX_LINE_BYTES:
                raise DamagedFile(
                    file,
                    f"expected lines of at most {MAX_LINE_BYTES >> 20} MiB, found that line "
                    f"{first_line + lines} is longer",
                )
            if filling.whole >= CHUNK_BYTES:
                filling.pieces.append(Piece(file, first_line, lines))
                yield filling.chunk()
                filling = filling.next()
                first_line, lines = first_line + lines, 0
        if filling.size > filling.whole:
            filling.add(b"\n")
            lines += 1
        filling.pieces.append(Piece(file, first_line, lines, sum(trailing)))
    if filling.pieces:
        yield filling.chunk()


def damaged(landing: Store, files: Iterable[LandedFile]) -> dict[str, str]:
    """The files that cannot be trusted as a whole, and why."""
    found = {}
    for file in files:
        try:
            deque(read_chunks(landing, [file]), maxlen=0)
        except DamagedFile as damage:
            found[file.file] = damage.reason
    return found
