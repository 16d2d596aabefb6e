"""Counts the lines of erased persons in landing, file by file; changes nothing."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from novade_pipeline.errors import UserError
from novade_pipeline.landing.files import DamagedFile, LandedFile, landed_files
from novade_pipeline.landing.json_lines import Parsed
from novade_pipeline.landing.ledger import Rules
from novade_pipeline.landing.readers import NdjsonReader, damaged_files
from novade_pipeline.landing.source import Source
from novade_pipeline.privacy.forget import (
    ErasedIdentifiers,
    erased_rows,
    line_identifies_erased,
    redacted_columns,
)
from novade_pipeline.storage.store import Page, Store

_FILES_AT_ONCE = 500


@dataclass
class LandedTraces:
    """Traces in landing files.

    Attributes:
        lines: file -> lines that are an erased person's or hold an address.
        unread: file -> why it could not be read; it may hold more.
        files: how many files were scanned.
    """

    lines: Counter[str] = field(default_factory=Counter)
    unread: dict[str, str] = field(default_factory=dict)
    files: int = 0


def count_files(landing: Store, source: Source) -> int:
    """Lists a source's files to count them, page by page; 0 where they cannot be listed."""
    return sum(
        len(source.named(landed_files(page.entries, source.hour_of)))
        for page in _pages(landing, source, LandedTraces())
    )


def traces_in_landing(
    landing: Store,
    source: Source,
    rules: Rules,
    erased: ErasedIdentifiers,
    landed: LandedTraces,
    on_files: Callable[[int], None] = lambda _: None,
) -> None:
    """Read every file of a source as a load would, page by page of the listing, into `landed`.

    Args:
        on_files: called now and then with the number of files scanned so far, of all sources.
    """
    for page in _pages(landing, source, landed):
        files = source.select(landed_files(page.entries, source.hour_of), rules)
        for file in files:
            if file.hour is None:
                landed.unread[file.file] = (
                    f"expected a name such as {source.naming}, of a valid hour"
                )
        placed = [file for file in files if file.hour is not None]
        for at in range(0, len(placed), _FILES_AT_ONCE):
            _read(landing, source, placed[at : at + _FILES_AT_ONCE], erased, landed)
            on_files(landed.files + min(at + _FILES_AT_ONCE, len(placed)))
        landed.files += len(files)


def _pages(landing: Store, source: Source, landed: LandedTraces) -> Iterator[Page]:
    try:
        yield from landing.pages(f"{source.folder}/")
    except UserError as error:
        landed.unread[f"{source.folder}/"] = str(error)


def _read(
    landing: Store,
    source: Source,
    files: Sequence[LandedFile],
    erased: ErasedIdentifiers,
    landed: LandedTraces,
) -> None:
    try:
        lines, damaged = _count_lines(landing, source, files, erased)
    except DamagedFile:
        known = damaged_files(source.reader, landing, files)
        readable = [file for file in files if file.file not in known]
        lines, damaged = _count_lines(landing, source, readable, erased)
        damaged |= known
    landed.lines += lines
    landed.unread |= damaged


def _count_lines(
    landing: Store, source: Source, files: Sequence[LandedFile], erased: ErasedIdentifiers
) -> tuple[Counter[str], dict[str, str]]:
    """Lines with a trace by file, and why files are damaged.

    Raises:
        DamagedFile: a file cannot be left out.
    """
    lines: Counter[str] = Counter()
    damaged: dict[str, str] = {}

    def on_damage(damage: DamagedFile) -> None:
        damaged[damage.file.file] = damage.reason

    reader = source.reader or NdjsonReader(source.table, on_damage)
    with closing(reader.read(landing, files)) as batches:
        for parsed in batches:
            lines.update(_matching_files(parsed, source, erased))
    return lines, damaged


def _matching_files(parsed: Parsed, source: Source, erased: ErasedIdentifiers) -> Iterator[str]:
    """The file of each line with a trace."""
    owners = source.table.owners
    mask = erased_rows(parsed.rows, owners, erased)
    matches = np.zeros(parsed.rows.num_rows, bool) if mask is None else mask
    for name, column in redacted_columns(parsed.rows, owners, erased).items():
        before = parsed.rows[name]
        differs = pc.fill_null(pc.not_equal(before, column), True)
        matches |= pc.and_(differs, pc.is_valid(before)).to_numpy()
    yield from parsed.rows["file"].filter(pa.array(matches)).to_pylist()
    for bad in parsed.bad:
        if line_identifies_erased(bad.raw, source.name, source.quarantine.owners, erased):
            yield bad.file_slice.file.file
