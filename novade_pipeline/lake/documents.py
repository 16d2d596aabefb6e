"""Documents of the lake: whole files that are written only where they differ."""

from novade_pipeline.storage.store import Store


def write_document(lake: Store, content: bytes, *parts: str) -> bool:
    """Write a document; False where the stored one is the same."""
    try:
        if lake.read(*parts) == content:
            return False
    except FileNotFoundError:
        pass
    lake.write(content, *parts)
    return True
