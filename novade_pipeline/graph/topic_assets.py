"""Assets, checks, sensor and job of a domain whose data arrives as topics of a broker.

A domain's `topic.py` declares `TOPICS`, and its `assets.py` puts `topic_definitions` together with
what it derives from them. One step loads all topics of a domain: asset `<domain>/<table>` of each,
and their quarantine.
"""

from collections.abc import Sequence

import dagster as dg

from novade_pipeline.settings import Settings
from novade_pipeline.streams.topic import Topic


def topic_definitions(settings: Settings, domain: str, topics: Sequence[Topic]) -> dg.Definitions:
    """The assets (tables and quarantine), the sensor and the job `load_<domain>` of a domain.

    Without `NOVADE_STREAMS_BROKERS` the assets are there and are skipped by a load of everything.

    Args:
        topics: all of the domain's.
    """
    raise NotImplementedError
