"""`novade streams`: follow the topics of a domain, begin a topic again."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from novade_pipeline.settings import Settings
    from novade_pipeline.streams.load import LoadReport
    from novade_pipeline.streams.topic import Topic

REPORT_SECONDS = 10.0
"""How often Dagster is told of new rows at most."""

streams = typer.Typer(help="Topics of the broker.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.add_typer(streams, name="streams")


@streams.callback()
def _commands() -> None:
    """Topics of the broker."""


@streams.command(epilog="Example: [bold]novade streams follow tickets[/bold]")
def follow(
    context: typer.Context,
    domain: Annotated[str, typer.Argument(help="A domain of topics: tickets.")],
    every: Annotated[
        float, typer.Option(min=0.1, help="Seconds between two loads, at least.")
    ] = 2.0,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="End after so many seconds; by default never.")
    ] = None,
) -> None:
    """Load records as they come, with one Spark session, until interrupted.

    It may be killed at any time, and may run beside the sensor: each record is loaded once. Dagster
    is told of new rows, so that tables which follow by automation do.
    """
    from rich.console import Console

    from novade_pipeline.graph.runner import runner_of
    from novade_pipeline.graph.spark_sessions import SparkSessions
    from novade_pipeline.graph.topic_follow import Follower
    from novade_pipeline.settings import load_settings

    settings, runner, console = load_settings(), runner_of(context), Console()
    topics = _topics(settings, domain)
    written: dict[str, dict[str, int]] = {}
    reported = time.monotonic()

    def on_load(topic: "Topic", report: "LoadReport") -> None:
        nonlocal reported
        work = report.work
        console.print(
            f"{topic.table.name}: {work.rows:,} rows, {work.quarantined - work.repeated:,} in "
            f"quarantine, {report.remaining:,} left",
            highlight=False,
        )
        assert report.receipt is not None
        metadata = {"rows_written": work.rows, "table_version": report.receipt.table_version}
        written[topic.table.name] = metadata
        if time.monotonic() - reported > REPORT_SECONDS:
            runner.report(settings, written)
            written.clear()
            reported = time.monotonic()

    spark = SparkSessions(settings)
    console.print(f"Following {', '.join(topic.name for topic in topics)}; Ctrl-C ends it.")
    follower = Follower(settings, topics, every, on_load, lambda text: console.print(text))
    try:
        follower.follow(spark, until=None if seconds is None else time.monotonic() + seconds)
    finally:
        spark.stop()
        if written:
            runner.report(settings, written)


@streams.command(epilog="Example: [bold]novade streams restart tickets/ticket_events[/bold]")
def restart(
    table: Annotated[str, typer.Argument(help="The table of a topic: tickets/ticket_events.")],
) -> None:
    """Read a topic from its beginning, after it was deleted and made again.

    The rows that are there stay; those of the new topic have the next generation.
    """
    from rich.console import Console

    from novade_pipeline.errors import UserError
    from novade_pipeline.graph.stream_settings import StreamSettings
    from novade_pipeline.graph.topic_loads import all_topics
    from novade_pipeline.settings import load_settings
    from novade_pipeline.streams.load import restart as begin_again

    settings = load_settings()
    topics = {topic.table.name: topic for group in all_topics().values() for topic in group}
    if table not in topics:
        raise UserError(
            f"novade streams restart: expected the table of a topic ({', '.join(sorted(topics))}), "
            f"found {table}."
        )
    generation = begin_again(topics[table], settings.of(StreamSettings).cluster, settings.lake)
    Console().print(f"{table}: the next load begins generation {generation}.", highlight=False)


def _topics(settings: "Settings", domain: str) -> "Sequence[Topic]":
    """The topics of a domain, where the broker is configured."""
    from novade_pipeline.errors import UserError
    from novade_pipeline.graph.stream_settings import NOT_CONFIGURED, StreamSettings
    from novade_pipeline.graph.topic_loads import all_topics

    if settings.of(StreamSettings).brokers is None:
        raise UserError(NOT_CONFIGURED)
    domains = all_topics()
    if domain not in domains:
        raise UserError(
            f"novade streams: expected a domain of topics ({', '.join(sorted(domains))}), found "
            f"{domain}."
        )
    return domains[domain]
