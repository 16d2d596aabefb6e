"""What the plan covers: each property that was seen or planned, how often it breaks the plan."""

import json
from contextlib import closing
from typing import Any

from novade_pipeline.defs.marts.project import Project
from novade_pipeline.lake.query import open_database

World = Any


def test_each_property_is_counted_under_its_own_name(world: World, project: Project) -> None:
    world.plan = world.planned("Home", "level", "utm", "never")
    cases = [
        ({"level": "free"}, []),
        ({"level": "gold"}, [("level", "enum")]),
        ({"level": {"deep": 1}, "utm": {"source": 1}}, [("level.deep", "type")]),
        # A name with a dot, which the plan does not have, beside a part of one that it has.
        ({"utm.source": "a"}, [("utm.source", "additionalProperties")]),
        ({"utm": {"source": 2}}, [("utm.source", "type")]),
        ({"more": 1}, []),
    ]
    events = [
        world.event(str(n), 0, event_properties=json.dumps(properties), breaks=breaks)
        for n, (properties, breaks) in enumerate(cases)
    ]
    world.land(0, *events, world.event("other", 0, event_type="Other", event_properties="{}"))
    # A copy counts nowhere, not even under another type.
    world.land(1, world.event("0", 0, event_type="Copied"))
    world.write()
    models = ("event_enhanced", "coverage_by_day", "tracking_plan_coverage")
    assert not world.refresh(project, *models).failures
    with closing(open_database(world.warehouse)) as connection:
        rows = connection.execute(
            "select event_type, property, seen, violations, violations_by_keyword"
            " from marts.tracking_plan_coverage"
        ).fetchall()
    coverage = {(row[0], row[1]): (row[2], row[3], json.loads(row[4] or "{}")) for row in rows}
    assert coverage == {
        ("Home", ""): (6, 0, {}),
        ("Home", "level"): (3, 2, {"enum": 1, "type": 1}),
        ("Home", "utm"): (2, 1, {"type": 1}),
        ("Home", "utm.source"): (1, 1, {"additionalProperties": 1}),
        ("Home", "never"): (0, 0, {}),
        ("Home", "more"): (1, 0, {}),
        ("Other", ""): (1, 0, {}),
    }
