"""What a load keeps of people: what the setting says, in rows and in quarantine."""

from typing import Any

import pytest

from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline_tests.landing.plays import play
from novade_pipeline_tests.places import on_disk

Shop = Any
HASH = PersonalDataPolicy("hash", b"a key")


def test_under_hash_people_are_hashed_in_rows_and_quarantine_keeps_no_bytes(shop: Shop) -> None:
    secret = b"jane@example.com"
    line = play(
        "a",
        user_id="jane@example.com",
        properties={
            "email": "jane@example.com",
            "contact": {"phone": "1", "other": 2},
            "song": "x",
        },
        unknown={"who": ["jane@example.com"]},
    )
    shop.land(shop.name(0), line, line[:-1])
    shop.upload(shop.name(1), line)
    shop.load(policy=HASH)
    (row,) = shop.rows()
    name = HASH.hash("jane@example.com")
    assert row["user_id"] == name
    assert row["properties"] == (
        f'{{"email":"{name}","contact":{{"phone":"{HASH.hash("1")}","other":2}},"song":"x"}}'
    )
    assert row["other_fields"] == f'{{"unknown":{{"who":["{name}"]}}}}'
    assert [(r["raw"], r["raw_bytes"] > 0) for r in shop.quarantine()] == [(None, True)] * 2
    stored = [shop.lake.read(entry.file) for entry in shop.lake.entries()]
    assert stored
    assert not [1 for content in stored if secret in content]


@on_disk
def test_under_drop_people_are_gone(shop: Shop) -> None:
    line = play("a", user_id="u", properties={"email": "e", "song": "x"}, unknown={"n": 1})
    shop.land(shop.name(0), line)
    shop.load(policy=PersonalDataPolicy("drop"))
    (row,) = shop.rows()
    assert (row["user_id"], row["properties"]) == (None, '{"song":"x"}')
    assert "1" not in (row["other_fields"] or "")


@on_disk
@pytest.mark.parametrize("mode", ["hash", "drop"])
def test_deeply_nested_personal_data_does_not_stop_a_load(mode: Any, shop: Shop) -> None:
    deep = "[" * 700 + '"jane"' + "]" * 700
    line = f'{{"uuid":"a","unknown":{deep},"properties":{{"email":{deep}}}}}'
    shop.land(shop.name(0), line.encode())
    shop.load(policy=PersonalDataPolicy(mode, b"k"))
    (row,) = shop.rows()
    assert "jane" not in f"{row['other_fields']} {row['properties']}"


@on_disk
def test_another_policy_or_key_loads_everything_again(shop: Shop) -> None:
    shop.land(shop.name(0), play("a", user_id="u"), b"{")
    shop.load()
    for policy in (HASH, PersonalDataPolicy("hash", b"another"), PersonalDataPolicy("drop")):
        assert shop.load(policy=policy).hours == 1
        assert not shop.load(policy=policy).changed
        (row,) = shop.rows()
        assert row["user_id"] == (policy.hash("u") if policy.mode == "hash" else None)
    shop.load()
    assert shop.state() == shop.state_from_nothing()
