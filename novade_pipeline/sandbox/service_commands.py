"""`novade sandbox amplitude|music|salesforce|drift`: serve a made-up service until interrupted."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from novade_pipeline.errors import UserError

if TYPE_CHECKING:
    from starlette.applications import Starlette

console = Console()


def add_to(sandbox: typer.Typer) -> None:
    """Add the services to `novade sandbox`."""
    for service in (amplitude, music, salesforce, drift):
        example = f"Example: [bold]novade sandbox {service.__name__} --port 8100[/bold]"
        sandbox.command(epilog=example)(service)


def amplitude(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 8000,
    events_per_hour: Annotated[int, typer.Option(min=1, help="As for `land`.")] = 120,
    seed: Annotated[int, typer.Option(min=1, help="As for `land`.")] = 1,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The first day that has events, by default 2024."),
    ] = None,
    limited_every: Annotated[int, typer.Option(min=0, help="Every n-th response is a 429.")] = 0,
    failing_every: Annotated[int, typer.Option(min=0, help="Every n-th response is a 500.")] = 0,
    slow_hours: Annotated[int, typer.Option(min=0, help="Longer spans get a 504.")] = 0,
    cut_every: Annotated[int, typer.Option(min=0, help="Every n-th zip is cut.")] = 0,
    most_bytes: Annotated[int, typer.Option(min=1, help="A larger zip is refused.")] = 4 * 10**9,
) -> None:
    """Serve the Export API of a made-up music service's Amplitude until interrupted."""
    from novade_pipeline.sandbox.amplitude_api import BEGIN, AmplitudeApi, Faults, made_up

    faults = Faults(
        limited_every=limited_every,
        failing_every=failing_every,
        slow_hours=slow_hours,
        cut_every=cut_every,
    )
    files_of = made_up(seed, events_per_hour, since.replace(tzinfo=UTC) if since else BEGIN)
    api = AmplitudeApi(files_of, most_bytes=most_bytes, faults=faults)
    settings = {
        "NOVADE_AMPLITUDE_API_URL": "",
        "NOVADE_AMPLITUDE_API_KEY": api.api_key,
        "NOVADE_AMPLITUDE_SECRET_KEY": api.secret_key,
    }
    _serve("amplitude", port, api.app(), settings)


def music(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 8100,
    tracks: Annotated[int, typer.Option(min=0, help="Number of tracks.")] = 240,
    users: Annotated[int, typer.Option(min=0, help="Number of users.")] = 60,
    histories: Annotated[int, typer.Option(min=0, help="Number of listening histories.")] = 400,
    seed: Annotated[int, typer.Option(min=1, help="The same seed gives the same data.")] = 1,
    limited_every: Annotated[int, typer.Option(min=0, help="Every n-th response is a 429.")] = 0,
    failing_every: Annotated[int, typer.Option(min=0, help="Every n-th response is a 500.")] = 0,
    slow_every: Annotated[int, typer.Option(min=0, help="Every n-th response takes 1 s.")] = 0,
    broken_every: Annotated[int, typer.Option(min=0, help="Every n-th row has a wrong type.")] = 0,
    changes: Annotated[
        int, typer.Option(min=0, help="Changes of each table while it is read.")
    ] = 0,
    restores: Annotated[
        int, typer.Option(min=0, help="Rows of each table that return to an older state.")
    ] = 0,
) -> None:
    """Serve the API of a made-up music service until interrupted."""
    from novade_pipeline.sandbox.music_api import Faults, MusicApi

    faults = Faults(
        limited_every=limited_every,
        failing_every=failing_every,
        slow_every=slow_every,
        broken_every=broken_every,
        changes=changes,
        restores=restores,
    )
    api = MusicApi(tracks=tracks, users=users, histories=histories, seed=seed, faults=faults)
    _serve("music", port, api.app(), {"NOVADE_MUSIC_API_URL": ""})


