"""The marts: what dbt makes of the lake in DuckDB, what of it is pending, and its way back.

`refresh` does it all; `warehouse` keeps the books in the DuckDB file, `pinning` tells dbt what to
read, `project` is the dbt project and runs it, `publish` writes marts to the lake as Delta tables,
`histories` takes from there what no source can bring back, `dbt_sources`, `model_tables` and
`tables` translate between our tables and dbt's YAML; `settings` says when checks warn; `assets` is
the wiring. Models and snapshots themselves are in `dbt/`, in one folder a domain.
"""
