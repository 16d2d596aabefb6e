"""`novade sandbox erp|erp-changes`: a real PostgreSQL with a small sales database."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from novade_pipeline.errors import UserError

if TYPE_CHECKING:
    from novade_pipeline.sandbox.database_servers import DatabaseServer

console = Console()
_SEED = Annotated[int, typer.Option(min=1, help="The same seed gives the same data.")]


def add_to(sandbox: typer.Typer) -> None:
    """Add the database to `novade sandbox`."""
    sandbox.command(epilog="Example: [bold]novade sandbox erp --port 5433[/bold]")(erp)
    sandbox.command(
        "erp-changes", epilog="Example: [bold]novade sandbox erp-changes --count 5[/bold]"
    )(erp_changes)


@contextmanager
def erp_beside(seed: int) -> Iterator[dict[str, str]]:
    """Run the database on a free port, and yield the setting that points to it."""
    from novade_pipeline.sandbox.database_servers import running_postgres

    with running_postgres() as server:
        yield {"NOVADE_ERP_URL": _filled(server, seed, 400)}


def erp(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 5433,
    folder: Annotated[
        Path | None,
        typer.Option(help="Where it keeps its data; by default gone afterwards.", file_okay=False),
    ] = None,
    orders: Annotated[int, typer.Option(min=1, help="Number of orders.")] = 400,
    seed: _SEED = 1,
) -> None:
    """Run PostgreSQL with customers, products, orders and order lines until interrupted.

    Needs Debian's postgresql, whose servers do not run as root: they run as its user postgres.
    """
    from novade_pipeline.sandbox.database_servers import running_postgres
    from novade_pipeline.sandbox.processes import is_running

    interrupted = threading.Event()
    with running_postgres(folder, port=port) as server:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: interrupted.set())
        console.print(
            f"NOVADE_ERP_URL={_filled(server, seed, orders)}\nCtrl-C ends it.",
            soft_wrap=True,
            highlight=False,
        )
        while not interrupted.wait(1.0):
            if not is_running(server.pid):
                raise UserError(f"novade sandbox erp: it ended; see {server.folder}/output.txt.")


def erp_changes(
    count: Annotated[int, typer.Option(min=1, help="Number of new orders.")] = 20,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the sandbox's server.")] = 5433,
    seed: _SEED = 1,
) -> None:
    """Insert, update and delete rows of the sandbox's database."""
    from novade_pipeline.databases.database import Database
    from novade_pipeline.sandbox.database_servers import PASSWORD, USER
    from novade_pipeline.sandbox.erp_rows import DATABASE, change

    url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{port}/{DATABASE}"
    with Database(url, "--port").failures("to change rows"):
        change(url, seed=seed, count=count)
    console.print(f"{count} orders are new, others changed, one is gone.", highlight=False)


def _filled(server: "DatabaseServer", seed: int, orders: int) -> str:
    """Make the database where it is not there yet; the URL of its reader."""
    import psycopg2

    from novade_pipeline.sandbox.erp_rows import DATABASE, READER, READER_PASSWORD, create

    connection = psycopg2.connect(server.url("postgres"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("select 1 from pg_database where datname = %s", [DATABASE])
        is_new = not cursor.fetchall()
        if is_new:
            cursor.execute(f"create database {DATABASE}")
    connection.close()
    if is_new:
        create(server.url(DATABASE), seed=seed, orders=orders)
    return server.url(DATABASE, READER, READER_PASSWORD)
