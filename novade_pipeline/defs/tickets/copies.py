"""Erasure of persons from the documents, which are written again without them."""

from novade_pipeline.defs.tickets.documents import MANIFEST, publish, read_manifest
from novade_pipeline.privacy.forget import ErasedIdentifiers
from novade_pipeline.storage.store import Store


def forget_in_copies(lake: Store, erased: ErasedIdentifiers) -> list[str]:
    """Write the documents as the tickets are now, and delete all parts of before.

    Args:
        erased: the tables no longer have them.

    Returns:
        The manifest, if the documents have changed.
    """
    before = read_manifest(lake)
    if before is None:
        return []
    publish(lake, keep_former=False)
    return ["/".join(MANIFEST)] if read_manifest(lake) != before else []
