"""How much memory this process may take: one budget, which all that grows with its input obeys.

The interpreter and the libraries that a run imports take some 0.4 GB beside it.
"""

import os
from functools import cache
from pathlib import Path

MIB, GIB = 2**20, 2**30
LEAST = 512 * MIB
"""With less, the marts of ten million events cannot be built."""
_SHARE = 16
_BESIDE_DUCKDB = 192 * MIB
# Lists and hash tables that are being built are beside DuckDB's limit: a third of it, measured.
_UNDER_LIMIT = 0.75
_PER_THREAD = 128 * MIB
_CGROUPS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)

_budget: int | None = None


def budget() -> int:
    """The bytes that this process may take; a share of the machine's unless it was set."""
    return default_budget(machine_memory()) if _budget is None else _budget


def set_budget(size: int | None) -> None:
    """Set the budget of this process, in bytes; None: a share of the machine's memory again."""
    global _budget
    _budget = size


def duckdb_bytes(share: float = 1.0) -> int:
    """The limit of one DuckDB database with a share of the budget, in bytes."""
    return int((budget() - _BESIDE_DUCKDB) * _UNDER_LIMIT * share)


def duckdb_limit(share: float = 1.0) -> str:
    """The same as DuckDB writes it: `512MiB`."""
    return f"{duckdb_bytes(share) // MIB}MiB"


def duckdb_threads(share: float = 1.0) -> int:
    """How many threads a DuckDB database of that share uses: each needs memory of its own."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, duckdb_bytes(share) // _PER_THREAD))


def default_budget(machine: int) -> int:
    """A sixteenth of the machine's memory, but at least 1 GiB, or half of what there is."""
    return max(machine // _SHARE, min(machine // 2, GIB))


@cache
def machine_memory() -> int:
    """The bytes of memory that the machine has, or its container may take."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [physical]
    for file in _CGROUPS:
        try:
            limits.append(int(file.read_text()))
        except (OSError, ValueError):
            # Not this version of cgroups, or `max`: no limit.
            continue
    return min(limits)
