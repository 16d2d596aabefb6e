"""What readers leave behind: no memory that is free."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline.landing import readers
from novade_pipeline_tests.landing.plays import play

# Small enough to lie on the heap, where the last one holds the rest.
PIECES, PIECE_BYTES = 1_500, 100_000


def _resident_bytes() -> int:
    told = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert told is not None
    return int(told[1]) * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heap")
def test_memory_that_is_free_is_given_back() -> None:
    slices = [b"x" * PIECE_BYTES for _ in range(PIECES)]
    last = slices.pop()
    slices.clear()
    kept = _resident_bytes()
    readers._trim_memory()
    assert kept - _resident_bytes() > PIECES * PIECE_BYTES // 2
    del last


def test_a_load_gives_memory_back_on_its_way_and_at_its_end(
    shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[int] = []
    monkeypatch.setattr(readers, "_CHUNKS_PER_TRIM", 1)
    monkeypatch.setattr(readers, "_trim_memory", lambda: given.append(1))
    shop.land(shop.name(0), play("a"))
    shop.load()
    assert len(given) == 2
