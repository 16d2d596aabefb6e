"""Landing is only looked at: what cannot be is told, and an erasure that is done stays told."""

from datetime import date, timedelta
from pathlib import Path

from novade_pipeline.defs.amplitude.export_files import EVENTS
from novade_pipeline.defs.erasure.landing_scan import LandedTraces, traces_in_landing
from novade_pipeline.landing.ledger import Rules
from novade_pipeline.privacy.forget import GivenIdentifiers
from novade_pipeline.storage.locations import store


def test_a_folder_that_cannot_be_listed_may_hold_more(tmp_path: Path) -> None:
    (tmp_path / "amplitude").mkdir()
    folder = tmp_path / EVENTS.folder
    folder.symlink_to(folder)
    found = LandedTraces()
    rules = Rules(1, "keep", date(2018, 1, 1), timedelta(0))
    traces_in_landing(store(str(tmp_path)), EVENTS, rules, GivenIdentifiers(frozenset()), found)
    assert list(found.unread) == ["amplitude/events/"]
    assert "expected to list what is there" in found.unread["amplitude/events/"]
