"""Tables: what one is (`table`), how it is written (`delta`), read (`read`, `query`), followed.

Nothing here knows a domain, and only `io_manager` knows Dagster.
"""
