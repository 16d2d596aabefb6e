"""A data lake of your own: exports, APIs and streams to Delta tables and dbt marts.

Start reading at `definitions.py` (the graph) or `cli.py` (the command `novade`).
"""
