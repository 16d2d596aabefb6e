"""A backfill tries its rights first: without them it stops before its first write."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from novade_pipeline.defs.amplitude.assets import SOURCES, identities
from novade_pipeline.defs.tracking_plan.assets import plan
from novade_pipeline.graph.job_runs import range_tags
from novade_pipeline.graph.landing_assets import landing_assets
from novade_pipeline.sandbox import amplitude_exports
from novade_pipeline.settings import Settings
from novade_pipeline.storage.locations import store
from novade_pipeline.storage.store import Store
from novade_pipeline_tests.azurite import Azurite

HOUR = timedelta(hours=1)
FIRST_HOUR = datetime(2018, 11, 5, 9, tzinfo=UTC)


def _land(landing: Store) -> None:
    amplitude_exports.land(
        landing, first_hour=FIRST_HOUR, hours=3, events_per_hour=20, seed=1, faults=False
    )


def _backfill(settings: Settings, instance: dg.DagsterInstance) -> list[str]:
    """Load a day as a backfill of the web page does; the failures of its steps."""
    done = dg.materialize(
        [landing_assets(settings, "amplitude", SOURCES), identities, plan],
        instance=instance,
        resources={"lake": settings.lake, "landing": settings.landing},
        tags=range_tags([FIRST_HOUR.date()]),
        raise_on_error=False,
    )
    kinds = {event.event_type for event in done.all_events}
    assert dg.DagsterEventType.STEP_UP_FOR_RETRY not in kinds
    failures = [event.step_failure_data for event in done.all_events if event.is_step_failure]
    return [str(f.user_failure_data.description) for f in failures if f.user_failure_data]


def test_a_backfill_that_may_do_all_loads(
    new_settings: Callable[..., Settings], instance: dg.DagsterInstance
) -> None:
    settings = new_settings()
    _land(settings.landing)
    assert _backfill(settings, instance) == []
    assert next(settings.lake.entries("amplitude/events/upload_date=2018-11-05/"), None)
    assert not Path(settings.lake.path("_probe")).exists()


@pytest.mark.parametrize(
    ("permission", "ends", "expected"),
    [
        ("l", HOUR, "expected a SAS token with the permission Read (r), found one with `sp=l`"),
        ("rl", -HOUR, "the SAS token has expired at"),
    ],
)
def test_a_landing_zone_that_may_not_be_read_stops_a_backfill_before_its_first_write(
    permission: str,
    ends: timedelta,
    expected: str,
    azurite: Azurite,
    token: Callable[..., str],
    new_settings: Callable[..., Settings],
    instance: dg.DagsterInstance,
) -> None:
    container = azurite.new_container("landing")
    url = f"abfss://{container}@{azurite.account}.dfs.core.windows.net/x"
    _land(store(url, {"account_key": azurite.key, "endpoint": azurite.blob_url}))
    settings = new_settings(
        landing_url=url,
        azure_sas_token=token(container, permission, ends),
        azure_endpoint=azurite.blob_url,
    )
    failures = _backfill(settings, instance)
    assert len(failures) == 2
    assert all(expected in failure for failure in failures)
    assert list(settings.lake.entries()) == []


def test_a_lake_that_may_not_be_written_stops_a_backfill_before_its_first_write(
    azurite: Azurite,
    token: Callable[..., str],
    new_settings: Callable[..., Settings],
    instance: dg.DagsterInstance,
) -> None:
    container = azurite.new_container("lake")
    url = f"abfss://{container}@{azurite.account}.dfs.core.windows.net/x"
    settings = new_settings(
        lake_url=url, azure_sas_token=token(container, "rl"), azure_endpoint=azurite.blob_url
    )
    _land(settings.landing)
    failures = _backfill(settings, instance)
    assert failures
    assert all(
        "the permission Write (w), found one with `sp=rl`" in failure for failure in failures
    )
    owned = store(url, {"account_key": azurite.key, "endpoint": azurite.blob_url})
    assert list(owned.entries()) == []
