"""Processes of their own, forked from one that has imported what a run needs.

A start costs what the process does, and not 5 s of imports first.
"""

import multiprocessing

FORKS = multiprocessing.get_context("forkserver")
# Not the command itself: its console looks at the environment when it is imported.
FORKS.set_forkserver_preload(
    [
        *("novade_pipeline.execution.local_run", "novade_pipeline.execution.event_log"),
        "novade_pipeline.graph.charts",
        *("dagster_dbt", "dbt.cli.main", "pandas", "matplotlib.backends.backend_agg"),
    ]
)
