"""Runs in this process, for the domains' commands; Dagster is imported when a run begins."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from novade_pipeline.settings import Settings

if TYPE_CHECKING:
    from novade_pipeline.execution.outcome import RunOutcome


class LocalRunner:
    """A `graph.runner.Runner`."""

    def run(
        self, settings: Settings, *, select: str, on_message: Callable[[str], None]
    ) -> "RunOutcome":
        """Load what is new of the selected assets."""
        from novade_pipeline.execution.local_run import run_graph

        return run_graph(settings, select=select, on_message=on_message)

    def rebuild(self, settings: Settings, *, all_marts: bool) -> Sequence[str]:
        """Make derived tables again, where their sources changed."""
        from novade_pipeline.execution.rebuild import derive

        return derive(settings, rebuild_marts=all_marts)

    def refuse_beside_runs(self, settings: Settings) -> None:
        """Raise a UserError where a run is in progress on the same lake."""
        from novade_pipeline.execution.home import dagster_instance
        from novade_pipeline.execution.local_run import refuse_beside_runs

        with dagster_instance(settings) as instance:
            refuse_beside_runs(instance)
