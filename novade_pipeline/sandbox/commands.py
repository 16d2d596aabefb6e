"""`novade sandbox`: stand-ins for the outside world."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from novade_pipeline.errors import UserError
from novade_pipeline.plurals import counted
from novade_pipeline.sandbox import erp_commands, service_commands, stream_commands
from novade_pipeline.settings import load_settings

console = Console()
sandbox = typer.Typer(help="The outside world for demo and tests.", no_args_is_help=True)
service_commands.add_to(sandbox)
stream_commands.add_to(sandbox)
erp_commands.add_to(sandbox)


@sandbox.command(
    epilog="Example: [bold]novade sandbox land --hours 24 --events-per-hour 120[/bold]"
)
def land(
    hours: Annotated[int, typer.Option(min=1, help="Number of hours, up to now.")] = 24,
    events_per_hour: Annotated[int, typer.Option(min=1, help="On average.")] = 120,
    first_hour: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%dT%H", "%Y-%m-%d"], help="Begin at this hour instead, UTC."),
    ] = None,
    seed: Annotated[int, typer.Option(min=1, help="The same seed gives the same data.")] = 1,
    faults: Annotated[bool, typer.Option(help="Include broken files and lines.")] = True,
    if_empty: Annotated[
        bool, typer.Option("--if-empty", help="Only if no Amplitude export has landed yet.")
    ] = False,
) -> None:
    """Write exports of a made-up music service, and publications, to the landing zone."""
    from novade_pipeline.sandbox import amplitude_exports, publications

    settings = load_settings()
    root = settings.landing.path()
    if if_empty and any(page.entries for page in settings.landing.pages("amplitude/")):
        console.print(f"{root} already has exports; nothing was written.")
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
        files, publication_count = publications.land(settings.landing, seed=seed, faults=faults)
    except ValueError as error:
        raise UserError(f"novade sandbox land: {error}") from None
    except OSError as error:
        raise UserError(
            f"novade sandbox land: expected to write {root}, found: {error.strerror or error}; set "
            "NOVADE_LANDING_URL."
        ) from None
    console.print(
        f"{root}: {counted(landed.written, 'file')} written, {landed.unchanged} unchanged; "
        f"{counted(landed.lines, 'event line')} and {counted(landed.merges, 'merge')} from "
        f"{begin:%Y-%m-%d %H}h for {counted(hours, 'hour')}, "
        f"{counted(landed.faulty_files, 'broken file')} among them; "
        f"{counted(publication_count, 'publication')}, {files} of their files written."
    )


@sandbox.command(
    epilog="Example: [bold]novade sandbox segment --days 7 --missing 3 --other-time 2[/bold]"
)
def segment(
    days: Annotated[int, typer.Option(min=1, help="Number of days of events.")] = 30,
    first_day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Begin at this day, UTC; by default up to today."),
    ] = None,
    amplitude_exports: Annotated[
        str | None,
        typer.Option(help="A landing zone whose Amplitude exports have the events; all its days."),
    ] = None,
    events_per_hour: Annotated[int, typer.Option(min=1, help="As for `land`.")] = 120,
    seed: Annotated[int, typer.Option(min=1, help="As for `land`.")] = 1,
    dataset: Annotated[str, typer.Option(help="The name of the BigQuery dataset.")] = "lantern",
    missing: Annotated[int, typer.Option(min=0, help="Events that only Amplitude has.")] = 0,
    extra: Annotated[int, typer.Option(min=0, help="Events that only Segment has.")] = 0,
    twice: Annotated[int, typer.Option(min=0, help="Events that Segment has twice.")] = 0,
    other_time: Annotated[int, typer.Option(min=0, help="Events with another time.")] = 0,
    other_property: Annotated[int, typer.Option(min=0, help="Events with another property.")] = 0,
) -> None:
    """Write Segment's BigQuery tables of the events that Amplitude has to the landing zone.

    Events of the same days and seed have the same ids as those of `novade sandbox land`.
    """
    from novade_pipeline.sandbox import segment_tables
    from novade_pipeline.storage.locations import store

    settings = load_settings()
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    begin = (first_day or today - timedelta(days=days)).replace(tzinfo=UTC)
    end = begin + timedelta(days=days)
    if amplitude_exports is None:
        events = segment_tables.made_up_events(
            begin, end, events_per_hour=events_per_hour, seed=seed
        )
    else:
        limits = (begin, end) if first_day else (None, None)
        events = segment_tables.exported_events(store(amplitude_exports), *limits)
    differences = {"missing": missing, "extra": extra, "twice": twice}
    differences |= {"other_time": other_time, "other_property": other_property}
    try:
        landed = segment_tables.land(
            settings.landing, events, dataset=dataset, differences=differences, seed=seed
        )
    except ValueError as error:
        raise UserError(f"novade sandbox segment: {error}.") from None
    console.print(
        f"{settings.landing.path('segment', dataset)}: {counted(landed.events, 'event')} in "
        f"{counted(landed.tables, 'table')} and {counted(landed.files, 'file')}.",
        soft_wrap=True,
    )
    for kind, ids in landed.planted.items():
        console.print(f"{kind.replace('_', ' ')}: {', '.join(ids)}", soft_wrap=True)


@sandbox.command(
    "with",
    epilog="Example: [bold]novade sandbox with novade doctor[/bold]",
    context_settings={"allow_interspersed_args": False},
)
def with_services(
    command: Annotated[list[str], typer.Argument(help="Command and its arguments.")],
    events_per_hour: Annotated[int, typer.Option(min=1, help="As for `land`.")] = 120,
    seed: Annotated[int, typer.Option(min=1, help="As for `land`.")] = 1,
    broker: Annotated[
        bool, typer.Option("--broker", help="Run a Kafka broker as well, with data/broker.")
    ] = False,
    erp: Annotated[
        bool, typer.Option("--erp", help="Run PostgreSQL with a sales database as well.")
    ] = False,
) -> None:
    """Run a command while a made-up music service, Salesforce and Drift are served.

    Exits with the command's exit code. A system that is already configured is not replaced.
    """
    from novade_pipeline.sandbox.services import services

    settings = load_settings().masked()
    with ExitStack() as until_end:
        until = datetime.now(UTC).date()
        urls = until_end.enter_context(services(seed, events_per_hour, until))
        if broker:
            urls |= until_end.enter_context(stream_commands.broker_beside(Path("data/broker")))
        if erp:
            urls |= until_end.enter_context(erp_commands.erp_beside(seed))
        configured = {name.split("_")[1] for name in urls if settings[name][1] == "set"}
        added = {name: v for name, v in urls.items() if name.split("_")[1] not in configured}
        try:
            code = _exit_code(command, os.environ | added)
        except OSError as error:
            raise UserError(f"novade sandbox with: {command[0]}: {error.strerror}.") from None
    raise typer.Exit(code if code >= 0 else 128 - code)


def _exit_code(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command, which is terminated if this process is, and return its exit code.

    Raises:
        OSError: the command cannot be started.
    """
    process: subprocess.Popen[bytes] | None = None
    is_stopping = False

    def end(*_: object) -> None:
        nonlocal is_stopping
        is_stopping = True
        if process is not None:
            process.terminate()

    # A terminal interrupts the command as well. An exception here could lose its exit code.
    handlers = {signal.SIGTERM: end, signal.SIGINT: lambda *_: None}
    before = {
        number: signal.signal(number, handler)
        for number, handler in handlers.items()
        # The command inherits ignored signals, as Ctrl-C in the background.
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        process = subprocess.Popen(command, env=environment)  # noqa: S603
        if is_stopping:
            process.terminate()
        return process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
