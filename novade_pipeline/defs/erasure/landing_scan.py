"""Counts the lines of erased persons in landing, file by file; changes nothing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

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

_FILES_AT_ONCE = 200


@dataclass
class LandedTraces:
    """Traces in landing files.

    Attributes:
        lines: file -> lines that are an erased person's or hold an address.
        unread: file -> why it could not be read; it may hold more.
    """

    lines: Counter[str] = field(default_factory=Counter)
    unread: dict[str, str] = field(default_factory=dict)


def traces_in_landing(
    landing: Store, source: Source, rules: Rules, erased: ErasedIdentifiers, landed: LandedTraces
) -> None:
    """Read every file of a source as a load would, page by page of the listing, into `landed`."""
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
        landed.lines += _count_lines(landing, source, files, erased)
    except DamagedFile:
        damaged = damaged_files(source.reader, landing, files)
        landed.unread |= damaged
        readable = [file for file in files if file.file not in damaged]
        landed.lines += _count_lines(landing, source, readable, erased)


def _count_lines(
    landing: Store, source: Source, files: Sequence[LandedFile], erased: ErasedIdentifiers
) -> Counter[str]:
    lines: Counter[str] = Counter()
    reader = source.reader or NdjsonReader(source.table)
    with closing(reader.read(landing, files)) as batches:
        for parsed in batches:
            lines.update(_matching_files(parsed, source, erased))
    return lines


def _matching_files(parsed: Parsed, source: Source, erased: ErasedIdentifiers) -> Iterator[str]:
    """The file of each line with a trace."""
    owners = source.table.owners
    mask = erased_rows(parsed.rows, owners, erased)
    files = parsed.rows["file"].to_pylist()
    matches = set() if mask is None else set(mask.nonzero()[0].tolist())
    for name, column in redacted_columns(parsed.rows, owners, erased).items():
        before = parsed.rows[name].to_pylist()
        after = column.to_pylist()
        matches |= {n for n, (b, a) in enumerate(zip(before, after, strict=True)) if b != a}
    yield from (files[row] for row in matches)
    for bad in parsed.bad:
        if line_identifies_erased(bad.raw, source.name, source.quarantine.owners, erased):
            yield bad.file_slice.file.file
