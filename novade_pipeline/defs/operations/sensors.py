"""The sensor that sends alerts to a webhook, and the one that deletes old ticks.

Alerts are of runs, checks and freshness, from Dagster's event log; the sensor's cursor is the state
of `alerts`.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg

from novade_pipeline.defs.operations import alert_messages, alerts, problems
from novade_pipeline.defs.operations.alerts import Alert, Memory
from novade_pipeline.defs.operations.settings import OperationsSettings
from novade_pipeline.defs.operations.webhook import Answer, Webhook
from novade_pipeline.settings import Settings

INTERVAL_SECONDS = 30
PURGE_SECONDS = 900
"""How often old ticks are deleted."""
OLD_TICKS = 50
"""How many of a sensor's old ticks are read to see whether one of them found nothing."""


def definitions(settings: Settings) -> dg.Definitions:
    """Both sensors."""
    return dg.Definitions(sensors=[alert_sensor(settings), tick_sensor(settings)])


def alert_sensor(
    settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> dg.SensorDefinition:
    """Builds the sensor, which sends one alert for each problem and one when it is resolved."""
    operations = settings.of(OperationsSettings)

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Alerts NOVADE_ALERT_WEBHOOK of failed runs, failed checks, late assets.",
    )
    def send_alerts(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if operations.alert_webhook is None:
            return dg.SkipReason("NOVADE_ALERT_WEBHOOK is not set: no alerts are sent.")
        repository = context.repository_def
        assert repository is not None, "a sensor of a code location knows its repository"
        graph, instance, moment = repository.asset_graph, context.instance, now()
        memory = Memory.from_json(context.cursor)
        position, changes = problems.ended_runs(instance, repository, memory, moment)
        memory = alerts.add_runs(memory, changes, moment)
        current, passed_in = problems.failed_checks(instance, graph)
        late, made_in = problems.late_assets(instance, graph, moment)
        current += late
        if operations.alert_severity == "error":
            current = [problem for problem in current if problem.severity == "error"]
        memory = alerts.update_checks(memory, current, passed_in | made_in, moment)
        memory = alerts.with_position(memory, position, moment)
        memory, previous = _deliver(operations, alerts.with_summary(memory, moment))
        if memory.outbox:
            context.log.warning(previous)
        return dg.SensorResult(cursor=memory.to_json(), skip_reason=dg.SkipReason(previous))

    return send_alerts


def tick_sensor(
    settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> dg.SensorDefinition:
    """Builds the sensor that deletes ticks without a result.

    Each poll of a sensor is a tick: some 25,000 a day. Dagster's own retention counts in days.
    """
    hours = settings.of(OperationsSettings).skipped_tick_hours

    @dg.sensor(
        name="tick_retention",
        minimum_interval_seconds=PURGE_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Deletes the ticks of sensors that found nothing, after {hours:g} hours "
        "(NOVADE_SKIPPED_TICK_HOURS).",
    )
    def purge(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        before = (now() - timedelta(hours=hours)).timestamp()
        instance = context.instance
        for sensor in instance.all_instigator_state():
            of_sensor = (sensor.instigator_origin_id, sensor.selector_id)
            old = instance.get_ticks(*of_sensor, before=before, limit=OLD_TICKS)
            skipped = list({tick.status for tick in old if tick.status.value == "SKIPPED"})
            if skipped:
                instance.purge_ticks(*of_sensor, before=before, tick_statuses=skipped)
        return dg.SkipReason(f"Ticks without a result are shown for {hours:g} hours.")

    return purge


def _deliver(operations: OperationsSettings, memory: Memory) -> tuple[Memory, str]:
    """Sends the outbox; returns the memory and a summary."""
    assert operations.alert_webhook is not None, "called only with a webhook"
    webhook = Webhook(operations.alert_webhook.get_secret_value())
    form = alert_messages.format_of(webhook.url, operations.alert_format)

    def send(alert: Alert) -> Answer:
        return webhook.send(alert_messages.body(alert, form, operations.web_url), alert.id)

    memory = alerts.deliver(memory, send)
    previous = f"{len(memory.open)} open problems; {webhook.delivered} alerts sent"
    if memory.outbox:
        previous += (
            f"; {len(memory.outbox)} wait, since {webhook.last_error}; they are sent at the next "
            "tick. If this persists, check NOVADE_ALERT_WEBHOOK"
        )
    return memory, f"{previous}."
