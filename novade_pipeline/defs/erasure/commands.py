"""`novade erase`: take a person out of the lake, the warehouse and the marts."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from novade_pipeline.defs.erasure.erase import Erasure, ErasureScope
    from novade_pipeline.graph.runner import Runner
    from novade_pipeline.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: [bold]novade erase --user ada@example.com --dry-run[/bold]")(erase)


def erase(
    context: typer.Context,
    user: Annotated[
        str,
        typer.Option(help="An e-mail address, an id, or kind:id where several systems have it."),
    ],
    dry_run: Annotated[bool, typer.Option(help="Only say what would go; nothing changes.")] = False,
) -> None:
    """Delete a person from every table, the marts and the warehouse, and keep them out for good.

    All names that the lake connects with the person are followed. Older versions of tables that
    hold personal data go too. Landing is only looked at: what its files still hold is listed.
    """
    from rich.console import Console

    from novade_pipeline.defs.erasure.erase import erase as erase_person
    from novade_pipeline.errors import TransientFailure, UserError
    from novade_pipeline.graph.runner import runner_of
    from novade_pipeline.settings import load_settings

    settings = load_settings()
    progress = Console(stderr=True, highlight=False)
    try:
        done = erase_person(
            settings,
            erasure_scope(settings, runner_of(context)),
            user,
            dry_run=dry_run,
            log=progress.print,
        )
    except TransientFailure as failure:
        raise UserError(f"{failure} What is done stays done: run novade erase again.") from None
    _report(done, dry_run)
    if done.failures:
        raise typer.Exit(1)


def erasure_scope(settings: "Settings", runner: "Runner") -> "ErasureScope":
    """What an erasure works on, as the graph has it."""
    from novade_pipeline.defs.erasure.erase import ErasureScope
    from novade_pipeline.defs.marts.tables import mart_tables
    from novade_pipeline.graph.domains import landing_sources, modules, tables
    from novade_pipeline.graph.landing_assets import rules_of

    return ErasureScope(
        tables=tables(),
        marts=mart_tables(settings.warehouse_path),
        sources=[(s, rules_of(settings, s)) for group in landing_sources() for s in group],
        require_no_run_in_progress=lambda: runner.require_no_run_in_progress(settings),
        rebuild=lambda all_marts: runner.rebuild(settings, all_marts=all_marts),
        copies=[module.forget_in_copies for module in modules("copies")],
    )


def _report(done: "Erasure", dry_run: bool) -> None:
    """Counts and places; never a name of the person."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    known = ", ".join(f"{count} {kind}" for kind, count in done.names.items())
    console.print(f"Names of the person: {known}.", soft_wrap=True)
    shown = Table(box=None, pad_edge=False)
    for heading in ("Table", "Rows", "Of others, address replaced", "Older files deleted"):
        shown.add_column(
            heading, justify="left" if heading == "Table" else "right", overflow="fold"
        )
    for table in done.tables:
        past = "" if table.past is None else f"{table.past.files:,}"
        if table.rows or table.amended or table.past:
            shown.add_row(table.table, f"{table.rows:,}", f"{table.amended:,}", past)
    console.print(shown)
    if dry_run:
        console.print("Nothing is changed: this was a dry run.")
    if done.landed.lines:
        console.print("Landing still holds, in files that only their owner may change:")
        for file, lines in sorted(done.landed.lines.items()):
            console.print(f"  {escape(file)}: {lines:,} lines", soft_wrap=True)
    else:
        console.print("No landing file that can be read holds anything of the person.")
    for file, why in sorted(done.landed.unread.items()):
        console.print(f"  [yellow]not read[/yellow] {escape(file)}: {escape(why)}", soft_wrap=True)
    for failure in done.failures:
        console.print(f"[red]Failed[/red] {escape(failure)}", soft_wrap=True)
