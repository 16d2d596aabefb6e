"""What turns tables, landed files and API lists into Dagster's assets, checks, sensors and jobs.

To read in this order: `domains` (how a domain's modules are discovered), `resources`,
`table_assets`, `landing_assets` with `landing_checks`, `landing_sensor` and `landing_queue`,
`api_assets`; `job_runs` (the runs of the job and their tags), `access` (probes of the rights that
the graph needs), `runner` (how a domain's command runs the graph), and what metadata shows:
`markdown`, `charts`. Nothing here knows a domain, nor how a run is executed.
"""
