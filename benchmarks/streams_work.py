"""What `streams.py` measures, each in a process of its own: `streams_work.py NAME SERVERS OUT`.

Each function prepares with the small topic, unmeasured, and returns the work on the large one.
"""

import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from harness import Sample, report

sys.path.insert(0, str(Path(__file__).parents[1]))

from novade_pipeline.lake.table import Json, Table
from novade_pipeline.privacy.policy import PersonalDataPolicy
from novade_pipeline.storage.locations import store
from novade_pipeline.streams.broker import Broker
from novade_pipeline.streams.load import Executors, InProcess, Loader
from novade_pipeline.streams.tables import STREAM_KEY, StreamRow, stream_quarantine_table
from novade_pipeline.streams.topic import Topic

Work = Callable[[], int]
SMALL, TENTH, LARGE = "small", "tenth", "large"
DELTA = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.shuffle.partitions": "2",
}
FIELDS = "ticket_id, client_id, request, request_type, priority"


class Ticket(StreamRow):
    """A ticket."""

    ticket_id: str
    client_id: str | None = None
    created_at: datetime | None = None
    request: str | None = None
    request_type: str | None = None
    priority: str | None = None
    other_fields: Json | None = None


TICKETS = Table(
    name="bench/tickets",
    row=Ticket,
    key=STREAM_KEY,
    write_mode="append_once",
    data_time="created_at",
)
QUARANTINE = stream_quarantine_table("bench", TICKETS)


def client(servers: str, out: Path) -> Work:
    """confluent-kafka alone: every value is touched, nothing is kept."""
    from confluent_kafka import Consumer, TopicPartition

    def work() -> int:
        reader = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": "bench",
                "enable.partition.eof": True,
                "fetch.queue.backoff.ms": 5,
            }
        )
        reader.assign([TopicPartition(LARGE, partition, 0) for partition in (0, 1)])
        count = ends = size = 0
        while ends < 2:
            for message in reader.consume(10_000, 0.1):
                if message.error() is not None:
                    ends += 1
                else:
                    size += len(message.value())
                    count += 1
        return count

    return work


def load_spark(servers: str, out: Path) -> Work:
    """This project's load on local[2], warm."""
    return _load(servers, out, LARGE, _executors())


def load_tenth(servers: str, out: Path) -> Work:
    """The same with a tenth of the records, for its memory."""
    return _load(servers, out, TENTH, _executors())


def load_alone(servers: str, out: Path) -> Work:
    """This project's load in one process, without Spark."""
    return _load(servers, out, LARGE, InProcess())


def structured(servers: str, out: Path) -> Work:
    """Spark Structured Streaming from Kafka to Delta, with a checkpoint, warm."""
    spark = _session(("kafka", "delta"))

    def run(topic: str) -> int:
        fields = "ticket_id string, client_id string, created_at timestamp, request string, "
        fields += "request_type string, priority string"
        stream = (
            spark.readStream.format("kafka")
            .option("kafka.bootstrap.servers", servers)
            .option("subscribe", topic)
            .option("startingOffsets", "earliest")
            .option("minPartitions", "2")
            .load()
            .selectExpr(
                "topic",
                "partition",
                "offset",
                "timestamp AS broker_time",
                "CAST(key AS string) AS key",
                f"from_json(CAST(value AS string), '{fields}') AS v",
            )
            .selectExpr("topic", "partition", "offset", "broker_time", "key", "v.*")
        )
        query = (
            stream.writeStream.format("delta")
            .option("checkpointLocation", str(out / f"checkpoint-{topic}"))
            .trigger(availableNow=True)
            .start(str(out / f"table-{topic}"))
        )
        query.awaitTermination()
        from deltalake import DeltaTable

        return DeltaTable(str(out / f"table-{topic}")).count()

    run(SMALL)
    return lambda: run(LARGE)


def dlt(servers: str, out: Path) -> Work:
    """Dlt to Parquet: a resource over confluent-kafka, as its own Kafka source is one."""
    import json

    import dlt as pipelines
    from confluent_kafka import Consumer, TopicPartition

    def records(topic: str) -> Any:
        reader = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": "dlt",
                "enable.partition.eof": True,
                "fetch.queue.backoff.ms": 5,
            }
        )
        reader.assign([TopicPartition(topic, partition, 0) for partition in (0, 1)])
        ends = 0
        while ends < 2:
            rows = []
            for message in reader.consume(5_000, 0.1):
                if message.error() is not None:
                    ends += 1
                else:
                    place = {"partition": message.partition(), "offset": message.offset()}
                    rows.append(json.loads(message.value()) | place)
            yield rows

    def run(topic: str) -> int:
        pipeline = pipelines.pipeline(
            f"bench_{topic}",
            pipelines_dir=str(out / "dlt"),
            destination=pipelines.destinations.filesystem(bucket_url=str(out / "dlt_lake")),
            dataset_name="bench",
        )
        pipeline.run(records(topic), table_name="tickets", loader_file_format="parquet")
        counts = pipeline.last_trace.last_normalize_info.row_counts
        return int(counts["tickets"])

    run(SMALL)
    return lambda: run(TENTH)


def _load(servers: str, out: Path, topic: str, executors: Executors) -> Work:
    lake = store(str(out / "lake"))

    def run(name: str) -> int:
        loader = Loader(Broker(servers, name), lake, PersonalDataPolicy(), lambda _: executors)
        return loader.load(Topic(name, TICKETS, QUARANTINE)).work.rows

    run(SMALL)
    return lambda: run(topic)


def _session(packages: tuple[str, ...] = ()) -> Any:
    from dagster_pyspark import LazyPySparkResource

    from novade_pipeline.spark.conf import SparkOptions, session_conf

    conf = DELTA if "delta" in packages else {}
    options = SparkOptions("local[2]", packages=packages, conf=conf)
    session = LazyPySparkResource(spark_config=session_conf(options)).spark_session
    session.sparkContext.pythonExec = sys.executable
    return session


def _executors() -> Executors:
    from novade_pipeline.spark.executors import SparkExecutors

    return SparkExecutors(_session())


class Watch:
    """The CPU time and the peak of memory of this process and all that it started."""

    def __init__(self) -> None:
        self.peak = 0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        self.cpu = self._cpu()
        return self

    def __exit__(self, *_: object) -> None:
        self.cpu = self._cpu() - self.cpu
        self._ends.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ends.wait(0.1):
            self.peak = max(self.peak, sum(p.memory_full_info().pss for p in self._all()))

    def _cpu(self) -> float:
        times = [p.cpu_times() for p in self._all()]
        return sum(t.user + t.system + t.children_user + t.children_system for t in times)

    def _all(self) -> list[psutil.Process]:
        me = psutil.Process()
        return [p for p in (me, *me.children(recursive=True)) if p.is_running()]


def main() -> None:
    """Prepare, work, report."""
    name, servers, out = sys.argv[1:]
    work: Work = globals()[name](servers, Path(out))
    with Watch() as watch:
        started = time.perf_counter()
        records = work()
        seconds = time.perf_counter() - started
        time.sleep(0.15)
    report(Sample(records, seconds, watch.cpu, watch.peak / 2**20))


if __name__ == "__main__":
    main()
