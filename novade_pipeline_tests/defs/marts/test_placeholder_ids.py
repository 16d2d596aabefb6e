"""Ids that apps send where they have none: they name neither a person nor a device."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from novade_pipeline.defs.marts.project import Project
from novade_pipeline_tests.defs.marts.crm import Crm

TIME = datetime(2026, 3, 2, 10, 15, tzinfo=UTC)
WORDS = [
    *("null", "(null)", "<null>", "nil", "none", "undefined", "nan", "n/a", "na", "unknown"),
    *("anonymous", "-1", "true", "false", "[]", "{}", "[object Object]"),
]
PLACEHOLDERS = [
    *WORDS,
    *(word.upper() for word in WORDS if word != word.upper()),
    *("", " ", "\t", "\r\n", "\u00a0", " null\t", "0", "000", "0-0"),
    "00000000-0000-0000-0000-000000000000",
]
IDS = ["u-1", "10", "0a", "-10", "nancy", "none@acme.example", "null.null", "Anonymous Inc", "1e0"]


@pytest.fixture(scope="module")
def crm(tmp_path_factory: pytest.TempPathFactory, project: Project) -> Crm:
    folder: Path = tmp_path_factory.mktemp("ids")
    crm = Crm(folder, project)
    crm.use(
        *(
            {"event_time": TIME, "event_type": kind, "user_id": user, "device_id": device}
            for n, value in enumerate([*PLACEHOLDERS, *IDS])
            for kind, user, device in (
                ("of a device", value, f"d-{n}"),
                ("of a user", f"u-{n}", value),
                ("of nobody", value, value),
            )
        )
    )
    assert not crm.refresh("event_enhanced", "user_days", "user_enhanced").failures
    return crm


def test_a_placeholder_is_no_user_and_no_device_and_other_ids_are(crm: Crm) -> None:
    for kind, column in (("of a device", "user_id"), ("of a user", "device_id")):
        rows = crm.query(f"select {column} from marts.event_enhanced where event_type = '{kind}'")
        ids = [value for (value,) in rows]
        assert sorted(filter(None, ids)) == sorted(IDS)
        assert ids.count(None) == len(PLACEHOLDERS)


def test_nobody_is_known_by_a_placeholder_and_no_two_events_are_of_one_nobody(crm: Crm) -> None:
    people = crm.query(
        "select event.event_type, person.known, count(*), count(distinct person.person_id)"
        " from marts.event_enhanced as event join marts.user_enhanced as person using (person_id)"
        " where event.event_type <> 'of a user' group by all order by all"
    )
    none, known = len(PLACEHOLDERS), len(IDS)
    assert people == [
        ("of a device", False, none, none),
        ("of a device", True, known, known),
        ("of nobody", False, none, none),
        ("of nobody", True, known, known),
    ]
