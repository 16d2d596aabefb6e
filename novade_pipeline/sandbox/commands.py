"""`novade sandbox`: what makes up the outside world."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console

from novade_pipeline.errors import UserError
from novade_pipeline.sandbox import service_commands
from novade_pipeline.settings import load_settings

console = Console()
sandbox = typer.Typer(help="The outside world for demo and tests.", no_args_is_help=True)
service_commands.add_to(sandbox)


@sandbox.command(
    epilog="Example: [bold]novade sandbox land --hours 336 --events-per-hour 120[/bold]"
)
def land(
    hours: Annotated[int, typer.Option(min=1, help="How many hours, up to now.")] = 24,
    events_per_hour: Annotated[int, typer.Option(min=1, help="On average.")] = 120,
    first_hour: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%dT%H", "%Y-%m-%d"], help="Begin here instead, UTC."),
    ] = None,
    seed: Annotated[int, typer.Option(min=1, help="The same seed, the same world.")] = 1,
    faults: Annotated[bool, typer.Option(help="Put broken files and lines in.")] = True,
    if_empty: Annotated[
        bool, typer.Option("--if-empty", help="Only where nothing of Amplitude's has landed yet.")
    ] = False,
) -> None:
    """Write a made-up music service's exports, and publications, into the landing zone."""
    from novade_pipeline.sandbox import amplitude_exports, publications

    settings = load_settings()
    root = settings.landing.path()
    if if_empty and any(page.entries for page in settings.landing.pages("amplitude/")):
        console.print(f"{root} has exports already; nothing is written.")
        return
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    begin = now - timedelta(hours=hours) if first_hour is None else first_hour.replace(tzinfo=UTC)
    try:
        landed = amplitude_exports.land(
            settings.landing,
            first_hour=begin,
            hours=hours,
            events_per_hour=events_per_hour,
            seed=seed,
            faults=faults,
        )
        files, told_of = publications.land(settings.landing, seed=seed, faults=faults)
    except ValueError as error:
        raise UserError(f"novade sandbox land: {error}") from None
    except OSError as error:
        raise UserError(
            f"novade sandbox land: expected to write {root}, found: {error.strerror or error}; set "
            "NOVADE_LANDING_URL."
        ) from None
    console.print(
        f"{root}: {landed.written} files written, {landed.unchanged} as they were; "
        f"{landed.lines:,} event lines and {landed.merges:,} merges from {begin:%Y-%m-%d %H}h "
        f"for {hours} hours, {landed.faulty_files} broken files among them; "
        f"{told_of:,} publications, {files} of their files written."
    )


@sandbox.command(
    "with",
    epilog="Example: [bold]novade sandbox with novade run[/bold]",
    context_settings={"allow_interspersed_args": False},
)
def beside(
    command: Annotated[list[str], typer.Argument(help="What to run, and its arguments.")],
    events_per_hour: Annotated[int, typer.Option(min=1, help="As of the exports landed.")] = 120,
    seed: Annotated[int, typer.Option(min=1, help="The same seed, the same world.")] = 1,
) -> None:
    """Run a command beside the made-up music service, Salesforce and Drift, and end as it ends.

    A system that a setting leads to already is not made up.
    """
    from novade_pipeline.sandbox.services import services

    settings = load_settings().masked()
    with services(seed, events_per_hour, datetime.now(UTC).date()) as told:
        real = {name.split("_")[1] for name in told if settings[name][1] == "set"}
        made_up = {name: value for name, value in told.items() if name.split("_")[1] not in real}
        try:
            code = _ended(command, os.environ | made_up)
        except OSError as error:
            raise UserError(f"novade sandbox with: {command[0]}: {error.strerror}.") from None
    raise typer.Exit(code if code >= 0 else 128 - code)


def _ended(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """The exit code of a command, which is told to end when this process is.

    Raises:
        OSError: it cannot be started.
    """
    process: subprocess.Popen[bytes] | None = None
    is_told = False

    def end(*_: object) -> None:
        nonlocal is_told
        is_told = True
        if process is not None:
            process.terminate()

    # A terminal tells the command as well. An exception could cost its exit code here.
    handlers = {signal.SIGTERM: end, signal.SIGINT: lambda *_: None}
    before = {
        told: signal.signal(told, handler)
        for told, handler in handlers.items()
        # What is ignored, as Ctrl-C in the background, is so by the command as well.
        if signal.getsignal(told) is not signal.SIG_IGN
    }
    try:
        process = subprocess.Popen(command, env=environment)  # noqa: S603
        if is_told:
            process.terminate()
        return process.wait()
    finally:
        for told, handler in before.items():
            signal.signal(told, handler)
