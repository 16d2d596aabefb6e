"""How far a table has taken in its source, kept with its rows: in the commit that wrote them.

A watermark counts for the personal-data policy that the rows were written under. Delta's
transactions are numbers by name: one says the watermark, the other whose it is, since a policy may
come back after another one was in force.
"""

import hashlib

from novade_pipeline.lake.delta import open_table
from novade_pipeline.lake.table import Table
from novade_pipeline.personal_data import PersonalDataPolicy
from novade_pipeline.storage import Store

_POLICY = "policy"


def watermark(store: Store, table: Table, name: str, policy: PersonalDataPolicy) -> int | None:
    """The watermark of that name; None where there is none, or rows of another policy.

    Args:
        name: of the source, as one table may have several.
    """
    found = open_table(store, table)
    if found is None or found.transaction_version(f"{name}:{_POLICY}") != _number(policy):
        return None
    version: int | None = found.transaction_version(_app_id(name, policy))
    return version


def recorded(name: str, policy: PersonalDataPolicy, value: int) -> dict[str, int]:
    """The transactions that record a watermark with a commit."""
    return {f"{name}:{_POLICY}": _number(policy), _app_id(name, policy): value}


def _app_id(name: str, policy: PersonalDataPolicy) -> str:
    return f"{name}:{policy.fingerprint}"


def _number(policy: PersonalDataPolicy) -> int:
    return int(hashlib.sha256(policy.fingerprint.encode()).hexdigest()[:12], 16)
