"""`novade segment`: gets Segment's history out of BigQuery."""

from typing import Annotated

import typer

segment = typer.Typer(help="Segment's history in BigQuery.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Adds the domain's commands to the command line."""
    app.add_typer(segment, name="segment")


@segment.callback()
def of_segment() -> None:
    """Segment's history in BigQuery."""


@segment.command(
    "export-sql",
    epilog="Example: [bold]novade segment export-sql --dataset lantern_web "
    "--bucket gs://my-bucket[/bold]",
)
def export_sql(
    dataset: Annotated[str, typer.Option(help="The BigQuery dataset of a Segment source.")],
    bucket: Annotated[
        str, typer.Option(help="Where BigQuery writes the files: gs://bucket or a folder in it.")
    ] = "gs://your-bucket",
    project: Annotated[
        str, typer.Option(help="The dataset's project; by default that of the console.")
    ] = "",
    file_format: Annotated[
        str, typer.Option("--format", help="parquet, avro or json; JSON loses types of numbers.")
    ] = "parquet",
    price_per_tib: Annotated[
        float, typer.Option(min=0, help="Dollars for a TiB that is scanned, in your region.")
    ] = 6.25,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Print a query of the bytes and the price instead.")
    ] = False,
) -> None:
    """Print the SQL that exports a dataset: paste it into BigQuery's console and run it.

    The files land below segment/ of the landing zone. Nothing is connected or changed here.
    """
    from novade_pipeline.defs.segment.export_sql import Export, estimate_sql, script

    export = Export(dataset, bucket, project, file_format, price_per_tib)
    typer.echo(f"{estimate_sql(export)};" if estimate else script(export), nl=estimate)
