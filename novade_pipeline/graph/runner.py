"""How a domain's command runs the graph: through a `Runner` in the command's context.

Domains must not import `execution`, which is above them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import typer

from novade_pipeline.lake.windows import Window
from novade_pipeline.settings import Settings


class RunResult(Protocol):
    """The outcome of a run, as far as commands need it."""

    @property
    def success(self) -> bool:
        """Whether nothing failed."""

    @property
    def failures(self) -> Sequence[str]:
        """One sentence for each failed step."""


class Runner(Protocol):
    """Runs the graph."""

    def run(
        self,
        settings: Settings,
        *,
        job: str,
        on_message: Callable[[str], None],
        window: Window | None = None,
        again: bool = False,
    ) -> RunResult:
        """Run a job of assets, as if each of them was selected.

        Args:
            window: only these hours of what is partitioned by day.
            again: do what was done before once more.
        """

    def window(self, settings: Settings, text: str) -> Window:
        """Parse `START..END` as `novade run --window` does.

        Raises:
            UserError: it is not of that form.
        """

    def rebuild(self, settings: Settings, *, all_marts: bool) -> Sequence[str]:
        """Rebuild the derived tables whose sources have changed.

        Args:
            all_marts: rebuild all marts, from all rows, and nothing else.

        Returns:
            One sentence for each step or asset that failed.
        """

    def report(self, settings: Settings, written: Mapping[str, Mapping[str, int]]) -> None:
        """Tell Dagster that tables were written outside of a run, so that what follows them does.

        Args:
            written: table -> metadata.
        """

    def require_no_run_in_progress(self, settings: Settings) -> None:
        """Raises a UserError if a run is in progress on the same lake."""


def runner_of(context: typer.Context) -> Runner:
    """The runner in a command's context."""
    runner: Runner = context.obj
    return runner
