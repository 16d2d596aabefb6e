"""How a domain's command runs the graph: by what the command line hands down to it.

The domains are below what runs them, so a command imports none of it.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import typer

from novade_pipeline.settings import Settings


class RunResult(Protocol):
    """What a command needs to know of a run that ended."""

    @property
    def success(self) -> bool:
        """Nothing failed."""

    @property
    def failures(self) -> Sequence[str]:
        """Sentences, one a failed step."""


class Runner(Protocol):
    """Runs the graph."""

    def run(
        self, settings: Settings, *, select: str, on_message: Callable[[str], None]
    ) -> RunResult:
        """Load what is new of the selected assets.

        Args:
            select: assets, in Dagster's selection syntax or as names between commas.
            on_message: called with what happens, a line each.
        """

    def rebuild(self, settings: Settings, *, all_marts: bool) -> Sequence[str]:
        """Make derived tables again, where their sources changed.

        Args:
            all_marts: only the marts, and from all that their sources hold.

        Returns:
            Sentences, one a step or asset that failed.
        """

    def require_no_run_in_progress(self, settings: Settings) -> None:
        """Raise a UserError where a run is in progress on the same lake."""


def runner_of(context: typer.Context) -> Runner:
    """The runner that the command line has put into a command's context."""
    runner: Runner = context.obj
    return runner
