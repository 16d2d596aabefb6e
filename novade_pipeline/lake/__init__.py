"""Tables: what one is (`table`), how it is written (`delta`), read (`read`, `query`), followed.

`region` says which rows a write replaces, `conform` what rows must look like, `data_files` how they
become Parquet, `draft` how files become the next version, `changes` what differs between two
versions, `derived` what a table has taken in of its sources. Nothing here knows a domain, and only
`io_manager` knows Dagster.
"""
