"""`novade drift`: the final export of Drift, and its verification."""

from typing import Annotated, Any

import typer

drift = typer.Typer(help="Drift, the chat service that is closing.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Adds the domain's commands to the command line."""
    app.add_typer(drift, name="drift")


@drift.command(
    "final-export", epilog="Example: [bold]novade sandbox with novade drift final-export[/bold]"
)
def final_export(
    context: typer.Context,
    again: Annotated[
        bool, typer.Option("--again", help="Make another one, although one was verified.")
    ] = False,
) -> None:
    """Make one complete, verified copy of Drift; afterwards its tables are frozen."""
    from rich.console import Console

    from novade_pipeline.defs.drift.settings import DriftSettings
    from novade_pipeline.errors import UserError
    from novade_pipeline.graph.runner import runner_of
    from novade_pipeline.settings import load_settings

    console = Console()

    def show(message: str) -> None:
        console.print(message, highlight=False, soft_wrap=True, markup=False)

    settings = load_settings(drift_unfreeze=True) if again else load_settings()
    if not settings.of(DriftSettings).is_set:
        raise UserError("novade drift final-export: expected NOVADE_DRIFT_TOKEN to be set.")
    outcome = runner_of(context).run(settings, job="export_drift", on_message=show)
    for failure in outcome.failures:
        show(f"Failed: {failure}")
    if not outcome.success:
        raise typer.Exit(1)
    _show(settings)


@drift.command("verify", epilog="Example: [bold]novade drift verify[/bold]")
def verify() -> None:
    """Read the whole copy back, and compare it with its manifest."""
    from novade_pipeline.settings import load_settings

    _show(load_settings())


def _show(settings: Any) -> None:
    """Prints the files and the faults; exits with 1 where there are faults."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from novade_pipeline.defs.drift.manifest import copied_files, faults, read_manifest
    from novade_pipeline.errors import UserError

    copy = read_manifest(settings.lake)
    if copy is None:
        raise UserError(
            "novade drift verify: expected a verified final export in the lake, found none; make "
            "one with `novade drift final-export`."
        )
    listing = Table(box=None, pad_edge=False)
    for heading in ("File", "Rows", "Bytes", "SHA-256"):
        listing.add_column(heading, overflow="fold")
    for file in copied_files(copy):
        figures = (f"{file['count']:,}", f"{file['bytes']:,}")
        listing.add_row(file["name"], *figures, file["sha256"][:16])
    console = Console()
    console.print(listing)
    folder = settings.lake.child(copy["folder"])
    console.print(f"Frozen since {copy['finished_at'][:16]} UTC: {escape(folder)}", soft_wrap=True)
    problems = faults(settings.lake, copy)
    for fault in problems:
        console.print(f"[red]Failed[/red] {escape(fault)}", soft_wrap=True, highlight=False)
    if problems:
        raise typer.Exit(1)
    console.print("Every file is as the manifest says.")
