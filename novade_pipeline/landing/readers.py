"""Readers of a source's files; the default reads gzipped NDJSON with two parsers."""

import ctypes
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from typing import Protocol

from novade_pipeline.lake.prefetch import map_ahead, prefetch
from novade_pipeline.lake.table import Table
from novade_pipeline.landing.chunks import damaged, read_chunks
from novade_pipeline.landing.files import DamagedFile, LandedFile
from novade_pipeline.landing.json_lines import JsonLines, Parsed
from novade_pipeline.storage.store import Store

# Two of one thread each are faster than one of two, and need smaller chunks.
PARSERS = 2
# With so many chunks between, trimming takes 1 % of the time.
_CHUNKS_PER_TRIM = 16


class Reader(Protocol):
    """Reads files of one format, or of several."""

    def read(self, landing: Store, files: Sequence[LandedFile]) -> Generator[Parsed]:
        """Parse the files' lines, in order, in bounded memory.

        Raises:
            DamagedFile: a file cannot be trusted as a whole.
            TransientFailure: a file changed while it was read.
        """


@dataclass(frozen=True)
class NdjsonReader:
    """Reads gzipped NDJSON, a row of a table a line.

    Attributes:
        on_damage: called with damaged files, which are left out where that is possible.
    """

    table: Table
    on_damage: Callable[[DamagedFile], None] | None = None

    def read(self, landing: Store, files: Sequence[LandedFile]) -> Generator[Parsed]:
        """See `Reader`."""
        with ExitStack() as opened:
            opened.callback(_trim_memory)
            parsers = [opened.enter_context(closing(JsonLines(self.table))) for _ in range(PARSERS)]
            text = read_chunks(landing, files, self.on_damage)
            chunks = opened.enter_context(closing(prefetch(text)))
            parse = [parser.parse for parser in parsers]
            read = opened.enter_context(closing(map_ahead(parse, chunks)))
            for number, parsed in enumerate(read, 1):
                yield parsed
                if not number % _CHUNKS_PER_TRIM:
                    _trim_memory()


def damaged_files(
    reader: Reader | None, landing: Store, files: Sequence[LandedFile]
) -> dict[str, str]:
    """The files that cannot be trusted as a whole, and why.

    Args:
        reader: None for gzipped NDJSON.
    """
    if reader is None:
        return damaged(landing, files)
    reasons = {}
    for file in files:
        try:
            deque(reader.read(landing, [file]), maxlen=0)
        except DamagedFile as damage:
            reasons[file.file] = damage.reason
    return reasons


def _trim_memory() -> None:
    """Return free memory to the system.

    glibc keeps what threads freed, and later threads reuse little of it: ten times the files would
    take twice the memory. Other C libraries do not have the call.
    """
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
