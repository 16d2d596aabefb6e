"""`novade sandbox broker|tickets|readings`: a real broker, and what is sent to its topics."""

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from novade_pipeline.errors import UserError
from novade_pipeline.graph.stream_settings import StreamSettings
from novade_pipeline.settings import load_settings

if TYPE_CHECKING:
    from novade_pipeline.sandbox.broker import Broker
    from novade_pipeline.sandbox.producing import Record

console = Console()
TOPICS = ("client_tickets", "iot_readings")
PARTITIONS = 3
_BROKERS = Annotated[
    str | None,
    typer.Option(help="The broker, host:port; by default that of NOVADE_STREAMS_BROKERS."),
]
_RATE = Annotated[float, typer.Option(min=0, help="Records a second; 0: as many as it takes.")]
_SEED = Annotated[int, typer.Option(min=1, help="The same seed gives the same data.")]
_FAULTS = Annotated[bool, typer.Option("--faults", help="Include the faults of real senders.")]
_BIG = Annotated[int, typer.Option(min=0, help="Number of records of 20 MB at the end.")]
_IF_EMPTY = Annotated[
    bool, typer.Option("--if-empty", help="Only if the topic has had no record yet.")
]


def add_to(sandbox: typer.Typer) -> None:
    """Add the broker and its producers to `novade sandbox`."""
    for command, options in (
        (broker, "--port 9092"),
        (tickets, "--count 100 --rate 10"),
        (readings, "--count 1000 --devices 20"),
    ):
        name = f"novade sandbox {command.__name__}"
        sandbox.command(epilog=f"Example: [bold]{name} {options}[/bold]")(command)


def create_topics(running: "Broker", partitions: int = PARTITIONS) -> None:
    """Create the topics that a broker does not have yet."""
    existing = running.admin().list_topics(timeout=30).topics
    for topic in TOPICS:
        if topic not in existing:
            running.create_topic(topic, partitions)


@contextmanager
def broker_beside(folder: Path) -> Iterator[dict[str, str]]:
    """Run a broker with the topics on free ports, and yield the setting that points to it."""
    from novade_pipeline.sandbox.broker import running_broker

    with running_broker(folder) as running:
        create_topics(running)
        yield {"NOVADE_STREAMS_BROKERS": running.address}


def broker(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 9092,
    scram_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the listener with SCRAM-SHA-256; 0: free.")
    ] = 9093,
    folder: Annotated[
        Path, typer.Option(help="Where the broker keeps its topics.", file_okay=False)
    ] = Path("data/broker"),
    partitions: Annotated[int, typer.Option(min=1, help="Of each topic that is new.")] = PARTITIONS,
) -> None:
    """Run a Kafka broker with the topics client_tickets and iot_readings until interrupted.

    Needs Java 17 or newer, and Maven, which downloads the broker (43 MB) once.
    """
    from novade_pipeline.sandbox.broker import PLAIN, SCRAM, running_broker
    from novade_pipeline.sandbox.processes import is_running

    ports = {PLAIN: port, SCRAM: scram_port}
    interrupted = threading.Event()
    with running_broker(folder, ports=ports) as running:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: interrupted.set())
        create_topics(running, partitions)
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


def tickets(
    count: Annotated[int, typer.Option(min=1, help="Number of tickets.")] = 100,
    rate: _RATE = 0,
    first: Annotated[int, typer.Option(min=1, help="The number of the first ticket.")] = 1,
    seed: _SEED = 1,
    faults: _FAULTS = False,
    big_records: _BIG = 0,
    if_empty: _IF_EMPTY = False,
    brokers: _BROKERS = None,
) -> None:
    """Send support tickets, and updates of some, to the topic client_tickets."""
    from novade_pipeline.sandbox.ticket_records import TOPIC
    from novade_pipeline.sandbox.ticket_records import tickets as generated

    now = datetime.now(UTC)
    records = generated(seed, count, now, first=first, faults=faults, big=big_records)
    _send(TOPIC, records, rate, brokers, if_empty=if_empty)


def readings(
    count: Annotated[int, typer.Option(min=1, help="Number of readings.")] = 1000,
    rate: _RATE = 0,
    devices: Annotated[int, typer.Option(min=1, help="Number of devices.")] = 50,
    seed: _SEED = 1,
    faults: _FAULTS = False,
    big_records: _BIG = 0,
    if_empty: _IF_EMPTY = False,
    brokers: _BROKERS = None,
) -> None:
    """Send readings of sensors, one a minute and device up to now, to the topic iot_readings."""
    from novade_pipeline.sandbox.reading_records import TOPIC
    from novade_pipeline.sandbox.reading_records import readings as generated

    now = datetime.now(UTC)
    records = generated(seed, count, now, devices=devices, faults=faults, big=big_records)
    _send(TOPIC, records, rate, brokers, if_empty=if_empty)


def _send(
    topic: str,
    records: "Iterable[Record]",
    rate: float,
    brokers: str | None,
    *,
    if_empty: bool,
) -> None:
    from novade_pipeline.errors import TransientFailure
    from novade_pipeline.sandbox.producing import is_empty, send

    streams = load_settings().of(StreamSettings)
    if brokers is None and streams.brokers is None:
        raise UserError(
            f"novade sandbox: expected a broker for the topic {topic}, found none; set "
            "NOVADE_STREAMS_BROKERS or --brokers to that of `novade sandbox broker`."
        )
    target = streams.model_copy(update={"brokers": brokers or streams.brokers}).broker
    try:
        if if_empty and not is_empty(target, topic):
            console.print(f"{topic} already has records; nothing was sent.")
            return
        sent = send(target, topic, records, rate)
    except TransientFailure as failure:
        raise UserError(f"novade sandbox: {failure}") from None
    console.print(f"{topic}: {sent.text}.", soft_wrap=True, highlight=False)
