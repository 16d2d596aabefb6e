"""An erasure that is cut off anywhere and repeated comes to the same end; policies; refusals."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from novade_pipeline.defs.drift.tables import CONTACTS, CONVERSATIONS, MESSAGES
from novade_pipeline.defs.erasure import erase as erasing
from novade_pipeline.defs.erasure import people
from novade_pipeline.defs.erasure.erase import ErasureScope, erase
from novade_pipeline.defs.salesforce.tables import CONTACT, LEAD, TASK
from novade_pipeline.errors import UserError
from novade_pipeline.lake.delta import current_version
from novade_pipeline.lake.merge import merge
from novade_pipeline.lake.read import read
from novade_pipeline.lake.table import Table
from novade_pipeline.lake.tombstones import TOMBSTONES
from novade_pipeline.privacy.policy import protect
from novade_pipeline.settings import Settings, load_settings
from novade_pipeline_tests.byte_search import files_with

ADA = "ada@example.com"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
TABLES = (CONTACT, LEAD, TASK, CONTACTS, CONVERSATIONS, MESSAGES)
STEPS = ("storage_clock", "remove", "purge_history", "rewrite_database")
GRAPH = ErasureScope(
    tables={table.name: table for table in TABLES},
    marts=(),
    sources=(),
    require_no_run_in_progress=lambda: None,
    rebuild=lambda all_marts: [],
)


class CutOff(Exception):
    """The process ends here."""


def settings_in(root: Path, **more: Any) -> Settings:
    return load_settings(
        lake_url=str(root / "lake"),
        landing_url=str(root / "landing"),
        warehouse_path=root / "warehouse.duckdb",
        **more,
    )


def write(settings: Settings, table: Table, *rows: dict[str, Any]) -> None:
    times = {pa.timestamp("us", tz="UTC"): NOW, pa.bool_(): False, pa.list_(pa.int64()): []}
    always = {f.name: times.get(f.type) for f in table.schema if not f.nullable}
    made = pa.Table.from_pylist([always | row for row in rows], schema=table.schema)
    merge(settings.lake, table, protect(made, table.personal, settings.personal_data_policy))


def fill(settings: Settings) -> None:
    """Ada's messages are found through her conversation, through her contact, by her address."""
    write(settings, CONTACT, {"id": "003A", "email": ADA}, {"id": "003B", "email": "b@b.example"})
    write(settings, LEAD, {"id": "00QA", "converted_contact_id": "003A"})
    write(
        settings,
        TASK,
        {"id": "1", "who_id": "00QA", "subject": ADA},
        {"id": "2", "who_id": "003B", "subject": f"Ask {ADA}", "description": f"or {ADA}?"},
    )
    write(settings, CONTACTS, {"id": 71, "email": ADA}, {"id": 72, "email": "b@b.example"})
    write(settings, CONVERSATIONS, {"id": 5, "contact_id": 71}, {"id": 6, "contact_id": 72})
    write(
        settings,
        MESSAGES,
        {"id": "a", "conversation_id": 5, "body": "secret"},
        {"id": "b", "conversation_id": 6, "body": "public"},
    )


def left(settings: Settings) -> dict[str, list[Any]]:
    return {table.name: sorted(read(settings.lake, table)["id"].to_pylist()) for table in TABLES}


LEFT = {
    "salesforce/contact": ["003B"],
    "salesforce/lead": [],
    "salesforce/task": ["2"],
    "drift/contacts": [72],
    "drift/conversations": [6],
    "drift/messages": ["b"],
}


def cutting_off(monkeypatch: pytest.MonkeyPatch, at: int, after: bool) -> Callable[[], int]:
    """Make the process end before, or right after, its step number `at`; tells how many it did."""
    done = [0]
    for name in STEPS:
        real = getattr(erasing, name)

        def step(*arguments: Any, real: Callable[..., Any] = real) -> Any:
            done[0] += 1
            if done[0] == at and not after:
                raise CutOff
            told = real(*arguments)
            if done[0] == at:
                raise CutOff
            return told

        monkeypatch.setattr(erasing, name, step)
    return lambda: done[0]


@pytest.mark.parametrize("at", range(1, 15))
def test_cut_off_at_any_step_and_repeated_it_completes(
    at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    fill(settings)
    with monkeypatch.context() as cut:
        cutting_off(cut, at, after=at % 2 == 0)
        with pytest.raises(CutOff):
            erase(settings, GRAPH, ADA)
    # A load in between brings nothing back.
    fill(settings)
    erase(settings, GRAPH, ADA)
    assert left(settings) == LEFT
    assert files_with(settings.lake, ADA, "secret") == []
    (task,) = read(settings.lake, TASK).to_pylist()
    assert (task["subject"], task["description"]) == ("Ask erased", "or erased?")


def test_it_has_no_more_steps_than_are_cut_off_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    fill(settings)
    steps = cutting_off(monkeypatch, 0, after=False)
    erase(settings, GRAPH, ADA)
    assert steps() == 14
    assert left(settings) == LEFT


def test_of_a_lake_of_hashes_a_person_is_erased_by_the_address(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, personal_data="hash", personal_data_key="a key")
    fill(settings)
    erase(settings, GRAPH, ADA)
    assert left(settings) == LEFT
    assert files_with(settings.lake, settings.personal_data_policy.hash(ADA)) == []
    fill(settings)
    assert left(settings) == LEFT


def test_where_addresses_are_dropped_the_sentence_says_so_and_an_id_does_it(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, personal_data="drop")
    fill(settings)
    with pytest.raises(UserError, match="NOVADE_PERSONAL_DATA is drop"):
        erase(settings, GRAPH, ADA)
    erase(settings, GRAPH, "salesforce_id:00QA")
    assert left(settings)["salesforce/contact"] == ["003B"]
    fill(settings)
    assert left(settings)["salesforce/task"] == ["2"]


def test_a_name_that_leads_to_more_than_a_person_has_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    fill(settings)
    write(settings, LEAD, *({"id": f"00Q{n}", "converted_contact_id": "003A"} for n in range(9)))
    limited = partial(people.identifiers_of_person, limit=8)
    monkeypatch.setattr(people, "identifiers_of_person", limited)
    with pytest.raises(UserError, match="leads to more than 100,000 others, as a placeholder"):
        erase(settings, GRAPH, ADA)
    assert current_version(settings.lake, TOMBSTONES) is None


def test_it_refuses_beside_a_run_before_anything_is_written(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    fill(settings)

    def refuse() -> None:
        raise UserError("Run 1 is at work on the same lake.")

    beside = ErasureScope(GRAPH.tables, (), (), refuse, GRAPH.rebuild)
    with pytest.raises(UserError, match="at work"):
        erase(settings, beside, ADA)
    assert current_version(settings.lake, TOMBSTONES) is None
    assert files_with(settings.lake, "secret") != []
