"""`novade sandbox`: what makes up the outside world."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console

from novade_pipeline.errors import UserError
from novade_pipeline.settings import load_settings

console = Console()
sandbox = typer.Typer(help="The outside world for demo and tests.", no_args_is_help=True)


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


@sandbox.command("music", epilog="Example: [bold]novade sandbox music --port 8100[/bold]")
def music(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8100,
    tracks: Annotated[int, typer.Option(min=0, help="How many tracks it has.")] = 240,
    users: Annotated[int, typer.Option(min=0, help="How many users it has.")] = 60,
    histories: Annotated[int, typer.Option(min=0, help="How many listening histories.")] = 400,
    seed: Annotated[int, typer.Option(min=1, help="The same seed, the same world.")] = 1,
    limited_every: Annotated[int, typer.Option(min=0, help="Every n-th answer is a 429.")] = 0,
    failing_every: Annotated[int, typer.Option(min=0, help="Every n-th answer is a 500.")] = 0,
    slow_every: Annotated[int, typer.Option(min=0, help="Every n-th answer takes 1 s.")] = 0,
    broken_every: Annotated[int, typer.Option(min=0, help="Every n-th row breaks its types.")] = 0,
    changes: Annotated[int, typer.Option(min=0, help="Changes a table while it is read.")] = 0,
) -> None:
    """Serve the API of a made-up music service, until it is interrupted."""
    from novade_pipeline.sandbox import serving
    from novade_pipeline.sandbox.music_api import MusicApi, Trouble

    trouble = Trouble(
        limited_every=limited_every,
        failing_every=failing_every,
        slow_every=slow_every,
        broken_every=broken_every,
        changes=changes,
    )
    api = MusicApi(tracks=tracks, users=users, histories=histories, seed=seed, trouble=trouble)
    try:
        listening = serving.listen(port)
    except OSError as error:
        raise UserError(f"novade sandbox music: port {port}: {error.strerror}.") from None
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    console.print(f"NOVADE_MUSIC_API_URL={url}", soft_wrap=True, highlight=False)
    serving.serve_for_ever(api.app(), listening)
