"""The table of erasure: hashes of the identifiers that no load may bring back."""

from novade_pipeline.lake.tombstones import TOMBSTONES

TABLES = (TOMBSTONES,)
