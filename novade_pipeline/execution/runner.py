"""Runs the graph in this process, for the domains' commands; imports Dagster when a run starts."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from novade_pipeline.settings import Settings

if TYPE_CHECKING:
    from novade_pipeline.execution.outcome import RunOutcome
    from novade_pipeline.lake.windows import Window


class LocalRunner:
    """A `graph.runner.Runner`."""

    def run(
        self,
        settings: Settings,
        *,
        job: str,
        on_message: Callable[[str], None],
        window: "Window | None" = None,
        again: bool = False,
    ) -> "RunOutcome":
        """Run a job of assets, as if each of them was selected."""
        from novade_pipeline.execution.local_run import run_graph

        return run_graph(settings, job_name=job, on_message=on_message, window=window, again=again)

    def window(self, settings: Settings, text: str) -> "Window":
        """Parse `START..END` as `novade run --window` does."""
        from novade_pipeline.execution.local_run import parse_window

        return parse_window(text, settings.history_start)

    def rebuild(self, settings: Settings, *, all_marts: bool) -> Sequence[str]:
        """Rebuild the derived tables whose sources have changed."""
        from novade_pipeline.execution.rebuild import rebuild_derived

        return rebuild_derived(settings, rebuild_marts=all_marts)

    def report(self, settings: Settings, written: Mapping[str, Mapping[str, int]]) -> None:
        """Tell Dagster that tables were written outside of a run, for what follows them."""
        import dagster as dg

        from novade_pipeline.execution.home import dagster_instance

        with dagster_instance(settings) as instance:
            for table, metadata in written.items():
                key = dg.AssetKey(table.split("/"))
                instance.report_runless_asset_event(dg.AssetMaterialization(key, metadata=metadata))

    def require_no_run_in_progress(self, settings: Settings) -> None:
        """Raises a UserError if a run is in progress on the same lake."""
        from novade_pipeline.execution.home import dagster_instance
        from novade_pipeline.execution.local_run import require_no_run_in_progress

        with dagster_instance(settings) as instance:
            require_no_run_in_progress(instance)
