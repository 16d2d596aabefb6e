"""ERP: tables of its database, as `defs.yaml` declares them.

All other modules are those that every domain of a database has; see docs/databases.md.
"""
