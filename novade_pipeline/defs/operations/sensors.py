"""Someone is told: the sensor that looks at runs, checks and freshness and tells a webhook.

It decides from Dagster's event log alone and keeps what it has told in its cursor; see `alerts`.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import dagster as dg

from novade_pipeline.defs.operations import alert_messages, alerts, problems
from novade_pipeline.defs.operations.alerts import Alert, Memory
from novade_pipeline.defs.operations.settings import OperationsSettings
from novade_pipeline.defs.operations.webhook import Answer, Webhook
from novade_pipeline.settings import Settings

INTERVAL_SECONDS = 30


def definitions(settings: Settings) -> dg.Definitions:
    """The sensor that tells."""
    return dg.Definitions(sensors=[alert_sensor(settings)])


def alert_sensor(
    settings: Settings, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> dg.SensorDefinition:
    """Tells the webhook what is not well: once a cause, and once more when it is.

    Args:
        now: the clock.
    """
    own = settings.of(OperationsSettings)

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells NOVADE_ALERT_WEBHOOK of failed runs, failed checks, late assets.",
    )
    def tell(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if own.alert_webhook is None:
            return dg.SkipReason("NOVADE_ALERT_WEBHOOK is not set: nobody is told of failures.")
        repository = context.repository_def
        assert repository is not None, "a sensor of a code location knows its repository"
        graph, instance, moment = repository.asset_graph, context.instance, now()
        memory = Memory.from_json(context.cursor)
        position, changes = problems.ended_runs(instance, repository, memory, moment)
        memory = alerts.take_in_runs(memory, changes, moment)
        standing, passed_in = problems.failed_checks(instance, graph)
        late, made_in = problems.late_assets(instance, graph, moment)
        standing += late
        if own.alert_severity == "error":
            standing = [problem for problem in standing if problem.severity == "error"]
        memory = alerts.take_in_standing(memory, standing, passed_in | made_in, moment)
        memory = alerts.begun(memory, position, moment)
        memory, told = _tell(own, alerts.summed_up(memory, moment))
        if memory.outbox:
            context.log.warning(told)
        return dg.SensorResult(cursor=memory.to_json(), skip_reason=dg.SkipReason(told))

    return tell


def _tell(own: OperationsSettings, memory: Memory) -> tuple[Memory, str]:
    """Send what waits; what is left, and a sentence about it."""
    assert own.alert_webhook is not None, "asked for only where there is one"
    webhook = Webhook(own.alert_webhook.get_secret_value())
    form = alert_messages.format_of(webhook.url, own.alert_format)

    def send(alert: Alert) -> Answer:
        return webhook.send(alert_messages.body(alert, form, own.web_url), alert.id)

    memory = alerts.deliver(memory, send)
    told = f"{len(memory.open)} problems stand; told {webhook.taken} now"
    if memory.outbox:
        told += (
            f"; {len(memory.outbox)} wait, since {webhook.trouble}; they are sent at the next "
            "look. Where it stays so, check NOVADE_ALERT_WEBHOOK"
        )
    return memory, f"{told}."
