"""The rights that all domains need: lake, landing zone and, if configured, queue."""

from collections.abc import Iterator

from novade_pipeline.defs.operations.settings import OperationsSettings
from novade_pipeline.graph.access import Probe, lake_probes, landing_probes
from novade_pipeline.settings import Settings


def probes(settings: Settings) -> Iterator[Probe]:
    """The probes of lake, landing zone and queue."""
    yield from lake_probes(settings.lake.failing_fast())
    yield from landing_probes(settings.landing.failing_fast())
    if settings.landing_discovery == "queue" and settings.landing_queue_url is not None:
        yield _queue_probe(settings, settings.landing_queue_url)


def not_configured(settings: Settings) -> dict[str, str]:
    """Says what to set where new files are not announced, and where no alerts are sent."""
    remedies = {}
    if settings.landing_discovery != "queue":
        remedies["queue"] = (
            "New files are listed. Set NOVADE_LANDING_DISCOVERY=queue and NOVADE_LANDING_QUEUE_URL "
            "to have them announced."
        )
    webhook = settings.of(OperationsSettings).alert_webhook
    if webhook is None or not webhook.get_secret_value():
        remedies["alerts"] = "Set NOVADE_ALERT_WEBHOOK to receive them."
    return remedies


def _queue_probe(settings: Settings, url: str) -> Probe:
    def peek() -> str:
        from azure.core.exceptions import AzureError

        from novade_pipeline.storage.azure import AzureStore, queue_client
        from novade_pipeline.storage.azure_errors import translate_error

        landing = settings.landing
        assert isinstance(landing, AzureStore), "the settings are checked at the start"
        try:
            messages = queue_client(landing.access, url, fails_fast=True).peek_messages()
        except AzureError as error:
            raise translate_error(error, url, "peek", landing.access.sas) or error from None
        return "The queue has notices." if messages else "The queue is empty."

    purpose, remedy = "New files are announced.", "set NOVADE_LANDING_QUEUE_URL"
    return Probe("queue", "peek", purpose, f"Queue {url}", remedy, peek)
