"""After any sequence of changes, with loads in between, the lake has what the organisation has."""

import tempfile
from pathlib import Path
from typing import Any

import requests
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from novade_pipeline.defs.salesforce import load as loading
from novade_pipeline.defs.salesforce import sweep as sweeping
from novade_pipeline.sandbox.salesforce.fields import Field
from novade_pipeline_tests.defs.salesforce.conftest import new_world
from novade_pipeline_tests.defs.salesforce.same_state import differences

OBJECTS = ("Account", "UserRole")
TEXTS = st.sampled_from(("", 'Ärger, "quoted"\nand more', "0", "false", "x" * 300))

FORMULA = Field("Score__c", "double", calculated=True)


class Killed(BaseException):
    """As if the process had ended."""


class Sequence(RuleBasedStateMachine):
    """Changes and loads in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.context = new_world(Path(self.folder.name), people=4)
        self.world = self.context.__enter__()
        self.world.org.add_field("Account", FORMULA)
        self.is_loaded = False
        self.fields = 0

    def teardown(self) -> None:
        self.context.close()
        self.folder.cleanup()

    @rule(name=st.sampled_from(OBJECTS), text=TEXTS)
    def insert(self, name: str, text: str) -> None:
        self._changed()
        self.world.org.insert(name, {"Name": text or None})

    @rule(name=st.sampled_from(OBJECTS), at=st.integers(0, 20), text=TEXTS, number=st.integers(0))
    def update(self, name: str, at: int, text: str, number: int) -> None:
        if (record := self._record_at(name, at, deleted=False)) is not None:
            self._changed()
            more = {"AnnualRevenue": float(number % 10**9)} if name == "Account" else {}
            self.world.org.update(name, record, {"Name": text or None, **more})

    @rule(at=st.integers(0, 20))
    def delete(self, at: int) -> None:
        if (record := self._record_at("Account", at, deleted=False)) is not None:
            self._changed()
            self.world.org.delete("Account", record)

    @rule(at=st.integers(0, 20))
    def undelete(self, at: int) -> None:
        if (record := self._record_at("Account", at, deleted=True)) is not None:
            self._changed()
            self.world.org.undelete("Account", record)

    @rule(name=st.sampled_from(OBJECTS), at=st.integers(0, 20))
    def purge(self, name: str, at: int) -> None:
        if (record := self._record_at(name, at, deleted=None)) is not None:
            self._changed()
            self.world.org.purge(name, record)

    @rule(at=st.integers(0, 20), number=st.none() | st.integers(0, 9))
    def recalculate(self, at: int, number: int | None) -> None:
        if (record := self._record_at("Account", at, deleted=None)) is not None:
            self._changed()
            self.world.org.recalculate(
                "Account", FORMULA.name, lambda r: number if r["Id"] == record else r[FORMULA.name]
            )

    @precondition(lambda self: self.fields < 3)
    @rule(type_=st.sampled_from(("string", "double", "date", "boolean")), at=st.integers(0, 20))
    def add_a_field(self, type_: str, at: int) -> None:
        self._changed()
        self.fields += 1
        name = f"New{self.fields}__c"
        self.world.org.add_field("Account", Field(name, type_, 80 if type_ == "string" else 0))
        value = {"string": "new", "double": 1.5, "date": None, "boolean": True}[type_]
        if (record := self._record_at("Account", at, deleted=False)) is not None:
            self.world.org.update("Account", record, {name: value})

    @rule(hidden=st.booleans(), name=st.sampled_from(("Industry", "Notes__c", "Segment__c")))
    def hide_or_show_a_field(self, hidden: bool, name: str) -> None:
        self._changed()
        self.world.org.hide_field("Account", name, hidden)

    @rule(bulk=st.booleans(), slice_rows=st.integers(1, 4), sweep=st.booleans())
    def load(self, bulk: bool, slice_rows: int, sweep: bool) -> None:
        for name in OBJECTS:
            self._load(name, bulk, slice_rows, sweep)
        self.is_loaded = sweep

    @rule(bulk=st.booleans(), requests_=st.integers(1, 12), slice_rows=st.integers(1, 4))
    def load_and_be_killed(self, bulk: bool, requests_: int, slice_rows: int) -> None:
        self.is_loaded = False
        with _killed_at_request(requests_):
            for name in OBJECTS:
                self._load(name, bulk, slice_rows, True)

    @rule(commits=st.integers(0, 3), before=st.booleans())
    def load_and_be_killed_at_a_commit(self, commits: int, before: bool) -> None:
        self.is_loaded = False
        with _killed_at_commit(commits, before):
            for name in OBJECTS:
                self._load(name, False, 2, True)

    @invariant()
    def the_lake_has_what_the_organisation_has(self) -> None:
        if self.is_loaded:
            for name in OBJECTS:
                assert differences(self.world, name) == []

    def _load(self, name: str, bulk: bool, slice_rows: int, sweep: bool) -> None:
        self.world.load(
            name,
            bulk_from_rows=0 if bulk else 1000,
            slice_rows=slice_rows,
            sweep_hours=0 if sweep else 10_000,
        )

    def _changed(self) -> None:
        self.is_loaded = False

    def _record_at(self, name: str, at: int, *, deleted: bool | None) -> str | None:
        ids = [
            record["Id"]
            for record in self.world.org.records(name)
            if deleted is None or bool(record.get("IsDeleted")) == deleted
        ]
        return ids[at % len(ids)] if ids else None


class _killed_at_request:  # noqa: N801
    """The process ends as it asks for the so manieth time."""

    def __init__(self, left: int) -> None:
        self._left = left
        self._send = requests.Session.send

    def __enter__(self) -> None:
        def send(session: Any, request: Any, **options: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                raise Killed
            return self._send(session, request, **options)

        requests.Session.send = send  # type: ignore[method-assign]

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        requests.Session.send = self._send  # type: ignore[method-assign]
        return kind is Killed


class _killed_at_commit:  # noqa: N801
    """The process ends right before or after it commits for the so manieth time."""

    def __init__(self, left: int, before: bool) -> None:
        self._left, self._before = left, before
        self._merge = loading.merge

    def __enter__(self) -> None:
        def merge(*args: Any, **options: Any) -> Any:
            self._left -= 1
            if self._left < 0 and self._before:
                raise Killed
            receipt = self._merge(*args, **options)
            if self._left < 0:
                raise Killed
            return receipt

        loading.merge = sweeping.merge = merge

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        loading.merge = sweeping.merge = self._merge
        return kind is Killed


TestAnySequence = Sequence.TestCase
TestAnySequence.settings = settings(max_examples=6, stateful_step_count=12, deadline=None)
