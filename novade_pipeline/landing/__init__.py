"""Files that others drop: listing, integrity, parsing, quarantine, ledger.

The landing folder is the raw layer: never rewritten, enough to rebuild the lake. Read in this
order: `files`, `source`, `tables`, `ledger`, `load`, `quarantine`, `readers`. Lines of JSON:
`chunks` and `gunzip`, `json_lines`; `novade_pipeline.json_rows` parses them. Files of records:
`record_rows`, `record_formats`, `records` and a reader each. Discovery of new files: `poll`,
`discovery`, `blob_events`. Accounts: `line_counts`, `repeats`, `reconciliation`.
"""
