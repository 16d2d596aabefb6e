"""Ten files that are broken as real ones are, and what becomes of every line of them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from novade_pipeline_tests.places import NewStore

Lake = Any
NAMES = [
    *(f"187520_2018-12-05_{hour}#0.json.gz" for hour in range(9, 18)),
    "export of december.json.gz",
]


@dataclass(frozen=True)
class Loaded:
    """What the tables say after a load of all ten."""

    expected: dict[str, dict[str, Any]]
    tables: dict[str, list[dict[str, Any]]]

    def of(self, table: str, name: str) -> list[dict[str, Any]]:
        """The rows of a table that tell of a file."""
        return [row for row in self.tables[table] if row["file"].endswith(f"/{name}")]


@pytest.fixture(scope="module")
def loaded(
    shared: Path,
    new_lasting_store: NewStore,
    copied: Callable[..., Any],
    lake_of: Callable[..., Lake],
) -> Loaded:
    """The ten files in a lake."""
    landing = copied("faulty", new_lasting_store("landing"))
    lake = lake_of(landing, new_lasting_store("lake"))
    lake.load(sources=("events",))
    expected = json.loads((shared / "expected/faulty_amplitude.json").read_text())
    return Loaded(expected, lake.state())


def test_all_ten_files_are_reported(loaded: Loaded) -> None:
    assert sorted(loaded.expected) == sorted(NAMES)
    assert len(loaded.tables["files"]) == 10


@pytest.mark.parametrize("name", NAMES)
def test_a_faulty_file_ends_as_expected(name: str, loaded: Loaded) -> None:
    expected = loaded.expected[name]
    (ledger,) = loaded.of("files", name)
    held = loaded.of("quarantine", name)
    rows = loaded.of("events", name)
    if expected.get("file_quarantined"):
        assert ledger["refused"]
        assert [row["line"] for row in held] == [0]
        assert (rows, ledger["lines"]) == ([], 0)
    else:
        assert not ledger["refused"]
        assert len(rows) == ledger["rows"] == expected["rows"]
        assert len(held) == ledger["quarantined"] == expected["lines_quarantined"]
        assert ledger["blank"] == expected.get("blank_lines", 0)
        assert ledger["repeated"] == 0


@pytest.mark.parametrize("name", NAMES)
def test_every_line_of_a_faulty_file_is_accounted_for(name: str, loaded: Loaded) -> None:
    (row,) = loaded.of("files", name)
    accounted = row["rows"] + row["repeated"] + row["quarantined"] + row["blank"]
    assert row["lines"] == accounted


REASONS = {
    NAMES[0]: ["gzip ends early"],
    NAMES[1]: [
        "expected JSON, found at character 28: Expecting value",
        "expected a JSON object, found an array",
        "expected UTF-8, found another byte at position",
        "uuid: expected a value, found none",
    ],
    NAMES[2]: ["not gzip"],
    NAMES[4]: ["session_id: expected an integer", "event_time: expected a time, found a text"],
    NAMES[9]: ["expected a name like 187520_2018-11-05_9#0.json.gz, found another"],
}


@pytest.mark.parametrize("name", NAMES)
def test_what_is_in_quarantine_has_its_reason(name: str, loaded: Loaded) -> None:
    reasons = [row["reason"] for row in loaded.of("quarantine", name)]
    assert len(reasons) == len(REASONS.get(name, []))
    for reason, expected in zip(reasons, REASONS.get(name, []), strict=True):
        assert reason.startswith(expected)


def test_a_field_never_seen_before_is_kept(loaded: Loaded) -> None:
    rows = loaded.of("events", NAMES[4])
    kept = [json.loads(row["other_fields"]) for row in rows if row["other_fields"]]
    assert len(kept) >= 1
    assert all(kept)


def test_a_line_of_12_mb_is_whole(loaded: Loaded) -> None:
    lengths = [len(row["event_properties"]) for row in loaded.of("events", NAMES[5])]
    assert max(lengths) > 10 * 2**20
