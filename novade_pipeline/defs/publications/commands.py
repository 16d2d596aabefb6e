"""`novade publications`: queries of the drug graph."""

from pathlib import Path
from typing import Annotated

import typer

from novade_pipeline.errors import UserError
from novade_pipeline.plurals import counted
from novade_pipeline.settings import load_settings

_GraphFile = Annotated[
    Path | None, typer.Option("--graph", help="A drug graph file; the lake's graph by default.")
]


def add_to(app: typer.Typer) -> None:
    """Add the domain's commands to the command line."""
    publications = typer.Typer(
        help="Which drugs are mentioned where, answered from the drug graph alone.",
        no_args_is_help=True,
    )
    publications.command(
        "top-journals", epilog="Example: [bold]novade publications top-journals[/bold]"
    )(top_journals)
    publications.command(
        "related", epilog="Example: [bold]novade publications related virexine[/bold]"
    )(related)
    app.add_typer(publications, name="publications")


def top_journals(graph: _GraphFile = None) -> None:
    """Print the journals that mention the most different drugs, all ties included."""
    from novade_pipeline.defs.publications import graph_queries

    journals = graph_queries.top_journals(_graph(graph))
    if not journals:
        typer.echo("No journal mentions a drug.")
    for journal in journals:
        typer.echo(
            f"{journal.name}: {counted(len(journal.drugs), 'drug')} ({', '.join(journal.drugs)})"
        )


def related(
    drug: Annotated[str, typer.Argument(help="A drug's name, in any case.")],
    graph: _GraphFile = None,
) -> None:
    """Print the drugs that the same journals mention in PubMed articles, but not in trials."""
    from novade_pipeline.defs.publications import graph_queries

    related_drugs = graph_queries.related_drugs(_graph(graph), drug)
    if not related_drugs:
        typer.echo(f"No drug is related to {drug}.")
    for match in related_drugs:
        typer.echo(f"{match.drug}: {'; '.join(match.journals)}")


def _graph(file: Path | None) -> dict[str, object]:
    from novade_pipeline.defs.publications.graph_queries import parse_graph, stored_graph

    if file is None:
        return stored_graph(load_settings().lake)
    try:
        return parse_graph(file.read_bytes(), str(file))
    except OSError as error:
        raise UserError(
            f"--graph: expected a file that can be read at {file}, found none ({error.strerror})."
        ) from None
