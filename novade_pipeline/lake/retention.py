"""How long older versions stay readable: what the table says of it, and what the log must keep.

Belongs here: rules on plain data; who deletes is `lake.maintenance`. Source: the Delta protocol's
table properties, https://docs.delta.io/latest/table-properties.html.
"""

import re
from collections.abc import Mapping
from datetime import datetime

from novade_pipeline.storage.store import Entry

# Until upkeep says otherwise.
TIME_TRAVEL_DAYS = 30
# For derived tables that are behind, and read from the log what changed.
LOG_DAYS_MORE = 7
_OF_VERSION = re.compile(r"\d{20}\.(json|crc|checkpoint(\..+)?\.parquet)")


def retention(days: int) -> dict[str, str]:
    """Table properties that keep every version of the last `days` days readable.

    Writers must not clean the log: they would drop an old version that was the newest until now.
    """
    return {
        "delta.enableExpiredLogCleanup": "false",
        "delta.deletedFileRetentionDuration": f"interval {days} days",
        "delta.logRetentionDuration": f"interval {days + LOG_DAYS_MORE} days",
    }


def expired(log: Mapping[str, Entry], oldest: datetime) -> list[str]:
    """The log's files, oldest first, that no version needs that was the newest since `oldest`."""
    versions = {name: int(name[:20]) for name in log if _OF_VERSION.fullmatch(name)}
    then = max(
        (v for n, v in versions.items() if n.endswith(".json") and log[n].modified <= oldest),
        default=-1,
    )
    # A version is read from the last sum before it on; only one in one file surely is whole.
    sums = [
        v for n, v in versions.items() if n.endswith(f"{v:020}.checkpoint.parquet") and v <= then
    ]
    return sorted(name for name, version in versions.items() if version < max(sums, default=0))
