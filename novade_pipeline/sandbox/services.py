"""Amplitude's API, and the other services of one world, for the duration of a command."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date

from novade_pipeline.sandbox.amplitude_api import AmplitudeApi, made_up
from novade_pipeline.sandbox.drift_api import DriftApi
from novade_pipeline.sandbox.music_api import MusicApi
from novade_pipeline.sandbox.salesforce.api import SalesforceApi
from novade_pipeline.sandbox.serving import serving

PEOPLE = 800


@contextmanager
def services(seed: int, events_per_hour: int, as_of: date) -> Iterator[dict[str, str]]:
    """Serve all services on free ports, and yield the settings that point to them.

    Args:
        seed: of the exports with the same people.
        events_per_hour: likewise.
        as_of: the data of Salesforce and Drift is older than this day, and a function of it.
    """
    amplitude = AmplitudeApi(made_up(seed, events_per_hour))
    music = MusicApi(seed=seed)
    salesforce = SalesforceApi(
        seed=seed, people=PEOPLE, events_per_hour=events_per_hour, as_of=as_of
    )
    drift = DriftApi(seed=seed, events_per_hour=events_per_hour, as_of=as_of)
    with ExitStack() as opened:
        yield {
            "NOVADE_AMPLITUDE_API_URL": opened.enter_context(serving(amplitude.app())),
            "NOVADE_AMPLITUDE_API_KEY": amplitude.api_key,
            "NOVADE_AMPLITUDE_SECRET_KEY": amplitude.secret_key,
            "NOVADE_MUSIC_API_URL": opened.enter_context(serving(music.app())),
            "NOVADE_SALESFORCE_URL": opened.enter_context(serving(salesforce.app())),
            "NOVADE_SALESFORCE_CLIENT_ID": salesforce.access.client_id,
            "NOVADE_SALESFORCE_CLIENT_SECRET": salesforce.access.client_secret,
            "NOVADE_DRIFT_API_URL": opened.enter_context(serving(drift.app())),
            "NOVADE_DRIFT_TOKEN": drift.token,
        }
