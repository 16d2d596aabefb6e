"""`novade erase`: delete a person from the lake, the warehouse and the marts."""

from typing import TYPE_CHECKING, Annotated

import typer

from novade_pipeline.plurals import counted

if TYPE_CHECKING:
    from novade_pipeline.defs.erasure.erase import Erasure, ErasureScope
    from novade_pipeline.graph.runner import Runner
    from novade_pipeline.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    # A contact of the sandbox's Salesforce and Drift, on whichever day they are generated.
    person = "ines.laurent.n7@delta-software.example"
    app.command(epilog=f"Example: [bold]novade erase --user {person} --dry-run[/bold]")(erase)


def erase(
    context: typer.Context,
    user: Annotated[
        str,
        typer.Option(help="An e-mail address, an id, or kind:id if several systems have the id."),
    ],
    dry_run: Annotated[bool, typer.Option(help="Report what would go; change nothing.")] = False,
) -> None:
    """Delete a person from every table, the marts and the warehouse, permanently.

    All identifiers that the lake connects with the person are followed. Older versions of tables
    with personal data are deleted too. Landing files are only read: those that still hold data of
    the person are listed.
    """
    from rich.console import Console

    from novade_pipeline.defs.erasure.erase import erase as erase_person
    from novade_pipeline.errors import TransientFailure, UserError
    from novade_pipeline.graph.runner import runner_of
    from novade_pipeline.settings import load_settings

    settings = load_settings()
    progress = Console(stderr=True, highlight=False)
    try:
        erasure = erase_person(
            settings,
            erasure_scope(settings, runner_of(context)),
            user,
            dry_run=dry_run,
            log=progress.print,
        )
    except TransientFailure as failure:
        raise UserError(f"{failure} Completed steps are kept: run novade erase again.") from None
    _report(erasure, dry_run)
    if erasure.failures:
        raise typer.Exit(1)


def erasure_scope(settings: "Settings", runner: "Runner") -> "ErasureScope":
    """Collects from the graph what an erasure needs."""
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


def _report(erasure: "Erasure", dry_run: bool) -> None:
    """Print counts and places; never an identifier of the person."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    names = ", ".join(f"{count} {kind}" for kind, count in erasure.names.items())
    console.print(f"Identifiers of the person: {names}.", soft_wrap=True)
    report = Table(box=None, pad_edge=False)
    for heading in ("Table", "Rows", "Other rows, address replaced", "Older files deleted"):
        report.add_column(
            heading, justify="left" if heading == "Table" else "right", overflow="fold"
        )
    for table in erasure.tables:
        past = "" if table.past is None else f"{table.past.files:,}"
        if table.rows or table.amended or table.past:
            report.add_row(table.table, f"{table.rows:,}", f"{table.amended:,}", past)
    console.print(report)
    if dry_run:
        console.print("Nothing was changed: this was a dry run.")
    if erasure.landed.lines:
        console.print("Landing files, which only their owner may change, still hold:")
        for file, lines in sorted(erasure.landed.lines.items()):
            console.print(f"  {escape(file)}: {counted(lines, 'line')}", soft_wrap=True)
    else:
        console.print("No readable landing file holds data of the person.")
    for file, why in sorted(erasure.landed.unread.items()):
        console.print(f"  [yellow]not read[/yellow] {escape(file)}: {escape(why)}", soft_wrap=True)
    for failure in erasure.failures:
        console.print(f"[red]Failed[/red] {escape(failure)}", soft_wrap=True)
