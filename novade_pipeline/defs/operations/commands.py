"""`novade doctor`: may the graph do what it needs to?"""

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from novade_pipeline.graph.access import Finding, all_probes, tried
from novade_pipeline.settings import load_settings

console = Console()


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog="Example: [bold]NOVADE_ENV_FILE=azure.env novade doctor[/bold]")(doctor)


def doctor() -> None:
    """Try what the graph needs of each system, and say what is missing; no data is changed."""
    findings = tried(all_probes(load_settings()))
    table = Table(box=None, pad_edge=False)
    for heading in ("System", "Right", "", "What was found"):
        table.add_column(heading, overflow="fold")
    before = None
    for finding in findings:
        mark = _mark(finding)
        told = "The same." if finding.told == before else escape(finding.told)
        before = finding.told
        table.add_row(finding.probe.system, finding.probe.right, mark, told)
    console.print(table)
    missing = sum(not finding.passed for finding in findings)
    if missing:
        console.print(f"[red]{missing} of {len(findings)} rights could not be used.[/red]")
        raise typer.Exit(1)
    console.print("All that the graph needs is there.")


def _mark(finding: Finding) -> str:
    if finding.passed:
        return "[green]ok[/green]"
    return "[yellow]no answer[/yellow]" if finding.may_pass else "[red]missing[/red]"
