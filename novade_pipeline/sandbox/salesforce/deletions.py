"""What goes with a record that is deleted, and what the organisation knows of what is gone.

Whoever deletes a parent deletes its children, and whoever brings it back brings them back. Source:
Apex Developer Guide, "Deleting Records" and "Restoring Deleted Records"
(langCon_apex_dml_examples_delete.htm, …_undelete.htm); that an account takes its contacts and
opportunities is what `cascadeDelete` says in its describe.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from novade_pipeline.sandbox.salesforce.tables import Records

CHILDREN: Mapping[str, tuple[tuple[str, str], ...]] = {
    "Account": (("Contact", "AccountId"), ("Opportunity", "AccountId")),
    "Opportunity": (("OpportunityLineItem", "OpportunityId"),),
}
"""An object -> the objects whose records go with one of its own, and the field that names it."""


@dataclass(frozen=True)
class Deleted:
    """A record that was deleted, and when."""

    id: str
    moment: datetime


class Deletions:
    """What was deleted in the organisation's time, beside the recycle bin."""

    def __init__(self) -> None:
        self._gone: defaultdict[str, list[Deleted]] = defaultdict(list)
        self._with: dict[str, list[tuple[str, str]]] = {}

    def is_deleted(self, record: str, children: list[tuple[str, str]]) -> None:
        """A record went to the recycle bin, with children: their objects and ids."""
        self._with[record] = children

    def taken_with(self, record: str) -> list[tuple[str, str]]:
        """The children that went to the recycle bin with a record."""
        return self._with.get(record, [])

    def is_gone(self, of: str, record: str, moment: datetime) -> None:
        """No query finds a record any more that was deleted at that time."""
        self._gone[of].append(Deleted(record, moment))

    def gone(self, of: str) -> list[Deleted]:
        """The records of an object that no query finds any more."""
        return list(self._gone[of])


def living_children(
    tables: Mapping[str, Records], of: str, record: str
) -> Iterator[tuple[str, str]]:
    """Objects and ids of the records that go with one, those of children included."""
    for child, field in CHILDREN.get(of, ()):
        for row in tables[child].all():
            if row.get(field) == record and not row.get("IsDeleted"):
                yield child, row["Id"]
                yield from living_children(tables, child, row["Id"])
