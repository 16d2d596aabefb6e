"""From gzipped files to chunks of whole lines, in bounded memory; small files share a chunk."""

import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from novade_pipeline.json_rows.compiled.padding import PADDING
from novade_pipeline.json_rows.text import Text
from novade_pipeline.landing.files import DamagedFile, LandedFile
from novade_pipeline.landing.gunzip import gunzipped
from novade_pipeline.storage.store import Store

CHUNK_BYTES = 16 * 2**20
MAX_LINE_BYTES = 64 * 2**20
_TEXT_BYTES = 2**18


@dataclass(frozen=True)
class FileSlice:
    """The lines of a chunk that came from one file.

    Attributes:
        first_line: the number of the first line in its file, from 1.
        lines: how many.
        trailing_bytes: how many bytes follow the file's gzip stream; 0 but in its last slice.
    """

    file: LandedFile
    first_line: int
    lines: int
    trailing_bytes: int = 0


@dataclass(frozen=True)
class Chunk:
    """Whole lines, each ended by a newline.

    Attributes:
        text: the lines, then at least `PADDING` other bytes.
        size: of the lines, bytes.
        slices: in the order of the lines.
    """

    text: Text
    size: int
    slices: tuple[FileSlice, ...]

    @property
    def lines(self) -> int:
        """How many lines."""
        return sum(file_slice.lines for file_slice in self.slices)


class _ChunkMemory:
    """Memory for chunks, used again once a chunk's text is garbage.

    Clearing new memory would take as long as half of the decompression.
    """

    def __init__(self) -> None:
        self._free: list[Text] = []

    def allocate(self) -> Text:
        """Memory for one chunk."""
        # Whole lines may end just below `CHUNK_BYTES`: one more decompressed text has to fit.
        size = CHUNK_BYTES + 2 * _TEXT_BYTES + PADDING
        memory = self._free.pop() if self._free else np.empty(size, np.uint8)
        text = memory[:]
        weakref.finalize(text, self._free.append, memory)
        return text


class _ChunkBuilder:
    """Collects the lines of a chunk.

    Attributes:
        whole: the size of the whole lines, bytes.
        size: with the incomplete line after them.
        slices: of the whole lines.
    """

    def __init__(self, memory: _ChunkMemory) -> None:
        self.whole = self.size = 0
        self.slices: list[FileSlice] = []
        self._memory = memory
        self._text = memory.allocate()

    def add(self, text: bytes) -> None:
        """Append text; whole lines end with its last newline."""
        last = text.rfind(b"\n")
        if last >= 0:
            self.whole = self.size + last + 1
        self._append(np.frombuffer(text, np.uint8))

    def _append(self, text: Text) -> None:
        end = self.size + len(text)
        if end + PADDING > len(self._text):
            self._text = np.concatenate([self._text, np.empty(end, np.uint8)])
        self._text[self.size : end] = text
        self.size = end

    def chunk(self) -> Chunk:
        """The whole lines."""
        return Chunk(self._text, self.whole, tuple(self.slices))

    def truncate(self, size: int) -> None:
        """Drop what follows whole lines of a size, in bytes."""
        self.whole = self.size = size

    def next(self) -> "_ChunkBuilder":
        """A builder that begins with the incomplete line."""
        following = _ChunkBuilder(self._memory)
        following._append(self._text[self.whole : self.size])
        return following


def read_chunks(
    landing: Store,
    files: Iterable[LandedFile],
    on_damage: Callable[[DamagedFile], None] | None = None,
) -> Iterator[Chunk]:
    """Read the files' lines, in the order of the files.

    Args:
        on_damage: called with a damaged file, which is left out, unless a chunk already had its
            first lines.

    Raises:
        DamagedFile: a file is not gzip, ends early, fails its CRC, or has an endless line.
        TransientFailure: a file changed while it was read.
    """
    # Numba is imported where it is used; see `json_lines`.
    from novade_pipeline.json_rows.compiled.scan import count_lines

    builder = _ChunkBuilder(_ChunkMemory())
    for file in files:
        first_line, lines = 1, 0
        trailing: list[int] = []
        size, is_in_one_chunk = builder.size, True
        try:
            for text in gunzipped(landing, file, _TEXT_BYTES, trailing.append):
                builder.add(text)
                lines += count_lines(np.frombuffer(text, np.uint8))
                if builder.size - builder.whole > MAX_LINE_BYTES:
                    raise DamagedFile(
                        file,
                        f"expected lines of at most {MAX_LINE_BYTES >> 20} MiB, found that line "
                        f"{first_line + lines} is longer",
                    )
                if builder.whole >= CHUNK_BYTES:
                    builder.slices.append(FileSlice(file, first_line, lines))
                    yield builder.chunk()
                    builder, is_in_one_chunk = builder.next(), False
                    first_line, lines = first_line + lines, 0
        except DamagedFile as damage:
            if on_damage is None or not is_in_one_chunk:
                raise
            builder.truncate(size)
            on_damage(damage)
            continue
        if builder.size > builder.whole:
            builder.add(b"\n")
            lines += 1
        builder.slices.append(FileSlice(file, first_line, lines, sum(trailing)))
    if builder.slices:
        yield builder.chunk()


def damaged(landing: Store, files: Iterable[LandedFile]) -> dict[str, str]:
    """The files that cannot be trusted as a whole, and why."""
    reasons = {}
    for file in files:
        try:
            deque(read_chunks(landing, [file]), maxlen=0)
        except DamagedFile as damage:
            reasons[file.file] = damage.reason
    return reasons
