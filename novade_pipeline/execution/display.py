"""The progress and the outcome of a run on a console."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column, Table

from novade_pipeline.execution.outcome import RunOutcome
from novade_pipeline.execution.progress import DomainProgress
from novade_pipeline.plurals import counted


@dataclass(frozen=True)
class Display:
    """Shows what a run reports.

    Attributes:
        on_message: called with each line of its log.
        on_domain: called with the progress of a domain.
    """

    on_message: Callable[[str], None]
    on_domain: Callable[[DomainProgress], None]


@contextmanager
def display(console: Console) -> Iterator[Display]:
    """Shows bars of the domains in a terminal, otherwise each line; and a line for each domain."""
    begun = datetime.now(UTC)
    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(20),
        TextColumn("{task.fields[count]}"),
        # Cut at the edge of the terminal: a bar has one line.
        TextColumn(
            "{task.fields[message]}",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1),
        ),
        console=console,
        transient=True,
        expand=True,
        disable=not console.is_terminal,
    )
    polling = bars.add_task("Polling the landing zone …", total=None, count="", message="")
    tasks: dict[str, TaskID] = {}

    def on_message(message: str) -> None:
        if not console.is_terminal:
            seconds = (datetime.now(UTC) - begun).total_seconds()
            console.print(
                f"{seconds:6.1f} s  {message}", highlight=False, soft_wrap=True, markup=False
            )

    def on_domain(domain: DomainProgress) -> None:
        bars.update(polling, visible=False)
        if domain.name not in tasks:
            tasks[domain.name] = bars.add_task(domain.name, count="", message="")
        bars.update(
            tasks[domain.name],
            completed=domain.done,
            total=domain.assets,
            visible=not domain.has_ended,
            count=f"{domain.done}/{domain.assets}",
            message=" ".join(domain.message.split()),
        )
        if domain.has_ended:
            console.print(_ended(domain), highlight=False, soft_wrap=True)

    with bars:
        yield Display(on_message, on_domain)


def _ended(domain: DomainProgress) -> str:
    """The line of a domain that has ended."""
    mark = "[red]✗[/red]" if domain.failed_steps else "[green]✓[/green]"
    line = f"{mark} {domain.name}: {counted(domain.assets, 'asset')}, {domain.seconds:.1f} s"
    failed = counted(domain.failed_steps, "step")
    return f"{line}, {failed} failed or skipped" if domain.failed_steps else line


def show_outcome(console: Console, outcome: RunOutcome, home: Path, *, in_part: bool) -> None:
    """Shows what a run changed, what is wrong and what to do.

    Args:
        home: Dagster's, where the run is stored.
        in_part: some assets or hours only were requested.
    """
    changed = {name: asset for name, asset in outcome.assets.items() if asset.is_changed}
    if changed:
        _show_table(console, outcome, sorted(changed))
    if not outcome.unchanged and (rest := len(outcome.assets) - len(changed)):
        other = "other asset" if changed else "asset"
        verb = "is" if rest == 1 else "are"
        console.print(f"{counted(rest, other)} {verb} unchanged.", highlight=False)
    for name, asset in sorted(outcome.assets.items()):
        for mark, checks in (
            ("[yellow]Warning[/yellow]", asset.warned),
            ("[red]Failed[/red]", asset.failed),
        ):
            for check, reason in checks.items():
                _line(console, f"{mark} {name}: {escape(reason)} (check {check})")
    for note, assets in outcome.notes.items():
        # A system that is not configured has the same note for each of its assets.
        named = f" {', '.join(assets)}:" if len(assets) <= 3 else ""
        _line(console, f"Note:{named} {escape(note)}")
    for failure in outcome.failures:
        _line(console, f"[red]Failed[/red] {escape(failure)}")
    if outcome.unchanged:
        whole, part = (
            "the lake has all landed files",
            "the selected assets and hours have no new data",
        )
        _line(console, f"Nothing to do: {part if in_part else whole}.")
    _line(console, f"Run {outcome.run_id} is in the web page ({home}): `novade ui`.")


def _line(console: Console, text: str) -> None:
    """Not wrapped, so that it can be searched and copied."""
    console.print(text, soft_wrap=True, highlight=False)


def _show_table(console: Console, outcome: RunOutcome, names: list[str]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("Changed asset", no_wrap=True)
    for heading in ("Rows", "Passed", "Warned", "Failed", "Seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name in names:
        asset = outcome.assets[name]
        table.add_row(
            name,
            "" if asset.rows is None else f"{asset.rows:,.0f}",
            str(asset.passed),
            f"[yellow]{len(asset.warned)}[/yellow]" if asset.warned else "",
            f"[red]{len(asset.failed)}[/red]" if asset.failed else "",
            f"{asset.seconds:.2f}",
        )
    # A name that is cut cannot be copied: rather, a narrow terminal wraps.
    widest = console.options.update(max_width=1000)
    width = Measurement.get(console, widest, table).maximum
    wide = Console(width=max(console.width, width), force_terminal=console.is_terminal)
    wide.print(table)
