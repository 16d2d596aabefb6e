"""`novade doctor`: does the graph have the rights that it needs?"""

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from novade_pipeline.graph.access import ProbeResult, all_probes, not_configured, try_all
from novade_pipeline.plurals import counted
from novade_pipeline.settings import load_settings

console = Console()


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: [bold]novade doctor[/bold]")(doctor)


def doctor() -> None:
    """Probe the rights that the graph needs in each system, and list missing ones."""
    settings = load_settings()
    results = try_all(all_probes(settings))
    table = Table(box=None, pad_edge=False)
    for heading in ("System", "Right", "", "Result"):
        table.add_column(heading, overflow="fold")
    previous = None
    for result in results:
        mark = _mark(result)
        message = "The same." if result.message == previous else escape(result.message)
        previous = result.message
        table.add_row(result.probe.system, result.probe.right, mark, message)
    for system, remedy in not_configured(settings).items():
        table.add_row(system, "", "[dim]not configured[/dim]", remedy)
    console.print(table)
    missing = sum(not result.passed for result in results)
    if missing:
        verb = "is" if missing == 1 else "are"
        of = counted(len(results), "right")
        console.print(f"[red]{missing} of {of} {verb} missing.[/red]")
        raise typer.Exit(1)
    console.print("The graph has all rights that it needs.")


def _mark(result: ProbeResult) -> str:
    if result.passed:
        return "[green]ok[/green]"
    return "[yellow]no answer[/yellow]" if result.is_transient else "[red]missing[/red]"
