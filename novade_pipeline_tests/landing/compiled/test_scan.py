"""What Numba keeps of compiled code, and what becomes of it where it can keep nothing."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from novade_pipeline.json_rows.compiled import hashes, rewrite, scan
from novade_pipeline.json_rows.compiled.padding import PADDING


@pytest.mark.parametrize("module", [scan, hashes, rewrite])
def test_what_is_kept_compiled_is_of_these_sources(module: ModuleType) -> None:
    folder = Path(scan.__file__).parent
    read = b"".join((folder / name).read_bytes() for name in ("steps.py", "values.py"))
    parts = hashlib.sha256(read + bytes(PADDING)).hexdigest()[:16]
    assert parts == module.PARTS, "Numba looks at this file alone: write this into its PARTS."


def test_it_is_compiled_where_nothing_can_be_kept() -> None:
    places = {"NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}
    code = (
        "import numpy as np; from novade_pipeline.json_rows.compiled.scan import count_lines; "
        "print(count_lines(np.frombuffer(b'a\\nb\\n', np.uint8)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **places, "NUMBA_CACHE_DIR": os.devnull + "/none"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "2\n", done.stderr[-2000:]
