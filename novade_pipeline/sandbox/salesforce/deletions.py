"""Which records are deleted with another one.

Deleting a parent deletes its children, and restoring it restores them. Source: Apex Developer
Guide, "Deleting Records" and "Restoring Deleted Records" (langCon_apex_dml_examples_delete.htm,
…_undelete.htm); for contacts and opportunities of an account, `cascadeDelete` in its describe.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from novade_pipeline.sandbox.salesforce.tables import Records

CHILDREN: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Account": (("Contact", "AccountId"), ("Opportunity", "AccountId")),
    "Opportunity": (("OpportunityLineItem", "OpportunityId"),),
}
"""Parent object -> its child objects and their reference to it."""


@dataclass(frozen=True)
class Deleted:
    """A purged record, and when it was deleted."""

    id: str
    moment: datetime


def living_children(
    tables: Mapping[str, Records], sobject: str, record: str
) -> Iterator[tuple[str, str]]:
    """Objects and ids of the living descendants of a record."""
    for child, field in CHILDREN.get(sobject, ()):
        for row in tables[child].all():
            if row.get(field) == record and not row.get("IsDeleted"):
                yield child, row["Id"]
                yield from living_children(tables, child, row["Id"])
