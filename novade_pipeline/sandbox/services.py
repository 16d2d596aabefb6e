"""All made-up services at once, beside a command: music, Salesforce and Drift tell of one world."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date

from novade_pipeline.sandbox.drift_api import DriftApi
from novade_pipeline.sandbox.music_api import MusicApi
from novade_pipeline.sandbox.salesforce.api import SalesforceApi
from novade_pipeline.sandbox.serving import serving

PEOPLE = 800


@contextmanager
def services(seed: int, events_per_hour: int, as_of: date) -> Iterator[dict[str, str]]:
    """The settings that lead to the services, which are served on free ports meanwhile.

    Args:
        seed: as of the exports that tell of the same people.
        events_per_hour: likewise.
        as_of: what Salesforce and Drift hold is older than this day; the same day, the same data.
    """
    music = MusicApi(seed=seed)
    salesforce = SalesforceApi(
        seed=seed, people=PEOPLE, events_per_hour=events_per_hour, as_of=as_of
    )
    drift = DriftApi(seed=seed, events_per_hour=events_per_hour, as_of=as_of)
    with ExitStack() as opened:
        yield {
            "NOVADE_MUSIC_API_URL": opened.enter_context(serving(music.app())),
            "NOVADE_SALESFORCE_URL": opened.enter_context(serving(salesforce.app())),
            "NOVADE_SALESFORCE_CLIENT_ID": salesforce.access.client_id,
            "NOVADE_SALESFORCE_CLIENT_SECRET": salesforce.access.client_secret,
            "NOVADE_DRIFT_API_URL": opened.enter_context(serving(drift.app())),
            "NOVADE_DRIFT_TOKEN": drift.token,
        }
