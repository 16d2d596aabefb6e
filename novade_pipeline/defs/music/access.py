"""Access probes of the music domain: the service's lists, if its address is set."""

from collections.abc import Iterator
from dataclasses import replace

from novade_pipeline.defs.music.settings import MusicSettings
from novade_pipeline.defs.music.tables import READ
from novade_pipeline.graph.access import Probe
from novade_pipeline.settings import Settings

SECONDS = 8.0


def probes(settings: Settings) -> Iterator[Probe]:
    """Yields a probe that requests one row of the first list."""
    music = settings.of(MusicSettings)
    url = music.api_url
    if url is None:
        return

    def read() -> str:
        from novade_pipeline.api.client import Client
        from novade_pipeline.api.retry import Retry
        from novade_pipeline.defs.music.load import api_of

        api = replace(
            api_of(music), timeout=SECONDS, retry=Retry(attempts=2, longest_retry_after=1.0)
        )
        with Client(api) as client:
            name = READ[0].path[-1]
            client.json(client.get(name, {"page": 1, "size": 1}))
            return f"The list {name} was read."

    remedy = "look at NOVADE_MUSIC_API_URL and NOVADE_MUSIC_API_TOKEN"
    yield Probe("music", "read", "Its lists are read.", f"Music service {url}", remedy, read)


def not_configured(settings: Settings) -> dict[str, str]:
    """Says what to set where the music service is not read."""
    is_read = settings.of(MusicSettings).api_url is not None
    return {} if is_read else {"music": "Set NOVADE_MUSIC_API_URL to read it."}
