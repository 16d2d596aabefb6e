"""`novade sandbox music|salesforce|drift`: one made-up service each, until it is interrupted."""

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
    """Put the services into `novade sandbox`."""
    for service in (music, salesforce, drift):
        example = f"Example: [bold]novade sandbox {service.__name__} --port 8100[/bold]"
        sandbox.command(epilog=example)(service)


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
    restores: Annotated[int, typer.Option(min=0, help="Rows go back to an older state.")] = 0,
) -> None:
    """Serve the API of a made-up music service, until it is interrupted."""
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
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8200,
    events_per_hour: Annotated[
        int, typer.Option(min=1, help="Of the exports that tell of the same people.")
    ] = 120,
    people: Annotated[int, typer.Option(min=0, help="How many people it may know.")] = 800,
    seed: Annotated[int, typer.Option(min=1, help="The same seed, the same world.")] = 1,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="All is older than this day; nothing: today."),
    ] = None,
    session_requests: Annotated[
        int, typer.Option(min=0, help="A session ends after so many requests.")
    ] = 0,
    failing_jobs: Annotated[int, typer.Option(min=0, help="The first n jobs fail.")] = 0,
    slow_polls: Annotated[int, typer.Option(min=0, help="A job takes so many polls.")] = 0,
    limited_every: Annotated[int, typer.Option(min=0, help="Every n-th answer is a 429.")] = 0,
    failing_every: Annotated[int, typer.Option(min=0, help="Every n-th answer is a 500.")] = 0,
    changes: Annotated[int, typer.Option(min=0, help="Changes records while they are read.")] = 0,
    deletions: Annotated[int, typer.Option(min=0, help="Deletes some while they are read.")] = 0,
    uneven_pages: Annotated[
        bool, typer.Option("--uneven-pages", help="Pages are smaller than they may be.")
    ] = False,
    daily_limit: Annotated[int, typer.Option(min=1, help="So many requests a day.")] = 100_000,
) -> None:
    """Serve a made-up Salesforce organisation, until it is interrupted."""
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
    told = {
        "NOVADE_SALESFORCE_URL": "",
        "NOVADE_SALESFORCE_CLIENT_ID": api.access.client_id,
        "NOVADE_SALESFORCE_CLIENT_SECRET": api.access.client_secret,
    }
    _serve("salesforce", port, api.app(), told)


def drift(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8300,
    conversations: Annotated[int, typer.Option(min=0, help="How many chats it has.")] = 240,
    events_per_hour: Annotated[
        int, typer.Option(min=1, help="As for land: the product's users chat.")
    ] = 120,
    seed: Annotated[int, typer.Option(min=1, help="The same seed, the same world.")] = 1,
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The day on which it is so; today."),
    ] = None,
    old_paging: Annotated[
        bool, typer.Option("--old-paging", help="Page by `pagination`, not by `links`.")
    ] = False,
    limited_every: Annotated[int, typer.Option(min=0, help="Every n-th answer is a 429.")] = 0,
    failing_every: Annotated[int, typer.Option(min=0, help="Every n-th answer is a 500.")] = 0,
    slow_every: Annotated[int, typer.Option(min=0, help="Every n-th answer takes 1 s.")] = 0,
    broken_every: Annotated[int, typer.Option(min=0, help="Every n-th row breaks its types.")] = 0,
    changes: Annotated[int, typer.Option(min=0, help="Chats go on while the list is read.")] = 0,
    misplaced_every: Annotated[
        int, typer.Option(min=0, help="Every n-th chat that changes keeps its place in the list.")
    ] = 0,
) -> None:
    """Serve the API of a made-up Drift workspace, until it is interrupted."""
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
    told = {"NOVADE_DRIFT_API_URL": "", "NOVADE_DRIFT_TOKEN": api.token}
    _serve("drift", port, api.app(), told)


def _serve(service: str, port: int, app: "Starlette", told: Mapping[str, str]) -> None:
    """Serve an app until the process is interrupted.

    Args:
        told: the settings that lead to it, printed first; an empty one is the app's address.
    """
    from novade_pipeline.sandbox import serving

    try:
        listening = serving.listen(port)
    except OSError as error:
        raise UserError(f"novade sandbox {service}: port {port}: {error.strerror}.") from None
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    for name, value in told.items():
        console.print(f"{name}={value or url}", soft_wrap=True, highlight=False)
    serving.serve_for_ever(app, listening)
