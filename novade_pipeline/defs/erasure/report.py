"""What a person sees of an erasure: its progress, a summary, and the list of landing files."""

import csv
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from novade_pipeline.defs.erasure.erase import Erasure, Log, OnFiles
from novade_pipeline.errors import UserError
from novade_pipeline.plurals import counted
from novade_pipeline.settings import Settings

PRINTED_FILES = 5
"""How many files of each kind are printed; the list has all of them."""
SECONDS_BETWEEN_LINES = 10.0
"""Of progress, where the output is no terminal."""


def list_path(settings: Settings, requested: Path | None) -> Path:
    """Where the list of landing files goes; checked before the work begins.

    Args:
        requested: None for a new file beside the warehouse.

    Raises:
        UserError: no file can be written there.
    """
    name = f"landing_files_{datetime.now(UTC):%Y%m%dT%H%M%SZ}.csv"
    path = requested or settings.warehouse_path.parent / "erasure" / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise UserError(
            f"--list: expected a folder to write to at {path.parent}, found: {error.strerror}."
        ) from None
    if path.is_dir():
        raise UserError(f"--list: expected the path of a file, found the folder {path}.")
    return path


@contextmanager
def show_progress() -> Iterator[tuple[Log, OnFiles]]:
    """Shows steps and scanned files on standard error.

    Scanned files are one changing line in a terminal, and otherwise a line every few seconds.
    """
    console = Console(stderr=True, highlight=False)
    with console.status("") as status:
        printed_at = time.monotonic()

        def log(message: str) -> None:
            status.update(message)
            console.print(message)

        def on_files(done: int, total: int) -> None:
            nonlocal printed_at
            message = f"Scanning landing: {done:,} of {total:,} files."
            status.update(message)
            if not console.is_terminal and time.monotonic() - printed_at >= SECONDS_BETWEEN_LINES:
                console.print(message)
                printed_at = time.monotonic()

        yield log, on_files


def print_report(erasure: Erasure, path: Path, *, dry_run: bool) -> None:
    """Print counts and places, never an identifier of the person, and write the list of files."""
    console = Console(highlight=False)
    names = ", ".join(f"{count} {kind}" for kind, count in erasure.names.items())
    console.print(f"Identifiers of the person: {names}.", soft_wrap=True)
    _print_tables(console, erasure)
    if dry_run:
        console.print("Nothing was changed: this was a dry run.")
    _print_landing(console, erasure, path)
    for failure in erasure.failures:
        console.print(f"[red]Failed[/red] {escape(failure)}", soft_wrap=True)


def _print_tables(console: Console, erasure: Erasure) -> None:
    report = Table(box=None, pad_edge=False)
    report.add_column("Table", no_wrap=True)
    for heading in ("Rows", "Other rows, address replaced", "Older files deleted"):
        report.add_column(heading, justify="right", overflow="fold")
    tables = [t for t in erasure.tables if t.rows or t.amended or t.past]
    for table in tables:
        past = "" if table.past is None else f"{table.past.files:,}"
        report.add_row(table.table, f"{table.rows:,}", f"{table.amended:,}", past)
    console.print(report)
    rows = sum(table.rows for table in tables)
    with_rows = sum(bool(table.rows) for table in tables)
    console.print(f"{counted(rows, 'row')} of the person in {counted(with_rows, 'table')}.")


def _print_landing(console: Console, erasure: Erasure, path: Path) -> None:
    landed = erasure.landed
    console.print(f"{counted(landed.files, 'landing file')} scanned.")
    if landed.lines:
        console.print(
            f"Landing, which only its owner may change, still holds "
            f"{counted(landed.lines.total(), 'line')} in {counted(len(landed.lines), 'file')}:",
            soft_wrap=True,
        )
        _print_files(console, {file: counted(n, "line") for file, n in landed.lines.items()})
    else:
        console.print("No readable landing file holds data of the person.")
    if landed.unread:
        files = counted(len(landed.unread), "file")
        console.print(f"[yellow]Not read[/yellow]: {files}, which may hold more:")
        _print_files(console, landed.unread)
    if landed.lines or landed.unread:
        _write_list(erasure, path)
        console.print(f"The list of these files is {escape(str(path))}.", soft_wrap=True)


def _print_files(console: Console, files: Mapping[str, str]) -> None:
    """The first files, then how many more there are in each folder."""
    ordered = sorted(files.items())
    for file, text in ordered[:PRINTED_FILES]:
        console.print(f"  {escape(file)}: {escape(text)}", soft_wrap=True)
    more = Counter(file.rpartition("/")[0] for file, _ in ordered[PRINTED_FILES:])
    for folder, count in sorted(more.items()):
        console.print(f"  and {count:,} more in {escape(folder)}/", soft_wrap=True)


def _write_list(erasure: Erasure, path: Path) -> None:
    landed = erasure.landed
    with path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "lines", "not_read_because"])
        for name in sorted(landed.lines.keys() | landed.unread.keys()):
            lines = landed.lines.get(name, "")
            writer.writerow([name, lines, landed.unread.get(name, "")])
