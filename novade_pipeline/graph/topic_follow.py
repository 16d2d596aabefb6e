"""Following topics: loads as records come, for those who want seconds instead of a minute.

It keeps one Spark session and nothing else: killed at any time, it has committed all or nothing of
a load, and the next load goes on from the tables' own offsets.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from novade_pipeline.errors import TransientFailure
from novade_pipeline.graph.spark_sessions import SparkSessions
from novade_pipeline.graph.topic_loads import loader_of
from novade_pipeline.graph.topic_sensor import pending_work
from novade_pipeline.settings import Settings
from novade_pipeline.streams.load import LoadReport
from novade_pipeline.streams.topic import Topic

IDLE_SECONDS = 0.1
LONGEST_PAUSE = 60.0


@dataclass(frozen=True)
class Follower:
    """Follows the topics of a domain.

    Attributes:
        every: seconds between the starts of two loads, at least; each is a version of a table.
        on_load: called with the topic and the report of each load that read something.
        on_failure: called with the sentence of a failure that may pass; it is tried again.
    """

    settings: Settings
    topics: Sequence[Topic]
    every: float
    on_load: Callable[[Topic, LoadReport], None]
    on_failure: Callable[[str], None]

    def follow(self, spark: SparkSessions, *, until: float | None = None) -> None:
        """Load as records come.

        Args:
            spark: used by loads of many records.
            until: the time of `time.monotonic` at which it ends; None for never.

        Raises:
            UserError: what would happen again, such as a topic that was made again.
        """
        loader = loader_of(self.settings, self.settings.lake, spark)
        pause = IDLE_SECONDS
        while until is None or time.monotonic() < until:
            started = time.monotonic()
            try:
                if pending_work(self.settings, self.topics)[1] is None:
                    time.sleep(IDLE_SECONDS)
                    continue
                for topic in self.topics:
                    report = loader.load(topic)
                    if report.work.records:
                        self.on_load(topic, report)
                pause = IDLE_SECONDS
            except TransientFailure as failure:
                self.on_failure(str(failure))
                pause = min(max(2 * pause, 1.0), LONGEST_PAUSE)
                time.sleep(pause)
            time.sleep(max(0.0, self.every - (time.monotonic() - started)))
