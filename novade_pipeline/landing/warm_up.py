"""Compiles ahead what the first load would wait for; Numba caches it."""

import numpy as np
import pyarrow as pa

from novade_pipeline.json_rows.compiled.padding import PADDING
from novade_pipeline.json_rows.compiled.scan import count_lines
from novade_pipeline.json_rows.plain_lines import PlainLines
from novade_pipeline.json_rows.strict_lines import strict_lines
from novade_pipeline.landing.repeats import hashes_of


def compile_now() -> None:
    """Compile the parsers of lines."""
    PlainLines([]).read(np.zeros(PADDING, np.uint8), 0)
    strict_lines([])
    count_lines(np.frombuffer(b"\n", np.uint8))
    hashes_of(pa.chunked_array([["key"]]))
