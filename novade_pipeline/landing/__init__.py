"""Files that others drop: listing, integrity, spool, parse, quarantine, ledger.

The landing folder is the raw layer: never rewritten, always enough to rebuild the lake.
"""
