"""`novade amplitude`: fetches history from Amplitude's Export API."""

from typing import Annotated

import typer

amplitude = typer.Typer(help="Amplitude's events.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Adds the domain's commands to the command line."""
    app.add_typer(amplitude, name="amplitude")


@amplitude.callback()
def of_amplitude() -> None:
    """Amplitude's events."""


@amplitude.command(
    epilog="Example: [bold]novade sandbox with novade amplitude backfill "
    "--window 2024-05-01..2024-05-02 --no-load[/bold]"
)
def backfill(
    context: typer.Context,
    window: Annotated[
        str, typer.Option(help="START..END, days or hours, both included: 2024-01-01..2026-10-31.")
    ],
    again: Annotated[
        bool, typer.Option("--again", help="Fetch hours again that were fetched before.")
    ] = False,
    load: Annotated[
        bool, typer.Option(help="Load the hours afterwards; without it the sensor or a run does.")
    ] = True,
) -> None:
    """Fetch events of the past from Amplitude's Export API, and load them.

    A backfill that is cut off goes on with the hours that it had not fetched.
    """
    from rich.console import Console

    from novade_pipeline.defs.amplitude.settings import AmplitudeSettings
    from novade_pipeline.errors import UserError
    from novade_pipeline.graph.runner import runner_of
    from novade_pipeline.lake.windows import day_of
    from novade_pipeline.settings import load_settings

    console = Console()

    def show(message: str) -> None:
        console.print(message, highlight=False, soft_wrap=True, markup=False)

    settings = load_settings()
    if settings.of(AmplitudeSettings).missing:
        message = settings.of(AmplitudeSettings).not_configured
        raise UserError(f"novade amplitude backfill: {message}")
    runner = runner_of(context)
    hours = runner.window(settings, window)
    first, offered = day_of(hours.start), settings.of(AmplitudeSettings).history_start
    # Its partitions begin with the first day that is asked for.
    settings = load_settings(amplitude_history_start=min(first, offered or first))
    outcome = runner.run(
        settings, job="backfill_amplitude", window=hours, again=again, on_message=show
    )
    if outcome.success and load:
        outcome = runner.run(settings, job="load_amplitude", window=hours, on_message=show)
    for failure in outcome.failures:
        show(f"Failed: {failure}")
    if not outcome.success:
        raise typer.Exit(1)
