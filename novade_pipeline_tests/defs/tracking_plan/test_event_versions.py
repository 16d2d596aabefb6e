"""Each event is judged by the version that it names, else by the newest."""

import json
from typing import Any

import pyarrow as pa
import pytest

from novade_pipeline.defs.tracking_plan.event_versions import named_version, version_number
from novade_pipeline.defs.tracking_plan.json_schema import Schema
from novade_pipeline.defs.tracking_plan.judge import Judge
from novade_pipeline.defs.tracking_plan.plan_formats import Plan, parse_plan
from novade_pipeline_tests.defs.tracking_plan.plans import envelope, segment, track
from novade_pipeline_tests.defs.tracking_plan.rules import verdicts_of

TOTAL = {"properties": {"total": {"type": "number"}}, "required": ["total"]}
WITH_CURRENCY = {**TOTAL, "required": ["total", "currency"]}


def plan(**by_version: Schema) -> Plan:
    """A plan of event `E`: `v1` and so on, each with the schema of its properties."""
    rules = [
        track("E", schema=envelope(schema), version=int(version[1:]))
        for version, schema in by_version.items()
    ]
    return parse_plan(segment(*rules), "plan.json")


ORDERS = plan(v1=TOTAL, v2=WITH_CURRENCY)


def naming(version: Any, **properties: Any) -> str:
    return json.dumps({**properties, "context": {"protocols": {"event_version": version}}})


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ('{"total": 5}', "violating"),
        ('{"total": 5, "currency": "EUR"}', "conforming"),
        (naming(1, total=5), "conforming"),
        (naming(2, total=5), "violating"),
        (naming(1, total="x"), "violating"),
        (naming(3, total=5), "violating"),
        (naming("1", total=5), "conforming"),
        (naming(1.0, total=5), "conforming"),
        (naming(3.2, total=5), "violating"),
        (naming(True, total=5), "violating"),
        (naming(None, total=5), "violating"),
        ('{"total": 5, "context.protocols.event_version": 1}', "conforming"),
        ('{"total": 5, "context_protocols_event_version": 1}', "conforming"),
        ('{"total": 5, "event_version": 1}', "violating"),
        ('{"total": 5, "context": {"protocols": []}, "event_version": 1}', "violating"),
    ],
)
def test_an_event_is_judged_by_the_version_that_it_names_else_by_the_newest(
    text: str, verdict: str
) -> None:
    assert verdicts_of(ORDERS, text) == [verdict]


def test_events_of_all_versions_are_judged_side_by_side() -> None:
    texts = [naming(1, total=5), naming(2, total=5), '{"total": 5}', None] * 9_000
    result = Judge(ORDERS).judge(pa.array(["E"] * len(texts)), pa.array(texts))
    assert result.verdict.to_pylist() == ["conforming", *["violating"] * 3] * 9_000
    missing = [[violation["path"] for violation in row] for row in result.violations.to_pylist()]
    assert missing[:4] == [[], ["currency"], ["currency"], ["currency", "total"]]


def test_a_version_may_stand_in_a_field_beside_the_properties() -> None:
    others = pa.array([naming(1), None, naming(2)])
    result = Judge(ORDERS).judge(pa.array(["E"] * 3), pa.array(['{"total": 5}'] * 3), others)
    assert result.verdict.to_pylist() == ["conforming", "violating", "violating"]


def test_the_properties_go_before_the_fields_beside_them() -> None:
    properties, others = pa.array([naming(1, total=5)]), pa.array([naming(2)])
    assert Judge(ORDERS).judge(pa.array(["E"]), properties, others).verdict.to_pylist() == [
        "conforming"
    ]


def test_the_order_of_the_rules_in_the_file_says_nothing() -> None:
    turned = plan(v10=WITH_CURRENCY, v2=TOTAL, v9=TOTAL)
    assert verdicts_of(turned, '{"total": 5}', naming(9, total=5)) == ["violating", "conforming"]


def test_the_only_version_judges_whatever_an_event_names() -> None:
    assert verdicts_of(plan(v2=TOTAL), naming(1, total=5), '{"total": 5}') == ["conforming"] * 2


def test_the_legacy_export_has_versions_as_well() -> None:
    events = [
        {"name": "E", "version": version, "rules": envelope(schema)}
        for version, schema in enumerate((TOTAL, WITH_CURRENCY), 1)
    ]
    document = {"name": "workspaces/w", "rules": {"events": events}}
    legacy = parse_plan(json.dumps(document).encode(), "p.json")
    assert [(rule.event_type, rule.version) for rule in legacy.rules] == [("E", 1), ("E", 2)]
    assert legacy.rules == ORDERS.rules


def test_two_rules_of_one_version_are_refused_and_the_other_versions_stand() -> None:
    twice = [track("E", schema=envelope(schema), version=2) for schema in (TOTAL, WITH_CURRENCY)]
    both = parse_plan(segment(track("E", schema=envelope(TOTAL)), *twice), "p.json")
    assert both.faults == [
        'rule for "E", version 2: expected one rule for each version, found two that differ; '
        "remove one of them"
    ]
    assert verdicts_of(both, naming(1, total=5), '{"total": 5}') == ["conforming", "unjudged"]


def test_an_event_whose_newest_version_is_refused_is_not_judged_by_an_older_one() -> None:
    refused = plan(v1=TOTAL, v2={"properties": {"total": {"type": "money"}}})
    texts = '{"total": 5}', naming(2, total=5), naming(1, total=5), naming(1, total="x")
    verdicts = ["unjudged", "unjudged", "conforming", "violating"]
    assert verdicts_of(refused, *texts) == verdicts


def test_a_refused_older_version_leaves_the_newest() -> None:
    refused = plan(v1={"type": "money"}, v2=TOTAL)
    assert verdicts_of(refused, '{"total": 5}', naming(1)) == ["conforming", "unjudged"]


@pytest.mark.parametrize(
    ("stated", "version"),
    [
        *((1, 1), ("2", 2), (3.0, 3), (0, 0), (-1, 0), (1.5, 0), ("1.0.0", 0), ("v1", 0)),
        *((None, 0), (True, 0), ([1], 0), ("٣", 0), (10**30, 0), ("9" * 30, 0), (1e400, 0)),
    ],
)
def test_a_version_is_a_whole_number_from_one(stated: Any, version: int) -> None:
    assert version_number(stated) == version


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "{", "[]", "1", "null", '"event_version"', '{"event_version": 1}'),
        *(
            '{"context": {"event_version": 1}}',
            '{"context": [{"protocols": {"event_version": 1}}]}',
        ),
        "[" * 100_000 + "event_version",
    ],
    ids=lambda text: str(text)[:20],
)
def test_what_names_no_version_names_none(text: str | None) -> None:
    assert named_version(text) == 0
