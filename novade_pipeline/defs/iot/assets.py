"""The assets of sensor readings: the topic, and what is derived from it."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from novade_pipeline.defs.iot.readings import update_readings
from novade_pipeline.defs.iot.tables import DEVICES, GAPS, READING_EVENTS, READINGS
from novade_pipeline.defs.iot.topic import TOPICS
from novade_pipeline.graph.access import lake_probes, require
from novade_pipeline.graph.table_assets import (
    check_columns,
    check_result,
    check_specs,
    dagster_failures,
    follows_its_sources,
    key_of,
    materialized,
    table_metadata,
    table_spec,
)
from novade_pipeline.graph.topic_assets import topic_definitions
from novade_pipeline.plurals import counted
from novade_pipeline.settings import Settings
from novade_pipeline.storage.store import Store

RESTART_CHECK = "sequences_go_on"
_DERIVED = ((READINGS, (READING_EVENTS,)), (GAPS, (READINGS,)), (DEVICES, (READINGS,)))


@dg.multi_asset(
    name="iot_readings",
    specs=[
        table_spec(table, kinds={"python"}, deps=deps, automation_condition=follows_its_sources())
        for table, deps in _DERIVED
    ],
    check_specs=[
        *(spec for table, _ in _DERIVED for spec in check_specs(table, fresh=False)),
        dg.AssetCheckSpec(
            RESTART_CHECK,
            asset=key_of(READINGS),
            description="No new record has a sequence that its device had already, and a time "
            "after all of its readings: a device that counts anew loses readings.",
        ),
    ],
    pool="iot_readings",
)
def readings(
    context: dg.AssetExecutionContext, lake: dg.ResourceParam[Store]
) -> Iterator[dg.MaterializeResult[Any]]:
    """Leave out repeats, and find gaps, among the records that are new."""
    with dagster_failures():
        require(*lake_probes(lake))
        update = update_readings(lake, context.log.info)
    problem = None
    if update.restarted:
        problem = (
            f"{counted(update.restarted, 'new record')} were measured after all readings of their "
            "device and have a sequence that it had before: taken for repeats, they are in "
            f"{READING_EVENTS.name} alone. If the device was reset, let it send under another "
            "device_id."
        )
    for table, _ in _DERIVED:
        metadata = table_metadata(lake, table, update.receipts[table.name])
        results = [check_columns(lake, table)]
        if table is READINGS:
            metadata |= {"repeats": update.repeats}
            results.append(
                check_result(table, RESTART_CHECK, problem, {"records": update.restarted})
            )
        yield materialized(context, key_of(table), metadata, results)


def definitions(settings: Settings) -> dg.Definitions:
    """The assets of sensor readings."""
    return dg.Definitions.merge(
        topic_definitions(settings, "iot", TOPICS), dg.Definitions(assets=[readings])
    )
