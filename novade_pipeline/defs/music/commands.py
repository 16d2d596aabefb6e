"""`novade music`: the lake's tables of the music service."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

music = typer.Typer(help="The music service.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the domain's commands to the command line."""
    app.add_typer(music, name="music")


@music.callback()
def _commands() -> None:
    """The music service."""


@music.command("as-of", epilog="Example: [bold]novade music as-of $(date -u +%F)[/bold]")
def as_of(
    moment: Annotated[
        str, typer.Argument(help="A day (its end) or a time, UTC: 2024-05-01, 2024-05-01T13:30.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="A folder to write the rows of that moment to, as Parquet.")
    ] = None,
) -> None:
    """Show the tables of the music service as they were at a moment, and how to read them."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from novade_pipeline.defs.music import as_of as history
    from novade_pipeline.errors import UserError
    from novade_pipeline.settings import load_settings

    lake = load_settings().lake
    at = history.moment_of(moment, datetime.now(UTC))
    versions = history.versions_as_of(lake, at)
    if all(past.version is None for past in versions):
        first = history.first_day(lake)
        since = f"the first read was on {first}" if first else "nothing has been read yet"
        raise UserError(f"novade music as-of: expected tables of {at:%Y-%m-%d %H:%M}, but {since}.")
    report = Table(box=None, pad_edge=False)
    for heading in ("Table", "Version", "Written (UTC)", "Rows", "Deleted", "Read it with"):
        report.add_column(heading, overflow="fold")
    for past in versions:
        if past.version is None or past.written_at is None:
            report.add_row(past.table.name, "", "not yet", "", "", "")
            continue
        rows = history.rows_as_of(lake, past)
        deleted = pc.sum(rows["is_deleted"]).as_py() or 0
        sql = f"delta_scan('{lake.duckdb_path(*past.table.path)}', version := {past.version})"
        counts = (f"{len(rows) - deleted:,}", f"{deleted:,}")
        report.add_row(
            past.table.name,
            str(past.version),
            f"{past.written_at:%Y-%m-%d %H:%M:%S}",
            *counts,
            escape(sql),
        )
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            pq.write_table(rows, out / f"{past.table.path[-1]}.parquet")
    console = Console()
    console.print(report)
    if out is not None:
        console.print(f"The rows are in {escape(str(out))}.", soft_wrap=True)
