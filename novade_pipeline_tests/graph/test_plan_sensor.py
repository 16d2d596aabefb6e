"""The tracking plan's sensor tick by tick: a plan is loaded once, valid or not."""

import json

import dagster as dg

from novade_pipeline.defs.tracking_plan.assets import PLAN_CHECK, RULES_CHECK
from novade_pipeline_tests.graph.sensor_world import World
from novade_pipeline_tests.worlds import marts_of, tables_of


def test_a_new_plan_becomes_a_run(world: World) -> None:
    world.land(3)
    (request,) = world.tick("tracking_plan_landing").run_requests
    assert world.run(request).success
    world.cursor = None
    assert "newest landed plan" in world.tick("tracking_plan_landing").skip_message


def test_a_plan_that_is_the_newest_again_is_taken_in_again(world: World) -> None:
    world.land(3)
    landing = world.settings.landing
    (first,) = (entry.file for entry in landing.entries("tracking_plan/"))
    for _ in range(2):
        (request,) = world.tick("tracking_plan_landing").run_requests
        assert world.run(request).success
        assert not world.tick("tracking_plan_landing").run_requests
        landing.write(_with_fewer_rules(landing.read(first)), "tracking_plan/later.json")
        (request,) = world.tick("tracking_plan_landing").run_requests
        assert world.run(request).success
        assert not world.tick("tracking_plan_landing").run_requests
        landing.delete("tracking_plan/later.json")


def test_a_plan_with_a_refused_rule_is_taken_in_once_and_reported(world: World) -> None:
    world.land(3)
    landing = world.settings.landing
    (first,) = (entry.file for entry in landing.entries("tracking_plan/"))
    document = json.loads(landing.read(first))
    document["rules"][0]["jsonSchema"] = {"$ref": "elsewhere.json"}
    landing.write(json.dumps(document).encode(), "tracking_plan/later.json")
    (request,) = world.tick("tracking_plan_landing").run_requests
    result = world.run(request)
    assert result.success
    checks = {one.check_name: one for one in result.get_asset_check_evaluations()}
    assert checks[PLAN_CHECK].passed
    assert not checks[RULES_CHECK].passed
    assert checks[RULES_CHECK].severity == dg.AssetCheckSeverity.WARN
    event = document["rules"][0]["key"]
    assert f'rule for "{event}": expected every $ref' in str(
        checks[RULES_CHECK].metadata["why"].value
    )
    assert not world.tick("tracking_plan_landing").run_requests


def _with_fewer_rules(plan: bytes) -> bytes:
    document = json.loads(plan)
    document["rules"] = document["rules"][:1]
    return json.dumps(document).encode()


def test_an_invalid_plan_is_reported_and_the_previous_plan_applies(world: World) -> None:
    world.land(3)
    for sensor in ("tracking_plan_landing", "amplitude_landing"):
        world.cursor = None
        (request,) = world.tick(sensor).run_requests
        assert world.run(request, marts=True).success
    plan = tables_of(world.settings)["tracking_plan/plan"]
    world.settings.landing.write(b"{}", "tracking_plan/later.json")
    world.cursor = None
    (request,) = world.tick("tracking_plan_landing").run_requests
    result = world.run(request, marts=True)
    assert result.success
    (check,) = (one for one in result.get_asset_check_evaluations() if one.check_name == PLAN_CHECK)
    assert not check.passed
    assert "later.json: expected a tracking plan" in str(check.metadata["why"].value)
    assert tables_of(world.settings)["tracking_plan/plan"] == plan
    # A new export is in the marts all the same.
    world.land(30)
    world.cursor = None
    (request,) = world.tick().run_requests
    before = len(marts_of(world.settings)["event_enhanced"])
    assert world.run(request, marts=True).success
    assert len(marts_of(world.settings)["event_enhanced"]) > before
