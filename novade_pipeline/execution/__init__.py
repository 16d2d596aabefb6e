"""Running the graph: in this process, and what Dagster needs to run it elsewhere.

To read in this order: `local_run` (a run of the graph, to its end), `outcome` (what became of it),
`rebuild` (derived tables again), `runner` (both, for the domains' commands); `home` with
`dagster.yaml` (Dagster's own settings), `event_log` (its log in SQLite), `container_apps` (a run as
a job of Azure Container Apps).
"""
