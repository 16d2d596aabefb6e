"""The marts: what dbt makes of the lake in DuckDB, what of it is pending, and its way back.

`warehouse` keeps the books in the DuckDB file, `publish` writes marts to the lake as Delta tables,
`dbt_sources` derives dbt's sources from the tables, `project` runs dbt; `assets` is the wiring.
The models themselves are in `dbt/`, in one folder a domain.
"""
