"""Factories of Dagster assets, checks, sensors and jobs for tables, landed files and API lists.

Reading order: `domains` (discovery of a domain's modules), `resources`, `table_assets`,
`upload_days` (partitions), `landing_assets` with `landing_checks`, `landing_sensor` and
`landing_queue`, `api_assets`;
`job_runs` (the runs of the job and their tags), `access` (probes of rights), `runner` (how a
domain's command runs the graph), and formats of metadata: `markdown`, `charts`. Nothing here knows
a domain, nor how a run is executed.
"""