def salesforce(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 8200,
    events_per_hour: Annotated[
        int, typer.Option(min=1, help="As for `land`: the CRM knows the product's users.")
    ] = 120,
    people: Annotated[int, typer.Option(min=0, help="Number of people in the CRM, at most.")] = 800,
    seed: Annotated[int, typer.Option(min=1, help="The same seed gives the same data.")] = 1,
    as_of: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="All records are older than this day; by default today."
        ),
    ] = None,
    session_requests: Annotated[
        int, typer.Option(min=0, help="Requests after which a session ends.")
    ] = 0,
    failing_jobs: Annotated[int, typer.Option(min=0, help="The first n jobs fail.")] = 0,
    slow_polls: Annotated[int, typer.Option(min=0, help="Polls until a job completes.")] = 0,
    limited_every: Annotated[int, typer.Option(min=0, help="Every n-th response is a 429.")] = 0,
    failing_every: Annotated[int, typer.Option(min=0, help="Every n-th response is a 500.")] = 0,
    changes: Annotated[int, typer.Option(min=0, help="Records changed while they are read.")] = 0,
    deletions: Annotated[int, typer.Option(min=0, help="Records deleted while they are read.")] = 0,
    uneven_pages: Annotated[
        bool, typer.Option("--uneven-pages", help="Pages have a random size.")
    ] = False,
    daily_limit: Annotated[int, typer.Option(min=1, help="Requests allowed per day.")] = 100_000,
) -> None:
    """Serve a made-up Salesforce organisation until interrupted."""
    from novade_pipeline.sandbox.salesforce.api import Faults, SalesforceApi

    faults = Faults(
        session_requests=session_requests,
        failing_jobs=failing_jobs,
        slow_polls=slow_polls,
        limited_every=limited_every,
        failing_every=failing_every,
        changes=changes,
        deletions=deletions,
        uneven_pages=uneven_pages,
        daily_limit=daily_limit,
    )
    today = as_of or datetime.now(UTC)
    api = SalesforceApi(
        seed=seed,
        people=people,
        events_per_hour=events_per_hour,
        as_of=today.date(),
        faults=faults,
        live=as_of is None,
    )
    settings = {
        "NOVADE_SALESFORCE_URL": "",
        "NOVADE_SALESFORCE_CLIENT_ID": api.access.client_id,
        "NOVADE_SALESFORCE_CLIENT_SECRET": api.access.client_secret,
    }
    _serve("salesforce", port, api.app(), settings)


def drift(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 8300,
    conversations: Annotated[int, typer.Option(min=0, help="Number of chats.")] = 240,
    events_per_hour: Annotated[
        int, typer.Option(min=1, help="As for land: the product's users chat.")
    ] = 120,
    seed: Annotated[int, typer.Option(min=1, help="The same seed gives the same data.")] = 1,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The day of the data; by default today."),
    ] = None,
    old_paging: Annotated[
        bool, typer.Option("--old-paging", help="Use `pagination` instead of `links`.")
    ] = False,
    limited_every: Annotated[int, typer.Option(min=0, help="Every n-th response is a 429.")] = 0,
    failing_every: Annotated[int, typer.Option(min=0, help="Every n-th response is a 500.")] = 0,
    slow_every: Annotated[int, typer.Option(min=0, help="Every n-th response takes 1 s.")] = 0,
    broken_every: Annotated[int, typer.Option(min=0, help="Every n-th row has a wrong type.")] = 0,
    changes: Annotated[
        int, typer.Option(min=0, help="Messages written while the list is read.")
    ] = 0,
    misplaced_every: Annotated[
        int, typer.Option(min=0, help="Every n-th changed chat keeps its position in the list.")
    ] = 0,
) -> None:
    """Serve the API of a made-up Drift workspace until interrupted."""
    from novade_pipeline.sandbox.drift_api import DriftApi, Faults

    faults = Faults(
        limited_every=limited_every,
        failing_every=failing_every,
        slow_every=slow_every,
        broken_every=broken_every,
        changes=changes,
        misplaced_every=misplaced_every,
    )
    api = DriftApi(
        conversations=conversations,
        seed=seed,
        events_per_hour=events_per_hour,
        as_of=(as_of or datetime.now(UTC)).date(),
        paging="pagination" if old_paging else "links",
        faults=faults,
    )
    settings = {"NOVADE_DRIFT_API_URL": "", "NOVADE_DRIFT_TOKEN": api.token}
    _serve("drift", port, api.app(), settings)


def _serve(service: str, port: int, app: "Starlette", settings: Mapping[str, str]) -> None:
    """Print the settings that point to an app, "" for its URL, and serve it until interrupted."""
    from novade_pipeline.sandbox import serving

    try:
        listening = serving.listen(port)
    except OSError as error:
        raise UserError(f"novade sandbox {service}: port {port}: {error.strerror}.") from None
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    for name, value in settings.items():
        console.print(f"{name}={value or url}", soft_wrap=True, highlight=False)
    serving.serve_for_ever(app, listening)
