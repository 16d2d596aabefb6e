"""Documents are written where they differ, and only there."""

from pathlib import Path

from novade_pipeline.lake.documents import write_document
from novade_pipeline.storage.locations import store


def test_a_document_is_written_once(tmp_path: Path) -> None:
    lake = store(str(tmp_path))
    written = [write_document(lake, text, "a", "b.json") for text in (b"1", b"1", b"2")]
    assert written == [True, False, True]
    assert lake.read("a", "b.json") == b"2"
