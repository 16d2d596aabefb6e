"""The command `novade`.

Exit codes: 0 success, 1 an asset or a blocking check failed, 2 an error that the user can fix,
130 interrupted. Only commands that need Dagster import it.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from novade_pipeline.errors import TransientFailure, UserError
from novade_pipeline.execution.runner import LocalRunner
from novade_pipeline.graph.domains import modules
from novade_pipeline.sandbox.commands import sandbox
from novade_pipeline.settings import Settings, load_settings

if TYPE_CHECKING:
    from novade_pipeline.execution.outcome import RunOutcome

INTERRUPTED = 130
"""Typer's exit code after Ctrl-C, as a shell's: 128 and the number of SIGINT."""
console = Console()
app = typer.Typer(
    help="A data lake of your own: from landed files to marts.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
rebuild = typer.Typer(help="Rebuild derived tables.", no_args_is_help=True)
app.add_typer(sandbox, name="sandbox")
app.add_typer(rebuild, name="rebuild")


def _print_version(requested: bool) -> None:
    if requested:
        console.print(f"novade {version('novade-pipeline')}", highlight=False)
        raise typer.Exit


@app.callback()
def _context(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Its version.")
    ] = False,
) -> None:
    context.obj = LocalRunner()


@app.command(epilog="Example: [bold]novade run --select amplitude/events --reload[/bold]")
def run(
    select: Annotated[
        str | None,
        typer.Option(help="Assets: names between commas, or Dagster's selection syntax."),
    ] = None,
    window: Annotated[
        str | None,
        typer.Option(help="START..END, days or hours (2018-11-05T09), both included, UTC."),
    ] = None,
    reload: Annotated[bool, typer.Option(help="Load every hour again, new or not.")] = False,
    retry_quarantined: Annotated[
        bool, typer.Option(help="Parse again what an older parser refused.")
    ] = False,
) -> None:
    """Load new data into the lake, and update the tables derived from it."""
    from novade_pipeline.execution.local_run import parse_window, run_graph
    from novade_pipeline.graph.landing_assets import LandingConfig

    settings = load_settings()
    within = None if window is None else parse_window(window, settings.history_start)
    config = LandingConfig(reload=reload, retry_quarantined=retry_quarantined)
    with _progress() as show:
        outcome = run_graph(settings, select=select, window=within, config=config, on_message=show)
    _report(outcome, settings, in_part=select is not None or window is not None)


@rebuild.command(epilog="Example: [bold]novade rebuild marts[/bold]")
def marts() -> None:
    """Rebuild all marts from the tables of the lake, and publish them."""
    from novade_pipeline.execution.local_run import run_graph

    settings = load_settings()
    with _progress() as show:
        outcome = run_graph(settings, job_name="rebuild_marts", full_refresh=True, on_message=show)
    _report(outcome, settings)


@app.command("settings", epilog="Example: [bold]NOVADE_PERSONAL_DATA=drop novade settings[/bold]")
def show_settings() -> None:
    """Print the settings and their origins, with secrets masked."""
    table = Table(box=None, pad_edge=False)
    table.add_column("Variable", no_wrap=True)
    for heading in ("Value", "From", "Description"):
        table.add_column(heading, overflow="fold")
    for name, (value, origin, description) in load_settings().masked().items():
        table.add_row(name, escape(value), origin, description)
    console.print(table)


@app.command(epilog="Example: [bold]novade ui --port 3000[/bold]")
def ui(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 3000,
) -> None:
    """Serve Dagster's web page and run the sensors, until interrupted."""
    from novade_pipeline.execution.web_page import open_web_page

    open_web_page(load_settings(), host, port, on_message=console.print)


@contextmanager
def _progress() -> Iterator[Callable[[str], None]]:
    """Shows progress: one changing line in a terminal, otherwise a line for each message."""
    begun = datetime.now(UTC)
    with console.status("Polling the landing zone …") as status:

        def show(message: str) -> None:
            seconds = (datetime.now(UTC) - begun).total_seconds()
            if console.is_terminal:
                status.update(escape(message))
            else:
                console.print(
                    f"{seconds:6.1f} s  {message}", highlight=False, soft_wrap=True, markup=False
                )

        yield show


def _report(outcome: "RunOutcome", settings: Settings, *, in_part: bool = False) -> NoReturn:
    """Prints the outcome of a run, which may be restricted to a part, and exits."""
    table = Table(box=None, pad_edge=False)
    table.add_column("Asset", overflow="fold")
    for heading in ("Rows", "Passed", "Warned", "Failed", "Seconds"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for name, asset in sorted(outcome.assets.items()):
        table.add_row(
            name,
            "" if asset.rows is None else f"{asset.rows:,.0f}",
            str(asset.passed),
            f"[yellow]{len(asset.warned)}[/yellow]" if asset.warned else "",
            f"[red]{len(asset.failed)}[/red]" if asset.failed else "",
            f"{asset.seconds:.2f}",
            "unchanged" if asset.unchanged else "",
        )
    console.print(table)
    for name, asset in sorted(outcome.assets.items()):
        if asset.warned:
            console.print(f"[yellow]Warning[/yellow] {name}: {', '.join(asset.warned)}")
        if asset.failed:
            console.print(f"[red]Failed[/red] {name}: {', '.join(asset.failed)}")
    for note in outcome.notes:
        console.print(f"Note: {escape(note)}", soft_wrap=True)
    for failure in outcome.failures:
        console.print(f"[red]Failed[/red] {escape(failure)}", soft_wrap=True)
    if outcome.unchanged:
        whole, part = (
            "the lake has all landed files",
            "the selected assets and hours have no new data",
        )
        console.print(f"Nothing to do: {part if in_part else whole}.")
    home = settings.dagster_home
    console.print(f"Run {outcome.run_id} is in the web page ({home}): `novade ui`.", soft_wrap=True)
    raise typer.Exit(0 if outcome.success else 1)


for _module in modules("commands"):
    _module.add_to(app)


def main() -> NoReturn:
    """Run the command; an error that a user can fix is one sentence on standard error."""
    errors = Console(stderr=True)
    try:
        app()
    except SystemExit as end:
        if end.code == INTERRUPTED:
            errors.print("Interrupted; run again to continue.")
        raise
    except (UserError, TransientFailure) as error:
        again = " Try again." if isinstance(error, TransientFailure) else ""
        errors.print(
            f"[red]Error[/red] {escape(str(error))}{again}", soft_wrap=True, highlight=False
        )
        sys.exit(2)
    sys.exit(0)
