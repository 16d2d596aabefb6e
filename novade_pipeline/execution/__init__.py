"""Runs of the graph: in this process, and what Dagster needs to run it elsewhere.

Reading order: `local_run` (runs the graph), `run_origin` (by which the web page lists its runs),
`outcome` (progress and result of a run), `rebuild` (rebuilds derived tables), `runner` (both, for
the domains' commands); `web_page`; `home` with `dagster.yaml` (Dagster's settings), `event_log`
(its log in SQLite), `compressed_json` (how its databases store JSON), `container_apps` (runs as
jobs of Azure Container Apps).
"""
