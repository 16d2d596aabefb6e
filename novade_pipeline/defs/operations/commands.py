"""`novade doctor`: may the graph do what it needs to?"""

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from novade_pipeline.graph.access import ProbeResult, all_probes, try_all
from novade_pipeline.settings import load_settings

console = Console()


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: [bold]NOVADE_ENV_FILE=azure.env novade doctor[/bold]")(doctor)


def doctor() -> None:
    """Try what the graph needs of each system, and say what is missing; no data is changed."""
    findings = try_all(all_probes(load_settings()))
    table = Table(box=None, pad_edge=False)
    for heading in ("System", "Right", "", "What was found"):
        table.add_column(heading, overflow="fold")
    before = None
    for finding in findings:
        mark = _mark(finding)
        told = "The same." if finding.message == before else escape(finding.message)
        before = finding.message
        table.add_row(finding.probe.system, finding.probe.right, mark, told)
    console.print(table)
    missing = sum(not finding.passed for finding in findings)
    if missing:
        console.print(f"[red]{missing} of {len(findings)} rights could not be used.[/red]")
        raise typer.Exit(1)
    console.print("All that the graph needs is there.")


def _mark(finding: ProbeResult) -> str:
    if finding.passed:
        return "[green]ok[/green]"
    return "[yellow]no answer[/yellow]" if finding.is_transient else "[red]missing[/red]"
