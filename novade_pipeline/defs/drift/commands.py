"""`novade drift`: the final export of Drift, and whether it is still whole."""

from typing import Annotated, Any

import typer

drift = typer.Typer(help="Drift, the chat service that is closing.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Put the domain's commands into the command line."""
    app.add_typer(drift, name="drift")


@drift.command("final-export", epilog="Example: [bold]novade drift final-export[/bold]")
def final_export(
    context: typer.Context,
    again: Annotated[
        bool, typer.Option("--again", help="Although one was verified: make another one.")
    ] = False,
) -> None:
    """Make one complete, verified copy of Drift; afterwards its tables are frozen."""
    from rich.console import Console

    from novade_pipeline.graph.runner import runner_of
    from novade_pipeline.settings import load_settings

    console = Console()

    def tell(message: str) -> None:
        console.print(message, highlight=False, soft_wrap=True, markup=False)

    settings = load_settings(drift_unfreeze=True) if again else load_settings()
    outcome = runner_of(context).run(settings, select="drift/final_export", on_message=tell)
    for failure in outcome.failures:
        tell(f"Failed: {failure}")
    if not outcome.success:
        raise typer.Exit(1)
    _show(settings)


@drift.command("verify", epilog="Example: [bold]novade drift verify[/bold]")
def verify() -> None:
    """Read the whole copy back, and say whether it is still as its manifest says."""
    from novade_pipeline.settings import load_settings

    _show(load_settings())


def _show(settings: Any) -> None:
    """A line a file, and what is wrong; exits with 1 where something is."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from novade_pipeline.defs.drift.manifest import faults, manifest
    from novade_pipeline.errors import UserError

    told = manifest(settings.lake)
    if told is None:
        raise UserError(
            "novade drift verify: expected a verified final export in the lake, found none; make "
            "one with `novade drift final-export`."
        )
    shown = Table(box=None, pad_edge=False)
    for heading in ("File", "Rows", "Bytes", "SHA-256"):
        shown.add_column(heading, overflow="fold")
    for table in told["tables"].values():
        for file in (table["as_rows"], table["as_told"]):
            figures = (f"{file['count']:,}", f"{file['bytes']:,}")
            shown.add_row(file["name"], *figures, file["sha256"][:16])
    console = Console()
    console.print(shown)
    where = settings.lake.child(told["folder"])
    console.print(f"Frozen since {told['finished_at'][:16]} UTC: {escape(where)}", soft_wrap=True)
    found = faults(settings.lake, told)
    for fault in found:
        console.print(f"[red]Failed[/red] {escape(fault)}", soft_wrap=True, highlight=False)
    if found:
        raise typer.Exit(1)
    console.print("Every file is as the manifest says.")
