"""Processes forked from one that has imported what a run needs, which saves 6 s each."""

import multiprocessing

FORKS = multiprocessing.get_context("forkserver")
# Not the command itself: its console reads the environment at import.
FORKS.set_forkserver_preload(
    [
        *("novade_pipeline.execution.local_run", "novade_pipeline.execution.event_log"),
        "novade_pipeline.graph.charts",
        *("dagster_dbt", "dbt.cli.main", "pandas", "matplotlib.backends.backend_agg"),
        *("dbt.task.build", "dbt.adapters.duckdb.impl", "sqlparse", "babel.dates"),
        "novade_pipeline_tests.preloaded",
    ]
)
