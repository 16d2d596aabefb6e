"""The marts: dbt builds them from the lake in DuckDB, and they are published to the lake.

`refresh` is the whole procedure. `warehouse` records in the DuckDB file what each mart is built
from, `pinning` fixes the versions that dbt reads, `project` is the parsed dbt project, `dbt_runner`
runs dbt, `check_results` decides which tests run, `publish` writes marts as Delta tables,
`histories` restores from them what no source can, `reader_copy` is what analysts open, `by_hand`
what `dbt` typed by a person works on, `dbt_docs` what it serves; `dbt_sources`, `model_tables` and
`tables` translate between tables and dbt's YAML; `assets` is the wiring. Models and snapshots are
in `dbt/`, in one folder a domain.
"""
