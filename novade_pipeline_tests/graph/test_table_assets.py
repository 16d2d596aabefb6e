"""A materialization has the metadata once, and results of the selected checks alone."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from novade_pipeline.graph.table_assets import materialized

KEY = dg.AssetKey(["shop", "orders"])


@dg.multi_asset(
    specs=[dg.AssetSpec(KEY)],
    check_specs=[dg.AssetCheckSpec("complete", asset=KEY)],
    can_subset=True,
)
def orders(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
    check = dg.AssetCheckResult(passed=True, asset_key=KEY, check_name="complete")
    yield materialized(context, KEY, {"preview": "a long text"}, [check])


@pytest.mark.parametrize(
    ("selection", "checks"),
    [
        (dg.AssetSelection.assets(KEY), ["complete"]),
        (dg.AssetSelection.assets(KEY).without_checks(), []),
    ],
    ids=["with checks", "without"],
)
def test_only_selected_checks_have_a_result(
    selection: dg.AssetSelection, checks: list[str]
) -> None:
    result = dg.materialize([orders], selection=selection)
    assert [check.check_name for check in result.get_asset_check_evaluations()] == checks


def test_the_metadata_is_stored_once() -> None:
    result = dg.materialize([orders])
    stored = [event for event in result.all_events if "a long text" in str(event)]
    assert [event.event_type for event in stored] == [dg.DagsterEventType.ASSET_MATERIALIZATION]
