"""`novade erase`: delete a person from the lake, the warehouse and the marts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from novade_pipeline.defs.erasure.erase import ErasureScope
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
    list_file: Annotated[
        Path | None,
        typer.Option(
            "--list",
            help="Where to write the list of landing files, CSV; by default beside the warehouse.",
        ),
    ] = None,
) -> None:
    """Delete a person from every table, the marts and the warehouse, permanently.

    All identifiers that the lake connects with the person are followed. Older versions of tables
    with personal data are deleted too. Landing files are only read: those that still hold data of
    the person are listed in a file. A dry run only reads, so it may run beside any other run.
    """
    from novade_pipeline.defs.erasure.erase import erase as erase_person
    from novade_pipeline.defs.erasure.report import list_path, print_report, show_progress
    from novade_pipeline.errors import TransientFailure, UserError
    from novade_pipeline.graph.runner import runner_of
    from novade_pipeline.settings import load_settings

    settings = load_settings()
    path = list_path(settings, list_file)
    try:
        with show_progress() as (log, on_files):
            erasure = erase_person(
                settings,
                erasure_scope(settings, runner_of(context)),
                user,
                dry_run=dry_run,
                log=log,
                on_files=on_files,
            )
    except TransientFailure as failure:
        raise UserError(f"{failure} Completed steps are kept: run novade erase again.") from None
    print_report(erasure, path, dry_run=dry_run)
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
