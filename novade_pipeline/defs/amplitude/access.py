"""The rights that Amplitude's history needs: keys of a project that may be exported."""

from collections.abc import Iterator
from dataclasses import replace

from novade_pipeline.defs.amplitude.settings import AmplitudeSettings
from novade_pipeline.graph.access import Probe
from novade_pipeline.settings import Settings

SECONDS = 15.0


def probes(settings: Settings) -> Iterator[Probe]:
    """Yields a probe that asks for an hour before there was Amplitude, which has no data."""
    amplitude = settings.of(AmplitudeSettings)
    if amplitude.missing:
        return

    def export() -> str:
        import tempfile
        from datetime import UTC, datetime
        from pathlib import Path

        from novade_pipeline.api.client import Client
        from novade_pipeline.api.retry import Retry
        from novade_pipeline.defs.amplitude.export_api import Span, api_of, fetch

        api = replace(
            api_of(amplitude), timeout=SECONDS, retry=Retry(attempts=2, longest_retry_after=1.0)
        )
        with Client(api) as client, tempfile.TemporaryDirectory() as folder:
            list(fetch(client, Span(datetime(2010, 1, 1, tzinfo=UTC), 1), Path(folder)))
        return "The keys are accepted, and the project may be exported."

    yield Probe(
        "amplitude",
        "export",
        "History is fetched through the Export API.",
        f"Amplitude {amplitude.url}",
        "look at NOVADE_AMPLITUDE_API_KEY, NOVADE_AMPLITUDE_SECRET_KEY and NOVADE_AMPLITUDE_REGION",
        export,
    )


def not_configured(settings: Settings) -> dict[str, str]:
    """Says what to set where no history is fetched."""
    amplitude = settings.of(AmplitudeSettings)
    return {"amplitude": amplitude.not_configured} if amplitude.missing else {}
