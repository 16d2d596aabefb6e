"""`novade sandbox broker`: a real broker, until interrupted."""

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from novade_pipeline.errors import UserError

console = Console()
TOPICS = ("client_tickets", "iot_readings")


def add_to(sandbox: typer.Typer) -> None:
    """Add the broker to `novade sandbox`."""
    sandbox.command(epilog="Example: [bold]novade sandbox broker --port 9092[/bold]")(broker)


def broker(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 9092,
    scram_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the listener with SCRAM-SHA-256; 0: free.")
    ] = 9093,
    folder: Annotated[
        Path, typer.Option(help="Where the broker keeps its topics.", file_okay=False)
    ] = Path("data/broker"),
    partitions: Annotated[int, typer.Option(min=1, help="Of each topic that is new.")] = 3,
) -> None:
    """Run a Kafka broker with the topics client_tickets and iot_readings until interrupted.

    Needs Java 17 or newer, and Maven, which downloads the broker (43 MB) once.
    """
    from novade_pipeline.sandbox.broker import PLAIN, SCRAM, is_running, running_broker

    ports = {PLAIN: port, SCRAM: scram_port}
    interrupted = threading.Event()
    with running_broker(folder, ports=ports) as running:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: interrupted.set())
        existing = running.admin().list_topics(timeout=30).topics
        for topic in TOPICS:
            if topic not in existing:
                running.create_topic(topic, partitions)
        lines = [
            f"A Kafka broker listens at {running.address}, and for {running.user} with "
            f"the password {running.password} (SCRAM-SHA-256) at {running.addresses[SCRAM]}.",
            f"Topics: {', '.join(TOPICS)}; data in {running.folder}. Ctrl-C ends it.",
        ]
        for line in lines:
            console.print(line, soft_wrap=True, highlight=False)
        while not interrupted.wait(1.0):
            if not is_running(running.pid):
                raise UserError(f"novade sandbox broker: it ended; see {folder / 'output.txt'}.")
