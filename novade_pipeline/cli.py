"""The command `novade`.

Exit codes: 0 success, 1 an asset or a blocking check failed, 2 an error that the user can fix,
130 interrupted. Only commands that need Dagster import it.
"""

import sys
from importlib.metadata import version
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from novade_pipeline.errors import TransientFailure, UserError
from novade_pipeline.execution.runner import LocalRunner
from novade_pipeline.graph.domains import modules
from novade_pipeline.sandbox.commands import sandbox
from novade_pipeline.settings import Settings, load_settings

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
    from novade_pipeline.execution.local_run import parse_window
    from novade_pipeline.graph.landing_assets import LandingConfig

    settings = load_settings()
    within = None if window is None else parse_window(window, settings.history_start)
    config = LandingConfig(reload=reload, retry_quarantined=retry_quarantined)
    in_part = select is not None or window is not None
    _run(settings, in_part=in_part, select=select, window=within, config=config)


@rebuild.command(epilog="Example: [bold]novade rebuild marts[/bold]")
def marts() -> None:
    """Rebuild all marts from the tables of the lake, and publish them."""
    _run(load_settings(), job_name="rebuild_marts", full_refresh=True)


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


def _run(settings: Settings, *, in_part: bool = False, **options: Any) -> NoReturn:
    """Runs the graph, shows its progress and outcome, and exits."""
    from novade_pipeline.execution.display import display, show_outcome
    from novade_pipeline.execution.local_run import run_graph

    with display(console) as shown:
        outcome = run_graph(
            settings, **options, on_message=shown.on_message, on_domain=shown.on_domain
        )
    show_outcome(console, outcome, settings.dagster_home, in_part=in_part)
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
