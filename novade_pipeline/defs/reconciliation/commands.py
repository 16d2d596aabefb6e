"""`novade reconcile`: Segment and Amplitude side by side in the terminal."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

    from novade_pipeline.defs.reconciliation.comparison import Comparison

CELLS = 20
"""How many days and event types with differences are printed."""


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(epilog="Example: [bold]novade reconcile --window 2026-03-01..2026-03-10[/bold]")(
        reconcile
    )


def reconcile(
    window: Annotated[
        str | None,
        typer.Option(help="START..END, days, both included; by default those that both recorded."),
    ] = None,
) -> None:
    """Compare Segment with Amplitude, day by day; ends with 1 if events would be lost.

    It reads marts/reconciliation as the last run left it.
    """
    from rich.console import Console
    from rich.markup import escape

    from novade_pipeline.defs.reconciliation.comparison import NOTHING_LANDED
    from novade_pipeline.defs.reconciliation.settings import days_of
    from novade_pipeline.defs.reconciliation.stored import stored_comparison
    from novade_pipeline.errors import UserError
    from novade_pipeline.settings import load_settings

    try:
        days = None if window is None else days_of(window)
    except ValueError as error:
        raise UserError(f"--window: {error}.") from None
    settings, console = load_settings(), Console()
    comparison = stored_comparison(settings, settings.lake, days)
    if comparison.days is None:
        raise UserError(f"novade reconcile: {NOTHING_LANDED}")
    console.print(escape(comparison.summary), highlight=False, soft_wrap=True)
    console.print(_days(comparison))
    _print_examples(console.print, comparison)
    for problem in comparison.problems:
        console.print(f"[red]Failed[/red] {escape(problem)}", highlight=False, soft_wrap=True)
    if comparison.problems:
        raise typer.Exit(1)
    console.print("[green]Passed[/green] No day is missing, and enough events are in Amplitude.")


def _days(comparison: "Comparison") -> "Table":
    """A row for each day, and the total."""
    from rich.table import Table

    from novade_pipeline.defs.reconciliation.comparison import COUNTS

    table = Table(box=None, pad_edge=False)
    table.add_column("Day", no_wrap=True)
    # Short, so that they fit into 80 columns.
    for heading in (
        *("Segment", "Amplitude", "both", "only\nSegm.", "only\nAmpl.", "other\ntime"),
        *("other\nprop.", "twice\nSegm.", "twice\nAmpl."),
    ):
        table.add_column(heading, justify="right")
    for day, sums in comparison.by_day.items():
        table.add_row(str(day), *(f"{sums[name]:,}" for name in COUNTS))
    table.add_row("all", *(f"{comparison.totals[name]:,}" for name in COUNTS), style="bold")
    return table


def _print_examples(print_line: "Callable[..., None]", comparison: "Comparison") -> None:
    from rich.markup import escape

    from novade_pipeline.defs.reconciliation.comparison import KINDS

    cells = [row for row in comparison.rows if any(row[kind] for kind in KINDS)]
    for row in cells[:CELLS]:
        lines = [f"{row['event_date']} {row['event_type']}"]
        for kind, meaning in KINDS.items():
            if row[kind]:
                lines.append(f"  {row[kind]:,} {meaning}")
                lines += [f"    {example}" for example in row[f"{kind}_examples"]]
        print_line(escape("\n".join(lines)), highlight=False, soft_wrap=True)
    if len(cells) > CELLS:
        print_line(f"and {len(cells) - CELLS:,} more days and event types in marts/reconciliation.")
