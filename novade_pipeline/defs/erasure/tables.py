"""The table of erasure: who is not to come back, as hashes."""

from novade_pipeline.lake.tombstones import TOMBSTONES

TABLES = (TOMBSTONES,)
