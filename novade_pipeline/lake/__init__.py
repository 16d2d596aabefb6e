"""Tables: what one is (`table`), how it is written (`delta`), read (`query`) and followed (`changes`).

Nothing here knows a domain, and only `io_manager` knows Dagster.
"""
