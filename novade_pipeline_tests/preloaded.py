"""What each command imports to load the graph; the process that they are forked from has it."""

import gc

from novade_pipeline.definitions import WIRING
from novade_pipeline.graph.domains import modules

LOADED = [*modules(*WIRING, "settings", "tables")]
# Garbage collections of a fork would copy the pages that it shares.
gc.freeze()
